"""Noise matrix from one row of each class: the row that surely belongs to it (an anchor point).

Of a row that belongs to class k with certainty, the probabilities of the *given* labels are row k
of the noise matrix. The row whose probability of label k is largest is taken for such a one.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import lsq_linear, nnls

from .validation import FloatArray, IntArray

# With very many classes, or few rows, the largest value is an outlier; the papers' code uses this.
PERCENTILE = 97.0
SMALLEST_PRIOR = 1e-9


def anchor_point_joint(
    probabilities: FloatArray, y: IntArray, weight: FloatArray, percentile: float = 100.0
) -> FloatArray:
    """Joint of true (rows) and given labels from the surest row of each class.

    ``percentile`` of the probabilities of a label is where its row is taken from, 100 being the
    largest. The shares of the true classes are those under which the matrix explains the shares
    of the given labels best.
    """
    n_classes = probabilities.shape[1]
    matrix = np.empty((n_classes, n_classes))
    for k in range(n_classes):
        order = np.argsort(probabilities[:, k], kind="stable")
        below = np.cumsum(weight[order])
        place = np.searchsorted(below, percentile / 100 * below[-1] * (1 - 1e-12))
        matrix[k] = probabilities[order[min(int(place), len(order) - 1)]]
    matrix /= matrix.sum(axis=1, keepdims=True)
    given = np.bincount(y, weights=weight, minlength=n_classes) / weight.sum()
    return joint_of_matrix(matrix, given)


def joint_of_matrix(matrix: FloatArray, given: FloatArray) -> FloatArray:
    """Joint of true and given labels with a known matrix, for the shares (C,) of given labels."""
    try:
        prior, _ = nnls(matrix.T, given)
    except RuntimeError:  # it can go round in a circle where rows of the matrix are much alike
        prior = lsq_linear(matrix.T, given, bounds=(0, np.inf)).x
    # A class that nothing speaks for keeps its row of the matrix.
    joint: FloatArray = np.maximum(prior, SMALLEST_PRIOR)[:, None] * matrix
    return joint
