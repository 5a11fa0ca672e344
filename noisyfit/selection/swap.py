"""k-medoids: swapping medoids for other points as long as that lowers the total distance.

Greedy selection never takes a medoid back. Swapping does: a medoid goes and another point comes
wherever the total distance falls by it, until no such swap is left, which is a local optimum of
the k-medoids objective, usually 1 to 2 % below the greedy one. The changes by all swaps of a point
and a medoid are found in one pass, as in FastPAM [1]_, and many swaps are made at once, where
FasterPAM makes one at a time:

* A swap of candidate x and medoid m concerns the points nearer to x than to their second nearest
  medoid, and those whose nearest or second nearest medoid is m. All others keep their distance.
* So swaps that concern no point in common change the total by the sum of their changes. Of swaps
  that do, the best is made.

The pairs ``(x, j)`` with x nearer to j than its second nearest medoid are few, if there are many
medoids; they are listed once (`noisyfit.selection.neighbourhoods`) and go out of date only where a
point's second nearest medoid goes farther away. Then some swaps look less worthwhile than they are,
never more, and when no swap is left the lists are made anew.

References
----------
.. [1] Schubert and Rousseeuw, "Fast and eager k-medoids clustering: O(k) runtime improvement of the
   PAM, CLARA, and CLARANS algorithms", Information Systems 101, 2021.
   https://doi.org/10.1016/j.is.2021.101804
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch

from noisyfit._precision import accumulator_dtype
from noisyfit.selection.distances import MEMORY_BUDGET, Blocks, Distances, Points, Storage
from noisyfit.selection.inputs import (
    FloatVector,
    IndexVector,
    as_points,
    as_sample_weight,
    check_medoids,
    to_tensor,
)
from noisyfit.selection.neighbourhoods import (
    Neighbourhoods,
    SampleOfPairs,
    most_pairs,
    where_less,
)

#: Passes over all pairs, of which few are needed.
MOST_PASSES = 20

# Pairs are listed if they are at most this share of all.
_LISTED_SHARE = 1 / 16

# A swap must lower the total distance by this share of it: less is rounding.
_LEAST_SHARE = {torch.float32: 1e-7, torch.float64: 1e-12}


class SwapResult(NamedTuple):
    """Medoids that no swap makes better.

    Attributes
    ----------
    indices : ndarray of int64, shape (k,)
        The medoids; each stands where the one stood that it has replaced.
    total_distance : float
        Weighted sum of the distances of all points to their nearest medoids.
    n_swaps : int
    """

    indices: IndexVector
    total_distance: float
    n_swaps: int


def swap_medoids(
    points: Any,
    medoids: Any,
    *,
    sample_weight: Any = None,
    max_passes: int = MOST_PASSES,
    memory_budget: int = MEMORY_BUDGET,
) -> SwapResult:
    """Swap medoids for other points until no swap lowers the total distance.

    Parameters
    ----------
    points : array or tensor of shape (n, d)
    medoids : array or tensor of int, shape (k,)
        Row indices to begin with, such as those of `greedy_medoids`.
    sample_weight : array or tensor of shape (n,), default=None
        Weights of the rows in the objective; one each by default.
    max_passes : int, default=20
        Passes over all pairs of points after which to stop at the latest; few are needed.
    memory_budget : int, default=2**30
        Bytes that distances may take up at a time.

    Returns
    -------
    result : SwapResult

    Raises
    ------
    ValueError
        If `points` is not a finite, non-empty matrix, `medoids` are not distinct indices of its
        rows, or `max_passes` is below 1.

    Examples
    --------
    >>> import numpy as np
    >>> from noisyfit.selection import swap_medoids
    >>> points = np.array([[0.0], [1.0], [2.0], [8.0], [9.0], [10.0]])
    >>> swap_medoids(points, [2, 1]).indices
    array([4, 1])
    """
    tensor = as_points(points)
    n = len(tensor)
    start = check_medoids(medoids, n)
    if len(np.unique(start)) < len(start):
        raise ValueError("medoids must not name a row twice.")
    if not max_passes >= 1:
        raise ValueError(f"max_passes must be at least 1, got {max_passes}.")
    weights = as_sample_weight(sample_weight, n)
    return swap_until_none_helps(tensor, start, weights, max_passes, memory_budget, Storage())


def swap_until_none_helps(
    tensor: Points,
    start: IndexVector,
    weights: FloatVector,
    max_passes: int,
    memory_budget: int,
    storage: Storage,
) -> SwapResult:
    """`swap_medoids` for checked input, with memory for the distances."""
    n = tensor.shape[0]
    distances = Distances(tensor, memory_budget=memory_budget, keep_in=storage)
    if len(start) == 1:  # the best single medoid needs no search
        start = distances.totals(to_tensor(weights, tensor)).argmin()[None].cpu().numpy()
    state = _Assignment(distances, to_tensor(weights, tensor), to_tensor(start, tensor))
    sample = SampleOfPairs(distances, n)
    n_swaps = 0
    for _ in range(max_passes if 1 < len(start) < n else 0):
        share = sample.share_within(state.distance[1])
        listed = share <= min(_LISTED_SHARE, most_pairs(memory_budget) / n**2)
        reach = state.distance[1].clone()
        made = _swap_listed(state) if listed else _swap_in_blocks(state)
        n_swaps += made
        if not made:
            break
        # Of points whose second nearest medoid has gone farther off than pairs were listed, medoids
        # made later may have been overlooked.
        state.assign((state.distance[1] > reach).nonzero()[:, 0])
    return SwapResult(state.medoids.cpu().numpy(), state.total(), n_swaps)


class _Assignment:
    """Medoids, and each point's nearest and second nearest one."""

    def __init__(self, distances: Distances, weights: torch.Tensor, medoids: torch.Tensor) -> None:
        self.distances = distances
        self.weights = weights.to(accumulator_dtype(weights.device))
        self.medoids = medoids
        n = len(weights)
        self.distance = weights.new_zeros((2, n))
        # Positions in `medoids`: a swap changes who stands there.
        self.position = torch.zeros((2, n), dtype=torch.long, device=weights.device)
        self.assign()

    def assign(self, points: torch.Tensor | None = None) -> None:
        """Find the two nearest medoids of these points, or all, anew."""

        def search(blocks: Blocks) -> None:
            for rows, every in blocks:
                block = every[:, self.medoids]
                for nth in range(min(2, len(self.medoids))):
                    nearest, position = block.min(dim=1)
                    self.distance[nth, rows], self.position[nth, rows] = nearest, position
                    block.scatter_(1, position[:, None], torch.inf)
                if len(self.medoids) == 1:
                    self.distance[1, rows] = torch.inf

        if points is None or len(points):
            self.distances.in_parts(search, points)

    def total(self) -> float:
        return float(self.weights @ self.distance[0].to(self.weights))

    def removal_loss(self) -> torch.Tensor:
        """By how much the total rises if a medoid goes and none comes (k,)."""
        farther = (self.distance[1] - self.distance[0]).to(self.weights) * self.weights
        return torch.bincount(self.position[0], farther, minlength=len(self.medoids))

    def least(self) -> float:
        return _LEAST_SHARE[self.distance.dtype] * self.total()


class _Swaps(NamedTuple):
    """Candidates x that are to take the places of medoids, and the changes of the total."""

    candidates: torch.Tensor
    places: torch.Tensor
    changes: torch.Tensor


def _swap_listed(state: _Assignment) -> int:
    """Make all swaps that the pairs near enough now show to be worthwhile."""
    near = Neighbourhoods.within(state.distances, state.distance[1])
    rows = torch.repeat_interleave(
        torch.arange(len(near.starts) - 1, device=near.starts.device), near.starts.diff()
    )
    n_swaps = 0
    while True:
        swaps = _best_swaps(state, rows, near)
        before = state.total()
        n_swaps += _make(state, near, swaps)
        # Of points that coincide, changes by rounding can go round in a circle.
        if not state.total() < before:
            return n_swaps


def _best_swaps(state: _Assignment, rows: torch.Tensor, near: Neighbourhoods) -> _Swaps:
    """The best swap of every candidate, and of several for the same medoid the best."""
    n, k = len(state.weights), len(state.medoids)
    first, second = state.distance
    useful = where_less(near.distances, second.index_select(0, near.others))
    candidate = rows.index_select(0, useful)
    point = near.others.index_select(0, useful).long()
    exact = state.weights.dtype
    distance = near.distances.index_select(0, useful).to(exact)
    nearest, weight = first[point].to(exact), state.weights[point]
    gains = torch.bincount(candidate, weight * (nearest - distance).clamp_(min=0), minlength=n)
    # If the point's nearest medoid goes, the candidate is better for it than its second nearest.
    saved = weight * (second[point].to(exact) - torch.maximum(distance, nearest))
    pairs, place_of_pair = torch.unique(
        candidate * k + state.position[0][point], return_inverse=True
    )
    saved = torch.bincount(place_of_pair, saved, minlength=len(pairs))
    loss = state.removal_loss()
    candidate, place = pairs.div(k, rounding_mode="floor"), pairs % k
    changes = loss[place] - saved - gains[candidate]

    # Besides, the best candidates may replace the medoids that are missed least.
    cheap = loss.argsort()
    best = gains.argsort(descending=True)[: len(cheap)]
    cheap = cheap[: len(best)]
    candidate = torch.cat([candidate, best])
    place = torch.cat([place, cheap])
    changes = torch.cat([changes, loss[cheap] - gains[best]])

    is_medoid = torch.zeros(n, dtype=torch.bool, device=loss.device)
    is_medoid[state.medoids] = True
    better = ((changes < -state.least()) & ~is_medoid[candidate]).nonzero()[:, 0]
    better = better[changes[better].argsort()]
    for key, size in ((candidate, n), (place, k)):
        better = better[_is_first(key[better], size)]
    return _Swaps(candidate[better], place[better], changes[better])


def _is_first(keys: torch.Tensor, size: int) -> torch.Tensor:
    """Whether each key has not occurred before."""
    order = torch.arange(len(keys), device=keys.device)
    first = torch.full((size,), len(keys), device=keys.device)
    first.scatter_reduce_(0, keys, order, "amin")
    return first[keys] == order


def _make(state: _Assignment, near: Neighbourhoods, swaps: _Swaps) -> int:
    """Make the swaps that concern no point which a better one concerns; returns how many."""
    n_swaps = len(swaps.places)
    if not n_swaps:
        return 0
    device = swaps.places.device
    rank, point, distance = near.of(swaps.candidates)
    closer = where_less(distance, state.distance[1].index_select(0, point))
    rank, point, distance = (x.index_select(0, closer) for x in (rank, point, distance))
    order = torch.arange(n_swaps, device=device)
    rank_of_place = torch.full((len(state.medoids),), n_swaps, device=device)
    rank_of_place[swaps.places] = order
    leaves = rank_of_place[state.position]
    leader = leaves.amin(dim=0).scatter_reduce(0, point, rank, "amin")
    is_best = torch.ones(n_swaps + 1, dtype=torch.bool, device=device)
    is_best[rank[leader[point] != rank]] = False
    is_best[leaves[leaves != leader]] = False
    is_best = is_best[:-1]

    state.medoids[swaps.places[is_best]] = swaps.candidates[is_best]
    # First the points that have a new medoid among their two nearest, in addition ...
    come = is_best[rank].nonzero()[:, 0]
    rank, point, distance = (x.index_select(0, come) for x in (rank, point, distance))
    place = swaps.places[rank]
    is_nearest = distance < state.distance[0][point]
    state.distance[1, point] = torch.where(is_nearest, state.distance[0][point], distance)
    state.position[1, point] = torch.where(is_nearest, state.position[0][point], place)
    state.distance[0, point] = torch.where(is_nearest, distance, state.distance[0][point])
    state.position[0, point] = torch.where(is_nearest, place, state.position[0][point])
    # ... then, from scratch, those that have lost one of theirs.
    gone = torch.zeros(n_swaps + 1, dtype=torch.bool, device=device)
    gone[:-1] = is_best
    state.assign(gone[leaves].any(dim=0).nonzero()[:, 0])
    return int(is_best.sum())


def _swap_in_blocks(state: _Assignment) -> int:
    """Look at the candidates block by block and make the best swap of each: for few medoids."""
    k, n_swaps = len(state.medoids), 0
    for rows, block in state.distances.blocks():
        while True:
            first, second = state.distance
            weights = state.weights.to(block)
            gains = (first - block).clamp_(min=0) @ weights
            saved = (second - torch.maximum(block, first)).clamp_(min=0) * weights
            by_medoid = saved.new_zeros((len(rows), k)).index_add_(1, state.position[0], saved)
            changes = state.removal_loss().to(block) - by_medoid - gains[:, None]
            changes[torch.isin(rows, state.medoids)] = torch.inf
            change, place = changes.view(-1).min(dim=0)
            if not change < -state.least():
                break
            medoids, before = state.medoids.clone(), state.total()
            state.medoids[place % k] = rows[place.div(k, rounding_mode="floor")]
            state.assign()
            if not state.total() < before:
                # The change was one of rounding: points that coincide would swap for ever.
                state.medoids = medoids
                state.assign()
                break
            n_swaps += 1
    return n_swaps
