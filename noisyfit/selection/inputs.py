"""Private: checking and converting what the selection functions are given."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from noisyfit._blocks import slices
from noisyfit._precision import accumulator_dtype
from noisyfit.selection.products import OuterProducts

FloatVector: TypeAlias = NDArray[np.float64]
IndexVector: TypeAlias = NDArray[np.int64]
Random: TypeAlias = np.random.RandomState | np.random.Generator


def as_points(values: Any, name: str = "points", *, ndim: int = 2) -> Any:
    """Return `values` as a finite, non-empty float32 or float64 tensor, copied only if necessary.

    Integers become float64 (float32 where the device has none) and half precision float32; the
    device stays. Outer products stay what they are.
    """
    if isinstance(values, OuterProducts):
        left, right = as_points(values.left, name), as_points(values.right, name)
        if len(left) != len(right) or left.dtype != right.dtype or left.device != right.device:
            raise ValueError(
                f"the factors of {name} must have the same number of rows, precision and device, "
                f"got {tuple(left.shape)} {left.dtype} and {tuple(right.shape)} {right.dtype}."
            )
        return OuterProducts(left, right)
    tensor = values.detach() if isinstance(values, torch.Tensor) else _from_numpy(values, name)
    if tensor.layout != torch.strided:
        raise ValueError(f"{name} must be dense, got a sparse tensor; use .to_dense().")
    if tensor.is_complex():
        raise ValueError(f"{name} must be real numbers, got dtype {tensor.dtype}.")
    if tensor.dtype in (torch.float16, torch.bfloat16):
        tensor = tensor.float()
    elif not tensor.is_floating_point():
        tensor = tensor.to(accumulator_dtype(tensor.device))
    if tensor.ndim != ndim:
        hint = " Reshape one column with values[:, None]." if ndim == 2 and tensor.ndim == 1 else ""
        raise ValueError(f"{name} must have {ndim} dimension(s), got {tensor.ndim}.{hint}")
    if 0 in tensor.shape:
        raise ValueError(f"{name} must not be empty, got shape {tuple(tensor.shape)}.")
    if not _is_finite(tensor):
        raise ValueError(f"{name} must be finite, but contains NaN or infinity.")
    return tensor


def _is_finite(tensor: torch.Tensor) -> bool:
    """Whether all entries are; looks at a block at a time, since torch makes copies for it."""
    if tensor.device.type != "cpu":
        return bool(torch.isfinite(tensor).all())
    parts = slices(len(tensor), tensor[0].numel())
    return all(bool(torch.isfinite(tensor[part]).all()) for part in parts)


def _from_numpy(values: Any, name: str) -> torch.Tensor:
    array = np.asarray(values)
    if array.dtype.kind not in "fiub":
        raise ValueError(
            f"{name} must be a numeric numpy array or torch tensor, got {type(values).__name__} "
            f"of dtype {array.dtype}; convert sparse matrices with .toarray()."
        )
    if array.dtype == np.float16:
        array = array.astype(np.float32)
    elif array.dtype not in (np.float32, np.float64):
        array = array.astype(np.float64)
    # torch wants native byte order, non-negative strides and, or it warns, writeable memory.
    # (It makes a vector of a single number, which is none.)
    native = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("="))
    array = native.reshape(array.shape)
    return torch.from_numpy(array if array.flags.writeable else array.copy())


def as_sample_weight(sample_weight: Any, n: int) -> FloatVector:
    """Return non-negative float64 weights of shape (n,), not all zero; ones for None."""
    if sample_weight is None:
        return np.ones(n)
    weights = to_numpy(sample_weight)
    if weights.dtype.kind not in "fiub":
        raise ValueError(f"sample_weight must be numeric, got dtype {weights.dtype}.")
    weights = weights.astype(np.float64)
    if weights.shape != (n,):
        raise ValueError(f"sample_weight must have shape ({n},), got {weights.shape}.")
    if not np.isfinite(weights).all():
        raise ValueError("sample_weight must be finite, but contains NaN or infinity.")
    if (weights < 0).any():
        raise ValueError(f"sample_weight must not be negative, got a minimum of {weights.min()}.")
    if not weights.any():
        raise ValueError("sample_weight must not be zero everywhere: no row would be left.")
    with np.errstate(over="ignore"):
        total = weights.sum()
    # They are multiplied with distances, in float32 where the points are, and added up.
    if not 1e-18 < total < 1e18:
        raise ValueError(
            f"sample_weight sums to {total:g}, which is too small or too large to compute with in "
            "single precision; divide the weights by their mean."
        )
    return weights


def as_codes(values: Any, n: int, name: str) -> IndexVector:
    """Return non-negative integer codes of shape (n,)."""
    codes = to_numpy(values)
    if codes.shape != (n,):
        raise ValueError(f"{name} must have shape ({n},), one code per row, got {codes.shape}.")
    if codes.dtype.kind not in "iub":
        raise ValueError(
            f"{name} must be integer codes, got dtype {codes.dtype}; "
            "np.unique(values, return_inverse=True)[1] makes codes of any values."
        )
    codes = codes.astype(np.int64)
    if (codes < 0).any():
        raise ValueError(f"{name} must not be negative, got a minimum of {codes.min()}.")
    return codes


def as_mask(values: Any, n: int, name: str) -> NDArray[np.bool_]:
    """Return a boolean mask of shape (n,)."""
    mask = to_numpy(values)
    if mask.shape != (n,) or mask.dtype != np.bool_:
        raise ValueError(
            f"{name} must be a boolean mask of shape ({n},), got dtype {mask.dtype} "
            f"and shape {mask.shape}."
        )
    return mask


def rows_by_code(codes: np.ndarray, used: np.ndarray | None) -> list[tuple[int, np.ndarray]]:
    """Return (code, indices of its rows in rising order) for every code that a used row has."""
    rows = np.arange(len(codes)) if used is None else np.flatnonzero(used)
    # numpy sorts 16-bit integers, which nearly all codes are, in linear time.
    small = codes.astype(np.uint16) if codes.max() < 2**16 else codes
    rows = rows[np.argsort(small[rows], kind="stable")]
    present, starts = np.unique(codes[rows], return_index=True)
    return list(zip(present.tolist(), np.split(rows, starts[1:]), strict=True))


def check_real(value: Any, name: str) -> float:
    """Return a number as a float; NaN, infinity and its limits are for the caller to judge."""
    if not isinstance(value, Real) or isinstance(value, bool):
        raise TypeError(f"{name} must be a number, got {value!r}.")
    return float(value)


def check_k(k: Any, n: int) -> int:
    """Return the number of medoids as an int between 1 and n."""
    if not isinstance(k, Integral) or isinstance(k, bool):
        raise TypeError(f"k must be an integer, got {k!r}.")
    if not 1 <= int(k) <= n:
        raise ValueError(f"k must lie between 1 and the number of rows n={n}, got k={k}.")
    return int(k)


def number_of_medoids(k: Any, n: int) -> int:
    """Return how many medoids k asks for: a number from 1 to n, or a share of n in (0, 1]."""
    if isinstance(k, Integral):
        return check_k(k, n)
    if not isinstance(k, Real):
        raise TypeError(f"k must be an integer, or a float that is a share of the rows, got {k!r}.")
    if not 0 < float(k) <= 1:
        raise ValueError(f"k={k} is a float and so a share of the rows: it must lie in (0, 1].")
    return max(1, round(float(k) * n))


def check_medoids(medoids: Any, n: int) -> IndexVector:
    """Return row indices of medoids, at least one."""
    indices = to_numpy(medoids)
    if indices.ndim != 1 or len(indices) == 0 or indices.dtype.kind not in "iu":
        raise ValueError(
            f"medoids must be a non-empty vector of row indices, got dtype {indices.dtype} "
            f"and shape {indices.shape}."
        )
    if indices.min() < 0 or indices.max() >= n:
        raise ValueError(
            f"medoids must be indices of the {n} rows of points, got {indices.min()} to "
            f"{indices.max()}."
        )
    return indices.astype(np.int64)


def as_start(start: Any, n: int, k: int) -> IndexVector:
    """Return distinct row indices, at most k of them; none for None."""
    if start is None:
        return np.empty(0, dtype=np.int64)
    rows = to_numpy(start)
    if rows.ndim != 1 or (len(rows) and rows.dtype.kind not in "iu"):
        raise ValueError(
            f"start must be a vector of row indices, got dtype {rows.dtype} and shape {rows.shape}."
        )
    rows = rows.astype(np.int64)
    if len(rows) and not (rows.min() >= 0 and rows.max() < n):
        raise ValueError(
            f"start must be indices of the {n} rows, got {rows.min()} to {rows.max()}."
        )
    if len(np.unique(rows)) < len(rows):
        raise ValueError("start must not name a row twice.")
    if len(rows) > k:
        raise ValueError(f"start names {len(rows)} rows, more than the k={k} asked for.")
    return rows


def as_random_state(random_state: Any) -> Random:
    """Return scikit-learn's RandomState for what it accepts, and a Generator as it is."""
    if isinstance(random_state, np.random.Generator):
        return random_state
    try:
        return check_random_state(random_state)
    except ValueError as error:
        raise ValueError(
            "random_state must be None, a whole number from 0 to 2**32 - 1, a RandomState or a "
            f"Generator, got {random_state!r}."
        ) from error


def spawn(random: Random, n: int) -> list[Random]:
    """Return n random states drawn from one."""
    draw = random.integers if isinstance(random, np.random.Generator) else random.randint
    return [np.random.RandomState(seed) for seed in draw(2**32, size=n, dtype=np.uint32)]


def to_numpy(values: Any) -> np.ndarray:
    """Return `values` as a numpy array, from whichever device."""
    return values.detach().cpu().numpy() if isinstance(values, torch.Tensor) else np.asarray(values)


def to_tensor(values: np.ndarray, like: torch.Tensor | OuterProducts) -> torch.Tensor:
    """Return a numpy array as a tensor on the device of `like`: floats take its precision too."""
    dtype = like.dtype if values.dtype.kind == "f" else None
    return torch.tensor(values, dtype=dtype, device=like.device)


def largest_remainders(counts: NDArray[np.int64], k: int) -> NDArray[np.int64]:
    """Share k between groups in proportion to their counts, at least one each.

    Of groups with equal claims the one with the lowest code gets more.
    """
    n = int(counts.sum())
    sizes = np.maximum(1, k * counts // n)
    # Whole numbers (n times how far a group is below its exact share) keep ties exact.
    while sizes.sum() < k:
        sizes[np.argmax(k * counts - n * sizes)] += 1
    while sizes.sum() > k:
        surplus = np.where(sizes > 1, n * sizes - k * counts, np.iinfo(np.int64).min)
        sizes[np.flatnonzero(surplus == surplus.max())[-1]] -= 1
    return sizes
