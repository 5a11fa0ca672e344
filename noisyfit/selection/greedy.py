"""Exact greedy facility location: the selection algorithm that the CRUST paper describes.

Each step adds the medoid that lowers the total distance of the points to their nearest medoid most.
The result is within a factor 1 - 1/e of the best facility location objective [1]_.

The work is done in two parts. The first medoids, each of which changes nearly all gains, are added
one by one with whole rows of the distance matrix (`noisyfit.selection.covering`). When few pairs of
points are near enough to matter, only those are kept (`noisyfit.selection.neighbourhoods`) and all
locally best candidates are chosen together (`noisyfit.selection.locally_best`). In all that takes
three to six passes over the distance matrix, whatever k is; and where the matrix does not fit into
memory, its rows are computed again in every pass.

References
----------
.. [1] Nemhauser, Wolsey and Fisher, "An analysis of approximations for maximizing submodular set
   functions", Mathematical Programming 14, 1978. https://doi.org/10.1007/BF01588971
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from noisyfit.selection.covering import Covering
from noisyfit.selection.distances import MEMORY_BUDGET, ROUNDING, Distances, Storage
from noisyfit.selection.inputs import (
    FloatVector,
    IndexVector,
    as_points,
    as_sample_weight,
    as_start,
    number_of_medoids,
    to_numpy,
    to_tensor,
)
from noisyfit.selection.locally_best import Cover, choose_the_rest
from noisyfit.selection.neighbourhoods import Neighbourhoods, most_pairs
from noisyfit.selection.objective import distance_bound

# Lists of near pairs are made as soon as they hold at most this share of all pairs, or so few that
# it does not matter, and fit a quarter of the memory budget.
_NEAR_SHARE = 1 / 80
_FEW_PAIRS = 2**18

# Near pairs are counted again after so many medoids.
_LOOK_AGAIN = 4

# Groups are finished together up to this many pairs: small groups cost as little as large ones.
_PAIRS_TOGETHER = 2**22


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
    points: Any,
    k: int | float | None = None,
    *,
    sample_weight: Any = None,
    start: Any = None,
    minimum_gain: float | None = None,
    memory_budget: int = MEMORY_BUDGET,
) -> GreedyResult:
    """Choose k medoids by exact greedy facility location, as CRUST is published.

    Parameters
    ----------
    points : array or tensor of shape (n, d)
        Gradients or other features of the rows.
    k : int or float, default=None
        Number of medoids, 1 to n, or share of the rows, in (0, 1]; those of `start` are counted.
        May be left out where `minimum_gain` is given.
    sample_weight : array or tensor of shape (n,), default=None
        Weights of the rows in the objective. Rows of zero weight do not count, and become medoids
        (in the order of their indices) only when no other row is left.
    start : array or tensor of int, default=None
        Indices of rows that are medoids from the start, such as an earlier selection to extend.
        They come first in the result, in the order given.
    minimum_gain : float, default=None
        Stop where no candidate lowers the total weighted distance by as much as this.
    memory_budget : int, default=2**30
        Bytes that distances may take up at a time: with n * n numbers in half of it the distance
        matrix is kept, else its rows are computed whenever they are needed. The choice is the same.

    Returns
    -------
    result : GreedyResult
        The `indices` of the medoids and their `gains`. The first medoids of a larger k are those of
        a smaller one. Of medoids equally good up to rounding the lowest index is chosen.

    Raises
    ------
    ValueError
        If `points` is not a finite, non-empty matrix, k is not in 1 to n or not given without
        `minimum_gain`, or `start` are not distinct row indices, at most k.

    Examples
    --------
    >>> import numpy as np
    >>> from noisyfit.selection import greedy_medoids
    >>> points = np.array([[0.0], [1.0], [2.0], [9.0], [10.0]])
    >>> greedy_medoids(points, 3).indices
    array([2, 3, 0])
    >>> greedy_medoids(points, 3, start=[0]).indices
    array([0, 3, 1])
    >>> greedy_medoids(points, minimum_gain=5.0).indices
    array([2, 3])
    """
    tensor = as_points(points)
    n = len(tensor)
    if k is None and minimum_gain is None:
        raise ValueError("give k, or minimum_gain to stop where medoids gain too little.")
    size = n if k is None else number_of_medoids(k, n)
    least = 0.0 if minimum_gain is None else float(minimum_gain)
    if not least >= 0:
        raise ValueError(f"minimum_gain must not be negative, got {minimum_gain}.")
    weights = as_sample_weight(sample_weight, n)
    fixed = as_start(start, n, size)

    used = weights > 0
    used[fixed] = True
    present, absent = np.flatnonzero(used), np.flatnonzero(~used)
    if len(absent):
        tensor, weights = tensor[to_tensor(present, tensor)], weights[present]
    group = Group(
        tensor,
        to_tensor(weights, tensor),
        min(size, len(present)),
        np.searchsorted(present, fixed).tolist(),
    )
    (medoids,) = cover_greedily([group], minimum_gain=least, memory_budget=memory_budget)
    rest = absent[: size - len(medoids.indices)] if not least else absent[:0]
    assert medoids.gains is not None
    return GreedyResult(
        np.concatenate([present[medoids.indices], rest]),
        np.concatenate([medoids.gains, np.zeros(len(rest))]),
    )


class Group(NamedTuple):
    """Points (n, d) among which k medoids are chosen, those at `start` included.

    Before they are worked on, points may be a `noisyfit.selection.parallel.PartOfRows`.
    """

    points: Any
    weights: torch.Tensor
    k: int
    start: Sequence[int] = ()


class GroupMedoids(NamedTuple):
    """Medoids of a group, and each point's nearest one.

    Attributes
    ----------
    indices : ndarray of int64, shape (k,)
    gains : ndarray of float64, shape (k,), or None
        What each added to the facility location objective, where that is known.
    assignment : ndarray of int64, shape (n,)
        Position in `indices` of each point's medoid.
    distance : ndarray of shape (n,)
        The distance to it.
    """

    indices: IndexVector
    gains: FloatVector | None
    assignment: IndexVector
    distance: np.ndarray


def cover_greedily(
    groups: Iterable[Group],
    *,
    minimum_gain: float = 0.0,
    memory_budget: int = MEMORY_BUDGET,
    storage: Storage | None = None,
) -> Iterator[GroupMedoids]:
    """Choose the medoids of each group; the groups' last parts are done together."""
    storage = storage or Storage()
    waiting: list[_Begun] = []
    n_pairs = 0
    for group in groups:
        begun = _begin(group, minimum_gain, memory_budget, storage)
        waiting.append(begun)
        n_pairs += 0 if begun.near is None else len(begun.near.others)
        if n_pairs >= min(_PAIRS_TOGETHER, most_pairs(memory_budget)):
            yield from _finish(waiting, minimum_gain)
            waiting, n_pairs = [], 0
    yield from _finish(waiting, minimum_gain)


class _Begun(NamedTuple):
    group: Group
    covering: Covering
    near: Neighbourhoods | None


def _begin(group: Group, minimum_gain: float, memory_budget: int, storage: Storage) -> _Begun:
    """Choose the first medoids one by one, and list the pairs that matter for the others."""
    distances = Distances(group.points, memory_budget=memory_budget, keep_in=storage)
    covering = Covering(distances, group.weights, group.start)
    n_pairs = len(group.points) ** 2
    most = min(max(_NEAR_SHARE * n_pairs, _FEW_PAIRS), most_pairs(memory_budget))
    few, n_looked = False, 0
    while len(covering.chosen) < group.k:
        if len(covering.chosen) >= n_looked:
            few = covering.share_of_near_pairs() * n_pairs <= most
            n_looked = len(covering.chosen) + _LOOK_AGAIN
        if few:
            break
        medoid = covering.best()
        if max(0.0, float(covering.gains[medoid])) < minimum_gain:  # rounding may make it negative
            covering.forget()
            return _Begun(group, covering, None)
        covering.add(medoid)
    near = None
    if len(covering.chosen) < group.k:
        near = Neighbourhoods.within(distances, covering.nearest)
    covering.forget()
    return _Begun(group, covering, near)


def _finish(begun: list[_Begun], minimum_gain: float) -> Iterator[GroupMedoids]:
    open_parts = [part for part in begun if part.near is not None]
    choices = iter(_choose_together(open_parts, minimum_gain) if open_parts else ())
    for part in begun:
        covering = part.covering
        medoids, decreases = covering.chosen, covering.decreases
        if part.near is not None:
            more, gains = next(choices)
            medoids, decreases = medoids + more.tolist(), decreases + gains.tolist()
        # The first "decrease" is from nothing chosen, when every point is the bound away.
        bound = distance_bound(part.group.points, to_numpy(covering.exact_weights))
        decreases[0] += bound * float(covering.exact_weights.sum())
        indices = torch.tensor(medoids, device=covering.owner.device)
        _give_back(covering, indices)
        position = torch.empty_like(covering.owner)
        position[indices] = torch.arange(len(indices), device=indices.device)
        yield GroupMedoids(
            np.array(medoids),
            np.array(decreases),
            position[covering.owner].cpu().numpy(),
            covering.nearest.cpu().numpy(),
        )


def _choose_together(
    parts: list[_Begun], minimum_gain: float
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Yield ``(medoids, gains)`` still to be added to each part, whose covering is updated."""
    coverings = [part.covering for part in parts]
    sizes = [len(covering.owner) for covering in coverings]
    device = coverings[0].owner.device
    edges = np.cumsum([0, *sizes]).tolist()
    taken = torch.cat([covering.gains == -torch.inf for covering in coverings])
    cover = Cover(
        torch.cat([covering.nearest for covering in coverings]),
        torch.cat([part.owner + first for part, first in zip(coverings, edges[:-1], strict=True)]),
        taken,
        torch.cat([covering.exact_weights for covering in coverings]),
        torch.repeat_interleave(torch.tensor(sizes, device=device)),
    )
    near = Neighbourhoods.side_by_side([part.near for part in parts if part.near is not None])
    missing = [part.group.k - len(part.covering.chosen) for part in parts]
    wanted = torch.tensor(missing, device=device)
    rounding = ROUNDING[cover.nearest.dtype]
    choice = choose_the_rest(near, cover, wanted, rounding=rounding, minimum_gain=minimum_gain)
    for covering, first, last in zip(coverings, edges[:-1], edges[1:], strict=True):
        covering.nearest = cover.nearest[first:last]
        covering.owner = cover.owner[first:last] - first
        ours = (choice.medoids >= first) & (choice.medoids < last)
        yield choice.medoids[ours] - first, choice.gains[ours]


def _give_back(covering: Covering, medoids: torch.Tensor) -> None:
    """Find other medoids for the points whose medoid proved to be one too many."""
    kept = torch.zeros(len(covering.owner), dtype=torch.bool, device=medoids.device)
    kept[medoids] = True
    orphans = (~kept[covering.owner]).nonzero()[:, 0]
    if len(orphans):
        nearest, position = covering.distances.between(orphans, medoids).min(dim=1)
        covering.nearest[orphans], covering.owner[orphans] = nearest, medoids[position]
