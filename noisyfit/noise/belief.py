"""What to believe about the true labels, given a classifier's held-out probabilities.

The given label is evidence, not the truth: with P(true = k | x) from the classifier and the noise
matrix T, Bayes' rule gives P(true = k | x, given = j), proportional to P(true = k | x) T_kj. Where
the noise swaps certain classes this is much sharper than either of the two alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .anchor import anchor_counts, smoothed_transition
from .estimate import NoiseEstimate, noise_from_joint
from .latent import fit_latent
from .validation import FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class Belief:
    """Estimated truth about the rows of a data set with C classes.

    ``probabilities`` (n, C) are P(true | x), calibrated, ``posterior`` (n, C) takes the given
    label into account, and ``transition`` is the noise matrix that leads from one to the other.
    """

    probabilities: FloatArray
    posterior: FloatArray
    transition: FloatArray
    noise: NoiseEstimate
    anchors: FloatArray


def believe(
    probabilities: FloatArray,
    y: IntArray,
    weight: FloatArray,
    earlier: Belief | None = None,
) -> Belief:
    """Estimate noise and truth from held-out probabilities (n, C) and codes (n,).

    ``earlier`` is a belief from an independent, earlier round of predictions. The number of wrong
    labels is then estimated from both: a first round, by classifiers trained on the labels as
    given, finds too many labels wrong, and a second, by classifiers that have seen the first one's
    beliefs about other rows, too few.
    """
    anchors = anchor_counts(probabilities, y, weight)
    pooled = anchors if earlier is None else anchors + earlier.anchors
    transition = smoothed_transition(anchors, pooled)
    model = fit_latent(probabilities, y, weight, transition, update_transition=False)
    calibrated = model.calibrate(probabilities)
    return Belief(
        calibrated,
        posterior(calibrated, y, transition),
        transition,
        noise_from_joint(model.joint),
        anchors,
    )


def posterior(probabilities: FloatArray, y: IntArray, transition: FloatArray) -> FloatArray:
    """P(true | x, given) of rows (n, C) from P(true | x) and the noise matrix.

    A row whose label the model holds impossible keeps its probabilities.
    """
    result = probabilities * transition[:, y].T
    total = result.sum(axis=1, keepdims=True)
    return np.where(total > 0, result / np.where(total > 0, total, 1.0), probabilities)
