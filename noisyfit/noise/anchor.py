"""Noise matrix from anchors: the rows a classifier is surest about.

A confident held-out prediction is nearly always right, even when the classifier is poor overall,
so the given labels of the rows most confidently predicted as class k show how class k is labelled.
"""

from __future__ import annotations

import numpy as np
from scipy.special import gammaln

from noisyfit._peaked import Matrix

from .validation import FloatArray, IntArray

TOP = 0.1
# Fewer anchors than this say nothing about a row of the noise matrix.
MINIMUM_ANCHORS = 10
# Pseudo-counts among which the likeliest are chosen.
CONCENTRATIONS = np.geomspace(0.5, 5000.0, 40)


def anchor_counts(
    probabilities: Matrix, y: IntArray, weight: FloatArray, top: float = TOP
) -> FloatArray:
    """Count the given labels (columns) of each class's anchors (rows).

    The anchors of class k are the share ``top`` of the rows predicted as k with the largest
    probability (at least ten; rows tied with the last one are counted too).

    A class predicted less often than it is given counts for less in proportion: a classifier that
    hardly finds a class has nothing to be sure about, and what it takes for its anchors are the
    rows of other classes that look most like it.
    """
    n_classes = probabilities.shape[1]
    predicted = probabilities.argmax(axis=1)
    confidence = probabilities.max(axis=1)
    order = np.lexsort((-confidence, predicted))
    starts = np.searchsorted(predicted[order], np.arange(n_classes + 1))
    given = np.bincount(y, weights=weight, minlength=n_classes)
    counts = np.zeros((n_classes, n_classes))
    for k in range(n_classes):
        rows = order[starts[k] : starts[k + 1]]
        if len(rows):
            counted = np.cumsum(weight[rows])
            needed = max(MINIMUM_ANCHORS, np.floor(top * counted[-1]))
            last = min(int(np.searchsorted(counted, needed)), len(rows) - 1)
            rows = rows[confidence[rows] >= confidence[rows[last]]]
            found = min(1.0, counted[-1] / given[k]) if given[k] > 0 else 1.0
            counts[k] = found * np.bincount(y[rows], weights=weight[rows], minlength=n_classes)
    return counts


def shrunk_transition(counts: FloatArray, shrinkage: float) -> FloatArray:
    """Noise matrix from anchor counts with a given number of pseudo-counts.

    The pseudo-counts are those of symmetric noise at the rate of all anchors.
    """
    totals = counts.sum(axis=1, keepdims=True)
    pooled = symmetric_matrix(counts.trace() / totals.sum(), len(counts))
    shrunk = counts + shrinkage * pooled
    mass = totals + shrinkage
    return np.where(mass > 0, shrunk / np.where(mass > 0, mass, 1.0), pooled)


def smoothed_transition(
    counts: FloatArray, agreement_counts: FloatArray | None = None
) -> FloatArray:
    """Noise matrix from anchor counts, shrunk as far as the counts themselves suggest.

    Two questions are shrunk apart. How often does a class keep its label? Its share is drawn
    towards that of all classes. And where do its wrong labels go? They are drawn towards
    spreading evenly. The strength of each is the number of pseudo-counts under which the counts
    are likeliest (empirical Bayes: a Beta-binomial and a Dirichlet-multinomial). Even noise over
    many classes is so recognised as even, although each cell holds a handful of rows, while
    noise that swaps certain classes is left as sharp as it is.

    No label is taken to be commoner among the rows of a class than the class's own: where the
    counts say so, it is the classifier that mistakes one class for another.

    ``agreement_counts`` answers the first question where given, ``counts`` the second.
    """
    n_classes = len(counts)
    judged = counts if agreement_counts is None else agreement_counts
    kept, total = judged.diagonal(), judged.sum(axis=1)
    agreement = kept.sum() / total.sum()
    share = np.array([agreement, 1 - agreement])
    strength = likeliest_concentration(np.stack([kept, total - kept], axis=1), share)
    diagonal = (kept + strength * agreement) / (total + strength)

    wrong = counts[~np.eye(n_classes, dtype=bool)].reshape(n_classes, n_classes - 1)
    even = np.full(n_classes - 1, 1 / (n_classes - 1))
    strength = likeliest_concentration(wrong, even)
    profile = (wrong + strength * even) / (wrong.sum(axis=1, keepdims=True) + strength)
    commonest = profile.max(axis=1)
    diagonal = np.maximum(diagonal, commonest / (1 + commonest))
    matrix = np.empty_like(counts)
    matrix[~np.eye(n_classes, dtype=bool)] = ((1 - diagonal)[:, None] * profile).ravel()
    np.fill_diagonal(matrix, diagonal)
    return matrix


def likeliest_concentration(counts: FloatArray, mean: FloatArray) -> float:
    """Pseudo-counts s that make rows of counts likeliest, their shares being Dirichlet(s mean).

    The largest one of `CONCENTRATIONS` is, for want of evidence, the answer where the counts
    do not tell.
    """
    totals = counts[:, mean > 0].sum(axis=1)
    # An empty cell has likelihood one, and with many classes nearly all cells are empty.
    rows, columns = np.nonzero((counts > 0) & (mean > 0))
    counted, expected = counts[rows, columns], mean[columns]
    likelihood = np.array(
        [
            (gammaln(s) - gammaln(s + totals)).sum()
            + (gammaln(counted + s * expected) - gammaln(s * expected)).sum()
            for s in CONCENTRATIONS
        ]
    )
    best = likelihood >= likelihood.max() - 1e-9
    return float(CONCENTRATIONS[best][-1])


def symmetric_matrix(agreement: float, n_classes: int) -> FloatArray:
    """Noise matrix in which every class keeps its label with the same probability."""
    matrix = np.full((n_classes, n_classes), (1 - agreement) / (n_classes - 1))
    np.fill_diagonal(matrix, agreement)
    return matrix
