"""How many labels are wrong, and which classes are mistaken for which."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import ArrayLike

from noisyfit._peaked import Matrix

from .anchor import TOP, anchor_counts, shrunk_transition, smoothed_transition
from .counting import agreement_joint, confident_joint
from .latent import fit_latent
from .surest_row import PERCENTILE, anchor_point_joint, joint_of_matrix
from .transition import bayes_clean_share, row_stochastic
from .validation import (
    FloatArray,
    IntArray,
    check_codes,
    check_number,
    check_probabilities,
    check_sample_weight,
)


@dataclass(frozen=True, eq=False)
class NoiseEstimate:
    """Estimated noise of a set of labels with C classes.

    The four are consistent: each follows from ``prior`` and ``transition_matrix`` by the rules of
    probability.

    Attributes
    ----------
    rate : float
        Share of all rows whose given label is wrong.
    transition_matrix : ndarray of shape (C, C), float64
        P(given = column | true = row); every row sums to one.
    prior : ndarray of shape (C,), float64
        Share of each true class; sums to one.
    clean_share : ndarray of shape (C,), float64
        P(true = c | given = c): share of the rows labelled c that really are c. One for a label
        that no row carries.
    """

    rate: float
    transition_matrix: FloatArray
    prior: FloatArray
    clean_share: FloatArray


def estimate_noise(
    probabilities: ArrayLike,
    y: ArrayLike,
    *,
    method: str = "anchor",
    sample_weight: ArrayLike | None = None,
) -> NoiseEstimate:
    """Estimate the label noise from predicted probabilities and given labels.

    Use *held-out* probabilities (``cross_val_predict(..., method="predict_proba")``): a classifier
    judging rows it was trained on has learned to agree with their wrong labels.

    Parameters
    ----------
    probabilities : array-like of shape (n, C)
        Predicted probability of each class for each row, from a classifier trained on the given
        labels.
    y : array-like of shape (n,)
        Given labels as integer codes, the columns of ``probabilities``.
    method : {"anchor", "joint", "agreement", "confident_joint", "anchor_points", \
"percentile"}, default="anchor"
        - "anchor": `anchor_noise` with its defaults; the most exact in our measurements.
        - "joint": a hidden true label, its noise matrix and the calibration of the probabilities
          all by maximum likelihood (EM).
        - "agreement": a label is right where it is the predicted one. Counts the classifier's
          errors as label errors.
        - "confident_joint": confident learning, Northcutt et al. (2021).
        - "anchor_points": the probabilities of the row that is surest of each class, Patrini et al.
          (2017), equation 12. Rests on single rows.
        - "percentile": the same with the row at the 97th percentile in place of the surest.
    sample_weight : array-like of shape (n,), default=None
        Weights as counts: weight 2 is the same as the row appearing twice.

    Returns
    -------
    NoiseEstimate
        Rate, noise matrix, true class shares, and share of right labels per class.

    Raises
    ------
    ValueError
        If ``probabilities`` holds NaN, negative values or rows that do not sum to one, ``y`` has
        labels outside its columns, shapes differ, or ``method`` is unknown.

    See Also
    --------
    anchor_noise : The default method with its parameters.
    find_label_issues : The rows most likely to be wrong.

    Notes
    -----
    All methods assume that the noise depends on the true class only. Mistakes that are a function
    of the features, as those of labelling rules, are learned by the classifier and cannot be seen
    in its probabilities.

    References
    ----------
    C. Northcutt, L. Jiang, I. Chuang, "Confident learning: estimating uncertainty in dataset
    labels", Journal of Artificial Intelligence Research 70, 2021.

    G. Patrini, A. Rozza, A. Menon, R. Nock, L. Qu, "Making deep neural networks robust to label
    noise: a loss correction approach", CVPR 2017.

    Examples
    --------
    >>> import numpy as np
    >>> from noisyfit.noise import estimate_noise
    >>> true = np.arange(1000) % 2
    >>> given = np.where(np.arange(1000) % 10 < 2, 1 - true, true)
    >>> probabilities = np.where(np.eye(2)[true] == 1, 0.7, 0.3)
    >>> estimate = estimate_noise(probabilities, given)
    >>> round(estimate.rate, 2)
    0.2
    >>> estimate.clean_share.round(2)
    array([0.8, 0.8])
    """
    if not isinstance(method, str) or method not in _METHODS:
        raise ValueError(f"method must be one of {sorted(_METHODS)}, got {method!r}.")
    p, codes, weight = _check(probabilities, y, sample_weight)
    return noise_from_joint(_METHODS[method](p, codes, weight))


def anchor_noise(
    probabilities: ArrayLike,
    y: ArrayLike,
    *,
    top: float = TOP,
    shrinkage: float | str = "auto",
    sample_weight: ArrayLike | None = None,
) -> NoiseEstimate:
    """Estimate the label noise from the rows the classifier is surest about.

    Two steps. *Anchors*: the most confident rows of each predicted class are believed, and the
    labels they carry give a noise matrix. *Calibration*: with that matrix, the probabilities of
    all rows are turned into probabilities of the true label by one temperature and one factor
    per class, fitted to the given labels by maximum likelihood; the posterior of the true label,
    summed over rows, gives everything that is returned. (Solving for the class shares with the
    noise matrix alone amplifies its errors, most of all for two classes or much noise.)

    Parameters
    ----------
    probabilities : array-like of shape (n, C)
        Held-out predicted probabilities.
    y : array-like of shape (n,)
        Given labels as integer codes, the columns of ``probabilities``.
    top : float in (0, 1], default=0.1
        Share of the rows predicted as a class that serve as its anchors (at least ten rows).
    shrinkage : "auto" or float, default="auto"
        How strongly the counts of anchors are drawn towards symmetric noise. "auto" takes the
        strengths under which the counts are likeliest (empirical Bayes), one for how often each
        class keeps its label and one for where its wrong labels go. A float is a number of
        pseudo-counts for each class; zero means none.
    sample_weight : array-like of shape (n,), default=None
        Weights as counts: weight 2 is the same as the row appearing twice.

    Returns
    -------
    NoiseEstimate
        Rate, noise matrix, true class shares, and share of right labels per class.

    Raises
    ------
    ValueError
        If an argument is out of its range, as in `estimate_noise`.

    Examples
    --------
    >>> import numpy as np
    >>> from noisyfit.noise import anchor_noise
    >>> true = np.arange(1000) % 2
    >>> given = np.where(np.arange(1000) % 10 == 0, 1, true)
    >>> probabilities = np.where(np.eye(2)[true] == 1, 0.7, 0.3)
    >>> anchor_noise(probabilities, given, shrinkage=0).transition_matrix.round(2)
    array([[0.8, 0.2],
           [0. , 1. ]])
    """
    top = check_number(top, "top", 0.0, 1.0)
    if top == 0:
        raise ValueError("top must be larger than 0, got 0; it is the share of rows believed.")
    if isinstance(shrinkage, str):
        if shrinkage != "auto":
            raise ValueError(f"shrinkage must be 'auto' or a number, got {shrinkage!r}.")
    else:
        shrinkage = check_number(shrinkage, "shrinkage", 0.0)
    p, codes, weight = _check(probabilities, y, sample_weight)
    return noise_from_joint(_anchor(p, codes, weight, top, shrinkage))


def _check(
    probabilities: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None
) -> tuple[FloatArray, IntArray, FloatArray]:
    p = check_probabilities(probabilities)
    codes = check_codes(y, *p.shape)
    return p, codes, check_sample_weight(sample_weight, len(p))


def noise_of_predictions(probabilities: Matrix, y: IntArray, weight: FloatArray) -> NoiseEstimate:
    """`estimate_noise` of predictions that are not needed any more: dense ones are overwritten."""
    p = check_probabilities(probabilities, overwrite=True)
    return noise_from_joint(_anchor(p, y, check_sample_weight(weight, len(p))))


def noise_from_joint(joint: FloatArray) -> NoiseEstimate:
    """The estimate that a joint distribution of true (rows) and given labels amounts to."""
    joint = joint / joint.sum()
    transition, prior = row_stochastic(joint), joint.sum(axis=1)
    return NoiseEstimate(
        rate=float(np.clip(1 - joint.trace(), 0.0, 1.0)),
        transition_matrix=transition,
        prior=prior,
        clean_share=np.clip(bayes_clean_share(transition, prior), 0.0, 1.0),
    )


def noise_of_matrix(matrix: FloatArray, given_share: FloatArray) -> NoiseEstimate:
    """The estimate that a noise matrix amounts to, given how often each label occurs."""
    return noise_from_joint(joint_of_matrix(matrix, given_share))


def _anchor(
    p: FloatArray,
    y: IntArray,
    weight: FloatArray,
    top: float = TOP,
    shrinkage: float | str = "auto",
) -> FloatArray:
    matrix = _anchor_matrix(p, y, weight, top, shrinkage)
    return fit_latent(p, y, weight, matrix, update_transition=False).joint


def _joint(p: FloatArray, y: IntArray, weight: FloatArray) -> FloatArray:
    start = _anchor_matrix(p, y, weight, TOP, "auto")
    return fit_latent(p, y, weight, start, update_transition=True).joint


def _anchor_matrix(
    p: FloatArray, y: IntArray, weight: FloatArray, top: float, shrinkage: float | str
) -> FloatArray:
    counts = anchor_counts(p, y, weight, top)
    if isinstance(shrinkage, str):
        return smoothed_transition(counts)
    return shrunk_transition(counts, shrinkage)


_METHODS: dict[str, Callable[[FloatArray, IntArray, FloatArray], FloatArray]] = {
    "anchor": _anchor,
    "joint": _joint,
    "agreement": agreement_joint,
    "confident_joint": confident_joint,
    "anchor_points": anchor_point_joint,
    "percentile": partial(anchor_point_joint, percentile=PERCENTILE),
}
ESTIMATION_METHODS = tuple(_METHODS)
