"""Scoring and ranking labels by how far the classifier's probabilities trust them."""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from noisyfit._peaked import Matrix, PeakedRows, entries_at

from .belief import posterior
from .estimate import NoiseEstimate, estimate_noise
from .validation import (
    FloatArray,
    IntArray,
    check_codes,
    check_labels,
    check_probabilities,
    encode_labels,
)

QUALITY_METHODS = ("gradient_norm", "self_confidence", "normalized_margin")


def label_quality(
    probabilities: ArrayLike,
    y: ArrayLike,
    method: str = "gradient_norm",
    *,
    classes: ArrayLike | None = None,
) -> FloatArray:
    """Score each given label from 0 (surely wrong) to 1 (trustworthy).

    Parameters
    ----------
    probabilities : array-like of shape (n, C)
        Predicted probabilities, best held-out ones.
    y : array-like of shape (n,)
        Given labels: integer codes, or labels of any type together with ``classes``.
    method : {"gradient_norm", "self_confidence", "normalized_margin"}, default="gradient_norm"
        - "gradient_norm": 1 - ||p - onehot(y)||_2 / sqrt(2), from the gradient of cross entropy
          with respect to the logits; zero gradient is quality one.
        - "self_confidence": p_y.
        - "normalized_margin": (p_y - largest other probability + 1) / 2.
    classes : array-like of shape (C,), default=None
        The label each column stands for. None: ``y`` holds column numbers.

    Returns
    -------
    ndarray of shape (n,), float64
        Quality of each label, in [0, 1].

    Raises
    ------
    ValueError
        If ``method`` is unknown, or the arrays are not as described.

    Examples
    --------
    >>> from noisyfit.noise import label_quality
    >>> label_quality([[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]], [0, 0, 0])
    array([1. , 0.5, 0. ])
    """
    if method not in QUALITY_METHODS:
        raise ValueError(f"method must be one of {QUALITY_METHODS}, got {method!r}.")
    p, codes, _ = _check(probabilities, y, classes)
    return _quality(p, codes, method)


def find_label_issues(
    probabilities: ArrayLike,
    y: ArrayLike,
    *,
    classes: ArrayLike | None = None,
    n_issues: str | int | float = "auto",
    method: str = "gradient_norm",
    noise: NoiseEstimate | None = None,
) -> IntArray:
    """Rows whose label is probably wrong, the most suspicious first.

    Parameters
    ----------
    probabilities : array-like of shape (n, C)
        Predicted probabilities, best held-out ones.
    y : array-like of shape (n,)
        Given labels: integer codes, or labels of any type together with ``classes``.
    classes : array-like of shape (C,), default=None
        The label each column stands for. None: ``y`` holds column numbers.
    n_issues : "auto", int or float, default="auto"
        How many rows to return. "auto": of each given label, the estimated number of wrong rows,
        those of lowest quality. An int is a number of rows and a float in [0, 1] a share of all
        rows, whatever their class.
    method : str, default="gradient_norm"
        How labels are scored, see `label_quality`.
    noise : NoiseEstimate, default=None
        The estimate that "auto" uses. None: ``estimate_noise(probabilities, y)``.

    Returns
    -------
    ndarray of int
        Row numbers in order of rising quality; equal ones in row order.

    Raises
    ------
    ValueError
        If an argument is out of its range, or ``noise`` has another number of classes.
    TypeError
        If ``n_issues`` or ``noise`` is of the wrong type.

    Examples
    --------
    >>> from noisyfit.noise import find_label_issues
    >>> probabilities = [[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.3, 0.7]]
    >>> find_label_issues(probabilities, ["no", "yes", "no", "yes"],
    ...                   classes=["no", "yes"], n_issues=2)
    array([2, 1])
    """
    if method not in QUALITY_METHODS:
        raise ValueError(f"method must be one of {QUALITY_METHODS}, got {method!r}.")
    p, codes, _ = _check(probabilities, y, classes)
    order = np.argsort(_quality(p, codes, method), kind="stable")
    if isinstance(n_issues, str):
        if n_issues != "auto":
            raise ValueError(f"n_issues must be 'auto', an int or a float, got {n_issues!r}.")
        if noise is None:
            noise = estimate_noise(p, codes)
        return _most_suspicious_per_class(order, codes, _check_noise(noise, p.shape[1]))
    return order[: _number_of_issues(n_issues, len(p))]


def believed_labels(
    probabilities: ArrayLike,
    y: ArrayLike,
    noise: NoiseEstimate,
    *,
    classes: ArrayLike | None = None,
) -> NDArray[Any]:
    """Most probable true label of each row, given its features and its label.

    By Bayes' rule with class-dependent noise, P(true = k | x, given = j) is proportional to
    P(true = k | x) T_kj; the probabilities are taken for P(true = k | x).

    Parameters
    ----------
    probabilities : array-like of shape (n, C)
        Predicted probabilities of the true class.
    y : array-like of shape (n,)
        Given labels: integer codes, or labels of any type together with ``classes``.
    noise : NoiseEstimate
        Its ``transition_matrix`` is used.
    classes : array-like of shape (C,), default=None
        The label each column stands for. None: ``y`` holds column numbers.

    Returns
    -------
    ndarray of shape (n,)
        Integer codes, or members of ``classes`` where it was given. A row whose label the model
        holds impossible gets its most probable class.

    Raises
    ------
    ValueError
        If the arrays are not as described, or ``noise`` has another number of classes.

    Examples
    --------
    >>> import numpy as np
    >>> from noisyfit.noise import NoiseEstimate, believed_labels
    >>> transition = np.array([[0.7, 0.3], [0.0, 1.0]])
    >>> noise = NoiseEstimate(0.15, transition, np.array([0.5, 0.5]), np.array([1.0, 0.77]))
    >>> believed_labels([[0.9, 0.1], [0.9, 0.1], [0.2, 0.8]], [0, 1, 0], noise)
    array([0, 0, 0])
    """
    p, codes, known = _check(probabilities, y, classes)
    _check_noise(noise, p.shape[1])
    believed = posterior(p, codes, noise.transition_matrix).argmax(axis=1)
    return believed if known is None else known[believed]


def _check(
    probabilities: ArrayLike, y: ArrayLike, classes: ArrayLike | None
) -> tuple[FloatArray, IntArray, NDArray[Any] | None]:
    p = check_probabilities(probabilities)
    if classes is None:
        return p, check_codes(y, *p.shape), None
    known, codes = encode_labels(check_labels(y), classes)
    if len(known) != p.shape[1]:
        raise ValueError(
            f"classes has {len(known)} entries but probabilities has {p.shape[1]} columns."
        )
    return p, check_codes(codes, *p.shape), known


def _check_noise(noise: NoiseEstimate, n_classes: int) -> NoiseEstimate:
    if not isinstance(noise, NoiseEstimate):
        raise TypeError(f"noise must be a NoiseEstimate or None, got {type(noise).__name__}.")
    if len(noise.clean_share) != n_classes:
        raise ValueError(
            f"noise is for {len(noise.clean_share)} classes but probabilities has "
            f"{n_classes} columns."
        )
    return noise


def _quality(p: Matrix, y: IntArray, method: str) -> FloatArray:
    own = entries_at(p, y)
    if method == "self_confidence":
        return np.clip(own, 0.0, 1.0)
    if isinstance(p, PeakedRows):
        others = p.with_label(y, -own)
    else:
        others = p.copy()
        others[np.arange(len(p)), y] = 0.0
    if method == "normalized_margin":
        return np.clip((own - others.max(axis=1) + 1) / 2, 0.0, 1.0)
    if isinstance(others, PeakedRows):
        squared = (1 - own) ** 2 + others.squared_norms()
    else:
        squared = (1 - own) ** 2 + np.einsum("ij,ij->i", others, others)
    return np.clip(1 - np.sqrt(squared / 2), 0.0, 1.0)


def _number_of_issues(n_issues: Any, n: int) -> int:
    if isinstance(n_issues, bool) or not isinstance(n_issues, numbers.Real):
        raise TypeError(f"n_issues must be 'auto', an int or a float, got {n_issues!r}.")
    if isinstance(n_issues, numbers.Integral):
        if not 0 <= int(n_issues) <= n:
            raise ValueError(f"n_issues must be between 0 and the {n} rows, got {n_issues!r}.")
        return int(n_issues)
    if not 0 <= float(n_issues) <= 1:
        raise ValueError(f"n_issues as a float is a share of rows in [0, 1], got {n_issues!r}.")
    return round(float(n_issues) * n)


def _most_suspicious_per_class(order: IntArray, y: IntArray, noise: NoiseEstimate) -> IntArray:
    """Of each given label its estimated number of wrong rows, in the order given."""
    counts = np.bincount(y, minlength=len(noise.clean_share))
    wrong = np.rint((1 - noise.clean_share) * counts).astype(np.intp)
    ranked = order[np.argsort(y[order], kind="stable")]  # class by class, most suspicious first
    rank = np.arange(len(y)) - np.repeat(np.cumsum(counts) - counts, counts)
    chosen = np.zeros(len(y), dtype=bool)
    chosen[ranked[rank < wrong[y[ranked]]]] = True
    return order[chosen[order]]
