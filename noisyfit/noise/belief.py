"""What to believe about the true labels, given a classifier's held-out probabilities.

The given label is evidence, not the truth: with P(true = k | x) from the classifier and the noise
matrix T, Bayes' rule gives P(true = k | x, given = j), proportional to P(true = k | x) T_kj. Where
the noise swaps certain classes this is much sharper than either of the two alone.

Noise matrices are dense whatever the number of classes: with a thousand classes each copy takes
8 MB. With 5,000 it is 200 MB, and estimating takes several copies and gigabytes; far beyond that
the noise matrix, not the rows, says how many classes there can be (`cross_fit=None` does without
until the end of a fit).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from noisyfit._blocks import slices
from noisyfit._peaked import Matrix, PeakedRows

from .anchor import anchor_counts, smoothed_transition
from .estimate import NoiseEstimate, noise_from_joint
from .latent import fit_latent
from .validation import FloatArray, IntArray, check_probabilities

# Share of any class's labels that may be anything, whatever an estimated noise matrix says. Real
# noise follows no matrix; without it a label would be beyond doubt wherever none was found wrong.
DOUBT = 0.05


@dataclass(frozen=True, eq=False)
class Belief:
    """Estimated truth about the rows of a data set with C classes.

    ``probabilities`` (n, C) are P(true | x), calibrated, ``posterior`` (n, C) takes the given
    label into account, and ``transition`` is the noise matrix that leads from one to the other.
    The two are arrays, or `PeakedRows` if that is what the classifier's probabilities were.
    """

    probabilities: Any
    posterior: Any
    transition: FloatArray
    noise: NoiseEstimate
    anchors: FloatArray


def believe(
    probabilities: Matrix,
    y: IntArray,
    weight: FloatArray,
    matrix: FloatArray | str | None = "auto",
    earlier: Belief | None = None,
) -> Belief:
    """Estimate noise and truth from held-out probabilities (n, C) and codes (n,).

    ``matrix`` is the noise matrix, "auto" to estimate it, or None to make no use of one: the
    given label then is no evidence, and the posterior is that of the features alone.

    ``earlier`` is a belief from an independent, earlier round of predictions. The number of wrong
    labels is then estimated from both: a first round, by classifiers trained on the labels as
    given, finds too many labels wrong, and a second, by classifiers that have seen the first one's
    beliefs about other rows, too few.
    """
    probabilities = check_probabilities(probabilities)
    anchors = anchor_counts(probabilities, y, weight)
    pooled = anchors if earlier is None else anchors + earlier.anchors
    transition = smoothed_transition(anchors, pooled)
    if isinstance(matrix, np.ndarray):
        transition = matrix
    model = fit_latent(probabilities, y, weight, transition, update_transition=False)
    calibrated = model.calibrate(probabilities)
    even = np.full_like(transition, 1 / len(transition))
    if matrix is None:
        transition = even
    elif not isinstance(matrix, np.ndarray):
        transition = (1 - DOUBT) * transition + DOUBT * even
    return Belief(
        calibrated,
        posterior(calibrated, y, transition),
        transition,
        noise_from_joint(model.joint),
        anchors,
    )


def check_matrix(
    matrix: ArrayLike | str | None, n_classes: int, ways: str = "'auto', None"
) -> FloatArray | str | None:
    """Return what `believe` takes, or raise an error that names ``transition_matrix``.

    ``ways`` says what a user may write instead of a matrix.
    """
    if matrix is None or (isinstance(matrix, str) and matrix == "auto"):
        return matrix
    try:
        array = np.asarray(matrix, dtype=np.float64)
    except (TypeError, ValueError):
        array = np.empty(0)
    if array.shape != (n_classes, n_classes):
        raise ValueError(
            f"transition_matrix must be {ways} or an array of shape ({n_classes}, "
            f"{n_classes}) for {n_classes} classes, got {matrix!r}."
        )
    rows = array.sum(axis=1)
    if not ((array >= 0).all() and np.allclose(rows, 1, atol=1e-6)):
        raise ValueError(
            "transition_matrix must hold probabilities of the given labels (columns) for each "
            f"true one: no negative entries and rows that sum to 1, got row sums {rows.tolist()}."
        )
    return array


def posterior(probabilities: Matrix, y: IntArray, transition: FloatArray) -> Any:
    """P(true | x, given) of rows (n, C) from P(true | x) and the noise matrix.

    A row whose label the model holds impossible keeps its probabilities.
    """
    if isinstance(probabilities, PeakedRows):
        return _posterior_of_peaks(probabilities, y, transition)
    result = np.empty_like(probabilities)
    for part in slices(*probabilities.shape):
        some = probabilities[part]
        joint = some * transition[:, y[part]].T
        total = joint.sum(axis=1, keepdims=True)
        result[part] = np.where(total > 0, joint / np.where(total > 0, total, 1.0), some)
    return result


def _posterior_of_peaks(p: PeakedRows, y: IntArray, transition: FloatArray) -> PeakedRows:
    likelihood = transition[p.columns_of_peaks, y[p.rows_of_peaks]]
    result = p.reweighted(likelihood, transition.sum(axis=0)[y])
    total = result.sum(axis=1)
    result = result.scaled(1 / np.where(total > 0, total, 1.0))
    impossible = np.flatnonzero(total <= 0)
    if len(impossible):
        result[impossible] = p[impossible]
    return result
