"""What the selection benchmark compares: noisyfit's engines, other libraries, reference code.

Every method takes points (n, d) in float32 and k, and returns the indices of k rows. Those that
work on a matrix are given it by `distance_matrix`, the fastest way here, inside their time.

Of the other libraries kmedoids is under GPL-3.0-or-later; apricot, submodlib and numba are under
MIT or BSD licences. They are only compared with: noisyfit imports none of them.
"""

from __future__ import annotations

import heapq
import importlib.util
from collections.abc import Callable
from functools import cache, partial
from typing import Any, NamedTuple

import numpy as np
import torch

from noisyfit.selection import (
    SELECTION_METHODS,
    central_medoids,
    greedy_medoids,
    select_coreset,
)

GIGABYTE = 10**9
ROOM = 16 * GIGABYTE  # methods that need more for their matrix are not run

_TILE = 1024  # rows and columns of a block of distances; 4 MiB stay in the processor's cache


class Method(NamedTuple):
    """A way to choose rows.

    `choose(points, k)` returns indices, or None where the method only passes over the distances.
    `choose_by_class(points, groups, share)` chooses that share of every group; by default `choose`
    is called for one class after the other.
    """

    label: str
    choose: Callable[[Any, int], Any]
    choose_by_class: Callable[[Any, np.ndarray, float], Any] | None = None
    modules: tuple[str, ...] = ()  # what must be importable
    packages: tuple[str, ...] = ()  # their names for pip
    bytes_per_pair: int = 0  # of distances or similarities held at once
    on_device: bool = False  # takes a tensor on a GPU as well
    ours: bool = False
    drawn: bool = True
    reference: bool = False  # not measured for its time: once, and up to `REFERENCE_ROWS`

    def lacks(self) -> str | None:
        """What is not installed, or None."""
        missing = [name for name in self.modules if importlib.util.find_spec(name) is None]
        return f"not installed: pip install {' '.join(self.packages)}" if missing else None

    def too_large(self, n: int) -> str | None:
        """Why the method can't be run on classes of n rows, or None."""
        if self.reference and n > REFERENCE_ROWS:
            return "not run"
        needed = self.bytes_per_pair * n * n
        return f"matrix of {needed / GIGABYTE:.0f} GB" if needed > ROOM else None

    def by_class(self, points: Any, groups: np.ndarray, share: float) -> Any:
        """Choose a share of every group, as `select_coreset` rounds it."""
        if self.choose_by_class is not None:
            return self.choose_by_class(points, groups, share)
        chosen = []
        for group in np.unique(groups):
            rows = np.flatnonzero(groups == group)
            here = self.choose(points[rows], medoids_of(len(rows), share))
            chosen += [] if here is None else [rows[here]]
        return np.concatenate(chosen) if chosen else None


REFERENCE_ROWS = 5000


def medoids_of(n: int, share: float) -> int:
    """Share of n rows, at least one."""
    return max(1, int(np.rint(share * n)))


# ------------------------------------------------------------------------------------- noisyfit


def ours(label: str, choose: Callable[[Any, int], Any] | None = None, **options: Any) -> Method:
    """`select_coreset` with options; ``choose`` may go to the engine itself for a single class."""

    def in_one_class(points: Any, k: int) -> np.ndarray:
        return select_coreset(points, k=k, **options).indices

    def in_each_class(points: Any, groups: np.ndarray, share: float) -> np.ndarray:
        return select_coreset(points, groups=groups, fraction=share, **options).indices

    return Method(label, choose or in_one_class, in_each_class, on_device=True, ours=True)


def greedy(points: Any, k: int, **options: Any) -> np.ndarray:
    return greedy_medoids(points, k, **options).indices


def random_rows(points: Any, k: int) -> np.ndarray:
    return np.random.default_rng(0).choice(len(points), size=k, replace=False)


# ------------------------------------------------------------------------------------ distances


def _factors(points: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Two matrices whose product is the matrix of squared distances."""
    centred = points - points.mean(dim=0)
    norms = centred.square().sum(dim=1, keepdim=True)
    ones = torch.ones_like(norms)
    return torch.cat([-2 * centred, norms, ones], 1), torch.cat([centred, ones, norms], 1).T


def distance_pass(points: Any, k: int) -> None:
    """Every distance once, summed by rows and forgotten: what no exact method can do without."""
    tensor = torch.as_tensor(points)
    left, right = _factors(tensor)
    tile = _TILE if tensor.device.type == "cpu" else 8 * _TILE
    sums = tensor.new_zeros(len(tensor))
    for rows, part in zip(sums.split(tile), left.split(tile), strict=True):
        for columns in right.split(tile, dim=1):
            rows += (part @ columns).clamp_(min=0).sqrt_().sum(dim=1)
    assert torch.isfinite(sums).all()  # waits for a GPU, too


def distance_matrix(points: np.ndarray, dtype: Any = np.float32) -> np.ndarray:
    """Distances between all rows, in blocks that stay in the cache; computed in float32."""
    left, right = _factors(torch.from_numpy(points))
    n = len(points)
    matrix = np.empty((n, n), dtype=dtype)
    rows_per_block = max(1, _TILE * _TILE // n)
    for block, part in zip(
        torch.from_numpy(matrix).split(rows_per_block), left.split(rows_per_block), strict=True
    ):
        block.copy_((part @ right).clamp_(min=0).sqrt_())
    np.fill_diagonal(matrix, 0)
    return matrix


def similarity_matrix(points: np.ndarray, dtype: Any = np.float32) -> np.ndarray:
    """Largest distance minus distance, without a second matrix."""
    matrix = distance_matrix(points, dtype)
    return np.subtract(matrix.max(), matrix, out=matrix)


# ------------------------------------------------------------------------------- reference code


class OfficialFacilityLocation:
    """Facility location as CRUST's official code computes it, gains and all."""

    def __init__(self, S: np.ndarray) -> None:
        self.S = S
        self.curr_max = np.zeros(len(S), dtype=S.dtype)
        self.value = 0.0

    def gain(self, ndx: int) -> float:
        """What an element would add."""
        return float(np.maximum(self.S[:, ndx], self.curr_max).sum()) - self.value

    def inc(self, sset: list[int], ndx: int) -> None:
        """Add an element."""
        self.curr_max = np.maximum(self.S[:, ndx], self.curr_max)
        self.value = float(self.curr_max.sum())
        sset.append(ndx)


def crust_code(points: np.ndarray, k: int) -> np.ndarray:
    """Lazy greedy with a heap: the official code with its mistake mended.

    The best row of the heap is evaluated anew until it stays on top. As it is, the official code
    takes the most central rows instead: `central_medoids`. The matrix is symmetric, and is passed
    on with columns in one piece.
    """
    F_S = OfficialFacilityLocation(similarity_matrix(points).T)
    heap = [(-F_S.gain(ndx), ndx) for ndx in range(len(points))]
    heapq.heapify(heap)
    sset: list[int] = []
    while len(sset) < k:
        _, ndx = heapq.heappop(heap)
        again = (-F_S.gain(ndx), ndx)
        if not heap or again <= heap[0]:
            F_S.inc(sset, ndx)
        else:
            heapq.heappush(heap, again)
    return np.array(sset)


def brute_force(points: np.ndarray, k: int) -> np.ndarray:
    """Greedy by its definition in float64: before every step the gains of all candidates."""
    points = points.astype(np.float64)
    norms = np.square(points).sum(axis=1)
    squared = norms[:, None] + norms[None, :] - 2 * points @ points.T
    distances = np.sqrt(np.maximum(squared, 0))
    np.fill_diagonal(distances, 0)
    nearest = np.full(len(points), distances.max())
    rows_per_block = max(1, 2**18 // len(points))  # in the cache
    chosen: list[int] = []
    for _ in range(k):
        gains = np.zeros(len(points))
        for first in range(0, len(points), rows_per_block):
            part = slice(first, first + rows_per_block)
            closer = nearest[part, None] - distances[part]
            gains += np.ones(len(closer)) @ np.maximum(closer, 0, out=closer)
        gains[chosen] = -1
        chosen.append(int(gains.argmax()))
        nearest = np.minimum(nearest, distances[chosen[-1]])
    return np.array(chosen)


@cache
def _numba_lazy() -> Callable[[np.ndarray, int], np.ndarray]:
    from numba import njit

    @njit(fastmath=True)
    def gain(row: np.ndarray, nearest: np.ndarray) -> float:
        total = 0.0
        for j in range(len(row)):
            total += max(nearest[j] - row[j], np.float32(0))
        return total

    @njit
    def select(distances: np.ndarray, k: int) -> np.ndarray:
        n = len(distances)
        nearest = np.full(n, distances.max(), dtype=np.float32)
        heap = [(-gain(distances[i], nearest), i) for i in range(n)]
        heapq.heapify(heap)
        chosen = np.empty(k, dtype=np.int64)
        for step in range(k):
            while True:
                _, i = heapq.heappop(heap)
                again = (-gain(distances[i], nearest), i)
                if len(heap) == 0 or again <= heap[0]:
                    break
                heapq.heappush(heap, again)
            chosen[step] = i
            nearest = np.minimum(nearest, distances[i])
        return chosen

    return select


def numba_lazy(points: np.ndarray, k: int) -> np.ndarray:
    """Exact lazy greedy, compiled."""
    return _numba_lazy()(distance_matrix(points), k)


# ----------------------------------------------------------------------------- other libraries


def apricot_lazy(points: np.ndarray, k: int) -> np.ndarray:
    """Give it float64, which it would make a copy in."""
    from apricot import FacilityLocationSelection

    selector = FacilityLocationSelection(k, metric="precomputed", optimizer="lazy")
    return selector.fit(similarity_matrix(points, np.float64)).ranking


def submodlib_lazy(points: np.ndarray, k: int) -> np.ndarray:
    from submodlib import FacilityLocationFunction

    kernel = similarity_matrix(points)
    function = FacilityLocationFunction(
        n=len(points), mode="dense", separate_rep=False, sijs=kernel
    )
    chosen = function.maximize(budget=k, optimizer="LazyGreedy", show_progress=False)
    return np.array([index for index, _ in chosen])


def faster_pam(points: np.ndarray, k: int, max_iter: int = 10**6) -> np.ndarray:
    """Start from random rows, its default."""
    from kmedoids import fasterpam

    n_cpu = torch.get_num_threads() if len(points) >= 1000 else 1  # as it decides by itself
    result = fasterpam(distance_matrix(points), k, max_iter=max_iter, random_state=0, n_cpu=n_cpu)
    return np.asarray(result.medoids, dtype=np.int64)


# ------------------------------------------------------------------------------------- registry

_NUMBA = {"modules": ("numba",), "packages": ("numba",)}
_KMEDOIDS = {"modules": ("kmedoids",), "packages": ("kmedoids",)}
_APRICOT = {"modules": ("apricot",), "packages": ("apricot-select",)}
_SUBMODLIB = {"modules": ("submodlib",), "packages": ("submodlib-py",)}
_SMALL = 2**27

# Values of select_coreset's `method`, measured as soon as it knows them.
OTHER_ENGINES = ("k_medoids", "stochastic", "partitioned", "columns")

METHODS: dict[str, Method] = {
    "distance_pass": Method("distance pass", distance_pass, on_device=True),
    "greedy": ours("noisyfit greedy", greedy),
    "greedy_128mb": ours(
        "noisyfit greedy, 128 MB",
        partial(greedy, memory_budget=_SMALL),
        memory_budget=_SMALL,
    ),
    **{
        name: ours(f"noisyfit {name}", method=name, random_state=0)
        for name in OTHER_ENGINES
        if name in SELECTION_METHODS
    },
    "central": ours("noisyfit central (CRUST's code)", central_medoids, method="central"),
    "crust_code": Method("CRUST's code, mended", crust_code, bytes_per_pair=4),
    "numba_lazy": Method("lazy greedy in numba", numba_lazy, bytes_per_pair=4, **_NUMBA),
    "fasterpam": Method("kmedoids FasterPAM", faster_pam, bytes_per_pair=4, **_KMEDOIDS),
    "fasterpam_1": Method(
        "kmedoids FasterPAM, 1 iteration",
        partial(faster_pam, max_iter=1),
        bytes_per_pair=4,
        **_KMEDOIDS,
    ),
    "apricot": Method("apricot lazy", apricot_lazy, bytes_per_pair=8, **_APRICOT),
    "submodlib": Method("submodlib lazy", submodlib_lazy, bytes_per_pair=8, **_SUBMODLIB),
    "random": Method("random rows", random_rows, drawn=False),
    "brute_force": Method(
        "greedy by brute force, float64",
        brute_force,
        bytes_per_pair=16,
        drawn=False,
        reference=True,
    ),
}
