"""Series of figures out of the records of a fit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np


def recorded(
    history: Iterable[Mapping[str, Any]], names: tuple[str, ...]
) -> tuple[np.ndarray, ...] | None:
    """Numbers of the epochs that recorded all ``names``, and an array of each; None if no epoch.

    A history may begin with epochs of helper networks, which record less.
    """
    epochs = [epoch for epoch in history if all(name in epoch for name in names)]
    if not epochs:
        return None
    columns = [np.array([epoch[name] for epoch in epochs]) for name in names]
    return np.array([epoch["epoch"] for epoch in epochs], dtype=np.intp), *columns
