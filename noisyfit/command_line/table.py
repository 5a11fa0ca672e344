"""Reading a table from a file, with an error a user can act on for whatever is wrong with it."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .errors import CommandError

DELIMITERS = (",", ";", "\t", "|")
PARQUET = (".parquet", ".pq")
NOT_READ = (".xlsx", ".xls", ".ods", ".json", ".jsonl", ".html", ".feather", ".npz", ".npy", ".zip")


def read_table(path: Path, label: str, encoding: str = "utf-8") -> Any:
    """Read a CSV or Parquet file.

    Parameters
    ----------
    path : Path
        The file.
    label : str
        A column it is expected to have, which helps to find the delimiter.
    encoding : str, default="utf-8"
        Of a CSV file.

    Returns
    -------
    pandas.DataFrame
        The table, at least one row.

    Raises
    ------
    CommandError
        If there is no such file, it is no table, or a package for reading it is missing.
    """
    try:
        import pandas as pd
    except ImportError:
        raise CommandError("reading tables needs pandas: pip install 'noisyfit[report]'.") from None
    if not path.exists():
        raise CommandError(f"there is no file {path}.")
    if path.is_dir():
        raise CommandError(f"{path} is a folder; name a CSV or Parquet file.")
    suffix = path.suffix.lower()
    if suffix in NOT_READ:
        raise CommandError(f"{path} is no CSV or Parquet file; save it as one of them.")
    try:
        if suffix in PARQUET:
            table = pd.read_parquet(path)
        else:
            table = pd.read_csv(path, sep=_delimiter(path, label, encoding), encoding=encoding)
    except ImportError:
        raise CommandError(
            "reading Parquet files needs pyarrow: pip install 'noisyfit[report]'."
        ) from None
    except UnicodeDecodeError as error:
        raise CommandError(
            f"{path} is not encoded in {encoding} ({error.reason} at byte {error.start}); name "
            "its encoding, as in --encoding latin-1."
        ) from None
    except LookupError:
        raise CommandError(f"Python knows no encoding {encoding!r}.") from None
    except OSError as error:
        raise CommandError(f"{path} can't be read: {error.strerror or error}.") from None
    except ValueError as error:  # what pandas and pyarrow raise for files that are no tables
        raise CommandError(f"{path} can't be read as a table: {str(error).strip()}") from None
    if not len(table):
        raise CommandError(f"{path} has no rows.")
    table.columns = [str(name) for name in table.columns]
    return table


def check_columns(table: Any, names: Sequence[str], option: str) -> None:
    """Refuse names of columns that are not there, and suggest which may be meant.

    Parameters
    ----------
    table : pandas.DataFrame
        The table.
    names : sequence of str
        Names that a user gave.
    option : str
        The option that gave them.

    Raises
    ------
    CommandError
        If a column is missing.
    """
    columns = list(table.columns)
    for name in names:
        if name in columns:
            continue
        by_lower = {column.lower(): column for column in columns}
        near = difflib.get_close_matches(name.lower(), by_lower, n=3, cutoff=0.5)
        if near:
            hint = f"did you mean {' or '.join(repr(by_lower[n]) for n in near)}?"
        else:
            some = ", ".join(columns[:20]) + (", ..." if len(columns) > 20 else "")
            hint = f"it has {some}."
        raise CommandError(f"{option}: the table has no column {name!r}; {hint}")


def labels_of(table: Any, label: str) -> tuple[np.ndarray, np.ndarray]:
    """The labels and where there are any.

    Parameters
    ----------
    table : pandas.DataFrame
        The table.
    label : str
        Name of the column.

    Returns
    -------
    labels : ndarray
        Of the rows that have one.
    rows : ndarray of int
        Positions of these rows.

    Raises
    ------
    CommandError
        If these are no labels of classes: all missing, one class only, or measurements.
    """
    column = table[label]
    rows = np.flatnonzero(column.notna().to_numpy())
    if not len(rows):
        raise CommandError(f"--label: the column {label!r} is empty.")
    labels = np.asarray(column.iloc[rows])
    if labels.dtype.kind not in "iubfUS":
        labels = labels.astype(object)
    try:
        classes, counts = np.unique(labels, return_counts=True)
    except TypeError:
        raise CommandError(
            f"--label: the column {label!r} mixes text with numbers; write all labels alike."
        ) from None
    if len(classes) == 1:
        raise CommandError(
            f"--label: every row of the column {label!r} is {classes.tolist()[0]!r}; labels can "
            "only be judged if there are at least two classes."
        )
    if counts.max() == 1:
        raise CommandError(
            f"--label: each of the {len(rows):,} rows has a label of its own in the column "
            f"{label!r}; is it an identifier, or something measured?"
        )
    if labels.dtype.kind == "f" and (labels != np.floor(labels)).any() and len(classes) > 20:
        raise CommandError(
            f"--label: the column {label!r} holds {len(classes):,} different numbers with "
            "fractions, a measurement rather than classes; noisyfit judges classes."
        )
    return labels, rows


def _delimiter(path: Path, label: str, encoding: str) -> str:
    """The delimiter under which the header has the label's column, else the most columns."""
    import pandas as pd

    best, most = ",", 0
    for delimiter in DELIMITERS:
        columns = pd.read_csv(path, sep=delimiter, nrows=0, encoding=encoding).columns
        if label in columns:
            return delimiter
        if len(columns) > most:
            best, most = delimiter, len(columns)
    return best
