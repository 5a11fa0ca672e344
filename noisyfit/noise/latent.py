"""A model with the true label as the hidden variable, fitted by EM.

The model, for row i with held-out probabilities p_i and given label y_i::

    P(true = k | x_i)      = a_ik  proportional to  v_k * p_ik ** (1 / temperature)
    P(given = j | true = k) = T_kj

The temperature mends probabilities that are too flat or too sharp, as those of a network trained
on noisy labels are; the class factors v_k mend class shares that the noise has shifted, without
which one-sided noise is mistaken for rare classes. Both are fitted to the given labels by maximum
likelihood, through T: neither needs a true label.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .validation import FloatArray, IntArray

# The mildest first: where the likelihood does not tell temperatures apart, the first one is taken.
TEMPERATURES = (0.8, 1.3, 0.5, 2.0, 0.3, 0.18, 0.1)
LIKELIHOOD_TIE = 1e-9
# Steps spent on each temperature before the likeliest is chosen, and on that one afterwards.
SCREENING_STEPS = 10
FINAL_STEPS = 100
TOLERANCE = 1e-5
# Zeros would make a row's likelihood zero (and its posterior 0 / 0).
SMALLEST_PROBABILITY = 1e-12
SMALLEST_TRANSITION = 1e-9


class _Fit(NamedTuple):
    likelihood: float
    transition: FloatArray
    factors: FloatArray
    joint: FloatArray


def latent_joint(
    probabilities: FloatArray,
    y: IntArray,
    weight: FloatArray,
    transition: FloatArray,
    *,
    update_transition: bool,
) -> FloatArray:
    """Estimated joint distribution of true (rows) and given (columns) labels; sums to one.

    ``transition`` is the noise matrix to use or, with ``update_transition``, to start from.
    The columns sum to the weighted shares of the given labels.
    """
    order = np.argsort(y, kind="stable")
    blocks = np.searchsorted(y[order], np.arange(probabilities.shape[1] + 1))
    logs = np.log(np.maximum(probabilities[order], SMALLEST_PROBABILITY))
    logs -= logs.max(axis=1, keepdims=True)
    share = weight[order] / weight.sum()
    start = np.maximum(transition, SMALLEST_TRANSITION)
    start = start / start.sum(axis=1, keepdims=True)
    factors = np.ones(len(start))

    def fit(temperature: float, transition: FloatArray, factors: FloatArray, steps: int) -> _Fit:
        tempered = np.exp(logs / temperature)
        return _fit(tempered, blocks, share, transition, factors, steps, update_transition)

    screened = [fit(t, start, factors, SCREENING_STEPS) for t in TEMPERATURES]
    likelihood = np.array([result.likelihood for result in screened])
    best = int(np.flatnonzero(likelihood >= likelihood.max() - LIKELIHOOD_TIE)[0])
    chosen = screened[best]
    final = fit(TEMPERATURES[best], chosen.transition, chosen.factors, FINAL_STEPS)
    return final.joint


def _fit(
    tempered: FloatArray,
    blocks: IntArray,
    share: FloatArray,
    transition: FloatArray,
    factors: FloatArray,
    steps: int,
    update_transition: bool,
) -> _Fit:
    """Run EM at one temperature, until the class shares move by less than the tolerance."""
    joint, expected, likelihood = _expect(tempered, blocks, share, transition, factors)
    for _ in range(steps):
        found = joint.sum(axis=1)
        # Scale each class so that the model's share of it approaches its share of the posteriors.
        factors = factors * (found + SMALLEST_TRANSITION) / (expected + SMALLEST_TRANSITION)
        factors = factors / factors.max()
        if update_transition:
            transition = np.maximum(joint, SMALLEST_PROBABILITY)
            transition = transition / transition.sum(axis=1, keepdims=True)
        joint, expected, likelihood = _expect(tempered, blocks, share, transition, factors)
        if np.abs(joint.sum(axis=1) - found).sum() < TOLERANCE:
            break
    return _Fit(likelihood, transition, factors, joint)


def _expect(
    tempered: FloatArray,
    blocks: IntArray,
    share: FloatArray,
    transition: FloatArray,
    factors: FloatArray,
) -> tuple[FloatArray, FloatArray, float]:
    """One E-step: joint of true and given labels, the model's class shares, mean log-likelihood.

    Rows are sorted by given label, so that each class is two matrix-vector products and nothing
    of the size of ``tempered`` is allocated.
    """
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
    return joint, expected, likelihood
