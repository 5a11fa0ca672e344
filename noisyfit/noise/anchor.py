"""Noise matrix from anchors: the rows a classifier is surest about.

A confident held-out prediction is nearly always right, even when the classifier is poor overall,
so the given labels of the rows most confidently predicted as class k show how class k is labelled.
"""

from __future__ import annotations

import numpy as np

from .validation import FloatArray, IntArray

# Fewer anchors than this say nothing about a row of the noise matrix.
MINIMUM_ANCHORS = 10


def anchor_transition(
    probabilities: FloatArray, y: IntArray, weight: FloatArray, top: float, shrinkage: float
) -> FloatArray:
    """Noise matrix (rows true, columns given) counted on the anchors and shrunk.

    For each class k the anchors are the share ``top`` of the rows predicted as k with the largest
    probability (at least ten; rows tied with the last one are kept). Their label counts are
    shrunk, with ``shrinkage`` pseudo-counts, towards symmetric noise at the rate of all anchors.
    """
    n_classes = probabilities.shape[1]
    predicted = probabilities.argmax(axis=1)
    confidence = probabilities.max(axis=1)
    order = np.lexsort((-confidence, predicted))
    starts = np.searchsorted(predicted[order], np.arange(n_classes + 1))
    counts = np.zeros((n_classes, n_classes))
    for k in range(n_classes):
        rows = order[starts[k] : starts[k + 1]]
        if len(rows):
            counted = np.cumsum(weight[rows])
            needed = max(MINIMUM_ANCHORS, np.floor(top * counted[-1]))
            last = min(int(np.searchsorted(counted, needed)), len(rows) - 1)
            rows = rows[confidence[rows] >= confidence[rows[last]]]
            counts[k] = np.bincount(y[rows], weights=weight[rows], minlength=n_classes)
    totals = counts.sum(axis=1, keepdims=True)
    agreement = counts.trace() / totals.sum()
    pooled = symmetric_matrix(agreement, n_classes)
    shrunk = counts + shrinkage * pooled
    mass = totals + shrinkage
    return np.where(mass > 0, shrunk / np.where(mass > 0, mass, 1.0), pooled)


def symmetric_matrix(agreement: float, n_classes: int) -> FloatArray:
    """Noise matrix in which every class keeps its label with the same probability."""
    matrix = np.full((n_classes, n_classes), (1 - agreement) / (n_classes - 1))
    np.fill_diagonal(matrix, agreement)
    return matrix
