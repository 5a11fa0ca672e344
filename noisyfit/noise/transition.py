"""Noise matrices: how often a true class is given each label, and Bayes' rule on them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .validation import FloatArray, check_labels, encode_labels, sorted_classes


def transition_matrix(
    y_true: ArrayLike, y_given: ArrayLike, classes: ArrayLike | None = None
) -> FloatArray:
    """Share of each true class that was given each label.

    Parameters
    ----------
    y_true, y_given : array-like of shape (n,)
        True and given labels, of any type that can be sorted.
    classes : array-like of shape (C,), default=None
        The order of rows and columns. None: all labels seen in either, sorted.

    Returns
    -------
    ndarray of shape (C, C), float64
        Entry ``[k, j]`` is the share of rows of true class ``k`` given label ``j``; every row
        sums to one. A class that is nobody's true class gets a row of the identity.

    Raises
    ------
    ValueError
        If the lengths differ or a label is not in ``classes``.

    Examples
    --------
    >>> from noisyfit.noise import transition_matrix
    >>> transition_matrix(["a", "a", "b", "b"], ["a", "b", "b", "b"])
    array([[0.5, 0.5],
           [0. , 1. ]])
    """
    true: NDArray[Any] = check_labels(y_true, "y_true")
    given: NDArray[Any] = check_labels(y_given, "y_given")
    if len(true) != len(given):
        raise ValueError(f"y_true has {len(true)} labels but y_given has {len(given)}.")
    if classes is None:
        classes = sorted_classes(np.concatenate([true, given]), "y_true and y_given together")[0]
    known, rows = encode_labels(true, classes, "y_true")
    columns = encode_labels(given, classes, "y_given")[1]
    size = len(known)
    counts = np.bincount(rows * size + columns, minlength=size * size).reshape(size, size)
    return row_stochastic(counts.astype(np.float64))


def row_stochastic(joint: FloatArray) -> FloatArray:
    """Divide each row by its sum; a row of zeros becomes a row of the identity."""
    totals = joint.sum(axis=1, keepdims=True)
    empty = totals[:, 0] == 0
    matrix = joint / np.where(totals == 0, 1.0, totals)
    matrix[empty] = np.eye(len(joint))[empty]
    return matrix


def bayes_clean_share(transition: FloatArray, prior: FloatArray) -> FloatArray:
    """P(true = c | given = c) for each class c; one for a label that is never given."""
    right = prior * transition.diagonal()
    given = prior @ transition
    return np.where(given > 0, right / np.where(given > 0, given, 1.0), 1.0)
