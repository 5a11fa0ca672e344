"""Checks of what criteria are called with.

Labels out of range are checked on every device: on a GPU, indexing with them would not raise but
leave the whole process without a usable device. Looking at values has a GPU waited for, so training
that made the labels itself does without (`values_are_known`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np
import torch
from torch import Tensor

# Number of rows of the data set in training; None: nothing is known of the values.
_rows_known: ContextVar[int | None] = ContextVar("rows_known", default=None)


@contextmanager
def values_are_known(n_rows: int) -> Iterator[None]:
    """Have labels, numbers of rows and probabilities not looked at inside the block.

    Labels are class codes, and rows numbered below ``n_rows``. Shapes and types are checked all the
    same, and rows where a criterion was made for fewer.
    """
    token = _rows_known.set(n_rows)
    try:
        yield
    finally:
        _rows_known.reset(token)


def check_logits(logits: Tensor) -> Tensor:
    """Return logits of shape (n, C), C >= 2, in float32 or float64; half precision is raised."""
    if not (isinstance(logits, Tensor) and logits.is_floating_point()):
        kind = logits.dtype if isinstance(logits, Tensor) else type(logits).__name__
        raise TypeError(f"logits must be a floating point torch tensor, got {kind}.")
    if logits.ndim != 2 or logits.shape[1] < 2:
        raise ValueError(
            "logits must have shape (n_rows, n_classes) with at least 2 classes, got "
            f"{tuple(logits.shape)}; a network with one output needs two."
        )
    return logits.float() if logits.dtype in (torch.float16, torch.bfloat16) else logits


def check_indices(name: str, indices: Tensor, n_rows: int, stop: int) -> Tensor:
    """Return an int64 tensor of shape (n_rows,) with entries in 0, ..., stop - 1."""
    kind = indices.dtype if isinstance(indices, Tensor) else type(indices).__name__
    if (
        not isinstance(indices, Tensor)
        or indices.is_floating_point()
        or indices.is_complex()
        or indices.dtype == torch.bool
    ):
        raise TypeError(f"{name} must be a torch tensor of integers, got {kind}.")
    if indices.shape != (n_rows,):
        raise ValueError(
            f"{name} must have one entry per row of the logits, shape ({n_rows},), got "
            f"{tuple(indices.shape)}."
        )
    indices = indices.long()
    n_known = _rows_known.get()
    if n_known is not None and (name != "row" or n_known <= stop):
        return indices
    bad = (indices < 0) | (indices >= stop)
    if bad.any():
        raise ValueError(
            f"{name} must have entries from 0 to {stop - 1}, got {int(indices[bad][0])}."
        )
    return indices


def check_sample_weight(sample_weight: Tensor, losses: Tensor) -> Tensor:
    """Return weights of the dtype and on the device of the rows' losses, one for each."""
    if not isinstance(sample_weight, Tensor):
        raise TypeError(
            f"sample_weight must be a torch tensor, got {type(sample_weight).__name__}."
        )
    if sample_weight.shape != losses.shape:
        raise ValueError(
            f"sample_weight must have one entry per row, shape {tuple(losses.shape)}, got "
            f"{tuple(sample_weight.shape)}."
        )
    return sample_weight.to(losses)


def check_soft_target(target: Tensor, logits: Tensor) -> Tensor:
    """Return class probabilities with the shape and dtype of the logits."""
    if target.shape != logits.shape:
        raise ValueError(
            "target must be class codes of an integer dtype and shape (n_rows,), or class "
            f"probabilities with the shape of the logits, {tuple(logits.shape)}; got dtype "
            f"{target.dtype} and shape {tuple(target.shape)}."
        )
    target = target.to(logits.dtype)
    if _rows_known.get() is not None:
        return target
    # Loose enough for rows that were rounded to half precision.
    off = (target.sum(dim=1) - 1.0).abs() > 1e-2
    if (~(target >= 0)).any() or off.any():
        raise ValueError(
            "target must have rows of class probabilities, non-negative and with sum 1, got "
            f"a least entry of {target.min().item():.4g} and row sums from "
            f"{target.sum(dim=1).min().item():.4g} to {target.sum(dim=1).max().item():.4g}."
        )
    return target


def is_soft(target: Tensor) -> bool:
    """Tell class probabilities, which are floating point, from class codes, which are not."""
    return isinstance(target, Tensor) and target.is_floating_point()


def check_transition_matrix(matrix: Any) -> Tensor:
    """Return a float64 tensor (C, C), C >= 2, whose rows are probabilities."""
    try:
        array = np.asarray(matrix, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"transition_matrix must hold numbers: {error}.") from error
    if array.ndim != 2 or array.shape[0] != array.shape[1] or len(array) < 2:
        raise ValueError(
            "transition_matrix must have shape (n_classes, n_classes) with at least 2 classes, got "
            f"{array.shape}."
        )
    rows = array.sum(axis=1)
    if not ((array >= 0).all() and np.allclose(rows, 1, atol=1e-6)):
        raise ValueError(
            "transition_matrix must hold probabilities of the given labels (columns) for each true "
            f"one: no negative entries and rows that sum to 1, got row sums {rows.tolist()}."
        )
    return torch.from_numpy(array.copy())
