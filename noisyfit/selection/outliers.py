"""Medoids with outliers: some rows need not be covered, those that the medoids cover worst.

An outlier far from everything draws a medoid to itself. Here selection and trimming take turns, as
in k-means-- [1]_: choose medoids among the rows kept, then keep the rows nearest to them. A medoid
that stands for nothing but itself is an outlier, too, if it is far enough from the next medoid. The
round of the smallest total distance counts.

References
----------
.. [1] Chawla and Gionis, "k-means--: A Unified Approach to Clustering and Outlier Detection",
   SDM 2013.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from noisyfit.selection.distances import Blocks, Distances, Points
from noisyfit.selection.greedy import Group, GroupMedoids
from noisyfit.selection.inputs import IndexVector, to_numpy, to_tensor
from noisyfit.selection.methods import Options, choose_medoids
from noisyfit.selection.objective import nearest_of

_MOST_ROUNDS = 10


def number_kept(n: int, outliers: float) -> int:
    """How many of n rows are to be covered."""
    return n - int(outliers * n)


def choose_but_outliers(
    method: str, groups: Sequence[Group], outliers: float, options: Options
) -> Iterator[GroupMedoids]:
    """Medoids of every group that cover all rows but this share; their assignment is -1.

    A group's k is at most `number_kept` of its points.
    """
    best: list[GroupMedoids | None] = [None] * len(groups)
    totals = np.full(len(groups), np.inf)
    weights = [to_numpy(group.weights).astype(np.float64) for group in groups]
    kept: list[IndexVector] = [np.arange(len(group.points)) for group in groups]
    going_on = list(range(len(groups)))
    for _ in range(_MOST_ROUNDS):
        some = [_among(groups[place], kept[place]) for place in going_on]
        still_changing = []
        for place, found in zip(going_on, choose_medoids(method, some, options), strict=True):
            group, indices = groups[place], kept[place][found.indices]
            covered, now = _cover(group, indices, outliers, options)
            total = float(weights[place] @ covered.distance)
            if total < totals[place]:
                totals[place] = total
                # The gains were those among the rows kept before.
                best[place] = covered._replace(gains=found.gains)
            if not np.array_equal(now, kept[place]):
                still_changing.append(place)
            kept[place] = now
        going_on = still_changing
        if not going_on:
            break
    for medoids in best:
        assert medoids is not None
        yield medoids


def _among(group: Group, rows: IndexVector) -> Group:
    places = to_tensor(rows, group.points)
    return Group(group.points[places], group.weights[places], group.k)


def _cover(
    group: Group, indices: IndexVector, outliers: float, options: Options
) -> tuple[GroupMedoids, IndexVector]:
    """Assign all rows but outliers to medoids; returns this and the rows to choose among next."""
    budget = options.memory_budget
    medoids = group.points[to_tensor(indices, group.points)]
    assignment, distance = nearest_of(group.points, medoids, memory_budget=budget)
    assignment[indices], distance[indices] = np.arange(len(indices)), 0
    n_kept = number_kept(len(distance), outliers)

    # Medoids are kept for now: they are the first at distance zero.
    order = np.lexsort((~np.isin(np.arange(len(distance)), indices), distance))
    counts = np.bincount(assignment[order[:n_kept]], minlength=len(indices))
    alone = np.flatnonzero(counts == 1)
    badly = distance.copy()
    if len(indices) > 1:
        badly[indices[alone]] = _to_next(medoids, alone, budget)
    kept = np.sort(np.argsort(badly, kind="stable")[:n_kept])
    assignment[order[n_kept:]], distance[order[n_kept:]] = -1, 0
    return GroupMedoids(indices, None, assignment, distance.astype(np.float64)), kept


def _to_next(medoids: Points, some: IndexVector, memory_budget: int) -> np.ndarray:
    """Distances of some of at least two medoids to the nearest of the others."""

    def search(blocks: Blocks) -> torch.Tensor:
        return torch.cat([block.kthvalue(2, dim=1).values for _, block in blocks])

    # Of the distances to all medoids the smallest is that to itself.
    places = to_tensor(some, medoids)
    parts = Distances(medoids, memory_budget=memory_budget).in_parts(search, places)
    return torch.cat(parts).cpu().numpy()
