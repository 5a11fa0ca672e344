"""Checks shared by the functions of this folder; every message names the parameter."""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from noisyfit._blocks import slices
from noisyfit._peaked import PeakedRows

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]

# Probabilities often come from a float32 or float16 softmax.
SUM_TOLERANCE = 1e-3


def check_rate(rate: float, name: str = "rate") -> float:
    """Return ``rate`` as a float in [0, 1)."""
    if isinstance(rate, (bool, np.bool_)) or not isinstance(rate, numbers.Real):
        raise TypeError(f"{name} must be a number in [0, 1), got {rate!r}.")
    if not 0 <= rate < 1:
        raise ValueError(f"{name} must be in [0, 1), got {rate!r}.")
    return float(rate)


def check_number(value: float, name: str, low: float, high: float = np.inf) -> float:
    """Return ``value`` as a finite float in [low, high]."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name} must be a number, got {value!r}.")
    if not (np.isfinite(value) and low <= value <= high):
        raise ValueError(f"{name} must be a finite number in [{low}, {high}], got {value!r}.")
    return float(value)


def make_generator(random_state: Any) -> np.random.Generator:
    """Return a Generator from None, an int, a RandomState or a Generator."""
    if isinstance(random_state, np.random.Generator):
        return random_state
    if isinstance(random_state, np.random.RandomState):
        # Drawing the seed advances the RandomState, so a second call differs from the first.
        return np.random.default_rng(random_state.randint(2**32, size=4, dtype=np.uint32))
    if random_state is None:
        return np.random.default_rng()
    if isinstance(random_state, numbers.Integral) and not isinstance(random_state, bool):
        if random_state < 0:
            raise ValueError(f"random_state must not be negative, got {random_state!r}.")
        return np.random.default_rng(int(random_state))
    raise TypeError(
        "random_state must be None, an int, a numpy RandomState or a numpy Generator, "
        f"got {random_state!r}."
    )


def check_labels(y: ArrayLike, name: str = "y") -> NDArray[Any]:
    """Return labels of any type as a one-dimensional, non-empty array (not a copy)."""
    labels = np.asarray(y)
    if labels.ndim != 1:
        raise ValueError(f"{name} must be one-dimensional, got shape {labels.shape}.")
    if labels.size == 0:
        raise ValueError(f"{name} is empty; at least one label is needed.")
    if labels.dtype.kind in "fc" and not np.isfinite(labels).all():
        raise ValueError(f"{name} contains NaN or infinity; every row needs a label.")
    return labels


def sorted_classes(labels: NDArray[Any], name: str = "y") -> tuple[NDArray[Any], IntArray]:
    """Return the sorted distinct labels and each row's position among them."""
    try:
        classes, codes = np.unique(labels, return_inverse=True)
    except TypeError as error:
        raise TypeError(
            f"{name} mixes labels that cannot be sorted (or contains None); use one type of label."
        ) from error
    return classes, codes.reshape(-1)


def encode_labels(
    labels: NDArray[Any], classes: ArrayLike, name: str = "y"
) -> tuple[NDArray[Any], IntArray]:
    """Return ``classes`` as an array and, for each label, its position in ``classes``."""
    known = check_labels(classes, "classes")
    order = sorted_classes(known, "classes")[1]
    if len(np.unique(order)) != len(known):
        raise ValueError(f"classes must not repeat a class, got {known.tolist()!r}.")
    position = {label: code for code, label in enumerate(known.tolist())}
    distinct, inverse = sorted_classes(labels, name)
    unknown = [label for label in distinct.tolist() if label not in position]
    if unknown:
        raise ValueError(
            f"{name} contains labels that are not in classes: {unknown[:5]!r}; "
            f"classes is {known.tolist()[:20]!r}."
        )
    codes = np.array([position[label] for label in distinct.tolist()], dtype=np.intp)
    return known, codes[inverse]


def check_probabilities(probabilities: ArrayLike | PeakedRows, *, overwrite: bool = False) -> Any:
    """Return (n, C) probabilities as float64 rows that sum to one.

    With ``overwrite`` the array that was given may be changed for that; else it is copied.
    """
    if isinstance(probabilities, PeakedRows):  # only noisyfit makes these, out of a softmax
        sums = probabilities.sum(axis=1)
        if not np.isfinite(sums).all():
            raise ValueError("probabilities contains NaN or infinity.")
        return probabilities.scaled(1 / sums)
    p = np.asarray(probabilities)
    if p.dtype.kind not in "fiub":
        raise TypeError(f"probabilities must be real numbers, got dtype {p.dtype}.")
    if p.ndim != 2 or p.shape[0] < 1 or p.shape[1] < 2:
        raise ValueError(
            "probabilities must have shape (n rows, C classes) with n >= 1 and C >= 2, "
            f"got shape {p.shape}."
        )
    p = p.astype(np.float64, copy=not overwrite)
    if not all(np.isfinite(p[part]).all() for part in slices(*p.shape)):
        raise ValueError("probabilities contains NaN or infinity.")
    if p.min() < 0:
        raise ValueError(f"probabilities contains a negative value, {p.min():.3g}.")
    totals = p.sum(axis=1, keepdims=True)
    worst = int(np.abs(totals - 1).argmax())
    if abs(totals[worst, 0] - 1) > SUM_TOLERANCE:
        raise ValueError(
            f"each row of probabilities must sum to 1, row {worst} sums to "
            f"{totals[worst, 0]:.6g}; pass probabilities (softmax), not logits."
        )
    return np.divide(p, totals, out=p)


def check_codes(y: ArrayLike, n: int, n_classes: int) -> IntArray:
    """Return given labels as integer codes, the columns of the probabilities."""
    labels = check_labels(y)
    if len(labels) != n:
        raise ValueError(f"y has {len(labels)} labels but probabilities has {n} rows.")
    if labels.dtype.kind not in "iub":
        raise TypeError(
            "y must hold integer codes, the columns of probabilities (for labels of another "
            f"type pass classes= where offered, or encode them first), got dtype {labels.dtype}."
        )
    if labels.min() < 0 or labels.max() >= n_classes:
        bad = labels[(labels < 0) | (labels >= n_classes)][0]
        raise ValueError(
            f"y contains the label {bad.item()!r}, but probabilities has columns "
            f"0 to {n_classes - 1} only."
        )
    return labels.astype(np.intp)


def check_sample_weight(sample_weight: ArrayLike | None, n: int) -> FloatArray:
    """Return one non-negative weight per row (ones for None)."""
    if sample_weight is None:
        return np.ones(n)
    weight = np.asarray(sample_weight)
    if weight.dtype.kind not in "fiub":
        raise TypeError(f"sample_weight must be numeric, got dtype {weight.dtype}.")
    if weight.shape != (n,):
        raise ValueError(f"sample_weight must have shape ({n},), got {weight.shape}.")
    weight = weight.astype(np.float64, copy=False)
    if not np.isfinite(weight).all() or weight.min() < 0:
        raise ValueError("sample_weight must be finite and not negative.")
    if not weight.any():
        raise ValueError("sample_weight is zero for every row; at least one must be positive.")
    with np.errstate(over="ignore"):
        total = weight.sum()
    if not 1e-300 < total < 1e300:
        raise ValueError(f"sample_weight sums to {total:g}; divide the weights by their mean.")
    return weight
