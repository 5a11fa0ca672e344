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

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from noisyfit._blocks import slices
from noisyfit._peaked import Matrix, PeakedRows

from .expectation import DenseSample, Expectation, PeakedSample
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

    def calibrate(self, probabilities: Matrix) -> Any:
        """P(true = k | x) of rows (n, C), from the classifier's probabilities of them."""
        if isinstance(probabilities, PeakedRows):
            tempered = _tempered_rows(probabilities, self.temperature)
            totals = np.full(len(tempered), self.factors.sum())
            found = tempered.reweighted(self.factors[tempered.columns_of_peaks], totals)
            return found.scaled(1 / found.sum(axis=1))
        result = _tempered_rows(probabilities.copy(), self.temperature)
        for part in slices(*result.shape):
            result[part] *= self.factors
            result[part] /= result[part].sum(axis=1, keepdims=True)
        return result


def fit_latent(
    probabilities: Matrix,
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

    def fit(rows: IntArray, temperature: float, *start: Any) -> _Fit:
        tempered = _tempered_rows(probabilities[rows], temperature)
        share = weight[rows] / weight[rows].sum()
        return _fit(tempered, y[rows], share, *start, update_transition=update_transition)

    # A temperature is one number: every so many rows of each label tell it as well as all do.
    some = order[:: max(1, len(order) // ROWS_FOR_TEMPERATURE)]
    screened = [fit(some, temperature, *start, SCREENING_STEPS) for temperature in TEMPERATURES]
    likelihood = np.array([found.now.likelihood for found in screened])
    best = int(np.flatnonzero(likelihood >= likelihood.max() - LIKELIHOOD_TIE)[0])
    temperature, (transition, factors, _) = TEMPERATURES[best], screened[best]
    transition, factors, now = fit(order, temperature, transition, factors, FINAL_STEPS)
    return LatentModel(temperature, factors, transition, now.joint(), now.likelihood)


class _Fit(NamedTuple):
    """What EM ends with at one temperature."""

    transition: FloatArray
    factors: FloatArray
    now: Expectation


def _fit(
    tempered: Any,
    y: IntArray,
    share: FloatArray,
    transition: FloatArray,
    factors: FloatArray,
    steps: int,
    *,
    update_transition: bool,
) -> _Fit:
    """Run EM at one temperature, until the class shares move by less than the tolerance."""
    kind = PeakedSample if isinstance(tempered, PeakedRows) else DenseSample
    sample = kind(tempered, y, share)
    now = sample.expect(transition, factors)
    for _ in range(steps):
        found = now.found
        # Scale each class so that the model's share of it approaches its share of the posteriors.
        factors = factors * (found + SMALLEST_TRANSITION) / (now.expected + SMALLEST_TRANSITION)
        factors = factors / factors.max()
        if update_transition:
            transition = np.maximum(now.joint(), SMALLEST_PROBABILITY)
            transition = transition / transition.sum(axis=1, keepdims=True)
        now = sample.expect(transition, factors)
        if np.abs(now.found - found).sum() < TOLERANCE:
            break
    return _Fit(transition, factors, now)


def _tempered_rows(probabilities: Matrix, temperature: float) -> Any:
    """Probabilities to the power of 1 / temperature, relative to the largest of each row.

    Dense ones are overwritten by them.
    """
    if isinstance(probabilities, PeakedRows):
        logs = probabilities.map(lambda p: np.log(np.maximum(p, SMALLEST_PROBABILITY)))
        logs = logs.plus(-logs.max(axis=1))
        return logs.map(lambda log: np.exp(log / temperature))
    for part in slices(*probabilities.shape):
        rows = probabilities[part]
        np.log(np.maximum(rows, SMALLEST_PROBABILITY, out=rows), out=rows)
        rows -= rows.max(axis=1, keepdims=True)
        rows /= temperature
        np.exp(rows, out=rows)
    return probabilities
