"""Which figure of noisy validation rows finds the epoch to stop at.

Trains with part of the rows held out, under labels as wrong as those trained on, and prints for
each figure the test accuracy (clean labels) of the epoch that it favours, means over seeds. From
``last epoch`` to ``test rows`` is what stopping could gain at most; ``valid, right labels`` is what
the same rows would say if their labels were right.

    python examples/benchmarks/early_stopping.py

Digits come with scikit-learn; the other sets need NOISYFIT_DATA.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from skorch.callbacks import Callback

from noisyfit import CRUSTClassifier, DMClassifier, RobustLossClassifier
from noisyfit.noise import asymmetric_noise, symmetric_noise
from noisyfit.noise.belief import believe

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parent))
from _command_line import count
from _data import SETS
from _shared import format_table, use_one_thread

N_ROWS, N_TEST_ROWS = 2000, 4000
PATIENCE = 10
METHODS: dict[str, Callable[..., Any]] = {
    "cross entropy": lambda **options: RobustLossClassifier("ce", **options),
    "DM": DMClassifier,
    "CRUST": CRUSTClassifier,
}
SMALLEST = 1e-12


class RecordProbabilities(Callback):
    """Probabilities of the validation and of the test rows after every epoch."""

    def __init__(self, X: np.ndarray, X_test: np.ndarray) -> None:
        self.X, self.X_test = X, X_test
        self.valid: list[np.ndarray] = []
        self.test: list[np.ndarray] = []
        self.rows = np.empty(0, dtype=np.int64)

    @torch.no_grad()
    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Predict with the present network."""
        self.rows = net.validation_plan_.rows
        net.module_.eval()
        for X, store in ((self.X[self.rows], self.valid), (self.X_test, self.test)):
            store.append(net.module_(torch.from_numpy(X)).double().softmax(1).numpy())


def information(predicted: np.ndarray, given: np.ndarray, n_classes: int) -> float:
    """Mutual information of predicted and given labels, in nats."""
    joint = np.full((n_classes, n_classes), 1 / n_classes)
    np.add.at(joint, (predicted, given), 1)
    joint /= joint.sum()
    shares = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0, keepdims=True)
    return float((joint * np.log(joint / shares)).sum())


def figures(
    valid: np.ndarray, given: np.ndarray, right: np.ndarray, losses: np.ndarray
) -> dict[str, np.ndarray]:
    """One value per epoch of each figure, larger is better.

    ``valid`` are probabilities (n_epochs, n_rows, n_classes) of the validation rows. What is
    believed about their labels comes from the mean of these over all epochs.
    """
    n_classes, rows = valid.shape[2], np.arange(len(given))
    predicted = valid.argmax(axis=2)
    belief = believe(valid.mean(axis=0), given, np.ones(len(given)))
    trust = belief.posterior[rows, given]
    noisy = (valid @ belief.transition)[:, rows, given]
    return {
        "last epoch": np.arange(len(valid), dtype=float),
        "valid_loss": -losses,
        "valid_acc": (predicted == given).mean(axis=1),
        "accuracy, weighted by belief": ((predicted == given) * trust).sum(axis=1) / trust.sum(),
        "expected accuracy under belief": np.array(
            [belief.posterior[rows, of_epoch].mean() for of_epoch in predicted]
        ),
        "forward-corrected loss": np.log(noisy.clip(SMALLEST)).mean(axis=1),
        "mutual information": np.array([information(p, given, n_classes) for p in predicted]),
        "valid, right labels": (predicted == right).mean(axis=1),
    }


def favoured(figure: np.ndarray, patience: int | None = None) -> int:
    """Epoch of the largest value, or of the largest before ``patience`` epochs without a larger."""
    best = 0
    for epoch, value in enumerate(figure):
        if value > figure[best]:
            best = epoch
        elif patience is not None and epoch - best >= patience:
            break
    return best


def read(name: str, seed: int) -> tuple[np.ndarray, ...]:
    """Training and test rows of a set, drawn by seed."""
    if name == "digits":
        X, y = load_digits(return_X_y=True)
        X, X_test, y, y_test = train_test_split(X, y, test_size=0.4, random_state=seed)
    else:
        X, y, X_test, y_test, _ = SETS[name]()
        rows = np.random.RandomState(seed).choice(len(X), N_ROWS, replace=False)
        X, y, X_test, y_test = X[rows], y[rows], X_test[:N_TEST_ROWS], y_test[:N_TEST_ROWS]
    labels = (np.asarray(part).astype(np.int64) for part in (y, y_test))
    rows = (np.asarray(part, dtype=np.float32) for part in (X, X_test))
    return (*rows, *labels)


def corrupted(y: np.ndarray, noise: str, seed: int) -> np.ndarray:
    """Labels with half of them wrong (two classes: 40 %), or 40 % swapped with another class."""
    if noise == "asymmetric":
        return asymmetric_noise(y, 0.4, random_state=seed)[0]
    return symmetric_noise(y, 0.5 if y.max() > 1 else 0.4, random_state=seed)[0]


def measure(name: str, noise: str, method: str, seed: int, n_epochs: int) -> dict[str, float]:
    """Test accuracy at the epoch that each figure favours."""
    X, X_test, y, y_test = read(name, seed)
    given = corrupted(y, noise, seed)
    recorder = RecordProbabilities(X, X_test)
    classifier = METHODS[method](
        max_epochs=n_epochs,
        lr_schedule="constant",  # a falling rate would stop training by itself
        validation_fraction=0.15,
        callbacks=[recorder],
        random_state=seed,
    ).fit(X, given)
    accuracy = np.array([(p.argmax(axis=1) == y_test).mean() for p in recorder.test])
    losses = np.array(classifier.history_[:, "valid_loss"])
    rows = recorder.rows
    values = figures(np.stack(recorder.valid), given[rows], y[rows], losses)
    result = {figure: float(accuracy[favoured(v)]) for figure, v in values.items()}
    stopped = favoured(values["valid_acc"], PATIENCE)
    result[f"valid_acc, patience {PATIENCE}"] = float(accuracy[stopped])
    result["test rows"] = float(accuracy.max())
    return result


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    known = ["digits", "satimage", "magic"] if os.environ.get("NOISYFIT_DATA") else ["digits"]
    parser.add_argument("--sets", nargs="+", default=known, choices=["digits", *SETS])
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=METHODS)
    parser.add_argument("--seeds", type=count, default=3)
    parser.add_argument("--epochs", type=count, default=40)
    arguments = parser.parse_args()
    use_one_thread()
    columns: dict[str, list[dict[str, float]]] = {}
    for method in arguments.methods:
        for noise in ("symmetric", "asymmetric"):
            for name in arguments.sets:
                runs = [
                    measure(name, noise, method, seed, arguments.epochs)
                    for seed in range(arguments.seeds)
                ]
                columns.setdefault(f"{method}, {noise[:-5]}.", []).extend(runs)
                columns.setdefault("all", []).extend(runs)
                print(method, noise, name, "measured", file=sys.stderr, flush=True)
    columns["all"] = columns.pop("all")  # last
    names = list(columns["all"][0])
    lines = [
        [figure, *(float(np.mean([run[figure] for run in runs])) for runs in columns.values())]
        for figure in names
    ]
    print(format_table(["epoch by", *columns], lines))


if __name__ == "__main__":
    main()
