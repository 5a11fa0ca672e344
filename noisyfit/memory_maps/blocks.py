"""Blocks of rows, in whatever container they come, as numpy arrays."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

BATCHED = (
    "Rows that come one by one can be put together by "
    "torch.utils.data.DataLoader(dataset, batch_size=4096)."
)


class Block(NamedTuple):
    """Some rows: features (n, ...), labels (n,) and weights (n,), and the features' names."""

    features: np.ndarray
    labels: np.ndarray | None = None
    weights: np.ndarray | None = None
    names: list[str] | None = None


def read_blocks(source: Any, label: str | None) -> Iterator[Block]:
    """The blocks of an iterable, or of a table or Parquet file that is given as a whole."""
    if not hasattr(_parts(source), "__iter__"):
        raise TypeError(
            "blocks must be an iterable of blocks of rows: (X, y) pairs, DataFrames or Arrow "
            f"tables; got {type(source).__name__}."
        )
    for number, block in enumerate(_parts(source)):
        try:
            yield _read(block, label)
        except (TypeError, ValueError) as error:
            raise named_error(error, number) from error


def named_error(error: Exception, number: int) -> Exception:
    """The same error, with the number of the block."""
    kind = TypeError if isinstance(error, TypeError) else ValueError
    return kind(f"block {number}: {error}")


def _library(value: Any) -> str:
    return type(value).__module__.split(".")[0]


def _is_table(value: Any) -> bool:
    """Whether a value has named columns, as a DataFrame, an Arrow table or a record batch has."""
    return _library(value) in ("pandas", "polars", "pyarrow") and (
        hasattr(value, "columns") or hasattr(value, "column_names")
    )


def _parts(source: Any) -> Any:
    if _library(source) == "pyarrow":
        for method in ("iter_batches", "to_batches"):  # of a ParquetFile; of a dataset, a table
            if hasattr(source, method):
                return getattr(source, method)()
    return [source] if _is_table(source) else source


def _read(block: Any, label: str | None) -> Block:
    if _is_table(block):
        return _read_table(block, label)
    if label is not None:
        raise TypeError(
            f"label={label!r} names a column, which needs blocks that are DataFrames or Arrow "
            f"tables; got {type(block).__name__}. Leave label=None for (X, y) pairs."
        )
    if not isinstance(block, tuple | list):
        return Block(*_features(block))
    if len(block) not in (2, 3):
        raise TypeError(
            f"must be X, (X, y) or (X, y, sample_weight), got a {type(block).__name__} of "
            f"{len(block)} items."
        )
    features, labels, weights = (*block, None)[:3]
    block = _features(features)
    labels = None if labels is None else vector(labels, "y")
    weights = None if weights is None else vector(weights, "sample_weight").astype(np.float64)
    for name, values in (("y", labels), ("sample_weight", weights)):
        if values is not None and len(values) != len(block.features):
            raise ValueError(f"X has {len(block.features)} rows, but {name} has {len(values)}.")
    return block._replace(labels=labels, weights=weights)


def _features(values: Any) -> Block:
    if _is_table(values):
        return _read_table(values, None)
    if hasattr(values, "tocsr"):
        raise TypeError("sparse matrices are not mapped: fit takes them as they are.")
    array = as_array(values)
    if array.dtype.kind not in "buif":
        raise TypeError(f"X must hold numbers, got {array.dtype}.")
    if array.ndim < 2:
        raise ValueError(f"X must have a row for each entry, got shape {array.shape}. {BATCHED}")
    return Block(array)


def _read_table(table: Any, label: str | None) -> Block:
    names = list(table.column_names if _library(table) == "pyarrow" else table.columns)
    if len(set(names)) < len(names):
        raise ValueError(f"the names of columns must differ, got {names}.")
    if label is not None and label not in names:
        raise ValueError(f"label={label!r} is not a column; there are {names}.")
    columns = [name for name in names if name != label]
    if not columns:
        raise ValueError(f"there is no column beside label={label!r}.")
    features = np.column_stack([_numbers(_column(table, name), name) for name in columns])
    labels = None if label is None else vector(_column(table, label), label)
    return Block(features, labels, names=[str(name) for name in columns])


def _column(table: Any, name: Any) -> Any:
    if _library(table) != "pyarrow":
        return table[name]
    column = table.column(name)
    if hasattr(column.type, "value_type"):  # a dictionary: strings by number
        column = column.cast(column.type.value_type)
    # A column of a record batch is an array, that of a table is in chunks.
    return column.to_numpy() if hasattr(column, "chunks") else column.to_numpy(zero_copy_only=False)


def _numbers(column: Any, name: Any) -> np.ndarray:
    values = as_array(column)
    if values.dtype.kind == "O":  # numbers with missing ones among them, or text
        try:
            values = values.astype(np.float64)
        except (TypeError, ValueError) as error:
            raise TypeError(f"column {name!r} must hold numbers: {error}.") from error
    if values.dtype.kind not in "buif":
        raise TypeError(
            f"column {name!r} must hold numbers, got {values.dtype}; encode it, or leave it out."
        )
    return values


def as_array(values: Any) -> np.ndarray:
    """Numbers or labels of a tensor, a column or a list as an array, not copied if need not be."""
    if hasattr(values, "detach"):
        values = values.detach().cpu()
        values = values.float() if str(values.dtype) == "torch.bfloat16" else values
        return values.numpy()
    return np.asarray(values)


def vector(values: Any, name: str) -> np.ndarray:
    """One entry per row."""
    array = as_array(values)
    if array.dtype.kind == "U" and isinstance(values, list | tuple):
        array = np.array(values, dtype=object)  # numpy would make text of numbers among it
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise ValueError(f"{name} must have one entry per row, got shape {array.shape}. {BATCHED}")
    return array
