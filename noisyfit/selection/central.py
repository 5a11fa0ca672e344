"""The most central points: the selection that CRUST's official code computes.

The code means to run greedy facility location, but its lazy evaluation compares totals with gains
and therefore accepts the points in the order of their own summed distances to all others. The
result does not cover the points (its objective is worse than a random subset's), yet it avoids
outliers, and mislabelled rows are outliers of gradient space.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from noisyfit._precision import accumulator_dtype
from noisyfit.selection.distances import MEMORY_BUDGET, ROUNDING, Distances
from noisyfit.selection.inputs import (
    IndexVector,
    as_points,
    as_sample_weight,
    check_k,
    to_tensor,
)


def central_medoids(
    points: Any, k: int, *, sample_weight: Any = None, memory_budget: int = MEMORY_BUDGET
) -> IndexVector:
    """Choose the k points with the smallest summed distance to all points.

    Parameters
    ----------
    points : array or tensor of shape (n, d)
        Gradients or other features of the rows.
    k : int
        Number of points, 1 to n.
    sample_weight : array or tensor of shape (n,), default=None
        Weights of the rows in the sums. Rows of zero weight do not count, and are chosen (in the
        order of their indices) only when no other row is left.
    memory_budget : int, default=2**30
        Bytes that distances may take up at a time.

    Returns
    -------
    indices : ndarray of int64, shape (k,)
        In the order of their sums, the smallest first; sums equal up to rounding by index.

    Raises
    ------
    ValueError
        If `points` is not a finite, non-empty matrix, or k is not in 1 to n.

    Examples
    --------
    >>> import numpy as np
    >>> from noisyfit.selection import central_medoids
    >>> points = np.array([[0.0], [1.0], [2.0], [9.0], [10.0]])
    >>> central_medoids(points, 3)
    array([2, 1, 0])
    """
    tensor = as_points(points)
    n = len(tensor)
    k = check_k(k, n)
    weights = as_sample_weight(sample_weight, n)
    present, absent = np.flatnonzero(weights), np.flatnonzero(weights == 0)
    if len(absent):
        tensor, weights = tensor[to_tensor(present, tensor)], weights[present]

    exact = accumulator_dtype(tensor.device)
    row_weights = to_tensor(weights, tensor).to(exact)
    distances = Distances(tensor, memory_budget=memory_budget)
    totals = torch.cat([block.to(exact) @ row_weights for _, block in distances.blocks()])
    order = _argsort(totals.cpu().numpy(), ROUNDING[tensor.dtype])
    return np.concatenate([present[order], absent])[:k]


def _argsort(totals: np.ndarray, rounding: float) -> IndexVector:
    """Sort with runs of totals that are equal up to rounding in the order of their indices."""
    order = np.argsort(totals)
    run = np.cumsum(np.diff(totals[order], prepend=totals.min()) > rounding * totals.max())
    return order[np.lexsort((order, run))]
