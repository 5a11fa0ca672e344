"""The features of a data set as rows from which batches are cut.

A PyTorch ``DataLoader`` fetches rows one by one and collates them; for data that already lie
in one array a single indexing operation per batch does the same work several times faster.
"""

from __future__ import annotations

import abc
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

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


def apply_module(
    module: Callable[..., Any], batch: Features, autocast: torch.dtype | None = None
) -> Any:
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


def moved(tensor: Tensor, device: torch.device) -> Tensor:
    """The tensor on the device, without waiting for what a GPU has still to do."""
    if device.type == "cuda" and tensor.device.type == "cpu":
        # Of memory that may be paged out, torch copies only when the GPU has come so far.
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)


class Rows(abc.ABC):
    """``len(rows)`` rows of features; ``take`` cuts a batch and puts it on the device."""

    shape: tuple[int, ...]
    device: torch.device
    #: Options of a ``DataLoader`` that fetches blocks; none where that takes no time.
    loader_options: Mapping[str, Any] = MappingProxyType({})
    autocast: torch.dtype | None = None  # what a module's products with the rows are computed in
    processes: Processes = ALONE  # those that train on the rows together

    @property
    def index_device(self) -> torch.device:
        """Where `fetch` has its index best: on the device, if that is where the features lie."""
        return torch.device("cpu")

    @abc.abstractmethod
    def fetch(self, index: Tensor) -> Features:
        """Rows ``index`` (int64) where and as they lie: what workers can do."""

    def put(self, batch: Features) -> Features:
        """Put what was fetched on the device, as the module is given it."""
        if isinstance(batch, dict):
            return {name: moved(values, self.device) for name, values in batch.items()}
        return moved(batch, self.device)

    def take(self, index: Tensor) -> Features:
        """Rows ``index`` (int64) as a batch on the device."""
        return self.put(self.fetch(index))

    def fetched(self, indices: Sequence[Tensor]) -> Iterator[Features]:
        """What `fetch` gives for each index, by the workers of a ``DataLoader`` if there are any.

        The loader has a generator of its own: looking at rows must not change what training draws.
        """
        if not self.loader_options:
            return (self.fetch(index) for index in indices)
        return iter(
            DataLoader(
                Fetching(self),
                sampler=indices,
                batch_size=None,
                generator=torch.Generator(),
                **self.loader_options,
            )
        )

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
        parts = numbers.to(self.index_device).split(size)
        for part, found in zip(parts, self.fetched(parts), strict=True):
            block = self.put(found)
            yield (self.pad(block, size) if fixed_size else block), len(part)


class Fetching(Dataset):
    """What a ``DataLoader`` sees of rows: item ``index``, a tensor, is the batch of those rows."""

    def __init__(self, rows: Rows) -> None:
        self.rows = rows

    def __getitem__(self, index: Tensor) -> Features:
        return self.rows.fetch(index)
