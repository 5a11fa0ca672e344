"""Which fit an estimator is about to do, and how far an earlier process has got with it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import torch

from noisyfit._version import __version__
from noisyfit.training.checkpoint import (
    CheckpointFolder,
    FitIdentity,
    Progress,
    describe_value,
    digest_of,
    versions,
)
from noisyfit.training.checkpoint.folder import FollowedFolder
from noisyfit.training.distributed import ALONE, Processes
from noisyfit.training.seeding import draw_seed

# These change nothing in what a fit computes.
_OF_NO_CONSEQUENCE = ("accelerator", "checkpoint", "verbose")
# These may hold what is of one process only; networks are given the same weights anyway.
_OF_ONE_PROCESS = ("callbacks", "device", "module", "train_transform")
_PLACEHOLDER = "{fit}"


def begin_progress(
    estimator: Any,
    X: Any,
    codes: np.ndarray,
    classes: np.ndarray,
    weights: np.ndarray,
    device: torch.device,
    *,
    processes: Processes = ALONE,
    fresh: bool,
) -> Progress:
    """Progress of a fit on validated data; it goes on from the estimator's ``checkpoint``, if any.

    Of several processes only the main one has the folder, and tells the others what is in it.

    Raises
    ------
    ValueError
        If the folder holds checkpoints of another fit, naming the differences, or is in use; or if
        the processes differ in what they are to fit.
    """
    seed = processes.from_main(draw_seed(estimator.random_state))
    check_same_fit(estimator, X, codes, classes, weights, processes, fresh=fresh)
    if estimator.checkpoint is None:
        return Progress(seed=seed, device=device)
    identity = _identify(estimator, X, codes, classes, weights, fresh=fresh)
    identity.parameters["device"] = device.type  # "cuda" and "cuda:1" compute the same
    folder: CheckpointFolder | None = None

    def begin() -> tuple[int, dict[str, Any] | None]:
        nonlocal folder
        folder, seed_to_use, saved = _open(estimator, identity, seed)
        return seed_to_use, saved

    seed, saved = processes.on_main(begin)
    return Progress(folder or FollowedFolder(), identity, seed, device, saved)


def check_same_fit(
    estimator: Any,
    X: Any,
    codes: np.ndarray,
    classes: np.ndarray,
    weights: np.ndarray,
    processes: Processes,
    *,
    fresh: bool,
) -> None:
    """Raise in all processes if they have been given different fits.

    Raises
    ------
    ValueError
        Naming what differs.
    """
    if not processes.are_many:
        return
    identity = _identify(estimator, X, codes, classes, weights, fresh=fresh)
    for name in _OF_ONE_PROCESS:
        identity.parameters.pop(name)
    others = processes.of_all(identity.as_dict())
    for number, other in enumerate(others):
        first = FitIdentity(**others[0])
        differences = first.differences(other)
        if differences:
            raise ValueError(
                "All processes have to fit the same on the same data. What process 0 was given "
                f"differs in process {number}: {'; '.join(differences)}."
            )


def _open(
    estimator: Any, identity: FitIdentity, seed: int
) -> tuple[CheckpointFolder, int, dict[str, Any] | None]:
    """The folder, the seed of the fit, and the state in which it goes on, if it was begun."""
    path = os.fspath(estimator.checkpoint).replace(_PLACEHOLDER, identity.key())
    folder = CheckpointFolder(Path(path).expanduser())
    try:
        saved = folder.latest()
        if saved is not None:
            seed_is_free = estimator.random_state is None
            _check_same_fit(identity, saved, None if seed_is_free else seed, path)
            if folder.is_finished() and seed_is_free:
                folder.clear()  # without a seed every fit is another one
                saved = None
            else:
                seed = saved["seed"]
    except BaseException:
        folder.close()
        raise
    return folder, seed, saved


def _identify(
    estimator: Any,
    X: Any,
    codes: np.ndarray,
    classes: np.ndarray,
    weights: np.ndarray,
    *,
    fresh: bool,
) -> FitIdentity:
    parameters = {
        name: describe_value(value)
        for name, value in estimator.get_params(deep=False).items()
        if name not in _OF_NO_CONSEQUENCE
    }
    parameters["the version of noisyfit"] = __version__
    data = {
        "X": digest_of(X),
        "y": digest_of(codes, classes),
        "sample_weight": digest_of(weights),
    }
    if not fresh:
        net = estimator.net_
        data["the network to go on from"] = digest_of(
            dict(net.module_.state_dict()), len(net.history)
        )
    return FitIdentity(type(estimator).__name__, data, parameters)


def _check_same_fit(
    identity: FitIdentity, saved: dict[str, Any], seed: int | None, path: str
) -> None:
    differences = identity.differences(saved["fit"])
    if not differences and seed is not None and seed != saved["seed"]:
        differences = ["random_state is in another state"]
    now = versions()
    differences += [
        f"it was begun with {name} {version}, and this is {name} {now[name]}"
        for name, version in saved["versions"].items()
        if name == "torch" and version != now[name]
    ]
    if differences:
        raise ValueError(
            f"checkpoint={path!r} holds another fit: {'; '.join(differences)}. Delete the folder, "
            f"or name another one; 'folder/{_PLACEHOLDER}' gives every fit one of its own."
        )
