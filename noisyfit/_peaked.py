"""Matrices whose rows are even but for a few entries: probabilities over very many classes.

A softmax over a thousand classes puts nearly all of its mass on a few dozen of them. What is left
is spread evenly over the other columns here. Dropping it instead and scaling up the rest would
favour the entries that are kept whatever their size, as that of the given label is: a classifier
that knows little yet would seem to agree with the labels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

#: Matrices of more columns than this are kept as `PeakedRows`. Up to here a row of float64 takes
#: 2 kB at most, not much more than its 32 peaks with their columns (0.4 kB) and what is made of
#: them, and products of dense matrices are faster.
MANY_COLUMNS = 256
#: So many of the largest entries of a row are kept as they are, beside that of its given label.
N_PEAKS = 32


class PeakedRows:
    """Matrix (n, C) of a background value for each row, and peaks that stand out from it.

    It does what the code around it asks of an array, row by row or in linear combinations, in
    time and memory linear in the number of peaks. All else is spelled out as a method.

    Parameters
    ----------
    excess : csr_matrix of shape (n, C)
        How far each peak is above (or below) the background of its row.
    background : ndarray of shape (n,)
        The value of all other entries of the row.
    """

    __array_ufunc__ = None  # numpy's scalars leave arithmetic to the operators below

    def __init__(self, excess: Any, background: NDArray[np.float64]) -> None:
        self.excess = excess
        self.background = background

    @classmethod
    def from_dense(
        cls, block: NDArray[np.float64], labels: NDArray[Any], n_peaks: int = N_PEAKS
    ) -> PeakedRows:
        """Keep the largest entries of each row, and that of its label; level out the others."""
        n, n_columns = block.shape
        kept = np.ones(block.shape, dtype=bool)
        if n_peaks < n_columns:
            kept[:] = False
            largest = np.argpartition(block, n_columns - n_peaks, axis=1)[:, -n_peaks:]
            np.put_along_axis(kept, largest, True, axis=1)
            kept[np.arange(n), labels] = True
        rows, columns = np.divmod(np.flatnonzero(kept), n_columns)
        counts = np.bincount(rows, minlength=n)
        peaks = block[rows, columns]
        rest = block.sum(axis=1) - np.bincount(rows, peaks, minlength=n)
        background = _evenly(np.maximum(rest, 0.0), n_columns - counts)
        starts = np.concatenate([[0], np.cumsum(counts)])
        return cls(_csr(peaks - background[rows], columns, starts, block.shape), background)

    # -------------------------------------------------------------------------- as arrays have it

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and columns."""
        return self.excess.shape

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Any) -> PeakedRows:
        return PeakedRows(self.excess[rows], self.background[rows])

    def __setitem__(self, rows: Any, others: PeakedRows) -> None:
        order = np.arange(len(self))
        order[rows] = len(self) + np.arange(len(others))
        changed = stack_rows([self, others])[order]
        self.excess, self.background = changed.excess, changed.background

    def __add__(self, other: PeakedRows) -> PeakedRows:
        return PeakedRows(self.excess + other.excess, self.background + other.background)

    def __sub__(self, other: PeakedRows) -> PeakedRows:
        return PeakedRows(self.excess - other.excess, self.background - other.background)

    def __mul__(self, factor: float) -> PeakedRows:
        return PeakedRows(self.excess * factor, self.background * factor)

    __rmul__ = __mul__

    def __truediv__(self, divisor: float) -> PeakedRows:
        return PeakedRows(self.excess / divisor, self.background / divisor)

    def sum(self, axis: int) -> NDArray[np.float64]:
        """Sums of the rows (axis 1)."""
        _refuse_other_axes(axis)
        return _vector(self.excess.sum(axis=1)) + self.shape[1] * self.background

    def max(self, axis: int) -> NDArray[np.float64]:
        """Largest entries of the rows (axis 1)."""
        _refuse_other_axes(axis)
        # Where an entry is not stored the excess is zero, which is what the background is.
        return _vector(self.excess.max(axis=1).toarray()) + self.background

    def argmax(self, axis: int) -> NDArray[np.intp]:
        """Columns of the largest entries of the rows (axis 1), the first of equal ones."""
        _refuse_other_axes(axis)
        highest = _vector(self.excess.max(axis=1).toarray())
        result = np.full(len(self), -1, dtype=np.intp)
        is_highest = np.flatnonzero(self.excess.data == highest[self.rows_of_peaks])[::-1]
        result[self.rows_of_peaks[is_highest]] = self.excess.indices[is_highest]
        # Rows without a peak above the background, which hardly happens.
        flat = np.flatnonzero(highest <= 0)
        result[flat] = _vector(self.excess[flat].argmax(axis=1)) if len(flat) else 0
        return result

    def toarray(self) -> NDArray[np.float64]:
        """The dense matrix (n, C)."""
        return self.excess.toarray() + self.background[:, None]

    # --------------------------------------------------------------------------- and what is more

    @property
    def rows_of_peaks(self) -> NDArray[np.intp]:
        """The row of each peak."""
        return np.repeat(np.arange(len(self)), np.diff(self.excess.indptr))

    @property
    def columns_of_peaks(self) -> NDArray[Any]:
        """The column of each peak."""
        return self.excess.indices

    @property
    def peaks(self) -> NDArray[np.float64]:
        """The value of each peak."""
        return self.excess.data + self.background[self.rows_of_peaks]

    def at(self, columns: NDArray[Any]) -> NDArray[np.float64]:
        """One entry of each row, in the column given for it."""
        return _vector(self.excess[np.arange(len(self)), columns]) + self.background

    def squared_norms(self) -> NDArray[np.float64]:
        """Sums of the squares of the rows."""
        squares = _vector(self._with_peaks(self.peaks**2).sum(axis=1))
        return squares + self._n_others() * self.background**2

    def map(self, function: Callable[[Any], Any]) -> PeakedRows:
        """Apply a function to every entry, one by one."""
        background = function(self.background)
        return self._with_values(function(self.peaks), background)

    def plus(self, terms: NDArray[np.float64]) -> PeakedRows:
        """Add a number to all entries of each row."""
        return PeakedRows(self.excess, self.background + terms)

    def scaled(self, factors: NDArray[np.float64]) -> PeakedRows:
        """Multiply each row by a number."""
        return PeakedRows(
            self._with_peaks(self.excess.data * factors[self.rows_of_peaks]),
            self.background * factors,
        )

    def reweighted(self, at_peaks: NDArray[np.float64], totals: NDArray[np.float64]) -> PeakedRows:
        """Multiply entry by entry with a matrix, and level out the products of the background.

        ``at_peaks`` are the matrix's entries where there are peaks, ``totals`` (n,) the sums of
        its rows. The sums of the result's rows are exact.
        """
        elsewhere = totals - _vector(self._with_peaks(at_peaks).sum(axis=1))
        background = _evenly(self.background * np.maximum(elsewhere, 0.0), self._n_others())
        return self._with_values(self.peaks * at_peaks, background)

    def with_label(self, labels: NDArray[Any], values: float | NDArray[Any]) -> PeakedRows:
        """Add a number to the entry of each row's label."""
        n = len(self)
        added = _csr(np.full(n, values), labels, np.arange(n + 1), self.shape)
        return PeakedRows(self.excess + added, self.background)

    def narrowed(self, labels: NDArray[Any], n_peaks: int = N_PEAKS) -> PeakedRows:
        """Keep the largest peaks of each row, and that of its label; level out the others."""
        counts = np.diff(self.excess.indptr)
        if counts.max() <= n_peaks + 1:
            return self
        rows, peaks, width = self.rows_of_peaks, self.peaks, counts.max()
        table = np.full((len(self), width), -np.inf)
        table[rows, np.arange(len(rows)) - np.repeat(self.excess.indptr[:-1], counts)] = peaks
        too_small = np.partition(table, width - n_peaks - 1, axis=1)[:, width - n_peaks - 1]
        kept = (peaks > too_small[rows]) | (self.excess.indices == labels[rows])
        left = np.bincount(rows[kept], minlength=len(self))
        dropped = np.bincount(rows[~kept], peaks[~kept], minlength=len(self))
        rest = dropped + self.background * self._n_others()
        background = _evenly(rest, self.shape[1] - left)
        starts = np.concatenate([[0], np.cumsum(left)])
        data = peaks[kept] - background[rows[kept]]
        return PeakedRows(_csr(data, self.excess.indices[kept], starts, self.shape), background)

    def over_columns_with_peaks(self) -> NDArray[np.float64]:
        """Dense rows with the same distances and norms: one column for all without a peak.

        It holds the background, times the root of the number of columns that it stands for.
        """
        columns, places = np.unique(self.excess.indices, return_inverse=True)
        shape = (len(self), len(columns))
        excess = _csr(self.excess.data, places, self.excess.indptr, shape).toarray()
        rest = np.sqrt(self.shape[1] - len(columns)) * self.background
        return np.column_stack([excess + self.background[:, None], rest])

    def _n_others(self) -> NDArray[np.intp]:
        """Number of the entries of each row that are no peaks."""
        return self.shape[1] - np.diff(self.excess.indptr)

    def _with_peaks(self, data: NDArray[np.float64]) -> Any:
        return _csr(data, self.excess.indices, self.excess.indptr, self.shape)

    def _with_values(
        self, peaks: NDArray[np.float64], background: NDArray[np.float64]
    ) -> PeakedRows:
        return PeakedRows(self._with_peaks(peaks - background[self.rows_of_peaks]), background)


Matrix: TypeAlias = NDArray[np.float64] | PeakedRows


def entries_at(matrix: Matrix, columns: NDArray[Any]) -> NDArray[np.float64]:
    """One entry of each row, in the column given for it."""
    if isinstance(matrix, PeakedRows):
        return matrix.at(columns)
    return matrix[np.arange(len(matrix)), columns]


def narrowed(matrix: Matrix, labels: NDArray[Any]) -> Matrix:
    """Level out what linear combinations have added to the peaks; arrays stay what they are."""
    return matrix.narrowed(labels) if isinstance(matrix, PeakedRows) else matrix


def stack_rows(parts: Sequence[Any]) -> Any:
    """The rows of several matrices of one kind, one below the other."""
    if not isinstance(parts[0], PeakedRows):
        return np.concatenate(parts)
    excess = scipy.sparse.vstack([part.excess for part in parts], format="csr")
    return PeakedRows(excess, np.concatenate([part.background for part in parts]))


def _csr(data: Any, columns: Any, starts: Any, shape: tuple[int, int]) -> Any:
    return scipy.sparse.csr_matrix((data, columns, starts), shape=shape)


def _evenly(totals: NDArray[np.float64], counts: NDArray[np.intp]) -> NDArray[np.float64]:
    """Each total divided among so many; zero where there is none to share it."""
    return np.where(counts > 0, totals / np.maximum(counts, 1), 0.0)


def _vector(values: Any) -> NDArray[Any]:
    return np.asarray(values).ravel()


def _refuse_other_axes(axis: int) -> None:
    if axis != 1:
        raise ValueError(f"axis must be 1, rows are what is summed up here, got {axis!r}.")
