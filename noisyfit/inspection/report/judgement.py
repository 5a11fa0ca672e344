"""Which rows a report lists, and what is believed about them."""

from __future__ import annotations

import numbers
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from noisyfit.noise import believed_labels, estimate_noise, label_quality
from noisyfit.noise.validation import check_labels, encode_labels

FEWEST, MOST = 100, 10_000


@dataclass(frozen=True, eq=False)
class Judgement:
    """What is believed about the labels of all n rows, of C classes.

    ``given`` and ``believed`` (n,) are positions in ``classes``, ``quality`` (n,) is the trust in
    each given label, from 0 to 1.
    """

    classes: NDArray[Any]
    given: NDArray[np.intp]
    believed: NDArray[np.intp]
    quality: NDArray[np.float64]
    noise_rate: float
    transition_matrix: NDArray[np.float64]

    def most_suspicious(self, n_rows: int | str | None) -> NDArray[np.intp]:
        """Rows in order of rising trust, equal ones in row order."""
        n = len(self.given)
        return np.argsort(self.quality, kind="stable")[: _count(n_rows, n, self.noise_rate)]


def judge_by_estimator(estimator: Any, y: ArrayLike) -> Judgement:
    """Read the attributes that noisyfit's classifiers have after ``fit``."""
    fitted = _innermost(estimator)
    missing = [
        name
        for name in ("label_quality_", "transduction_", "noise_rate_", "transition_matrix_")
        if not hasattr(fitted, name)
    ]
    if missing:
        raise TypeError(
            "estimator must be a classifier of noisyfit that was fitted, or a Pipeline or search "
            f"that holds one; {type(fitted).__name__} has no {missing[0]}. For other classifiers "
            "use LabelReport.from_predictions with held-out probabilities."
        )
    labels = check_labels(y)
    quality = np.asarray(fitted.label_quality_, dtype=np.float64)
    if len(labels) != len(quality):
        raise ValueError(
            f"y has {len(labels)} labels, but the estimator was fitted on {len(quality)} rows; "
            "pass the rows that it was fitted on, in the same order."
        )
    classes, given = encode_labels(labels, fitted.classes_)
    return Judgement(
        classes,
        given,
        encode_labels(np.asarray(fitted.transduction_), classes, "transduction_")[1],
        quality,
        float(fitted.noise_rate_),
        np.asarray(fitted.transition_matrix_, dtype=np.float64),
    )


def judge_by_predictions(
    probabilities: ArrayLike, y: ArrayLike, classes: ArrayLike | None
) -> Judgement:
    """Estimate from held-out probabilities; ``classes`` None: y holds column numbers."""
    labels = check_labels(y)
    if classes is None:
        quality = label_quality(probabilities, labels)  # checks that these are column numbers
        known, given = np.arange(np.shape(probabilities)[1]), labels.astype(np.intp)
    else:
        known, given = encode_labels(labels, classes)
        quality = label_quality(probabilities, given)
    noise = estimate_noise(probabilities, given)
    return Judgement(
        known,
        given,
        believed_labels(probabilities, given, noise),
        quality,
        noise.rate,
        noise.transition_matrix,
    )


def _innermost(estimator: Any) -> Any:
    """The last step of a Pipeline, the best estimator of a search."""
    while True:
        if hasattr(estimator, "best_estimator_"):
            estimator = estimator.best_estimator_
        elif hasattr(estimator, "steps"):
            estimator = estimator.steps[-1][1]
        else:
            return estimator


def _count(n_rows: Any, n: int, noise_rate: float) -> int:
    if n_rows is None:
        return n
    if isinstance(n_rows, str):
        if n_rows != "auto":
            raise ValueError(f"n_rows must be 'auto', None or an int, got {n_rows!r}.")
        return min(max(round(2 * noise_rate * n), FEWEST), MOST, n)
    if isinstance(n_rows, bool) or not isinstance(n_rows, numbers.Integral):
        raise TypeError(f"n_rows must be 'auto', None or an int, got {n_rows!r}.")
    if n_rows < 1:
        raise ValueError(f"n_rows must be at least 1, got {n_rows!r}.")
    return min(int(n_rows), n)
