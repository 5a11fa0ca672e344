"""E-steps of the latent model, on dense rows and on rows with few peaks.

Rows i of weights s_i and labels y_i are held with tempered probabilities t_ik. Given class factors
v_k and a noise matrix T, the model's share of class k is the sum over all rows of ``s_i v_k t_ik``
over ``sum_l v_l t_il``; the joint share of true label k and given label j is the sum of
``s_i v_k t_ik T_kj`` over ``sum_l v_l t_il T_lj``, for the rows labelled j.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import scipy.sparse

from noisyfit._peaked import PeakedRows

from .validation import FloatArray, IntArray


class Expectation(NamedTuple):
    """What an E-step finds.

    ``found`` (C,) are the classes' shares by the posteriors, that is the sums of the rows of
    ``joint()`` (C, C), and ``expected`` (C,) those by the model without the labels; ``likelihood``
    is the mean log-likelihood of the labels.
    """

    found: FloatArray
    expected: FloatArray
    likelihood: float
    joint: Callable[[], FloatArray]


class DenseSample:
    """Rows (n, C) sorted by given label.

    Each class then is two matrix-vector products, and nothing of the size of ``tempered`` is
    allocated.
    """

    def __init__(self, tempered: FloatArray, y: IntArray, share: FloatArray) -> None:
        self.tempered = tempered
        self.blocks = np.searchsorted(y, np.arange(tempered.shape[1] + 1))
        self.share = share

    def expect(self, transition: FloatArray, factors: FloatArray) -> Expectation:
        """One E-step."""
        tempered, blocks, share = self.tempered, self.blocks, self.share
        scale = tempered @ factors
        expected = factors * (tempered.T @ (share / scale))
        likelihood = -float(share @ np.log(scale))
        joint = np.zeros_like(transition)
        for j in np.flatnonzero(np.diff(blocks)):
            rows = slice(blocks[j], blocks[j + 1])
            column = factors * transition[:, j]
            evidence = tempered[rows] @ column
            joint[:, j] = column * (tempered[rows].T @ (share[rows] / evidence))
            likelihood += float(share[rows] @ np.log(evidence))
        return Expectation(joint.sum(axis=1), expected, likelihood, lambda: joint)


class PeakedSample:
    """Rows with few peaks; the loop over the many classes becomes products of sparse matrices.

    With t_ik = e_ik + b_i every sum over rows is one over the peaks and one over the backgrounds.
    """

    def __init__(self, tempered: PeakedRows, y: IntArray, share: FloatArray) -> None:
        self.background = tempered.background
        self.excess = tempered.excess
        self.y = y
        self.share = share
        self._cells = tempered.columns_of_peaks, y[tempered.rows_of_peaks]
        self._transition: FloatArray | None = None

    def expect(self, transition: FloatArray, factors: FloatArray) -> Expectation:
        """One E-step."""
        if transition is not self._transition:
            self._transition = transition
            self._weighted = self.excess.copy()
            self._weighted.data *= transition[self._cells]
        excess, weighted, background, share = (
            self.excess,
            self._weighted,
            self.background,
            self.share,
        )
        scale = excess @ factors + background * factors.sum()
        in_row = share / scale
        expected = factors * (excess.T @ in_row + background @ in_row)
        evidence = weighted @ factors + background * (factors @ transition)[self.y]
        in_row = share / evidence
        by_label = np.bincount(self.y, in_row * background, minlength=len(factors))
        found = factors * (weighted.T @ in_row + transition @ by_label)

        def joint() -> FloatArray:
            entries = scipy.sparse.csr_matrix(
                (in_row, self.y, np.arange(len(in_row) + 1)), shape=excess.shape
            )
            of_peaks = (weighted.T @ entries).toarray()
            return factors[:, None] * (of_peaks + transition * by_label)

        likelihood = float(share @ (np.log(evidence) - np.log(scale)))
        return Expectation(found, expected, likelihood, joint)
