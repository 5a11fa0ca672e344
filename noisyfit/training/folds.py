"""Folds for held-out predictions."""

from __future__ import annotations

import numpy as np


def count_folds(cross_fit: int | None, n_rows: int) -> int | None:
    """Number of folds, not more than rows; raises where one would have a single row to learn."""
    if cross_fit is None:
        return None
    n_folds = min(n_rows, int(cross_fit))
    if n_rows - -(-n_rows // n_folds) < 2:
        raise ValueError(
            f"cross_fit={cross_fit} leaves a fold with one row to learn from; there are too few "
            f"rows ({n_rows}) for it: set cross_fit=None."
        )
    return n_folds


def assign_folds(codes: np.ndarray, n_folds: int, rng: np.random.RandomState) -> np.ndarray:
    """Random fold of each row; every class is spread over the folds as evenly as it can be.

    Unlike scikit-learn's StratifiedKFold this takes classes of fewer rows than folds, even of a
    single row: noisy data have them.
    """
    order = rng.permutation(len(codes))
    order = order[np.argsort(codes[order], kind="stable")]
    folds = np.empty(len(codes), dtype=np.int64)
    folds[order] = np.arange(len(codes)) % min(n_folds, len(codes))
    return folds
