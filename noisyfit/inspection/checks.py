"""What the displays may be given; every message names the parameter and the remedy."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from noisyfit.noise.validation import check_labels, encode_labels


def fitted_attribute(estimator: Any, name: str, remedy: str) -> Any:
    """A public attribute that `fit` sets."""
    check_is_fitted(estimator)
    if not hasattr(estimator, name):
        raise AttributeError(
            f"{type(estimator).__name__} has no {name} after fit: {remedy} (Of a Pipeline pass its "
            "last step, of a search its best_estimator_.)"
        )
    return getattr(estimator, name)


def check_shares(values: Any, name: str, n: int | None = None) -> np.ndarray:
    """Numbers in [0, 1], one-dimensional, ``n`` of them if that is known."""
    array = np.asarray(values)
    if array.dtype.kind not in "fiub" or array.ndim != 1 or len(array) == 0:
        raise ValueError(
            f"{name} must be a one-dimensional array of numbers, not empty, got shape "
            f"{array.shape} of {array.dtype}."
        )
    array = array.astype(np.float64)
    if n is not None and len(array) != n:
        raise ValueError(f"{name} has {len(array)} entries, expected {n}: one for each row.")
    if not (np.isfinite(array).all() and array.min() >= 0 and array.max() <= 1):
        worst = array[~(np.isfinite(array) & (array >= 0) & (array <= 1))][0]
        raise ValueError(f"{name} must lie in [0, 1] without NaN, got {worst}.")
    return array


def check_series(values: Any, name: str, n: int) -> np.ndarray:
    """Shares over the epochs."""
    array = np.asarray(values)
    if array.shape != (n,):
        raise ValueError(f"{name} has shape {array.shape}, expected {(n,)}: one for each epoch.")
    return check_shares(array, name)


def check_epochs(epochs: Any) -> np.ndarray:
    """Epoch numbers, in rising order."""
    array = np.asarray(epochs)
    if array.ndim != 1 or len(array) == 0 or array.dtype.kind not in "iu":
        raise ValueError(
            f"epochs must be a one-dimensional array of integers, not empty, got {epochs!r}."
        )
    if (np.diff(array) <= 0).any():
        raise ValueError(f"epochs must rise from entry to entry, got {array.tolist()}.")
    return array


def check_mask(mask: Any, name: str, n: int) -> np.ndarray:
    """A truth value for each of ``n`` rows."""
    array = np.asarray(mask)
    if array.dtype != bool:
        raise TypeError(f"{name} must hold a truth value for each row, got {array.dtype}.")
    if array.shape != (n,):
        raise ValueError(f"{name} has shape {array.shape}, expected {(n,)}: one for each row.")
    return array


def check_rows(rows: Any, name: str, n: int) -> np.ndarray:
    """Numbers of some of ``n`` rows, each at most once."""
    array = np.asarray(rows)
    if array.dtype == bool:
        return np.flatnonzero(check_mask(array, name, n))
    if array.ndim != 1 or (array.dtype.kind not in "iu" and len(array)):
        raise ValueError(f"{name} must hold row numbers or be a mask of the rows, got {rows!r}.")
    array = array.astype(np.intp)
    if len(array) and not (array.min() >= 0 and array.max() < n):
        worst = array.min() if array.min() < 0 else array.max()
        raise ValueError(
            f"{name} names row {worst}, but there are {n} rows (0 to {n - 1}); pass the arrays "
            "of the very rows given to fit."
        )
    return np.unique(array)


def wrong_labels(y_true: Any, y_given: Any, n: int | None = None) -> np.ndarray:
    """Mask of the rows whose given label is not the true one."""
    if y_given is None:
        raise ValueError("y_true without y_given tells nothing; pass the labels given to fit too.")
    true, given = check_labels(y_true, "y_true"), check_labels(y_given, "y_given")
    for name, labels in (("y_true", true), ("y_given", given)):
        expected = len(given) if n is None else n
        if len(labels) != expected:
            raise ValueError(f"{name} has {len(labels)} labels, expected {expected}: one per row.")
    if not set(true.tolist()) & set(given.tolist()):
        raise ValueError(
            f"y_true and y_given have no label in common ({true[:3].tolist()!r}, "
            f"{given[:3].tolist()!r}); name the classes alike in both."
        )
    return np.asarray(true != given, dtype=bool)


def as_codes(y: Any, classes: Any, name: str = "y") -> tuple[Any, np.ndarray]:
    """Names of the classes (None where y holds codes) and class codes."""
    labels = check_labels(y, name)
    if classes is None:
        return None, labels
    return encode_labels(labels, classes, name)
