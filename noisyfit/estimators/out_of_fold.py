"""Held-out probabilities of the training rows from any scikit-learn classifier."""

from __future__ import annotations

from typing import Any

import numpy as np
from joblib import Parallel, delayed
from sklearn.base import clone
from sklearn.utils.validation import has_fit_parameter

from noisyfit._compat import take_rows
from noisyfit.training.folds import assign_folds


def fit_clone(
    estimator: Any, X: Any, y: np.ndarray, sample_weight: np.ndarray | None, rows: np.ndarray
) -> Any:
    """A clone fitted on some rows, with their weights if there are any."""
    arguments = {} if sample_weight is None else {"sample_weight": sample_weight[rows]}
    return clone(estimator).fit(take_rows(X, rows), y[rows], **arguments)


def check_takes_weights(estimator: Any, reason: str) -> None:
    """Raise unless the estimator's ``fit`` takes ``sample_weight``."""
    if not has_fit_parameter(estimator, "sample_weight"):
        raise ValueError(
            f"estimator={estimator!r} takes no sample_weight in fit, but {reason}; use another "
            "estimator or leave the weights out."
        )


def aligned_probabilities(fitted: Any, X: Any, n_classes: int) -> np.ndarray:
    """Probabilities (n, n_classes) of a classifier fitted on class codes; 0 for codes it lacks."""
    result = np.zeros((X.shape[0] if hasattr(X, "shape") else len(X), n_classes))
    result[:, fitted.classes_.astype(np.int64)] = fitted.predict_proba(X)
    return result


def out_of_fold_probabilities(
    estimator: Any,
    X: Any,
    codes: np.ndarray,
    n_classes: int,
    *,
    n_folds: int | None,
    rng: np.random.RandomState,
    sample_weight: np.ndarray | None = None,
    rows: np.ndarray | None = None,
    n_jobs: int | None = None,
) -> np.ndarray:
    """Probabilities (len(rows), n_classes) of each row from a clone fitted without it.

    With ``n_folds=None`` a single clone judges the rows that it was fitted on.
    """
    if rows is None:
        rows = np.arange(len(codes))
    if n_folds is None:
        fitted = fit_clone(estimator, X, codes, sample_weight, rows)
        return aligned_probabilities(fitted, take_rows(X, rows), n_classes)
    folds = assign_folds(codes[rows], n_folds, rng)

    def judge(fold: int) -> np.ndarray:
        seen = rows[folds != fold]
        if len(np.unique(codes[seen])) < 2:
            raise ValueError(
                f"cross_fit={n_folds} leaves a fold with one class to learn from; there are too "
                "few rows for it."
            )
        fitted = fit_clone(estimator, X, codes, sample_weight, seen)
        return aligned_probabilities(fitted, take_rows(X, rows[folds == fold]), n_classes)

    numbers = np.unique(folds)
    parts = Parallel(n_jobs=n_jobs)(delayed(judge)(fold) for fold in numbers)
    probabilities = np.empty((len(rows), n_classes))
    for fold, part in zip(numbers, parts, strict=True):
        probabilities[folds == fold] = part
    return probabilities
