"""Coresets: medoids chosen group by group, each weighing as much as the rows it stands for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from noisyfit.selection.central import central_medoids
from noisyfit.selection.columns import column_subset
from noisyfit.selection.distances import MEMORY_BUDGET
from noisyfit.selection.greedy import Group, GroupMedoids, cover_greedily
from noisyfit.selection.inputs import (
    FloatVector,
    IndexVector,
    Random,
    as_codes,
    as_mask,
    as_points,
    as_random_state,
    as_sample_weight,
    check_k,
    largest_remainders,
    rows_by_code,
    to_numpy,
    to_tensor,
)
from noisyfit.selection.objective import assign_to_medoids, cluster_weights
from noisyfit.selection.products import OuterProducts
from noisyfit.selection.stochastic import stochastic_medoids
from noisyfit.selection.swap import swap_medoids


@dataclass(frozen=True, eq=False)
class Coreset:
    """Medoids, their weights, and which row is represented by which.

    Attributes
    ----------
    indices : ndarray of int64, shape (k,)
        Row indices of the medoids, by group code, within a group in the order of selection.
    weights : ndarray of float64, shape (k,)
        Total weight of the rows assigned to each medoid. Within a group they sum to the weight of
        its candidates. Only a copy of an earlier medoid can have weight zero.
    assignment : ndarray of int64, shape (n,)
        Position in `indices` of each row's medoid; -1 for rows that are not candidates.
    gains : ndarray of float64, shape (k,), or None
        What each medoid added to its group's facility location objective; None unless the method
        is "greedy" or "stochastic".
    total_distance : float
        Weighted sum of the distances of the candidates to their medoids: what medoids minimise.
    """

    indices: IndexVector
    weights: FloatVector
    assignment: IndexVector
    gains: FloatVector | None
    total_distance: float


#: The values that `select_coreset` takes for ``method``.
SELECTION_METHODS = (
    "all",
    "greedy",
    "k_medoids",
    "stochastic",
    "central",
    "columns",
    "random",
)


def select_coreset(
    gradients: Any,
    *,
    k: int | None = None,
    fraction: float | None = None,
    method: str = "greedy",
    groups: Any = None,
    candidates: Any = None,
    sample_weight: Any = None,
    random_state: int | np.random.RandomState | np.random.Generator | None = None,
    memory_budget: int = MEMORY_BUDGET,
) -> Coreset:
    """Choose a weighted coreset of the rows, group by group.

    Parameters
    ----------
    gradients : array or tensor of shape (n, d)
        What stands for the rows: see `logit_gradients` and `feature_gradients`.
    k : int, default=None
        Number of medoids in all, shared between the groups in proportion to their numbers of
        candidates by the method of largest remainders, at least one each.
    fraction : float, default=None
        Share of each group's candidates that become medoids, in (0, 1], rounded, at least one.
        Exactly one of `k` and `fraction` is needed, but neither for method "all".
    method : {"greedy", "k_medoids", "stochastic", "central", "columns", "random", "all"}, \
            default="greedy"
        "greedy" covers the candidates with the best medoids that greedy facility location finds
        (the CRUST paper, `greedy_medoids`); "k_medoids" goes on from those until no swap makes them
        better (`swap_medoids`); "stochastic" is greedy among random samples (`stochastic_medoids`);
        "central" takes the candidates nearest to all others (the official CRUST code,
        `central_medoids`); "columns" takes those that span all (`column_subset`); "random" takes
        any; "all" takes every candidate, with its own weight.
    groups : array or tensor of int, shape (n,), default=None
        Non-negative group codes, for example given or predicted labels; None makes one group.
    candidates : array or tensor of bool, shape (n,), default=None
        The rows that may be medoids and are to be represented, for example those that
        `keep_smallest` keeps; all by default.
    sample_weight : array or tensor of shape (n,), default=None
        Weights of the rows; one each by default. Rows of zero weight are no candidates.
    random_state : int, RandomState, Generator or None, default=None
        Used by the methods "stochastic" and "random", and by "columns" for outer products.
    memory_budget : int, default=2**30
        Bytes that distances may take up at a time.

    Returns
    -------
    coreset : Coreset

    Raises
    ------
    ValueError
        If the method is unknown, not exactly one size is given, the size does not fit the
        candidates, no candidate is left, or shapes do not match.

    Examples
    --------
    >>> import numpy as np
    >>> from noisyfit.selection import select_coreset
    >>> gradients = np.array([[0.0], [1.0], [2.0], [9.0], [10.0]])
    >>> coreset = select_coreset(gradients, k=2)
    >>> coreset.indices, coreset.weights, coreset.assignment
    (array([2, 3]), array([3., 2.]), array([0, 0, 0, 1, 1]))
    """
    if method not in SELECTION_METHODS:
        raise ValueError(f"method must be one of {SELECTION_METHODS}, got {method!r}.")
    points = as_points(gradients, "gradients")
    n = len(points)
    weights = as_sample_weight(sample_weight, n)
    codes = np.zeros(n, dtype=np.int64) if groups is None else as_codes(groups, n, "groups")
    allowed = weights > 0
    if candidates is not None:
        allowed &= as_mask(candidates, n, "candidates")
    if not allowed.any():
        raise ValueError("candidates must leave at least one row of positive sample_weight.")
    rows_of_groups = [rows for _, rows in rows_by_code(codes, allowed)]
    sizes = _sizes(np.array([len(rows) for rows in rows_of_groups]), k, fraction, method)

    if method == "all":
        return _every_candidate(np.concatenate(rows_of_groups), weights)
    random = as_random_state(random_state)
    chosen = _choose(
        method,
        (
            Group(points[to_tensor(rows, points)], to_tensor(weights[rows], points), int(size))
            for rows, size in zip(rows_of_groups, sizes, strict=True)
        ),
        memory_budget,
        random,
    )
    assignment = np.full(n, -1, dtype=np.int64)
    indices: list[IndexVector] = []
    gains: list[FloatVector] = []
    total = 0.0
    starts = np.cumsum(sizes) - sizes
    for rows, start, medoids in zip(rows_of_groups, starts, chosen, strict=True):
        indices.append(rows[medoids.indices])
        gains.extend([] if medoids.gains is None else [medoids.gains])
        assignment[rows] = start + medoids.assignment
        total += float(weights[rows] @ medoids.distance)
    return Coreset(
        indices=np.concatenate(indices),
        weights=cluster_weights(assignment, int(sizes.sum()), weights),
        assignment=assignment,
        gains=np.concatenate(gains) if gains else None,
        total_distance=total,
    )


def _choose(
    method: str, groups: Iterable[Group], memory_budget: int, random: Random
) -> Iterator[GroupMedoids]:
    """Medoids of every group, one after the other."""
    if method == "greedy":
        yield from cover_greedily(groups, memory_budget=memory_budget)
        return
    if method == "k_medoids":
        kept = list(groups)
        begun = cover_greedily(kept, memory_budget=memory_budget)
        groups = [
            group._replace(start=m.indices.tolist()) for group, m in zip(kept, begun, strict=True)
        ]
    for points, tensor_of_weights, k, start in groups:
        weights = to_numpy(tensor_of_weights).astype(np.float64)
        gains = None
        if method == "k_medoids":
            indices = swap_medoids(
                points, np.array(start), sample_weight=weights, memory_budget=memory_budget
            ).indices
        elif method == "stochastic":
            indices, gains = stochastic_medoids(
                points,
                k,
                sample_weight=weights,
                random_state=random,
                memory_budget=memory_budget,
            )
        elif method == "central":
            indices = central_medoids(points, k, sample_weight=weights, memory_budget=memory_budget)
        elif method == "columns":
            rows, features = points, None
            if isinstance(points, OuterProducts):
                rows, features = points.left, points.right
            indices, _ = column_subset(
                rows, k, features=features, sample_weight=weights, random_state=random
            )
        else:
            indices = random.choice(len(points), size=k, replace=False)
        nearest = assign_to_medoids(points, indices, memory_budget=memory_budget)
        yield GroupMedoids(indices, gains, *nearest)


def _every_candidate(indices: IndexVector, weights: FloatVector) -> Coreset:
    assignment = np.full(len(weights), -1, dtype=np.int64)
    assignment[indices] = np.arange(len(indices))
    return Coreset(indices, weights[indices], assignment, gains=None, total_distance=0.0)


def _sizes(
    counts: NDArray[np.int64], k: int | None, fraction: float | None, method: str
) -> NDArray[np.int64]:
    """Return how many medoids each group gets, given its number of candidates."""
    if method == "all":
        if k is not None or fraction is not None:
            raise ValueError(
                f'method="all" takes every candidate: leave out k={k} and fraction={fraction}, or '
                "choose another method."
            )
        return counts
    if (k is None) == (fraction is None):
        raise ValueError(f"give exactly one of k and fraction, got k={k} and fraction={fraction}.")
    if fraction is not None:
        if not 0 < fraction <= 1:
            raise ValueError(f"fraction must lie in (0, 1], got {fraction}.")
        return np.maximum(1, np.rint(fraction * counts)).astype(np.int64)
    k = check_k(k, int(counts.sum()))
    if k < len(counts):
        raise ValueError(f"k={k} must be at least the number of non-empty groups, {len(counts)}.")
    return largest_remainders(counts, k)
