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

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from .validation import FloatArray, IntArray

# The mildest first: where the likelihood does not tell temperatures apart, the first one is taken.
TEMPERATURES = (0.8, 1.3, 0.5, 2.0, 0.3, 0.18, 0.1)
LIKELIHOOD_TIE = 1e-9
# Steps spent on each temperature before the likeliest is chosen, and on that one afterwards.
SCREENING_STEPS = 10
FINAL_STEPS = 100
TOLERANCE = 1e-5
ROWS_FOR_TEMPERATURE = 2000
# Zeros would make a row's likelihood zero (and its posterior 0 / 0).
SMALLEST_PROBABILITY = 1e-12
SMALLEST_TRANSITION = 1e-9


@dataclass(frozen=True)
class LatentModel:
    """The fitted model; ``joint`` is that of true (rows) and given (columns) labels, sum one.

    Its columns sum to the weighted shares of the given labels.
    """

    temperature: float
    factors: FloatArray
    transition: FloatArray
    joint: FloatArray
    likelihood: float

    def calibrate(self, probabilities: FloatArray) -> FloatArray:
        """P(true = k | x) of rows (n, C), from the classifier's probabilities of them."""
        logs = np.log(np.maximum(probabilities, SMALLEST_PROBABILITY))
        logs -= logs.max(axis=1, keepdims=True)
        tempered = np.exp(logs / self.temperature) * self.factors
        return tempered / tempered.sum(axis=1, keepdims=True)


def fit_latent(
    probabilities: FloatArray,
    y: IntArray,
    weight: FloatArray,
    transition: FloatArray,
    *,
    update_transition: bool,
) -> LatentModel:
    """Fit the model to rows of positive weight.

    ``transition`` is the noise matrix to use or, with ``update_transition``, to start from.
    """
    matrix = np.maximum(transition, SMALLEST_TRANSITION)
    matrix = matrix / matrix.sum(axis=1, keepdims=True)
    start = (matrix, np.ones(len(matrix)))
    order = np.argsort(y, kind="stable")

    def fitter(rows: IntArray) -> Callable[..., LatentModel]:
        logs = np.log(np.maximum(probabilities[rows], SMALLEST_PROBABILITY))
        logs -= logs.max(axis=1, keepdims=True)
        blocks = np.searchsorted(y[rows], np.arange(probabilities.shape[1] + 1))
        share = weight[rows] / weight[rows].sum()
        return partial(_fit, logs, blocks, share, update_transition=update_transition)

    # A temperature is one number: every so many rows of each label tell it as well as all do.
    fit = fitter(order[:: max(1, len(order) // ROWS_FOR_TEMPERATURE)])
    screened = [fit(temperature, *start, SCREENING_STEPS) for temperature in TEMPERATURES]
    likelihood = np.array([model.likelihood for model in screened])
    best = screened[int(np.flatnonzero(likelihood >= likelihood.max() - LIKELIHOOD_TIE)[0])]
    fit = fitter(order)
    return fit(best.temperature, best.transition, best.factors, FINAL_STEPS)


def _fit(
    logs: FloatArray,
    blocks: IntArray,
    share: FloatArray,
    temperature: float,
    transition: FloatArray,
    factors: FloatArray,
    steps: int,
    *,
    update_transition: bool,
) -> LatentModel:
    """Run EM at one temperature, until the class shares move by less than the tolerance."""
    tempered = np.exp(logs / temperature)
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
    return LatentModel(temperature, factors, transition, joint, likelihood)


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
