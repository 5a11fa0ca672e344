"""What a network predicts for rows of the training set, in the form that suits their number."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import nn

from noisyfit._peaked import MANY_COLUMNS, Matrix, PeakedRows, stack_rows
from noisyfit.training.data import LabeledRows
from noisyfit.training.network import PREDICTION_BATCH_SIZE, predict_probabilities

ROWS_AT_A_TIME = 2048


def predict_labeled(module: nn.Module, data: LabeledRows, index: np.ndarray, **options: Any) -> Any:
    """Class probabilities (n, classes) of the rows of ``index``, as float64.

    A dense array or, of many classes, those that each row is likeliest to be of and that of its
    given label: rows with few peaks, of which only a block at a time is ever dense.

    Processes that train together each predict some of the rows, and all get them all, to the last
    bit as one process alone would.
    """
    processes = data.rows.processes
    if not processes.are_many:
        return _predict(module, data, index, **options)
    size = options.get("batch_size", PREDICTION_BATCH_SIZE)
    if data.n_classes > MANY_COLUMNS:
        size = ROWS_AT_A_TIME
    parts = processes.map_blocks(
        lambda some: _predict(module, data, some, **options), np.asarray(index), size
    )
    return stack_rows(parts)


def _predict(module: nn.Module, data: LabeledRows, index: np.ndarray, **options: Any) -> Any:
    if data.n_classes <= MANY_COLUMNS:
        return predict_probabilities(module, data.rows, index, **options)
    parts: list[Matrix] = []
    for first in range(0, len(index), ROWS_AT_A_TIME):
        part = index[first : first + ROWS_AT_A_TIME]
        dense = predict_probabilities(module, data.rows, part, **options)
        parts.append(PeakedRows.from_dense(dense, data.codes[part]))
    return stack_rows(parts)
