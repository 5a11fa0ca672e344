"""Folds for held-out predictions."""

from __future__ import annotations

import numpy as np


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
