"""Epochs of helper networks as records of a history."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from skorch.history import History

Record = dict[str, Any]


def merged_record(histories: Sequence[History], phase: str) -> Record:
    """The last epoch of several networks that train side by side, as one record."""
    last = [history[-1] for history in histories]
    return {
        "phase": phase,
        "n_rows": sum(record["n_rows"] for record in last),
        "train_loss": float(np.mean([record["train_loss"] for record in last])),
        "train_batch_count": sum(record["train_batch_count"] for record in last),
        "dur": sum(record["dur"] for record in last),
    }


def add_records(history: History, records: Iterable[Record]) -> None:
    """Append epochs that other networks have run."""
    for record in records:
        history.new_epoch()
        history.record("epoch", len(history))
        for name, value in record.items():
            history.record(name, value)
