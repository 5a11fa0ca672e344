"""What a network predicts for rows, in the form that suits their number."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from noisyfit._blocks import NUMBERS_AT_A_TIME
from noisyfit._peaked import MANY_COLUMNS, Matrix, PeakedRows, stack_rows
from noisyfit._precision import in_double
from noisyfit.training.checks import logits_of
from noisyfit.training.data import LabeledRows
from noisyfit.training.rows import Rows, apply_module

PREDICTION_BATCH_SIZE = 256
ROWS_AT_A_TIME = 2048


@torch.no_grad()
def logit_blocks(
    module: nn.Module,
    rows: Rows,
    index: np.ndarray | None = None,
    *,
    batch_size: int = PREDICTION_BATCH_SIZE,
    fixed_size: bool = True,
) -> Iterator[Tensor]:
    """Logits of the rows (all, or those of ``index``) in order, in evaluation mode.

    Some thousand rows at a time, so that a GPU is seldom waited for.
    """
    was_training = module.training
    if was_training:  # a fitted network is not: so threads may predict by it at the same time
        module.eval()
    try:
        parts: list[Tensor] = []
        n_numbers = 0
        for block, n_real in rows.blocks(batch_size, index, fixed_size=fixed_size):
            parts.append(logits_of(apply_module(module, block, rows.autocast))[:n_real])
            n_numbers += parts[-1].numel()
            if n_numbers >= NUMBERS_AT_A_TIME:
                yield torch.cat(parts)
                parts, n_numbers = [], 0
        if parts:
            yield torch.cat(parts)
    finally:
        if was_training:
            module.train()


def predict_logits(
    module: nn.Module, rows: Rows, index: np.ndarray | None = None, **options: Any
) -> Tensor:
    """Logits (n, classes) of the rows (all, or those of ``index``), in evaluation mode."""
    return torch.cat(list(logit_blocks(module, rows, index, **options)))


def probability_blocks(
    module: nn.Module, rows: Rows, index: np.ndarray | None = None, **options: Any
) -> Iterator[np.ndarray]:
    """Class probabilities as float64, softmax taken in float64, some thousand rows at a time."""
    for logits in logit_blocks(module, rows, index, **options):
        yield in_double(logits).softmax(1).cpu().numpy()


def predict_probabilities(
    module: nn.Module, rows: Rows, index: np.ndarray | None = None, **options: Any
) -> np.ndarray:
    """Class probabilities (n, classes) as float64, softmax taken in float64."""
    n_rows = len(rows) if index is None else len(index)
    return joined(probability_blocks(module, rows, index, **options), n_rows)


def joined(blocks: Iterator[np.ndarray], n_rows: int) -> np.ndarray:
    """Blocks of ``n_rows`` rows one below the other, none of which is kept beside the result."""
    first = next(blocks)
    if len(first) == n_rows:
        return first
    result = np.empty((n_rows, *first.shape[1:]), dtype=first.dtype)
    result[: len(first)] = first
    n_before = len(first)
    for block in blocks:
        result[n_before : n_before + len(block)] = block
        n_before += len(block)
    return result


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
