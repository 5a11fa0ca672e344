"""What each column of a table is: a number, a category, text, or nothing to learn from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .errors import CommandError

# Text is several words that hardly repeat: names of categories are shorter, or come often.
WORDS_OF_TEXT = 3.0
DISTINCT_TEXTS = 0.3
DISTINCT_IDENTIFIERS = 0.9


@dataclass
class Columns:
    """Names of a table's columns by kind, and why some are ignored."""

    numeric: list[str] = field(default_factory=list)
    categorical: list[str] = field(default_factory=list)
    text: list[str] = field(default_factory=list)
    ignored: dict[str, str] = field(default_factory=dict)

    @property
    def used(self) -> list[str]:
        """The columns a classifier learns from."""
        return [*self.categorical, *self.numeric, *self.text]

    def __str__(self) -> str:
        kinds = {"numeric": self.numeric, "categorical": self.categorical, "text": self.text}
        parts = [f"{len(names)} {kind}" for kind, names in kinds.items() if names]
        return ", ".join(parts)


def sort_columns(features: Any, text: Sequence[str] = (), drop: Sequence[str] = ()) -> Columns:
    """Decide what each column is.

    Parameters
    ----------
    features : pandas.DataFrame
        The columns without the label.
    text : sequence of str, default=()
        Columns that are text whatever they look like.
    drop : sequence of str, default=()
        Columns that a classifier must not see.

    Returns
    -------
    Columns
        The names by kind.

    Raises
    ------
    CommandError
        If no column is left to learn from.
    """
    columns = Columns()
    for name in features.columns:
        column = features[name]
        if name in drop:
            columns.ignored[name] = "dropped by --drop"
        elif name in text:
            columns.text.append(name)
        elif not column.notna().any():
            columns.ignored[name] = "empty"
        else:
            kind, reason = _kind_of(column)
            if kind:
                getattr(columns, kind).append(name)
            else:
                columns.ignored[name] = reason
    if not columns.used:
        reasons = ", ".join(f"{name} ({reason})" for name, reason in columns.ignored.items())
        raise CommandError(
            "there is no column to learn from"
            + (f"; all are ignored: {reasons}." if reasons else " beside the label.")
        )
    return columns


def prepared(features: Any, columns: Columns) -> Any:
    """The columns to learn from, as plain numbers and strings.

    Parameters
    ----------
    features : pandas.DataFrame
        The table.
    columns : Columns
        What its columns are.

    Returns
    -------
    pandas.DataFrame
        float64 with NaN for what is missing, and str with "" for it.
    """
    import pandas as pd

    result = {}
    for name in columns.used:
        column = features[name]
        if name in columns.numeric:
            numbers = _as_numbers(column)
            result[name] = np.where(np.isfinite(numbers), numbers, np.nan)
        else:
            there = column.notna().to_numpy()
            texts = column.astype(object).where(there, "")
            result[name] = np.array([str(value) for value in texts], dtype=object)
    return pd.DataFrame(result, index=features.index)


def _as_numbers(column: Any) -> np.ndarray:
    import pandas as pd

    if pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column):
        return column.to_numpy(dtype=np.float64, na_value=np.nan)
    # Dates: seconds, as floats hold them to the microsecond.
    seconds = column.astype("datetime64[us]").to_numpy().astype(np.float64) / 1e6
    return np.where(column.isna().to_numpy(), np.nan, seconds)


def _kind_of(column: Any) -> tuple[str, str]:
    """Name of the kind, or "" and why the column is ignored."""
    import pandas as pd

    types = pd.api.types
    if types.is_numeric_dtype(column) or types.is_bool_dtype(column):
        if types.is_integer_dtype(column) and len(column) > 2 and (column.diff()[1:] == 1).all():
            return "", "counts the rows"
        return "numeric", ""
    if types.is_datetime64_any_dtype(column):
        return ("numeric", "") if column.dt.tz is None else ("", "dates with a time zone")
    values = column.dropna().astype(str)
    distinct = values.nunique() / len(values)
    if values.str.split().str.len().mean() >= WORDS_OF_TEXT and distinct >= DISTINCT_TEXTS:
        return "text", ""
    if distinct > DISTINCT_IDENTIFIERS and len(values) >= 20:
        return "", "nearly every row has a value of its own"
    return "categorical", ""
