"""What a network predicts for rows of the training set, in the form that suits their number."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import nn

from noisyfit._peaked import MANY_COLUMNS, Matrix, PeakedRows, stack_rows
from noisyfit.training.data import LabeledRows
from noisyfit.training.network import predict_probabilities

ROWS_AT_A_TIME = 2048


def predict_labeled(module: nn.Module, data: LabeledRows, index: np.ndarray, **options: Any) -> Any:
    """Class probabilities (n, classes) of the rows of ``index``, as float64.

    A dense array or, of many classes, those that each row is likeliest to be of and that of its
    given label: rows with few peaks, of which only a block at a time is ever dense.
    """
    if data.n_classes <= MANY_COLUMNS:
        return predict_probabilities(module, data.rows, index, **options)
    parts: list[Matrix] = []
    for first in range(0, len(index), ROWS_AT_A_TIME):
        part = index[first : first + ROWS_AT_A_TIME]
        dense = predict_probabilities(module, data.rows, part, **options)
        parts.append(PeakedRows.from_dense(dense, data.codes[part]))
    return stack_rows(parts)
