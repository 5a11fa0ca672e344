"""What a page shows of each row: text, a thumbnail, or the values of its features."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from noisyfit._compat import take_rows
from noisyfit.noise.label_text import is_missing

from .thumbnails import channels_last, thumbnails, value_limits

MAX_FEATURES = 30
MAX_CHARACTERS = 2000

# What the page receives: a kind and the lists that go with it.
Contents = dict[str, Any]


def describe_rows(
    data: Any, rows: NDArray[np.intp], feature_names: Sequence[str] | None = None
) -> Contents:
    """Make some rows of data showable.

    Parameters
    ----------
    data : None, DataFrame, sparse matrix, sequence of str, or array of features or images
        All rows.
    rows : ndarray of int
        Those to show.
    feature_names : sequence of str, default=None
        Names of the columns. None: those of a DataFrame, else their numbers.

    Returns
    -------
    dict
        With ``kind`` "nothing", "text", "images", "features" or "entries" (the largest entries of
        sparse rows), and what the page needs for it.

    Raises
    ------
    ValueError
        If the data have another shape, or ``feature_names`` another length.
    """
    if data is None:
        return {"kind": "nothing"}
    if sp.issparse(data):
        return _entries(sp.csr_array(take_rows(sp.csr_array(data), rows)), feature_names)
    if hasattr(data, "columns"):
        return _frame(data, rows, feature_names)
    array = np.asarray(data) if hasattr(data, "__array__") else _as_array(data)
    if array.ndim == 1:
        return {"kind": "text", "texts": [_text(value) for value in array[rows].tolist()]}
    if array.ndim == 2:
        names = _names(feature_names, array.shape[1])
        shown = array[rows][:, :MAX_FEATURES]
        columns = [[_value(v) for v in shown[:, i].tolist()] for i in range(shown.shape[1])]
        return _features(names, columns)
    if array.dtype.kind not in "uifb":
        raise ValueError(f"data of images must be numbers, got dtype {array.dtype}.")
    pixels = channels_last(array)
    return {
        "kind": "images",
        "height": pixels.shape[1],
        "width": pixels.shape[2],
        "images": thumbnails(array[rows], None if _is_bytes(array) else value_limits(array)),
    }


def _is_bytes(array: NDArray[Any]) -> bool:
    return bool(array.dtype == np.uint8)


def _as_array(data: Any) -> NDArray[Any]:
    """A list of strings or of rows as an array; strings stay whole."""
    values = list(data)
    if all(isinstance(value, str) or is_missing(value) for value in values):
        array = np.empty(len(values), dtype=object)
        array[:] = values
        return array
    return np.asarray(values)


def _frame(data: Any, rows: NDArray[np.intp], feature_names: Sequence[str] | None) -> Contents:
    """The columns of a DataFrame, pandas' or polars'."""
    names = _names(feature_names if feature_names is not None else data.columns, data.shape[1])
    # By position: the names of columns may repeat.
    part = take_rows(data, rows)
    columns = []
    for i in range(min(len(names), MAX_FEATURES)):
        column = part.iloc[:, i] if hasattr(part, "iloc") else part.to_series(i)
        columns.append([_value(value) for value in column.to_list()])
    if len(names) == 1 and all(isinstance(value, str) for value in columns[0]):
        return {"kind": "text", "texts": columns[0]}
    return _features(names, columns)


def _features(names: list[str], columns: list[list[str]]) -> Contents:
    return {
        "kind": "features",
        "names": names[:MAX_FEATURES],
        "values": columns,
        "n_hidden": max(len(names) - MAX_FEATURES, 0),
    }


def _entries(matrix: Any, feature_names: Sequence[str] | None) -> Contents:
    """Of each sparse row the entries that are farthest from zero, largest first."""
    names = _names(feature_names, matrix.shape[1])
    used: dict[int, int] = {}
    rows = []
    for start, stop in zip(matrix.indptr[:-1], matrix.indptr[1:], strict=True):
        values = matrix.data[start:stop]
        largest = np.argsort(-np.abs(values), kind="stable")[:MAX_FEATURES]
        entries = []
        for i in largest:
            column = int(matrix.indices[start + i])
            entries.append([used.setdefault(column, len(used)), _value(values[i].item())])
        rows.append(entries)
    return {"kind": "entries", "names": [names[column] for column in used], "entries": rows}


def _names(feature_names: Any, n_columns: int) -> list[str]:
    if feature_names is None:
        return [f"column {i}" for i in range(n_columns)]
    names = [str(name) for name in feature_names]
    if len(names) != n_columns:
        raise ValueError(
            f"feature_names has {len(names)} names, but the data have {n_columns} columns."
        )
    return names


def _value(value: Any) -> str:
    if is_missing(value):
        return "–"  # noqa: RUF001  a dash is what tables show for nothing
    if isinstance(value, bool | Integral):
        return str(value)
    if isinstance(value, Real):
        number = float(value)
        whole = number.is_integer() and abs(number) < 1e12
        return str(int(number)) if whole else f"{number:.6g}"
    return _text(value)


def _text(value: Any) -> str:
    if is_missing(value):
        return ""
    text = str(value)
    if len(text) <= MAX_CHARACTERS:
        return text
    return f"{text[:MAX_CHARACTERS]}… ({len(text) - MAX_CHARACTERS:,} more characters)"
