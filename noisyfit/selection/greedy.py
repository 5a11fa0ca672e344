"""Exact greedy facility location: the selection algorithm that the CRUST paper describes.

Each step adds the medoid that lowers the total distance of the points to their nearest medoid most.
The result is within a factor 1 - 1/e of the best facility location objective [1]_.

Gains are kept up to date rather than computed anew: when a medoid is added, the gains of the
candidates change only through the points that came closer to the chosen set. For each of them the
old contribution to every candidate's gain, ``max(0, old - d)``, gives way to the new one,
``max(0, new - d)``. Summed over all steps this costs as much as 5 to 8 passes over all pairs, and
it needs nothing but whole rows of the distance matrix, which are taken from memory if the matrix
fits and are computed again by a matrix product if it does not.

References
----------
.. [1] Nemhauser, Wolsey and Fisher, "An analysis of approximations for maximizing submodular set
   functions", Mathematical Programming 14, 1978. https://doi.org/10.1007/BF01588971
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch

from noisyfit.selection.distances import MEMORY_BUDGET, ROUNDING, Distances
from noisyfit.selection.inputs import (
    FloatVector,
    IndexVector,
    accumulator_dtype,
    as_points,
    as_sample_weight,
    check_k,
    to_tensor,
)
from noisyfit.selection.objective import distance_bound


class GreedyResult(NamedTuple):
    """Medoids in the order of their selection, and what each added to the objective.

    Attributes
    ----------
    indices : ndarray of int64, shape (k,)
    gains : ndarray of float64, shape (k,)
        Their cumulative sum is `facility_location` of the first 1, 2, ... medoids.
    """

    indices: IndexVector
    gains: FloatVector


def greedy_medoids(
    points: Any, k: int, *, sample_weight: Any = None, memory_budget: int = MEMORY_BUDGET
) -> GreedyResult:
    """Choose k medoids by exact greedy facility location, as CRUST is published.

    Parameters
    ----------
    points : array or tensor of shape (n, d)
        Gradients or other features of the rows.
    k : int
        Number of medoids, 1 to n.
    sample_weight : array or tensor of shape (n,), default=None
        Weights of the rows in the objective. Rows of zero weight do not count, and become medoids
        (in the order of their indices) only when no other row is left.
    memory_budget : int, default=2**30
        Bytes that distances may take up at a time: with n * n numbers in it the distance matrix is
        kept, else its rows are computed whenever they are needed. The choice is the same.

    Returns
    -------
    result : GreedyResult
        The `indices` of the medoids and their `gains`. The first medoids of a larger k are those of
        a smaller one. Of medoids equally good up to rounding the lowest index is chosen.

    Raises
    ------
    ValueError
        If `points` is not a finite, non-empty matrix, or k is not in 1 to n.

    Examples
    --------
    >>> import numpy as np
    >>> from noisyfit.selection import greedy_medoids
    >>> points = np.array([[0.0], [1.0], [2.0], [9.0], [10.0]])
    >>> greedy_medoids(points, 3).indices
    array([2, 3, 0])
    """
    tensor = as_points(points)
    n = len(tensor)
    k = check_k(k, n)
    weights = as_sample_weight(sample_weight, n)
    present, absent = np.flatnonzero(weights), np.flatnonzero(weights == 0)
    if len(absent):
        tensor, weights = tensor[to_tensor(present, tensor)], weights[present]

    distances = Distances(tensor, memory_budget=memory_budget, keep_if_it_fits=True)
    chosen, decreases = _greedy(distances, to_tensor(weights, tensor), min(k, len(present)))
    # The first "decrease" is from nothing chosen, when every point is the bound away.
    decreases[0] += distance_bound(tensor, weights) * weights.sum()
    rest = absent[: k - len(chosen)]
    return GreedyResult(
        np.concatenate([present[chosen], rest]),
        np.concatenate([np.maximum(decreases, 0), np.zeros(len(rest))]),
    )


def _greedy(distances: Distances, weights: torch.Tensor, k: int) -> tuple[IndexVector, FloatVector]:
    """Return k medoids and by how much each lowers the total distance, taken as 0 before any."""
    rounding = ROUNDING[weights.dtype]
    # Sums are kept in float64: late gains are tiny differences of large early ones.
    exact = accumulator_dtype(weights.device)
    exact_weights = weights.to(exact)
    totals = torch.zeros(len(weights), dtype=exact, device=weights.device)
    for rows, block in distances.blocks():
        totals += exact_weights[rows] @ block.to(exact)
    medoid = _lowest_of_best(-totals, rounding * totals.min())
    nearest = distances.rows(totals.new_tensor([medoid], dtype=torch.long))[0]
    chosen, decreases = [medoid], [-float(exact_weights @ nearest.to(exact))]

    gains = torch.zeros_like(totals)
    for rows, block in distances.blocks():
        gain_of_rows = torch.sub(nearest[rows, None], block, out=block).clamp_(min=0)
        gains += exact_weights[rows] @ gain_of_rows.to(exact)
    gains[medoid] = -torch.inf
    tolerance = rounding * gains.max()

    while len(chosen) < k:
        medoid = _lowest_of_best(gains, tolerance)
        distance = distances.rows(totals.new_tensor([medoid], dtype=torch.long))[0]
        decrease = (nearest - distance).clamp_(min=0)
        chosen.append(medoid)
        decreases.append(float(exact_weights @ decrease.to(exact)))
        for rows, block in distances.blocks(decrease.nonzero()[:, 0]):
            # max(0, old - d) - max(0, new - d) is max(0, old - d), but at most old - new.
            loss_of_rows = torch.sub(nearest[rows, None], block, out=block).clamp_(min=0)
            torch.minimum(loss_of_rows, decrease[rows, None], out=loss_of_rows)
            gains -= exact_weights[rows] @ loss_of_rows.to(exact)
        nearest -= decrease
        gains[medoid] = -torch.inf
    return np.array(chosen), np.array(decreases)


def _lowest_of_best(gains: torch.Tensor, tolerance: torch.Tensor) -> int:
    return int((gains >= gains.max() - tolerance).nonzero()[0])
