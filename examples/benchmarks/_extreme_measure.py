"""One measurement of the benchmark of extreme classification: a fit, or selection alone.

Run as a process of its own, with the line to be completed:

    python examples/benchmarks/_extreme_measure.py '{"method": "CRUST", "classes": 1000, ...}'
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[0]))
from _results import Line
from _selection_measure import PeakMemory

from noisyfit import CRUSTClassifier, DMClassifier
from noisyfit._peaked import PeakedRows, stack_rows
from noisyfit.losses import SquaredError
from noisyfit.noise import symmetric_noise
from noisyfit.selection import logit_gradients
from noisyfit.selection.trim_and_cover import TrimAndCover

N_FEATURES, TEST_ROWS = 64, 5
MEGABYTE = 2**20
METHODS = ("cross entropy", "squared loss", "DM", "CRUST", "oracle")
SELECTIONS = ("trimming alone", "greedy medoids")


def make_classifier(method: str, **network: Any) -> Any:
    """The estimator of a line of the table; the oracle is cross entropy on the right labels."""
    if method == "CRUST":
        return CRUSTClassifier(**network)
    if method == "DM":
        return DMClassifier(**network)
    if method == "squared loss":  # every row in every epoch: plain training, with any criterion
        plain: dict[str, Any] = {"trim": None, "cross_fit": None, "pseudo_label": None}
        # The rescaling that Hui and Belkin (ICLR 2021) use for the 1,000 classes of ImageNet.
        criterion = SquaredError(label_weight=15.0, label_value=30.0)
        return CRUSTClassifier(**plain, criterion=criterion, **network)
    return DMClassifier("cce", normalize=None, **network)


def rows_around_prototypes(
    n_classes: int, rows_per_class: int, spread: float, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Gaussian rows around a prototype for each class; ``seed`` is that of the rows only."""
    prototypes = np.random.default_rng(0).standard_normal((n_classes, N_FEATURES))
    labels = np.tile(np.arange(n_classes), rows_per_class)
    noise = np.random.default_rng([1, seed]).standard_normal((len(labels), N_FEATURES))
    return (prototypes[labels] + spread * noise).astype(np.float32), labels


def measure_fit(line: Line) -> Line:
    """Accuracy, purity, time and memory of a fit."""
    X, y = rows_around_prototypes(line["classes"], line["rows_per_class"], line["spread"], 0)
    X_test, y_test = rows_around_prototypes(line["classes"], TEST_ROWS, line["spread"], 1)
    y_given, wrong = symmetric_noise(y, line["noise"], random_state=0)
    if line["method"] == "oracle":
        X, y_given, wrong = X[~wrong], y_given[~wrong], wrong[~wrong]
    classifier = make_classifier(line["method"], random_state=0, **line["network"])
    with PeakMemory("cpu") as memory:
        start = time.perf_counter()
        classifier.fit(X, y_given)
        seconds = time.perf_counter() - start
    rows = classifier.coreset_indices_ if line["method"] == "CRUST" else None
    return {
        **line,
        "accuracy": float(classifier.score(X_test, y_test)),
        "purity": None if rows is None else float(1 - wrong[rows].mean()),
        "noise_rate": float(classifier.noise_rate_),
        "seconds": seconds,
        "megabytes": None if memory.bytes is None else memory.bytes / MEGABYTE,
    }


def measure_selection(line: Line) -> Line:
    """Time and memory of one trimming, or trimming and covering, of given probabilities."""
    n_classes, rng = line["classes"], np.random.default_rng(0)
    y = np.tile(np.arange(n_classes), line["rows_per_class"])
    y_given, _ = symmetric_noise(y, line["noise"], random_state=0)
    parts = []
    for rows in np.array_split(np.arange(len(y)), max(1, len(y) // 1000)):
        logits = rng.standard_normal((len(rows), n_classes))
        logits[np.arange(len(rows)), y[rows]] += 8 + 2 * rng.standard_normal(len(rows))
        p = np.exp(logits)
        p /= p.sum(axis=1, keepdims=True)
        parts.append(PeakedRows.from_dense(p, y_given[rows]))
    probabilities = stack_rows(parts)
    selection = "all" if line["method"] == SELECTIONS[0] else "greedy"
    with PeakMemory("cpu") as memory:
        start = time.perf_counter()
        gradients = logit_gradients(probabilities, y_given)
        TrimAndCover(line["noise"], selection, 0.5).select(
            gradients, y_given, y_given, None, None, np.random.RandomState(0)
        )
        seconds = time.perf_counter() - start
    return {
        **line,
        "seconds": seconds,
        "megabytes": None if memory.bytes is None else memory.bytes / MEGABYTE,
    }


if __name__ == "__main__":
    asked = json.loads(sys.argv[1])
    torch.set_num_threads(asked["threads"])
    measured = measure_selection(asked) if asked["method"] in SELECTIONS else measure_fit(asked)
    print(json.dumps(measured))
