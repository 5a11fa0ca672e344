"""The k-medoids objective: how well a set of medoids represents all points.

For medoids S, weights w and a bound d0 on all distances, facility location is

    F(S) = sum_i w_i (d0 - min_{j in S} d_ij),

so maximising F and minimising the total distance to the nearest medoid are the same thing.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from noisyfit.selection.distances import MEMORY_BUDGET, Blocks, Distances, Points
from noisyfit.selection.inputs import (
    FloatVector,
    IndexVector,
    as_points,
    as_sample_weight,
    check_medoids,
    to_numpy,
    to_tensor,
)
from noisyfit.selection.products import OuterProducts


def nearest_of(
    points: Points, others: Points, *, memory_budget: int = MEMORY_BUDGET
) -> tuple[IndexVector, np.ndarray]:
    """Private: for each of checked points, the position of the nearest other, and its distance."""
    position, distance = _nearest(points, others, memory_budget)
    return position.cpu().numpy(), distance.cpu().numpy()


def _nearest(
    points: Points, others: Points, memory_budget: int
) -> tuple[torch.Tensor, torch.Tensor]:
    def search(blocks: Blocks) -> tuple[torch.Tensor, torch.Tensor]:
        found = [block.min(dim=1) for _, block in blocks]
        return torch.cat([some.indices for some in found]), torch.cat([s.values for s in found])

    parts = Distances(points, others, memory_budget=memory_budget).in_parts(search)
    position, distance = (torch.cat(some) for some in zip(*parts, strict=True))
    return position, distance


def assign_to_medoids(
    points: Any, medoids: Any, *, memory_budget: int = MEMORY_BUDGET
) -> tuple[IndexVector, np.ndarray]:
    """Nearest medoid of every point.

    Parameters
    ----------
    points : array or tensor of shape (n, d)
    medoids : array or tensor of int, shape (k,)
        Indices of the rows that are medoids.
    memory_budget : int, default=2**30
        Bytes that distances may take up at a time.

    Returns
    -------
    assignment : ndarray of int64, shape (n,)
        Position in `medoids` of the nearest one, the lowest where several are equally near. A
        medoid is assigned to itself, or to the first medoid with exactly its coordinates.
    distance : ndarray of shape (n,)
        The distance to it.

    Raises
    ------
    ValueError
        If `points` is not a finite, non-empty matrix, or `medoids` are not indices of its rows.

    Examples
    --------
    >>> import numpy as np
    >>> from noisyfit.selection import assign_to_medoids
    >>> points = np.array([[0.0], [1.0], [9.0], [10.0]])
    >>> assign_to_medoids(points, [3, 0])
    (array([1, 1, 0, 0]), array([0., 1., 1., 0.]))
    """
    tensor = as_points(points)
    chosen = to_tensor(check_medoids(medoids, len(tensor)), tensor)
    centres = tensor[chosen]
    assignment, distance = _nearest(tensor, centres, memory_budget)

    # Rounding may put a medoid at distance zero from another one very near: every medoid keeps its
    # own place, and copies of it share the first such place.
    if isinstance(centres, OuterProducts):
        centres = torch.cat([centres.left, centres.right], dim=1)
    _, copies = torch.unique(centres, dim=0, return_inverse=True)
    places = torch.arange(len(chosen), device=tensor.device)
    first = torch.full_like(places, len(chosen)).scatter_reduce(0, copies, places, "amin")
    assignment[chosen] = first[copies]
    distance[chosen] = 0
    return assignment.cpu().numpy(), distance.cpu().numpy()


def total_distance(points: Any, medoids: Any, sample_weight: Any = None) -> float:
    """Weighted sum of the distances from all points to their nearest medoids.

    Parameters
    ----------
    points : array or tensor of shape (n, d)
    medoids : array or tensor of int, shape (k,)
        Indices of the rows that are medoids.
    sample_weight : array or tensor of shape (n,), default=None
        Weights of the rows; one each by default.

    Returns
    -------
    total : float

    Examples
    --------
    >>> import numpy as np
    >>> from noisyfit.selection import total_distance
    >>> total_distance(np.array([[0.0], [1.0], [9.0]]), [0], sample_weight=[1, 1, 2])
    19.0
    """
    _, distance = assign_to_medoids(points, medoids)
    return float(as_sample_weight(sample_weight, len(distance)) @ distance.astype(np.float64))


def facility_location(
    points: Any, medoids: Any, sample_weight: Any = None, *, bound: float | None = None
) -> float:
    """Facility location objective ``sum_i w_i (bound - min_j d_ij)``, to be maximised.

    Parameters
    ----------
    points : array or tensor of shape (n, d)
    medoids : array or tensor of int, shape (k,)
        Indices of the rows that are medoids.
    sample_weight : array or tensor of shape (n,), default=None
        Weights of the rows; one each by default.
    bound : float, default=None
        The constant d0, at least the largest distance; `distance_bound` by default, which makes the
        result the sum of the gains that `greedy_medoids` reports.

    Returns
    -------
    objective : float

    Examples
    --------
    >>> import numpy as np
    >>> from noisyfit.selection import facility_location
    >>> facility_location(np.array([[0.0], [1.0], [9.0]]), [0, 2], bound=10.0)
    29.0
    """
    tensor = as_points(points)
    weights = as_sample_weight(sample_weight, len(tensor))
    if bound is None:
        bound = distance_bound(tensor, weights)
    return float(bound) * float(weights.sum()) - total_distance(tensor, medoids, weights)


def distance_bound(points: Any, sample_weight: Any = None) -> float:
    """Upper bound on the distance between any two points: twice the largest from the mean.

    Parameters
    ----------
    points : array or tensor of shape (n, d)
    sample_weight : array or tensor of shape (n,), default=None
        Weights of the rows, used for the mean; rows of zero weight are left out.

    Returns
    -------
    bound : float

    Examples
    --------
    >>> import numpy as np
    >>> from noisyfit.selection import distance_bound
    >>> distance_bound(np.array([[0.0], [4.0], [6.0], [10.0]]))
    10.0
    """
    tensor = as_points(points)
    weights = as_sample_weight(sample_weight, len(tensor))
    share = to_tensor(weights / weights.sum(), tensor)
    if isinstance(tensor, OuterProducts):
        radii = tensor.distances_from_mean(share)
    else:
        radii = torch.linalg.vector_norm(tensor - share @ tensor, dim=1)
    return 2 * float(radii[share > 0].max())


def cluster_weights(assignment: Any, n_medoids: int, sample_weight: Any = None) -> FloatVector:
    """Total weight of the rows assigned to each medoid (the weights r_j of CRUST).

    Parameters
    ----------
    assignment : array or tensor of int, shape (n,)
        Position of each row's medoid, as from `assign_to_medoids`; -1 for rows without one.
    n_medoids : int
        The number of medoids.
    sample_weight : array or tensor of shape (n,), default=None
        Weights of the rows; one each by default, which makes the result cluster sizes.

    Returns
    -------
    weights : ndarray of float64, shape (n_medoids,)

    Raises
    ------
    ValueError
        If a position is below -1, or not below `n_medoids`.

    Examples
    --------
    >>> import numpy as np
    >>> from noisyfit.selection import cluster_weights
    >>> cluster_weights(np.array([0, 1, 1, -1]), 3)
    array([1., 2., 0.])
    """
    positions = to_numpy(assignment)
    if positions.ndim != 1 or positions.dtype.kind not in "iu":
        raise ValueError(
            f"assignment must be integers of shape (n,), got dtype {positions.dtype} "
            f"and shape {positions.shape}."
        )
    if len(positions) and not (positions.min() >= -1 and positions.max() < n_medoids):
        raise ValueError(
            f"assignment must lie between -1 and n_medoids - 1 = {n_medoids - 1}, got "
            f"{positions.min()} to {positions.max()}."
        )
    row_weights = as_sample_weight(sample_weight, len(positions))
    assigned = positions >= 0
    weights = np.bincount(positions[assigned], row_weights[assigned], minlength=n_medoids)
    return weights.astype(np.float64, copy=False)
