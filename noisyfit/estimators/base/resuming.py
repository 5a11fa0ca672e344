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
)
from noisyfit.training.checkpoint.folder import versions
from noisyfit.training.seeding import draw_seed

# These change nothing in what a fit computes.
_OF_NO_CONSEQUENCE = ("checkpoint", "verbose")
_PLACEHOLDER = "{fit}"


def begin_progress(
    estimator: Any,
    X: Any,
    codes: np.ndarray,
    classes: np.ndarray,
    weights: np.ndarray,
    device: torch.device,
    *,
    fresh: bool,
) -> Progress:
    """Progress of a fit on validated data; it goes on from the estimator's ``checkpoint``, if any.

    Raises
    ------
    ValueError
        If the folder holds checkpoints of another fit, naming the differences, or is in use.
    """
    seed = draw_seed(estimator.random_state)
    if estimator.checkpoint is None:
        return Progress(seed=seed, device=device)
    identity = _identify(estimator, X, codes, classes, weights, device, fresh=fresh)
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
    return Progress(folder, identity, seed, device, saved)


def _identify(
    estimator: Any,
    X: Any,
    codes: np.ndarray,
    classes: np.ndarray,
    weights: np.ndarray,
    device: torch.device,
    *,
    fresh: bool,
) -> FitIdentity:
    parameters = {
        name: describe_value(value)
        for name, value in estimator.get_params(deep=False).items()
        if name not in _OF_NO_CONSEQUENCE
    }
    # "cuda" and "cuda:1" compute the same.
    parameters["device"] = device.type
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
