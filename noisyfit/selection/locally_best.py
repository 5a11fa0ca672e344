"""Greedy facility location in many steps at once: every locally best candidate is chosen.

Greedy selection chooses one medoid at a time, the candidate of the largest gain. Most of these
steps have nothing to do with one another:

* Gains never rise, and the choice of a candidate changes the gains of those others only with which
  it shares a point that is near enough to profit from both.
* So a candidate that is better than all with which it shares a point will be chosen with the gain
  it has now: nothing that could change its gain is chosen before it.

All such *locally best* candidates can therefore be chosen together. Sorted by gain at the end, they
come in the order in which greedy selection takes them, and the first k are its choice of k. What
would be thousands of steps is about a hundred rounds.
"""

from __future__ import annotations

from typing import NamedTuple

import torch

from noisyfit._precision import accumulator_dtype
from noisyfit.selection.neighbourhoods import Neighbourhoods, flat_nonzero, where_less

# Candidates whose gain is at least this share of their group's best are looked at in a round. A
# smaller share makes fewer rounds, in which more candidates turn out not to be locally best.
_WINDOW = 0.8

# Lists of near points are shortened when there are so many times the medoids of the last time.
_SHORTEN_AFTER = 2.0


class Cover(NamedTuple):
    """State of a selection in one or several groups of points; it is changed in place.

    All tensors have one entry per point, of all groups together: `nearest`, the distance to the
    nearest medoid; `owner`, that medoid's index; `taken`, whether the point is a medoid; `weights`
    (float64); `group`, the code of its group.
    """

    nearest: torch.Tensor
    owner: torch.Tensor
    taken: torch.Tensor
    weights: torch.Tensor
    group: torch.Tensor


class Choice(NamedTuple):
    """Medoids by group, within a group in the order of greedy selection, and their gains."""

    medoids: torch.Tensor
    gains: torch.Tensor


def choose_the_rest(
    near: Neighbourhoods,
    cover: Cover,
    wanted: torch.Tensor,
    *,
    rounding: float,
    minimum_gain: float = 0.0,
) -> Choice:
    """Go on with greedy selection in all groups at once.

    Parameters
    ----------
    near : Neighbourhoods
        Is shortened in place.
    cover : Cover
        Is brought up to date with all medoids found, even those that prove to be too many.
    wanted : tensor of int64, shape (G,)
        How many more medoids each group gets, at most.
    rounding : float
        Gains that differ by less than this share of their group's largest count as equal.
    minimum_gain : float, default=0
        Candidates that gain less are not chosen.

    Returns
    -------
    choice : Choice
    """
    n_groups = len(wanted)
    gains = near.gains(cover.nearest, cover.weights)
    largest = _largest_by_group(gains.masked_fill(cover.taken, 0), cover.group, n_groups)
    unit = (largest * rounding).clamp_(min=torch.finfo(gains.dtype).tiny)
    # Gains are compared in units of what counts as equal.
    lowest = torch.clamp(minimum_gain / unit, min=0.0)
    lowest[wanted <= 0] = torch.inf
    found = _Found()
    n_chosen = n_last = int(cover.taken.sum())
    while True:
        values = (gains / unit[cover.group]).clamp_(min=0)
        values[cover.taken] = -1
        bar = _WINDOW * _largest_by_group(values, cover.group, n_groups)
        bar = torch.maximum(bar, lowest)
        candidates = flat_nonzero(values >= bar[cover.group])
        if not len(candidates):
            return found.first(wanted)
        candidates = candidates[_order(values[candidates])]
        chosen, points, before = _choose_locally_best(near, cover, candidates)
        found.add(chosen, values[chosen], gains[chosen], cover.group[chosen])
        lowest = torch.maximum(lowest, found.lowest(wanted))
        _lower_gains(near, cover, gains, points, before)
        n_chosen += len(chosen)
        if n_chosen > _SHORTEN_AFTER * n_last:
            near.shorten(cover.nearest)
            n_last = n_chosen


def _order(values: torch.Tensor) -> torch.Tensor:
    """Sort in falling order; those in a run whose neighbours differ by at most 1 stay as given."""
    order = values.argsort(descending=True)
    gaps = values[order].diff() < -1
    run = torch.zeros_like(order)
    torch.cumsum(gaps, dim=0, out=run[1:])
    return order[(run * len(order) + order).argsort()]


def _choose_locally_best(
    near: Neighbourhoods, cover: Cover, candidates: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Of candidates, the best first, choose those that no better one shares a point with.

    Returns them, the points that come nearer by them, and the distances these had before.
    """
    rank, points, distances = near.of(candidates)
    closer = where_less(distances, cover.nearest.index_select(0, points))
    rank, points = rank.index_select(0, closer), points.index_select(0, closer)
    first = torch.full_like(cover.owner, len(candidates))
    first.scatter_reduce_(0, points, rank, "amin")
    beaten = rank[first.index_select(0, points) != rank]
    is_best = torch.ones(len(candidates), dtype=torch.bool, device=rank.device)
    is_best[beaten] = False

    won = flat_nonzero(is_best.index_select(0, rank))
    points = points.index_select(0, won)
    before = cover.nearest.index_select(0, points)
    chosen = candidates[is_best]
    cover.nearest[points] = distances.index_select(0, closer.index_select(0, won))
    cover.owner[points] = candidates.index_select(0, rank.index_select(0, won))
    cover.taken[chosen] = True
    return chosen, points, before


def _lower_gains(
    near: Neighbourhoods,
    cover: Cover,
    gains: torch.Tensor,
    points: torch.Tensor,
    before: torch.Tensor,
) -> None:
    """Take from the gains what the candidates near these points can no longer contribute."""
    position, candidates, distances = near.of(points)
    old = before.index_select(0, position)
    lost = where_less(distances, old)
    position, old = position.index_select(0, lost), old.index_select(0, lost)
    now = cover.nearest.index_select(0, points).index_select(0, position)
    share = old.to(gains) - torch.maximum(distances.index_select(0, lost), now)
    share *= cover.weights.index_select(0, points).index_select(0, position)
    gains -= torch.bincount(candidates.index_select(0, lost), share, minlength=len(gains))


class _Found:
    """The locally best candidates of all rounds."""

    def __init__(self) -> None:
        self._rounds: list[tuple[torch.Tensor, ...]] = []
        self._counts: torch.Tensor | None = None

    def add(self, *chosen: torch.Tensor) -> None:
        """Note ``(medoids, values, gains, groups)`` of a round."""
        self._rounds.append(chosen)

    def lowest(self, wanted: torch.Tensor) -> torch.Tensor:
        """The value that a candidate of each group needs to be among the first wanted."""
        groups = self._rounds[-1][3]
        new = torch.bincount(groups, minlength=len(wanted))
        self._counts = new if self._counts is None else self._counts + new
        lowest = self._rounds[-1][1].new_zeros(len(wanted))
        full = ((self._counts >= wanted) & (new > 0)).nonzero()[:, 0].tolist()
        if full:
            all_values = torch.cat([values for _, values, _, _ in self._rounds])
            all_groups = torch.cat([groups for _, _, _, groups in self._rounds])
        for group in full:
            of_group = all_values[all_groups == group]
            lowest[group] = of_group.topk(int(wanted[group])).values[-1] - 1
        return lowest

    def first(self, wanted: torch.Tensor) -> Choice:
        """The best of each group, as many as are wanted."""
        if not self._rounds:
            empty = wanted.new_empty(0)
            return Choice(empty, empty.to(accumulator_dtype(empty.device)))
        medoids, values, gains, groups = (
            torch.cat(parts) for parts in zip(*self._rounds, strict=True)
        )
        by_index = medoids.argsort()
        order = by_index[_order(values[by_index])]
        order = order[groups[order].argsort(stable=True)]
        groups = groups[order]
        starts = torch.searchsorted(groups, torch.arange(len(wanted), device=groups.device))
        place = torch.arange(len(order), device=groups.device) - starts[groups]
        order = order[place < wanted[groups]]
        # Gains below the unit are rounding errors of nothing.
        return Choice(medoids[order], gains[order].where(values[order] >= 1, 0))


def _largest_by_group(values: torch.Tensor, group: torch.Tensor, n_groups: int) -> torch.Tensor:
    if n_groups == 1:
        return values.max()[None]
    smallest = values.new_full((n_groups,), -1)
    return smallest.scatter_reduce_(0, group, values, "amax")
