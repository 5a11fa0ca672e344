"""Rows in blocks, so that what is computed from many rows is never held for all at once."""

from __future__ import annotations

from collections.abc import Iterator

#: Numbers of a block: 1 MiB of float64, enough for the loop over blocks to cost nothing.
NUMBERS_AT_A_TIME = 2**17


def slices(n_rows: int, n_columns: int = 1) -> Iterator[slice]:
    """Slices of about equal size that cover all rows, each of some hundred thousand numbers.

    None is of a single row unless there is only one: sums over the columns of a single row may be
    taken in another order than those of many.
    """
    size = max(2, NUMBERS_AT_A_TIME // max(1, n_columns))
    n_parts = max(1, n_rows // size)
    for part in range(n_parts):
        yield slice(part * n_rows // n_parts, (part + 1) * n_rows // n_parts)
