"""The features of a data set as rows from which batches are cut.

A PyTorch ``DataLoader`` fetches rows one by one and collates them; for data that already lie
in one array a single indexing operation per batch does the same work several times faster.
"""

from __future__ import annotations

import abc
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from noisyfit.training.distributed import ALONE, Processes

# What a module is given: a tensor, or a dict of tensors by name.
Features = Any


@dataclass(frozen=True)
class RowForm:
    """What a network has to know of the rows to be built for them.

    ``kind`` is "table", "sparse", "images" or "named", ``shape`` that of a row in a batch
    and ``names`` are those of named arrays.
    """

    kind: str
    shape: tuple[int, ...] = ()
    names: tuple[str, ...] = ()


def apply_module(module: nn.Module, batch: Features, autocast: torch.dtype | None = None) -> Any:
    """Output of a module for a batch; named tensors are its keywords.

    ``autocast`` is the type that products are computed in, if not that of the weights.
    """
    named = isinstance(batch, dict)
    if autocast is None:
        return module(**batch) if named else module(batch)
    device = next(iter(batch.values())).device if named else batch.device
    # What torch keeps of converted weights is forgotten where the outermost block of autocast ends:
    # that may be one of the caller's, and by then the weights have been trained.
    with torch.autocast(device.type, dtype=autocast, cache_enabled=False):
        return module(**batch) if named else module(batch)


class Rows(abc.ABC):
    """``len(rows)`` rows of features; ``take`` cuts a batch and puts it on the device."""

    shape: tuple[int, ...]
    device: torch.device
    autocast: torch.dtype | None = None  # what a module's products with the rows are computed in
    processes: Processes = ALONE  # those that train on the rows together

    @abc.abstractmethod
    def take(self, index: Tensor) -> Features:
        """Rows ``index`` (int64, on the CPU) as a batch on the device."""

    @abc.abstractmethod
    def pad(self, batch: Features, size: int) -> Features:
        """Append rows of no meaning until ``batch`` has ``size`` rows."""

    @abc.abstractmethod
    def mix(self, first: Features, second: Features, share: Tensor) -> Features:
        """Row by row ``share * first + (1 - share) * second``."""

    @abc.abstractmethod
    def mean_and_scale(self, weight: np.ndarray) -> tuple[Tensor, Tensor] | None:
        """Weighted mean and standard deviation of each column; None where it does not apply."""

    @property
    def form(self) -> RowForm:
        """What the rows are like."""
        return RowForm("table", self.shape[1:])

    def __len__(self) -> int:
        return self.shape[0]

    def blocks(
        self, size: int, index: np.ndarray | None = None, *, fixed_size: bool = False
    ) -> Iterator[tuple[Features, int]]:
        """Rows in order (all, or those of ``index``), as ``(block, number of real rows in it)``.

        With ``fixed_size`` every block has exactly ``size`` rows, the last one padded. A matrix
        product rounds differently for different shapes, so only equal shapes make the
        prediction for a row independent of the rows that are predicted with it.
        """
        numbers = torch.arange(len(self)) if index is None else torch.from_numpy(index)
        for part in numbers.split(size):
            block = self.take(part)
            yield (self.pad(block, size) if fixed_size else block), len(part)
