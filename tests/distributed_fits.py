"""What each process of tests/test_distributed.py runs: fits together, and notes what came out.

Started as ``python distributed_fits.py folder task`` with the environment that torchrun makes.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import cross_val_score
from skorch.callbacks import Callback
from torch import nn

import noisyfit
from noisyfit import (
    CoTeachingClassifier,
    CRUSTClassifier,
    DMClassifier,
    LDMIClassifier,
    PENCILClassifier,
    RobustLossClassifier,
)
from noisyfit.noise import symmetric_noise
from noisyfit.training import coreset, screening

X, Y = load_digits(return_X_y=True)
X, Y = X[:201], Y[:201]
Y_GIVEN, _ = symmetric_noise(Y, 0.3, random_state=0)
WEIGHTS = np.random.default_rng(0).integers(0, 3, len(X)).astype(float)

SMALL: dict[str, Any] = {
    "module__hidden": (8,),
    "max_epochs": 2,
    "batch_size": 33,  # uneven shares
    "lr": 1e-2,
    "dtype": "float64",
    "random_state": 0,
}


def crust(**parameters: Any) -> CRUSTClassifier:
    return CRUSTClassifier(**{**SMALL, "cross_fit": 2, "warmup_epochs": 1, **parameters})


def dm(**parameters: Any) -> DMClassifier:
    return DMClassifier(**{**SMALL, **parameters})


class RowAlone(nn.Module):
    """A linear model: it takes batches of a single row."""

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__()
        self.linear = nn.Linear(in_features, out_features)
        self.unused = nn.Linear(2, 2)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return self.linear(features)


# Fits that have to give what one process gives, and how they are called.
CASES: dict[str, Any] = {
    "screening and trimming": crust(screening_epochs=1, max_epochs=3),
    "greedy medoids of predicted classes, mixed": crust(
        cross_fit=None, trim=None, selection="greedy", group_by="predicted", weights="cluster",
        mixup=1.0, max_epochs=3,
    ),
    "random medoids after trimming": crust(cross_fit=None, selection="random"),
    "weights normalised over the batch, rows held out": dm(
        normalize="batch", validation_fraction=0.2
    ),
    "networks that choose in the batch": CoTeachingClassifier(0.3, **SMALL),
    "a loss of the whole batch": LDMIClassifier(2, **SMALL),
    "labels that are learned": PENCILClassifier(warmup_epochs=1, finetuning_epochs=1, **SMALL),
    "a loss that remembers rows": RobustLossClassifier("elr", **SMALL),
    "single rows": RobustLossClassifier(
        "ce", **{**SMALL, "batch_size": 1, "module": RowAlone, "module__hidden": None,
                 "max_epochs": 1, "optimizer": "sgd"},
    ),
}  # fmt: skip
del CASES["single rows"]._prefixed["module__hidden"]
SINGLE_PRECISION = crust(cross_fit=None, dtype="float32", max_epochs=3)
N_ROWS = {"single rows": 20}


def outcome(classifier: Any) -> dict[str, Any]:
    """Everything that a fit says, as arrays."""
    told = {
        "probabilities": classifier.predict_proba(X),
        "label_quality": classifier.label_quality_,
        "transition_matrix": classifier.transition_matrix_,
        "train_loss": [epoch["train_loss"] for epoch in classifier.history_],
        "valid_loss": [epoch.get("valid_loss", 0.0) for epoch in classifier.history_],
        "valid_acc": [epoch.get("valid_acc", 0.0) for epoch in classifier.history_],
    }
    if hasattr(classifier, "coreset_indices_"):
        told["coreset_indices"] = classifier.coreset_indices_
        told["coreset_weights"] = classifier.coreset_weights_
    return {name: np.asarray(value) for name, value in told.items()}


def fit(name: str, accelerator: Any = None) -> Any:
    """The case, fitted on its rows."""
    classifier = CASES[name].set_params(accelerator=accelerator)
    n = N_ROWS.get(name, len(X))
    return classifier.fit(X[:n], Y_GIVEN[:n], sample_weight=1 + WEIGHTS[:n])


def resumable(folder: Path, **parameters: Any) -> CRUSTClassifier:
    """A fit with checkpoints, in which everything is drawn at random that can be."""
    options = {"checkpoint": folder / "checkpoint", **parameters}
    return crust(cross_fit=None, max_epochs=5, module__dropout=0.3, **options)


class DieInEpoch(Callback):
    """Kills its process without a word when an epoch ends, as losing the machine would."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        if len(net.history) == self.epoch:
            os.kill(os.getpid(), signal.SIGKILL)


class Draws:
    """A transform that changes nothing, and notes which rows it saw and what it drew."""

    def __init__(self) -> None:
        self.rows: list[list[float]] = []
        self.drawn: list[float] = []

    def __call__(self, batch: torch.Tensor) -> torch.Tensor:
        self.rows.append(batch[:, 0].tolist())
        self.drawn.append(float(torch.rand(())))
        return batch


class StopInOne(Callback):
    """Asks to stop after two epochs, in one process only."""

    def __init__(self, process: int) -> None:
        self.process = process

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        net.stop_requested_ = self.process == 1 and len(net.history) == 2


def error_of(classifier: Any, *data: Any) -> str:
    try:
        classifier.fit(*data)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "none"


def all_fits(folder: Path, accelerator: Any) -> dict[str, Any]:
    number = accelerator.process_index
    told: dict[str, Any] = {"cases": {name: outcome(fit(name, accelerator)) for name in CASES}}
    SINGLE_PRECISION.set_params(accelerator=accelerator).fit(X, Y_GIVEN)
    told["single precision"] = outcome(SINGLE_PRECISION)

    # A network that draws for its rows, with a row's number in its first column.
    draws, numbered = Draws(), np.column_stack([np.arange(len(X)), X[:, 1:]])
    random = dm(
        accelerator=accelerator, train_transform=draws, module__dropout=0.5, random_state=None,
        verbose=1,
    ).fit(numbered, Y_GIVEN)  # fmt: skip
    told.update(rows=draws.rows, drawn=draws.drawn, random=random.predict_proba(numbered))

    if number == 0:
        crust_fit = CASES["screening and trimming"]
        (folder / "crust.pickle").write_bytes(pickle.dumps(crust_fit))
        noisyfit.save(crust_fit, folder / "crust.noisyfit")
    told["scores"] = cross_val_score(dm(accelerator=accelerator), X, Y_GIVEN, cv=2)
    parts = dm(accelerator=accelerator)
    for rows in (slice(0, 120), slice(120, None)):
        parts.partial_fit(X[rows], Y_GIVEN[rows], classes=np.arange(10))
    told["instalments"] = parts.predict_proba(X)
    stopping = dm(accelerator=accelerator, callbacks=[StopInOne(number)], max_epochs=5)
    told["n_iter"] = stopping.fit(X, Y_GIVEN).n_iter_
    other_data = np.roll(Y_GIVEN, number)
    told["other data"] = error_of(dm(accelerator=accelerator), X, other_data)
    told["other parameters"] = error_of(dm(accelerator=accelerator, lr=1 + number), X, Y_GIVEN)
    (folder / "file").touch()
    told["main process's error"] = error_of(
        dm(accelerator=accelerator, checkpoint=folder / "file"), X, Y_GIVEN
    )
    return told


def main() -> None:
    from accelerate import Accelerator

    torch.set_num_threads(1)
    # So few rows would be one block, which one process would predict alone.
    screening.BULK_BATCH_SIZE = coreset.BULK_BATCH_SIZE = 16
    folder, task = Path(sys.argv[1]), sys.argv[2]
    accelerator = Accelerator(cpu=True)
    number = accelerator.process_index
    if task == "fits":
        told = all_fits(folder, accelerator)
        (folder / f"fits-{number}.pickle").write_bytes(pickle.dumps(told))
        # Now this process is lost, or the other one.
        callbacks = [DieInEpoch(3)] if number == 1 else None
        resumable(folder, accelerator=accelerator, callbacks=callbacks).fit(X, Y_GIVEN)
    else:
        fits = [
            resumable(folder, accelerator=accelerator, **options).fit(X, Y_GIVEN)
            for options in ({}, {"checkpoint": None})
        ]
        told = dict(zip(("resumed", "undisturbed"), map(outcome, fits), strict=True))
        (folder / f"resumed-{number}.pickle").write_bytes(pickle.dumps(told))


if __name__ == "__main__":
    main()
