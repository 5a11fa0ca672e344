"""Euclidean distances in blocks of bounded memory, by matrix products.

``|x - y|^2 = |x|^2 + |y|^2 - 2 x.y`` turns distances into one matrix product, the fastest operation
of any device, but subtracts nearly equal numbers when x and y are close. Two measures keep the
result exact enough: points are first centred where most of them are, which makes most norms small,
and rows that still hold a cancelled entry are computed again in float64.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeAlias, TypeVar

import numpy as np
import torch

from noisyfit._precision import accumulator_dtype
from noisyfit.selection.inputs import as_points
from noisyfit.selection.products import OuterProducts
from noisyfit.selection.threads import side_by_side

Points: TypeAlias = torch.Tensor | OuterProducts
Blocks: TypeAlias = Iterator[tuple[torch.Tensor, torch.Tensor]]

Result = TypeVar("Result")

#: Bytes that distances may take up at a time.
MEMORY_BUDGET = 2**30

#: Sums of distances that differ by less than this share of the largest are equal up to rounding.
ROUNDING = {torch.float32: 2e-8, torch.float64: 1e-12}

# Blocks that stay in the processor's cache are several times faster; other devices want big ones.
_BLOCK_BYTES_CPU = 2**22
_BLOCK_BYTES_DEVICE = 2**28

# Into so many parts the rows are divided among threads.
_PARTS = 16

_ROWS_FOR_CENTRE = 1024

# A squared distance below this share of the squared norm has lost digits to cancellation (float32:
# points closer than 1 % of their norm), and below the second one it has none left.
_CANCELLED = {torch.float32: 1e-4, torch.float64: 1e-12}
_NOTHING_LEFT = {torch.float32: 1e-6, torch.float64: 1e-14}


def euclidean_distances(
    points: Any, others: Any = None, *, memory_budget: int = MEMORY_BUDGET
) -> np.ndarray:
    """Matrix of distances between the rows of `points` and of `others`.

    Parameters
    ----------
    points : array or tensor of shape (n, d)
    others : array or tensor of shape (m, d), default=None
        The second set of rows; by default `points`, and then the diagonal is exactly zero.
    memory_budget : int, default=2**30
        Bytes that temporary blocks may take up besides the result (always at least one row).

    Returns
    -------
    distances : ndarray of shape (n, m)
        Distances below about 1e-7 times the distance from the mean (1e-3 on devices without
        float64) count as zero.

    Raises
    ------
    ValueError
        If an input is not a finite, non-empty matrix, or the numbers of columns differ.

    Examples
    --------
    >>> import numpy as np
    >>> from noisyfit.selection import euclidean_distances
    >>> euclidean_distances(np.array([[0.0, 0.0], [3.0, 4.0]]))
    array([[0., 5.],
           [5., 0.]])
    """
    tensor = as_points(points)
    second = None if others is None else as_points(others, "others").to(tensor.device, tensor.dtype)
    if second is not None and second.shape[1] != tensor.shape[1]:
        raise ValueError(
            f"others must have the {tensor.shape[1]} columns of points, got {second.shape[1]}."
        )
    distances = Distances(tensor, second, memory_budget=memory_budget)
    return np.concatenate([block.cpu().numpy().copy() for _, block in distances.blocks()])


class Storage:
    """Memory for distance matrices, one after the other: new memory takes time to be mapped."""

    def __init__(self) -> None:
        self._memory: torch.Tensor | None = None

    def matrix(self, like: torch.Tensor, n_rows: int, n_columns: int) -> torch.Tensor:
        """An uninitialised matrix in this memory, which is enlarged if need be."""
        size = n_rows * n_columns
        if self._memory is None or len(self._memory) < size:
            self._memory = None
            if like.device.type == "cpu":  # numpy asks for large pages, which are mapped sooner
                self._memory = torch.from_numpy(np.empty(size, dtype=like.numpy().dtype))
            else:
                self._memory = like.new_empty(size)
        return self._memory[:size].view(n_rows, n_columns)


class Distances:
    """Distances between two sets of points, handed out in blocks of rows.

    Parameters
    ----------
    points : tensor or OuterProducts of shape (n, d)
    others : the same of shape (m, d), default=None
        None stands for `points`; a point's distance to itself is then exactly zero.
    memory_budget : int, default=2**30
        Bytes that distances may take up at a time.
    keep_in : Storage, default=None
        Keep the whole matrix there, if it fits half the budget, for many requests of rows; it is
        filled by the first pass over all rows, `in_parts`.
    """

    def __init__(
        self,
        points: Points,
        others: Points | None = None,
        *,
        memory_budget: int = MEMORY_BUDGET,
        keep_in: Storage | None = None,
    ) -> None:
        if memory_budget < 1:
            raise ValueError(f"memory_budget must be a positive number of bytes: {memory_budget}.")
        self._to_itself = others is None
        self._points, self._others = _centred(points, others)
        self._norms = _squared_norms(self._points)
        self._other_norms = self._norms if others is None else _squared_norms(self._others)
        self._double: tuple[Any, ...] | None = None
        self._matrix: torch.Tensor | None = None
        self._crowded: torch.Tensor | None = None
        self._width = self._others.shape[0]
        self._free: list[torch.Tensor] = []

        row_bytes = self._width * self._norms.element_size()
        preferred = _BLOCK_BYTES_CPU if points.device.type == "cpu" else _BLOCK_BYTES_DEVICE
        # A block and the temporaries made from it are about three blocks in all, on each thread.
        rows_per_block = min(memory_budget // 3, preferred) // row_bytes
        self.rows_per_block = max(1, min(rows_per_block, points.shape[0]))
        self._most_threads = memory_budget // (3 * self.rows_per_block * row_bytes)
        fits = points.shape[0] * row_bytes <= memory_budget // 2
        self._keep_in = keep_in if fits else None

    @property
    def device(self) -> torch.device:
        """Where the points are."""
        return self._norms.device

    def forget(self) -> None:
        """Leave the storage to others; rows are computed from now on."""
        self._matrix = self._keep_in = None
        self._free.clear()

    def in_parts(
        self, function: Callable[[Blocks], Result], rows: torch.Tensor | None = None
    ) -> list[Result]:
        """Give the distances from some points, or all, to calls of a function, side by side.

        Each gets pairs ``(rows, distances)`` for a part of the rows, block by block: the distances,
        of shape (len(rows), m), are not to be overwritten, and gone when the next are asked for.
        The parts do not depend on the number of threads, and so neither do sums over them.
        """
        source: Callable[[torch.Tensor], Blocks] = self.blocks
        first_pass = None
        if rows is None and self._matrix is not None:
            source = partial(_views, self._matrix, self.rows_per_block)
        elif rows is None and self._crowded is None:
            first_pass = self._fresh()
            source = partial(self._fill, *first_pass)
        if rows is None:
            rows = torch.arange(self._points.shape[0], device=self.device)
        parts = rows.split(self.rows_per_block * -(-len(rows) // (self.rows_per_block * _PARTS)))
        if self.device.type == "cpu":
            results = side_by_side(
                lambda part: function(source(part)), parts, at_most=self._most_threads
            )
        else:
            results = [function(source(part)) for part in parts]
        if first_pass is not None:
            self._matrix, self._crowded = first_pass
        return results

    def blocks(self, rows: torch.Tensor | None = None) -> Blocks:
        """Yield ``(rows, distances)``, which may be overwritten, for some rows or all."""
        if rows is None:
            rows = torch.arange(self._points.shape[0], device=self.device)
        with self.block() as memory:
            for part in rows.split(self.rows_per_block):
                yield part, self.rows(part, memory[: len(part)])

    @contextmanager
    def block(self) -> Iterator[torch.Tensor]:
        """Memory of the shape of a block, not filled, which is used again by others afterwards."""
        try:
            memory = self._free.pop()
        except IndexError:
            memory = self._norms.new_empty((self.rows_per_block, self._width))
        try:
            yield memory
        finally:
            self._free.append(memory)

    def _fresh(self) -> tuple[torch.Tensor | None, torch.Tensor]:
        """What the first pass over all rows fills: the matrix, and which rows are crowded."""
        n, matrix = self._points.shape[0], None
        if self._keep_in is not None:
            matrix = self._keep_in.matrix(self._norms, n, self._width)
        return matrix, torch.zeros(n, dtype=torch.bool, device=self.device)

    def _fill(
        self, matrix: torch.Tensor | None, crowded: torch.Tensor, rows: torch.Tensor
    ) -> Blocks:
        """Yield blocks of successive rows, note which are crowded, and keep them in the matrix."""
        with self.block() as memory:
            for part in rows.split(self.rows_per_block):
                block, every = memory[: len(part)], slice(int(part[0]), int(part[-1]) + 1)
                crowded[every] = self._compute(part, None, block)
                # Computed in the cache and copied is faster than computed in place.
                if matrix is not None:
                    matrix[every] = block
                yield part, block

    def rows(self, rows: torch.Tensor, memory: torch.Tensor | None = None) -> torch.Tensor:
        """Return a copy of the distances (len(rows), m) from the points of these indices."""
        if memory is None:
            memory = self._norms.new_empty((len(rows), self._width))
        if self._matrix is not None:
            return torch.index_select(self._matrix, 0, rows, out=memory)
        self._compute(rows, None if self._crowded is None else self._crowded[rows], memory)
        return memory

    def totals(self, weights: torch.Tensor, at_most: torch.Tensor | None = None) -> torch.Tensor:
        """Weighted sums (m,) of the distances from all points to each of the others.

        A distance from point i counts as `at_most[i]`, if that is given and less.
        """
        exact = accumulator_dtype(weights.device)

        def add_up(blocks: Blocks) -> torch.Tensor:
            totals = torch.zeros(self._width, dtype=exact, device=weights.device)
            with self.block() as memory:
                for rows, block in blocks:
                    counted = block
                    if at_most is not None:
                        counted = memory[: len(rows)]
                        torch.minimum(block, at_most[rows, None], out=counted)
                    totals += weights[rows] @ counted
            return totals

        return torch.stack(self.in_parts(add_up)).sum(dim=0)

    def between(self, rows: torch.Tensor, columns: torch.Tensor) -> torch.Tensor:
        """Return the distances (len(rows), len(columns)) between points of these indices."""
        part = Distances(self._points[rows], self._others[columns])
        return torch.cat([block.clone() for _, block in part.blocks()])

    def _compute(
        self, rows: torch.Tensor, suspects: torch.Tensor | None, memory: torch.Tensor
    ) -> torch.Tensor:
        """Fill memory with the distances of these rows; returns which had to be made again."""
        norms = self._norms[rows]
        squared = _expand(self._points[rows], norms, self._others, self._other_norms, memory)
        if self._to_itself:
            # A point's own entry would make every row look cancelled.
            itself = torch.arange(len(rows), device=rows.device), rows
            squared[itself] = torch.inf
        if suspects is None:
            suspects = squared.amin(dim=1) <= _CANCELLED[squared.dtype] * norms
        if suspects.any():
            squared[suspects] = self._recompute(rows[suspects]).to(squared.dtype)
        if self._to_itself:
            squared[itself] = 0
        squared.sqrt_()
        return suspects

    def _recompute(self, rows: torch.Tensor) -> torch.Tensor:
        """Squared distances in the best precision there is, zero where no digit is left."""
        if self._double is None:
            dtype = accumulator_dtype(rows.device)
            points, others = self._points.to(dtype), self._others.to(dtype)
            self._double = points, _squared_norms(points), others, _squared_norms(others)
        points, norms, others, other_norms = self._double
        squared = _expand(points[rows], norms[rows], others, other_norms)
        nothing_left = squared <= _NOTHING_LEFT[squared.dtype] * norms[rows, None]
        return squared.masked_fill_(nothing_left, 0)


def _views(matrix: torch.Tensor, rows_per_block: int, rows: torch.Tensor) -> Blocks:
    """Yield blocks of successive rows of a matrix, which are not copied."""
    for part in rows.split(rows_per_block):
        yield part, matrix[int(part[0]) : int(part[-1]) + 1]


def _centred(points: Points, others: Points | None) -> tuple[Points, Points]:
    """Move points to where many points are: gradients of rows that are learned lie together."""
    if isinstance(points, OuterProducts):
        return points, points if others is None else others
    assert not isinstance(others, OuterProducts)
    centre = points[:: -(-len(points) // _ROWS_FOR_CENTRE)].median(dim=0).values
    moved = points - centre
    return moved, moved if others is None else others - centre


def _squared_norms(points: Points) -> torch.Tensor:
    if isinstance(points, OuterProducts):
        norms = points.squared_norms()
    else:
        norms = points.square().sum(dim=1)
    # Four, because the square of a distance can be four times the larger squared norm.
    if not torch.isfinite(4 * norms).all():
        raise ValueError(
            f"points are too large for squares in {points.dtype}; divide them by their maximum."
        )
    return norms


def _expand(
    points: Points,
    norms: torch.Tensor,
    others: Points,
    other_norms: torch.Tensor,
    memory: torch.Tensor | None = None,
) -> torch.Tensor:
    # The sum of the norms first: it makes the result symmetric in the two points to the last bit.
    squared = torch.add(norms[:, None], other_norms[None, :], out=memory)
    if isinstance(points, OuterProducts):
        assert isinstance(others, OuterProducts)
        return squared.sub_(points.inner_products(others), alpha=2)
    assert isinstance(others, torch.Tensor)
    return squared.addmm_(points, others.T, alpha=-2)
