"""Euclidean distances in blocks of bounded memory, by matrix products.

``|x - y|^2 = |x|^2 + |y|^2 - 2 x.y`` turns distances into one matrix product, the fastest operation
of any device, but subtracts nearly equal numbers when x and y are close. Two measures keep the
result exact enough: points are first centred on their mean, which makes the norms as small as they
can be, and rows that still hold a cancelled entry are computed again in float64.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from noisyfit.selection.inputs import accumulator_dtype, as_points

#: Bytes that distances may take up at a time.
MEMORY_BUDGET = 2**30

#: Sums of distances that differ by less than this share of the largest are equal up to rounding.
ROUNDING = {torch.float32: 2e-8, torch.float64: 1e-12}

# Blocks that stay in the processor's cache are several times faster; other devices want big ones.
_BLOCK_BYTES_CPU = 2**22
_BLOCK_BYTES_DEVICE = 2**28

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
    second = None if others is None else as_points(others, "others").to(tensor)
    if second is not None and second.shape[1] != tensor.shape[1]:
        raise ValueError(
            f"others must have the {tensor.shape[1]} columns of points, got {second.shape[1]}."
        )
    distances = Distances(tensor, second, memory_budget=memory_budget)
    return np.concatenate([block.cpu().numpy() for _, block in distances.blocks()])


class Distances:
    """Distances between two sets of points, handed out in blocks of rows.

    Parameters
    ----------
    points : tensor of shape (n, d)
    others : tensor of shape (m, d), default=None
        None stands for `points`; a point's distance to itself is then exactly zero.
    memory_budget : int, default=2**30
        Bytes that distances may take up at a time.
    keep_if_it_fits : bool, default=False
        Keep the whole matrix, if it fits the budget, for many requests of the same rows.
    """

    def __init__(
        self,
        points: torch.Tensor,
        others: torch.Tensor | None = None,
        *,
        memory_budget: int = MEMORY_BUDGET,
        keep_if_it_fits: bool = False,
    ) -> None:
        if memory_budget < 1:
            raise ValueError(f"memory_budget must be a positive number of bytes: {memory_budget}.")
        centre = points.mean(dim=0)
        self._to_itself = others is None
        self._points = points - centre
        self._others = self._points if others is None else others - centre
        self._norms = _squared_norms(self._points)
        self._other_norms = self._norms if others is None else _squared_norms(self._others)
        self._double: tuple[torch.Tensor, ...] | None = None
        self._matrix: torch.Tensor | None = None

        row_bytes = self._others.shape[0] * points.element_size()
        preferred = _BLOCK_BYTES_CPU if points.device.type == "cpu" else _BLOCK_BYTES_DEVICE
        # A block and the temporaries made from it are about three blocks in all.
        self.rows_per_block = max(1, min(memory_budget // 3, preferred) // row_bytes)
        if keep_if_it_fits and points.shape[0] * row_bytes <= memory_budget // 2:
            matrix = points.new_empty((points.shape[0], self._others.shape[0]))
            for part, (_, block) in zip(
                matrix.split(self.rows_per_block), self.blocks(), strict=True
            ):
                part.copy_(block)
            self._matrix = matrix

    def forget(self) -> None:
        """Give the memory of a matrix that was kept back; rows are computed from now on."""
        self._matrix = None

    def blocks(
        self, rows: torch.Tensor | None = None
    ) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Yield ``(rows, distances)``, the latter of shape (len(rows), m) and free to overwrite."""
        if rows is None:
            rows = torch.arange(self._points.shape[0], device=self._points.device)
        for part in rows.split(self.rows_per_block):
            yield part, self.rows(part)

    def rows(self, rows: torch.Tensor) -> torch.Tensor:
        """Return the distances (len(rows), m) from the points of these indices, as one block."""
        if self._matrix is not None:
            return self._matrix.index_select(0, rows)
        norms = self._norms[rows]
        squared = _expand(self._points[rows], norms, self._others, self._other_norms)
        if self._to_itself:
            # A point's own entry would make every row look cancelled.
            itself = torch.arange(len(rows), device=rows.device), rows
            squared[itself] = torch.inf
        cancelled = squared.amin(dim=1) <= _CANCELLED[squared.dtype] * norms
        if cancelled.any():
            squared[cancelled] = self._recompute(rows[cancelled]).to(squared.dtype)
        if self._to_itself:
            squared[itself] = 0
        return squared.sqrt_()

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


def _squared_norms(points: torch.Tensor) -> torch.Tensor:
    norms = points.square().sum(dim=1)
    # Four, because the square of a distance can be four times the larger squared norm.
    if not torch.isfinite(4 * norms).all():
        raise ValueError(
            f"points are too large for squares in {points.dtype}; divide them by their maximum."
        )
    return norms


def _expand(
    points: torch.Tensor, norms: torch.Tensor, others: torch.Tensor, other_norms: torch.Tensor
) -> torch.Tensor:
    return torch.addmm(other_norms[None, :], points, others.T, alpha=-2).add_(norms[:, None])
