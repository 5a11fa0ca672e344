"""Epochs of helper networks as records of a history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from skorch.history import History

Record = dict[str, Any]


def merged_record(epochs: Sequence[Mapping[str, Any]], phase: str) -> Record:
    """An epoch of several networks that train side by side, as one record."""
    return {
        "phase": phase,
        "n_rows": sum(epoch["n_rows"] for epoch in epochs),
        "train_loss": float(np.mean([epoch["train_loss"] for epoch in epochs])),
        "train_batch_count": sum(epoch["train_batch_count"] for epoch in epochs),
        "dur": sum(epoch["dur"] for epoch in epochs),
    }


def joined_history(records: Sequence[Record], history: History) -> History:
    """A history that begins with epochs of other networks; the network's own is left as it is.

    Its callbacks count the epochs of its own history, which those others are none of.
    """
    joined = History()
    for number, record in enumerate([*records, *history], 1):
        joined.append({**record, "epoch": number})
    return joined
