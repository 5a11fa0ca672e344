"""Corrupting labels for experiments: exact rates, and a mask of what was changed.

Every function returns ``(noisy, changed)``: a new array of labels of the same type, and a boolean
mask that is true exactly where ``noisy`` differs from ``y``. The input is never modified.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .validation import (
    FloatArray,
    IntArray,
    check_labels,
    check_number,
    check_rate,
    make_generator,
    sorted_classes,
)

KINDS = ("symmetric", "pairwise", "asymmetric", "instance_dependent")


class CorruptedLabels(NamedTuple):
    """Labels after corruption and where they were changed.

    Attributes
    ----------
    labels : ndarray of shape (n,)
        The noisy labels, of the type of the input.
    changed : ndarray of shape (n,), bool
        True where the label was changed.
    """

    labels: NDArray[Any]
    changed: NDArray[np.bool_]


def symmetric_noise(
    y: ArrayLike, rate: float, *, per_class: bool = False, random_state: Any = None
) -> CorruptedLabels:
    """Replace labels by another class, each other class equally likely.

    Parameters
    ----------
    y : array-like of shape (n,)
        True labels, of any type that can be sorted.
    rate : float in [0, 1)
        Share of rows whose label changes: exactly ``round(rate * n)`` rows. A changed label
        always differs from the true one, so ``rate`` is the share of wrong labels.
    per_class : bool, default=False
        Change exactly ``round(rate * n_c)`` rows of each class instead.
    random_state : int, RandomState, Generator or None, default=None
        Source of randomness.

    Returns
    -------
    labels : ndarray of shape (n,)
        Noisy labels.
    changed : ndarray of shape (n,), bool
        Rows that were changed.

    Raises
    ------
    ValueError
        If ``y`` has one class only, or ``rate`` is outside [0, 1).

    Examples
    --------
    >>> import numpy as np
    >>> from noisyfit.noise import symmetric_noise
    >>> y = np.array(["ant", "bee", "cow"] * 10)
    >>> noisy, changed = symmetric_noise(y, 0.2, random_state=0)
    >>> int(changed.sum()), bool((noisy[changed] != y[changed]).all())
    (6, True)
    """
    problem = _Problem(y, rate, random_state)
    rows = problem.draw_rows(per_class)
    shift = problem.generator.integers(1, len(problem.classes), size=len(rows))
    return problem.relabel(rows, (problem.codes[rows] + shift) % len(problem.classes))


def pairwise_noise(
    y: ArrayLike, rate: float, *, per_class: bool = False, random_state: Any = None
) -> CorruptedLabels:
    """Replace labels by the next class in sorted order, the last by the first.

    Parameters
    ----------
    y : array-like of shape (n,)
        True labels, of any type that can be sorted.
    rate : float in [0, 1)
        Share of rows whose label changes: exactly ``round(rate * n)`` rows.
    per_class : bool, default=False
        Change exactly ``round(rate * n_c)`` rows of each class instead.
    random_state : int, RandomState, Generator or None, default=None
        Source of randomness.

    Returns
    -------
    labels : ndarray of shape (n,)
        Noisy labels.
    changed : ndarray of shape (n,), bool
        Rows that were changed.

    Raises
    ------
    ValueError
        If ``y`` has one class only, or ``rate`` is outside [0, 1).

    Examples
    --------
    >>> from noisyfit.noise import pairwise_noise
    >>> noisy, changed = pairwise_noise([0, 0, 1, 1, 2, 2], 0.5, per_class=True, random_state=0)
    >>> sorted(noisy.tolist())
    [0, 0, 1, 1, 2, 2]
    >>> int(changed.sum())
    3
    """
    problem = _Problem(y, rate, random_state)
    rows = problem.draw_rows(per_class)
    return problem.relabel(rows, (problem.codes[rows] + 1) % len(problem.classes))


def asymmetric_noise(
    y: ArrayLike,
    rate: float,
    mapping: Mapping[Any, Any] | None = None,
    *,
    random_state: Any = None,
) -> CorruptedLabels:
    """Replace labels of some classes by one particular other class.

    Parameters
    ----------
    y : array-like of shape (n,)
        True labels, of any type that can be sorted.
    rate : float in [0, 1)
        Share of each corrupted class that changes: exactly ``round(rate * n_c)`` rows of it.
    mapping : dict of class to class, default=None
        What each class is mistaken for. Classes that are not a key keep their labels. None:
        each class becomes the next one in sorted order, the last the first.
    random_state : int, RandomState, Generator or None, default=None
        Source of randomness.

    Returns
    -------
    labels : ndarray of shape (n,)
        Noisy labels.
    changed : ndarray of shape (n,), bool
        Rows that were changed.

    Raises
    ------
    ValueError
        If ``mapping`` names a class that ``y`` does not have or maps a class to itself, if ``y``
        has one class only, or ``rate`` is outside [0, 1).

    Examples
    --------
    >>> from noisyfit.noise import asymmetric_noise
    >>> noisy, changed = asymmetric_noise(
    ...     ["cat", "cat", "dog", "dog"], 0.5, {"cat": "dog"}, random_state=0
    ... )
    >>> sorted(noisy.tolist())
    ['cat', 'dog', 'dog', 'dog']
    """
    problem = _Problem(y, rate, random_state)
    size = len(problem.classes)
    if mapping is None:
        target = (np.arange(size) + 1) % size
    else:
        target = _mapping_codes(mapping, problem.classes)
    rows = problem.draw_rows(per_class=True, only=target != np.arange(size))
    return problem.relabel(rows, target[problem.codes[rows]])


def instance_dependent_noise(
    X: ArrayLike,
    y: ArrayLike,
    rate: float,
    *,
    rate_std: float = 0.1,
    random_state: Any = None,
) -> CorruptedLabels:
    """Replace labels by a class that depends on the row's features.

    Follows the generator of Xia et al. (2020), algorithm 2 of its appendix: row i has its own
    rate q_i, drawn from a normal distribution around ``rate`` truncated to [0, 1], and each true
    class y a matrix W_y of standard normal numbers; the row receives the label j != y_i with
    probability q_i * softmax over j != y_i of (x_i W_y)_j.

    One thing differs: the number of changed rows is made exact. A row flips where
    logit(u_i) < logit(q_i) with u_i uniform; we add to every logit(q_i) the one constant for
    which exactly ``round(rate * n)`` rows flip.

    Parameters
    ----------
    X : array-like or sparse matrix of shape (n, ...)
        Features, flattened to one row each. Standardise them first: with large numbers the
        softmax becomes a hard choice.
    y : array-like of shape (n,)
        True labels, of any type that can be sorted.
    rate : float in [0, 1)
        Share of rows whose label changes: exactly ``round(rate * n)`` rows.
    rate_std : float in [0, 1], default=0.1
        Standard deviation of the rows' rates (before truncation).
    random_state : int, RandomState, Generator or None, default=None
        Source of randomness.

    Returns
    -------
    labels : ndarray of shape (n,)
        Noisy labels.
    changed : ndarray of shape (n,), bool
        Rows that were changed.

    Raises
    ------
    ValueError
        If ``X`` and ``y`` differ in length, ``X`` holds NaN, ``y`` has one class only, or
        ``rate`` is outside [0, 1).

    Notes
    -----
    The features decide *which* wrong label a row gets, not whether it gets one, as in the paper.
    With two classes there is only one wrong label, and the noise is symmetric.

    References
    ----------
    X. Xia et al., "Part-dependent label noise: towards instance-dependent label noise",
    NeurIPS 2020.

    Examples
    --------
    >>> import numpy as np
    >>> from noisyfit.noise import instance_dependent_noise
    >>> X = np.linspace(-1, 1, 60).reshape(30, 2)
    >>> noisy, changed = instance_dependent_noise(X, [0, 1, 2] * 10, 0.3, random_state=0)
    >>> int(changed.sum())
    9
    """
    problem = _Problem(y, rate, random_state)
    spread = check_number(rate_std, "rate_std", 0.0, 1.0)
    features = _check_features(X, len(problem.codes))
    generator, size = problem.generator, len(problem.classes)
    row_rates = _truncated_normal(problem.rate, spread, len(problem.codes), generator)
    uniform = generator.uniform(np.finfo(float).tiny, 1.0, len(row_rates))  # finite logits
    with np.errstate(divide="ignore"):  # a rate of exactly 0 or 1 has an infinite logit
        margin = _logit(row_rates) - _logit(uniform)
    rows = np.sort(np.argsort(-margin, kind="stable")[: round(problem.rate * len(margin))])
    codes = np.empty(len(rows), dtype=np.intp)
    for label in range(size):
        projection = generator.standard_normal((features.shape[1], size))
        here = np.flatnonzero(problem.codes[rows] == label)
        scores = np.asarray(features[rows[here]] @ projection)
        scores[:, label] = -np.inf
        # The largest of score + Gumbel noise is a draw from the softmax of the scores.
        codes[here] = (scores + generator.gumbel(size=scores.shape)).argmax(axis=1)
    return problem.relabel(rows, codes)


def corrupt_labels(
    y: ArrayLike,
    rate: float,
    kind: str = "symmetric",
    *,
    X: ArrayLike | None = None,
    mapping: Mapping[Any, Any] | None = None,
    per_class: bool = False,
    random_state: Any = None,
) -> CorruptedLabels:
    """Corrupt labels by the kind of noise named.

    Parameters
    ----------
    y : array-like of shape (n,)
        True labels, of any type that can be sorted.
    rate : float in [0, 1)
        Share of labels to change, exactly.
    kind : {"symmetric", "pairwise", "asymmetric", "instance_dependent"}, default="symmetric"
        Which of the functions of this module to use.
    X : array-like of shape (n, ...), default=None
        Features; needed by "instance_dependent", not looked at by the others.
    mapping : dict of class to class, default=None
        For "asymmetric" only.
    per_class : bool, default=False
        For "symmetric" and "pairwise"; "asymmetric" is always per class.
    random_state : int, RandomState, Generator or None, default=None
        Source of randomness.

    Returns
    -------
    labels : ndarray of shape (n,)
        Noisy labels.
    changed : ndarray of shape (n,), bool
        Rows that were changed.

    Raises
    ------
    ValueError
        If ``kind`` is unknown or does not go with the other arguments.

    Examples
    --------
    >>> from noisyfit.noise import corrupt_labels
    >>> noisy, changed = corrupt_labels([0, 1] * 10, 0.4, "symmetric", random_state=0)
    >>> int(changed.sum())
    8
    """
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {KINDS}, got {kind!r}.")
    if mapping is not None and kind != "asymmetric":
        raise ValueError(f"mapping goes with kind='asymmetric' only, got kind={kind!r}.")
    if per_class and kind == "instance_dependent":
        raise ValueError("per_class cannot be used with kind='instance_dependent'.")
    if kind == "instance_dependent":
        if X is None:
            raise ValueError("X is needed for kind='instance_dependent', got None.")
        return instance_dependent_noise(X, y, rate, random_state=random_state)
    if kind == "asymmetric":
        return asymmetric_noise(y, rate, mapping, random_state=random_state)
    corrupt = symmetric_noise if kind == "symmetric" else pairwise_noise
    return corrupt(y, rate, per_class=per_class, random_state=random_state)


class _Problem:
    """Validated labels, rate and generator of one corruption."""

    def __init__(self, y: ArrayLike, rate: float, random_state: Any) -> None:
        self.labels = check_labels(y)
        self.rate = check_rate(rate)
        self.generator = make_generator(random_state)
        self.classes, self.codes = sorted_classes(self.labels)
        if len(self.classes) < 2:
            only = self.classes.tolist()[0]
            raise ValueError(f"y has one class only, {only!r}; a wrong label needs a second class.")

    def draw_rows(self, per_class: bool, only: NDArray[np.bool_] | None = None) -> IntArray:
        """Rows to change, exactly the rate of all rows or of each class (of ``only``)."""
        if not per_class:
            n = len(self.codes)
            return np.sort(self.generator.permutation(n)[: round(self.rate * n)])
        drawn = []
        for label in range(len(self.classes)):
            if only is None or only[label]:
                rows = np.flatnonzero(self.codes == label)
                drawn.append(self.generator.permutation(rows)[: round(self.rate * len(rows))])
        return np.sort(np.concatenate(drawn)) if drawn else np.empty(0, dtype=np.intp)

    def relabel(self, rows: IntArray, codes: IntArray) -> CorruptedLabels:
        """Give the rows the classes of these codes."""
        noisy = self.labels.copy()
        noisy[rows] = self.classes[codes]
        changed = np.zeros(len(noisy), dtype=bool)
        changed[rows] = True
        return CorruptedLabels(noisy, changed)


def _mapping_codes(mapping: Mapping[Any, Any], classes: NDArray[Any]) -> IntArray:
    """Return the code each class becomes; its own where the mapping does not name it."""
    code = {label: position for position, label in enumerate(classes.tolist())}
    target = np.arange(len(classes))
    for source, destination in mapping.items():
        for label in (source, destination):
            if label not in code:
                raise ValueError(
                    f"mapping names the class {label!r}, which y does not have; "
                    f"the classes are {classes.tolist()[:20]!r}."
                )
        if code[source] == code[destination]:
            raise ValueError(f"mapping maps the class {source!r} to itself.")
        target[code[source]] = code[destination]
    return target


def _check_features(X: Any, n: int) -> Any:
    if hasattr(X, "tocsr"):
        features, values = X.tocsr(), X.tocsr().data
    else:
        features = np.asarray(X, dtype=np.float64)
        features = features.reshape(len(features), -1) if features.ndim else features
        values = features
    if features.ndim != 2 or features.shape[0] != n:
        raise ValueError(f"X must have one row for each of the {n} labels, got {features.shape}.")
    if not np.isfinite(values).all():
        raise ValueError("X contains NaN or infinity; impute missing values first.")
    return features


def _truncated_normal(
    mean: float, std: float, size: int, generator: np.random.Generator
) -> FloatArray:
    """Draws of a normal distribution kept to [0, 1], by drawing again what falls outside."""
    draws = generator.normal(mean, std, size)
    outside = np.flatnonzero((draws < 0) | (draws > 1))
    while len(outside):
        draws[outside] = generator.normal(mean, std, len(outside))
        outside = outside[(draws[outside] < 0) | (draws[outside] > 1)]
    return draws


def _logit(p: FloatArray) -> FloatArray:
    return np.log(p) - np.log1p(-p)
