"""Coresets: medoids chosen group by group, each weighing as much as the rows it stands for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from noisyfit._peaked import PeakedRows
from noisyfit.selection.distances import MEMORY_BUDGET
from noisyfit.selection.greedy import Group, GroupMedoids
from noisyfit.selection.inputs import (
    FloatVector,
    IndexVector,
    as_codes,
    as_mask,
    as_points,
    as_random_state,
    as_sample_weight,
    check_k,
    check_real,
    largest_remainders,
    rows_by_code,
    to_tensor,
)
from noisyfit.selection.methods import SELECTION_METHODS, Options, choose_medoids, loaded
from noisyfit.selection.objective import cluster_weights
from noisyfit.selection.outliers import choose_but_outliers, number_kept
from noisyfit.selection.parallel import PartOfRows, Rows
from noisyfit.selection.proxies import LogitGradients

# Groups of rows with few peaks are written out a few at a time, up to so many bytes.
_BYTES_AT_A_TIME = 2**26


@dataclass(frozen=True, eq=False)
class Coreset:
    """Medoids, their weights, and which row is represented by which.

    Attributes
    ----------
    indices : ndarray of int64, shape (k,)
        Row indices of the medoids, by group code, within a group in the order of selection.
    weights : ndarray of float64, shape (k,)
        Total weight of the rows assigned to each medoid. Within a group they sum to the weight of
        its candidates but outliers. Only a copy of an earlier medoid can have weight zero.
    assignment : ndarray of int64, shape (n,)
        Position in `indices` of each row's medoid; -1 for rows that are not candidates, or
        outliers.
    gains : ndarray of float64, shape (k,), or None
        What each medoid added to its group's facility location objective; None unless every group
        was covered by the method "greedy", by "auto" too, or "stochastic".
    total_distance : float
        Weighted sum of the distances of the candidates to their medoids: what medoids minimise.
    """

    indices: IndexVector
    weights: FloatVector
    assignment: IndexVector
    gains: FloatVector | None
    total_distance: float


def select_coreset(
    gradients: Any,
    *,
    k: int | None = None,
    fraction: float | None = None,
    method: str = "auto",
    groups: Any = None,
    candidates: Any = None,
    outliers: float = 0.0,
    sample_weight: Any = None,
    random_state: int | np.random.RandomState | np.random.Generator | None = None,
    n_jobs: int | None = None,
    verbose: int = 0,
    memory_budget: int = MEMORY_BUDGET,
) -> Coreset:
    """Choose a weighted coreset of the rows, group by group.

    Parameters
    ----------
    gradients : array or tensor of shape (n, d)
        What stands for the rows: see `logit_gradients` and `feature_gradients`. Rows of a numpy
        memmap are read when a group is worked on, and by "partitioned" part by part.
    k : int, default=None
        Number of medoids in all, shared between the groups in proportion to their numbers of
        candidates by the method of largest remainders, at least one each.
    fraction : float, default=None
        Share of each group's candidates that become medoids, in (0, 1], rounded, at least one.
        Exactly one of `k` and `fraction` is needed, but neither for method "all".
    method : {"auto", "greedy", "k_medoids", "stochastic", "partitioned", "central", "columns", \
            "random", "all"}, default="auto"
        "greedy" covers the candidates with the best medoids that greedy facility location finds
        (the CRUST paper, `greedy_medoids`); "k_medoids" goes on from those until no swap makes them
        better (`swap_medoids`); "stochastic" is greedy among random samples (`stochastic_medoids`);
        "partitioned" is greedy in random parts (`partitioned_medoids`), for many rows; "auto" is
        "greedy" in groups of at most 20,000 candidates, "partitioned" in larger ones: how long the
        exact choice takes depends on the number of rows and little on that of medoids; "central"
        takes the candidates nearest to all others (the official CRUST code, `central_medoids`);
        "columns" takes those that span all (`column_subset`); "random" takes any; "all" takes every
        candidate, with its own weight.
    groups : array or tensor of int, shape (n,), default=None
        Non-negative group codes, for example given or predicted labels; None makes one group.
    candidates : array or tensor of bool, shape (n,), default=None
        The rows that may be medoids and are to be represented, for example those that
        `keep_smallest` keeps; all by default.
    outliers : float, default=0.0
        Share of each group's candidates that need not be represented, in [0, 1): those that the
        medoids cover worst. Medoids are chosen among the others, and both in turn up to ten times.
        `fraction` is then a share of those others. Not for method "all".
    sample_weight : array or tensor of shape (n,), default=None
        Weights of the rows; one each by default. Rows of zero weight are no candidates.
    random_state : int, RandomState, Generator or None, default=None
        Used by the methods "stochastic", "partitioned" and "random", and by "columns" for outer
        products.
    n_jobs : int, default=None
        Number of joblib workers of the method "partitioned"; None means as many threads as torch
        has, or what `joblib.parallel_config` says. Other methods use torch's threads: for groups
        of their own, or within a group where one is much larger than others.
    verbose : int, default=0
        1 prints progress every five seconds, 2 after every group.
    memory_budget : int, default=2**30
        Bytes that distances may take up at a time; for "partitioned", in each worker. No more
        groups are worked on side by side than it has room for.

    Returns
    -------
    coreset : Coreset

    Raises
    ------
    ValueError
        If the method is unknown, `outliers` is not in [0, 1), not exactly one size is given, the
        size does not fit the candidates, no candidate is left, or shapes do not match.

    Examples
    --------
    >>> import numpy as np
    >>> from noisyfit.selection import select_coreset
    >>> gradients = np.array([[0.0], [1.0], [2.0], [9.0], [10.0]])
    >>> coreset = select_coreset(gradients, k=2)
    >>> coreset.indices, coreset.weights, coreset.assignment
    (array([2, 3]), array([3., 2.]), array([0, 0, 0, 1, 1]))
    >>> select_coreset(gradients, k=1, outliers=0.4).assignment
    array([ 0,  0,  0, -1, -1])
    """
    if method not in SELECTION_METHODS:
        raise ValueError(f"method must be one of {SELECTION_METHODS}, got {method!r}.")
    points = _as_source(gradients)
    n = len(points)
    weights = as_sample_weight(sample_weight, n)
    codes = np.zeros(n, dtype=np.int64) if groups is None else as_codes(groups, n, "groups")
    allowed = weights > 0
    if candidates is not None:
        allowed &= as_mask(candidates, n, "candidates")
    if not allowed.any():
        raise ValueError("candidates must leave at least one row of positive sample_weight.")
    rows_of_groups = [rows for _, rows in rows_by_code(codes, allowed)]
    if not 0 <= check_real(outliers, "outliers") < 1:
        raise ValueError(f"outliers must lie in [0, 1), got {outliers}.")
    if outliers and method == "all":
        raise ValueError(f'method="all" takes every candidate: leave out outliers={outliers}.')
    counts = np.array([number_kept(len(rows), outliers) for rows in rows_of_groups])
    sizes = _sizes(counts, k, fraction, method)

    if method == "all":
        return _every_candidate(np.concatenate(rows_of_groups), weights)
    options = Options(as_random_state(random_state), n_jobs, verbose, memory_budget)

    def choose(some: Sequence[Group]) -> Iterator[GroupMedoids]:
        if outliers:
            return choose_but_outliers(method, list(map(loaded, some)), outliers, options)
        return choose_medoids(method, some, options)

    chosen = chain.from_iterable(map(choose, _groups(points, rows_of_groups, weights, sizes)))
    assignment = np.full(n, -1, dtype=np.int64)
    indices: list[IndexVector] = []
    gains: list[FloatVector | None] = []
    total = 0.0
    starts = np.cumsum(sizes) - sizes
    for rows, start, medoids in zip(rows_of_groups, starts, chosen, strict=True):
        indices.append(rows[medoids.indices])
        gains.append(medoids.gains)
        assignment[rows] = np.where(medoids.assignment < 0, -1, start + medoids.assignment)
        total += float(weights[rows] @ medoids.distance)
    known = [some for some in gains if some is not None]
    return Coreset(
        indices=np.concatenate(indices),
        weights=cluster_weights(assignment, int(sizes.sum()), weights),
        assignment=assignment,
        gains=np.concatenate(known) if len(known) == len(gains) else None,
        total_distance=total,
    )


def _as_source(gradients: Any) -> Any:
    """Points in memory or, of a memory map, or where they are computed, what gives some of them."""
    if isinstance(gradients, PeakedRows | LogitGradients):
        return gradients
    if isinstance(gradients, np.ndarray) and gradients.ndim == 2 and len(gradients):
        rows = Rows(gradients)
        if rows.in_file:
            rows.check()
            return rows
    return as_points(gradients, "gradients")


def _groups(
    points: Any,
    rows_of_groups: list[IndexVector],
    weights: FloatVector,
    sizes: NDArray[np.int64],
) -> Iterator[list[Group]]:
    """The groups' points: all groups at once or, of rows with few peaks, some after the others."""
    some: list[Group] = []
    n_bytes = 0
    for rows, size in zip(rows_of_groups, sizes, strict=True):
        if isinstance(points, Rows | LogitGradients):
            part = PartOfRows(points, rows)
            some.append(Group(part, torch.from_numpy(weights[rows]), int(size)))
            continue
        if isinstance(points, PeakedRows):
            own = torch.from_numpy(points[rows].over_columns_with_peaks())
            n_bytes += own.nbytes
            if some and n_bytes > _BYTES_AT_A_TIME:
                yield some
                some, n_bytes = [], own.nbytes
        else:
            own = points[to_tensor(rows, points)]
        some.append(Group(own, to_tensor(weights[rows], own), int(size)))
    yield some


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
        if not 0 < check_real(fraction, "fraction") <= 1:
            raise ValueError(f"fraction must lie in (0, 1], got {fraction}.")
        return np.maximum(1, np.rint(fraction * counts)).astype(np.int64)
    k = check_k(k, int(counts.sum()))
    if k < len(counts):
        raise ValueError(f"k={k} must be at least the number of non-empty groups, {len(counts)}.")
    return largest_remainders(counts, k)
