"""The index of the rows that users give, and results that carry it."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np


def row_index(*containers: Any) -> Any:
    """Index of the first pandas DataFrame or Series among ``containers``; None without one."""
    pandas = sys.modules.get("pandas")  # who has a DataFrame has imported it
    if pandas is None:
        return None
    for container in containers:
        if isinstance(container, pandas.DataFrame | pandas.Series):
            return container.index
    return None


def with_index(values: np.ndarray, index: Any, name: str) -> Any:
    """One value per row: a Series of that index, or as it is where the rows have none."""
    if index is None:
        return values
    import pandas

    return pandas.Series(values, index=index, name=name)
