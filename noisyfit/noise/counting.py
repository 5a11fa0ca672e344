"""Joint distributions of true and given labels counted from predictions, without a model."""

from __future__ import annotations

import numpy as np

from noisyfit._peaked import Matrix

from .validation import FloatArray, IntArray


def agreement_joint(probabilities: Matrix, y: IntArray, weight: FloatArray) -> FloatArray:
    """Joint of predicted (rows) and given (columns) labels: every prediction is believed."""
    return _count(probabilities.argmax(axis=1), y, weight, probabilities.shape[1]) / weight.sum()


def confident_joint(probabilities: FloatArray, y: IntArray, weight: FloatArray) -> FloatArray:
    """Calibrated confident joint, equations 1 to 3 of Northcutt et al. (2021).

    The threshold of class k is the mean probability of k among the rows labelled k. A row counts
    as truly k when k is the likeliest of the classes whose threshold it reaches; rows that reach
    none are not counted. The counts of each given label are scaled to its number of rows; at least
    one is always counted, since some row reaches the mean of its own label.
    """
    n_classes = probabilities.shape[1]
    label_weight = np.bincount(y, weights=weight, minlength=n_classes)
    own = probabilities[np.arange(len(y)), y]
    # A label that is never given has no threshold, and nothing can reach it.
    threshold = np.full(n_classes, np.inf)
    given = label_weight > 0
    confidence = np.bincount(y, weights=weight * own, minlength=n_classes)
    threshold[given] = confidence[given] / label_weight[given]
    # The mean of equal numbers may be rounded to just above them.
    reached = probabilities >= threshold - 1e-12
    counted = reached.any(axis=1)
    true = np.where(reached, probabilities, -1.0).argmax(axis=1)
    joint = _count(true[counted], y[counted], weight[counted], n_classes)
    totals = joint.sum(axis=0)
    return joint / np.where(given, totals, 1.0) * label_weight / weight.sum()


def _count(true: IntArray, given: IntArray, weight: FloatArray, n_classes: int) -> FloatArray:
    cells = np.zeros(n_classes * n_classes)
    cells += np.bincount(true * n_classes + given, weights=weight, minlength=len(cells))
    return cells.reshape(n_classes, n_classes)
