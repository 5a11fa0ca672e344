"""The methods of selection by name, for one group of points or many."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np
import torch

from noisyfit.selection.central import central_medoids
from noisyfit.selection.columns import column_subset
from noisyfit.selection.distances import MEMORY_BUDGET, Storage
from noisyfit.selection.greedy import Group, GroupMedoids, cover_greedily
from noisyfit.selection.inputs import Random, spawn, to_numpy
from noisyfit.selection.objective import assign_to_medoids
from noisyfit.selection.parallel import PartOfRows
from noisyfit.selection.partitioned import partitioned_medoids
from noisyfit.selection.products import OuterProducts
from noisyfit.selection.progress import Progress
from noisyfit.selection.stochastic import stochastic_medoids
from noisyfit.selection.swap import MOST_PASSES, swap_until_none_helps
from noisyfit.selection.threads import side_by_side

#: The values that `select_coreset` takes for ``method``.
SELECTION_METHODS = (
    "auto",
    "all",
    "greedy",
    "k_medoids",
    "stochastic",
    "partitioned",
    "central",
    "columns",
    "random",
)

#: "auto" covers groups of at most so many points exactly, which takes some ten seconds.
EXACT_UP_TO = 20_000

# Threads work on groups of their own unless one of them would have so many times its part to do.
_UNEVEN = 1.4


class Options(NamedTuple):
    """What methods may need besides the points."""

    random: Random
    n_jobs: int | None = None
    verbose: int = 0
    memory_budget: int = MEMORY_BUDGET


def choose_medoids(
    method: str, groups: Sequence[Group], options: Options
) -> Iterator[GroupMedoids]:
    """Medoids of every group by a method, which is not "all", in the order of the groups."""
    progress = Progress(method, sum(len(group.points) for group in groups), options.verbose)
    by_name: dict[str, list[int]] = {}
    for place, group in enumerate(groups):
        by_name.setdefault(_resolve(method, group), []).append(place)
    found: dict[int, GroupMedoids] = {}
    for name, places in by_name.items():
        some = [groups[place] for place in places]
        found.update(zip(places, _choose(name, some, options, progress), strict=True))
    yield from (found[place] for place in range(len(groups)))


def _resolve(method: str, group: Group) -> str:
    if method != "auto":
        return method
    few = len(group.points) <= EXACT_UP_TO or isinstance(group.points, OuterProducts)
    return "greedy" if few else "partitioned"


def _choose(
    method: str, groups: list[Group], options: Options, progress: Progress
) -> Iterator[GroupMedoids]:
    """Medoids of every group, on each of torch's threads those of other groups."""
    seeds: list[Random] = [options.random] * len(groups)
    if method in ("stochastic", "columns", "partitioned", "random"):
        # Of their own, so that it does not matter which group is the first.
        seeds = spawn(options.random, len(groups))

    def ready(place: int) -> Group:
        return groups[place] if method == "partitioned" else loaded(groups[place])

    def choose(places: list[int]) -> list[GroupMedoids]:
        if method == "greedy":
            begun = cover_greedily(
                (loaded(groups[i]) for i in places), memory_budget=options.memory_budget
            )
        else:
            begun = (_BY_NAME[method](ready(i), options._replace(random=seeds[i])) for i in places)
        found = []
        for place, medoids in zip(places, begun, strict=True):
            progress.step(len(groups[place].points))
            found.append(medoids)
        return found

    shares = [list(range(len(groups)))]
    if method != "partitioned":  # divides its work itself
        shares = share_out(groups, options.memory_budget)
    found = chain.from_iterable(
        side_by_side(choose, shares) if len(shares) > 1 else map(choose, shares)
    )
    of_place = dict(zip(chain.from_iterable(shares), found, strict=True))
    yield from (of_place[place] for place in range(len(groups)))


def loaded(group: Group) -> Group:
    """The group with its points in memory: all methods but "partitioned" need them there."""
    if not isinstance(group.points, PartOfRows):
        return group
    points = group.points.load()
    return group._replace(points=points, weights=group.weights.to(points))


def share_out(groups: list[Group], memory_budget: int) -> list[list[int]]:
    """Share out groups among threads, about evenly: lists of their places, or one of all.

    One, if a group is so large that threads had better divide its points.
    """
    everything = [list(range(len(groups)))]
    costs = [len(group.points) ** 2 * group.weights.element_size() for group in groups]
    n = min(torch.get_num_threads(), memory_budget // max(1, min(2 * max(costs), memory_budget)))
    if n <= 1 or any(group.weights.device.type != "cpu" for group in groups):
        return everything
    shares: list[list[int]] = [[] for _ in range(n)]
    loads = [0] * n
    for place in sorted(everything[0], key=lambda place: -costs[place]):
        least = loads.index(min(loads))
        shares[least].append(place)
        loads[least] += costs[place]
    even = max(loads) <= _UNEVEN * sum(loads) / n
    return [sorted(share) for share in shares] if even else everything


# ------------------------------------------------------------------------------- one group each


def _k_medoids(group: Group, options: Options) -> GroupMedoids:
    storage, budget = Storage(), options.memory_budget
    (begun,) = cover_greedily([group], memory_budget=budget, storage=storage)
    swapped = swap_until_none_helps(
        group.points, begun.indices, _weights(group), MOST_PASSES, budget, storage
    )
    return _with_rows(group, swapped.indices, None, options)


def _stochastic(group: Group, options: Options) -> GroupMedoids:
    indices, gains = stochastic_medoids(
        group.points,
        group.k,
        sample_weight=_weights(group),
        random_state=options.random,
        memory_budget=options.memory_budget,
    )
    return _with_rows(group, indices, gains, options)


def _partitioned(group: Group, options: Options) -> GroupMedoids:
    if isinstance(group.points, OuterProducts):
        raise ValueError(
            'method="partitioned" takes points, no outer products: choose method="greedy", or '
            "give the products as a matrix, for example of a sketch of them."
        )
    result = partitioned_medoids(
        group.points,
        group.k,
        sample_weight=_weights(group),
        random_state=options.random,
        n_jobs=options.n_jobs,
        verbose=options.verbose,
        memory_budget=options.memory_budget,
    )
    return GroupMedoids(result.indices, None, result.assignment, result.distance)


def _central(group: Group, options: Options) -> GroupMedoids:
    indices = central_medoids(
        group.points,
        group.k,
        sample_weight=_weights(group),
        memory_budget=options.memory_budget,
    )
    return _with_rows(group, indices, None, options)


def _columns(group: Group, options: Options) -> GroupMedoids:
    rows, features = group.points, None
    if isinstance(group.points, OuterProducts):
        rows, features = group.points.left, group.points.right
    indices, _ = column_subset(
        rows,
        group.k,
        features=features,
        sample_weight=_weights(group),
        random_state=options.random,
    )
    return _with_rows(group, indices, None, options)


def _random(group: Group, options: Options) -> GroupMedoids:
    indices = options.random.choice(len(group.points), size=group.k, replace=False)
    return _with_rows(group, indices, None, options)


_BY_NAME: dict[str, Callable[[Group, Options], GroupMedoids]] = {
    "k_medoids": _k_medoids,
    "stochastic": _stochastic,
    "partitioned": _partitioned,
    "central": _central,
    "columns": _columns,
    "random": _random,
}


def _weights(group: Group) -> np.ndarray:
    return to_numpy(group.weights).astype(np.float64)


def _with_rows(
    group: Group, indices: np.ndarray, gains: np.ndarray | None, options: Options
) -> GroupMedoids:
    """Medoids, and the nearest one of every point."""
    nearest = assign_to_medoids(group.points, indices, memory_budget=options.memory_budget)
    return GroupMedoids(indices, gains, *nearest)
