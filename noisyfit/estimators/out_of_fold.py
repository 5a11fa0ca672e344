"""Held-out probabilities of the training rows from any scikit-learn classifier."""

from __future__ import annotations

from typing import Any

import numpy as np
from joblib import Parallel, delayed
from sklearn.base import clone
from sklearn.utils.validation import has_fit_parameter

from noisyfit._compat import take_rows
from noisyfit.estimators.base.naming import naming
from noisyfit.training.folds import assign_folds


def fit_clone(
    estimator: Any, X: Any, y: np.ndarray, sample_weight: np.ndarray | None, rows: np.ndarray
) -> Any:
    """A clone fitted on some rows, with their weights if there are any."""
    arguments = {} if sample_weight is None else {"sample_weight": sample_weight[rows]}
    with naming("estimator", "X", "y", "sample_weight"):
        return clone(estimator).fit(take_rows(X, rows), y[rows], **arguments)


def check_takes_weights(estimator: Any, reason: str) -> None:
    """Raise unless the estimator's ``fit`` takes ``sample_weight``."""
    if not has_fit_parameter(estimator, "sample_weight"):
        raise ValueError(
            f"estimator={estimator!r} takes no sample_weight in fit, but {reason}; use another "
            "estimator or leave the weights out."
        )


def aligned_probabilities(fitted: Any, X: Any, classes: np.ndarray) -> np.ndarray:
    """Probabilities (n, len(classes)) of a fitted classifier; 0 for classes it has not seen."""
    probabilities = fitted.predict_proba(X)
    finite = np.isfinite(probabilities).all(axis=1)
    if not finite.all():
        raise ValueError(
            f"estimator={fitted!r} gives probabilities that are NaN or infinite, in row "
            f"{int(finite.argmin())}; scale X, or use another estimator."
        )
    result = np.zeros((len(probabilities), len(classes)))
    result[:, np.searchsorted(classes, fitted.classes_)] = probabilities
    return result


def out_of_fold_probabilities(
    estimator: Any,
    X: Any,
    y: np.ndarray,
    classes: np.ndarray,
    *,
    n_folds: int | None,
    rng: np.random.RandomState,
    sample_weight: np.ndarray | None = None,
    rows: np.ndarray | None = None,
    teaching: np.ndarray | None = None,
    n_jobs: int | None = None,
) -> np.ndarray:
    """Probabilities (len(rows), len(classes)) of each row from a clone fitted without it.

    ``y`` holds the labels as the user gave them, which the estimator's own parameters, a
    ``class_weight`` say, may name; ``classes`` are the sorted labels.
    With ``n_folds=None`` a single clone judges the rows that it was fitted on. ``teaching`` (a mask
    of ``rows``) says which of the rows to fit on; all of them are judged.
    """
    if rows is None:
        rows = np.arange(len(y))
    if teaching is None:
        teaching = np.ones(len(rows), dtype=bool)
    if n_folds is None:
        fitted = fit_clone(estimator, X, y, sample_weight, rows[teaching])
        return aligned_probabilities(fitted, take_rows(X, rows), classes)
    folds = assign_folds(np.searchsorted(classes, y[rows]), n_folds, rng)

    def judge(fold: int) -> np.ndarray:
        seen = rows[(folds != fold) & teaching]
        if len(np.unique(y[seen])) < 2:
            # Most classifiers refuse one class; all that can be learned from it is its name.
            only = (classes == y[seen[0]]).astype(float)
            return np.tile(only, (int((folds == fold).sum()), 1))
        fitted = fit_clone(estimator, X, y, sample_weight, seen)
        return aligned_probabilities(fitted, take_rows(X, rows[folds == fold]), classes)

    numbers = np.unique(folds)
    parts = Parallel(n_jobs=n_jobs)(delayed(judge)(fold) for fold in numbers)
    probabilities = np.empty((len(rows), len(classes)))
    for fold, part in zip(numbers, parts, strict=True):
        probabilities[folds == fold] = part
    return probabilities
