"""The features of a data set as rows from which batches are cut.

A PyTorch ``DataLoader`` fetches rows one by one and collates them; for data that already lie
in one array a single indexing operation per batch does the same work several times faster.
"""

from __future__ import annotations

import abc
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import scipy.sparse
import torch
from torch import Tensor


class Rows(abc.ABC):
    """``len(rows)`` rows of features; ``take`` cuts a batch and puts it on the device."""

    shape: tuple[int, ...]

    @abc.abstractmethod
    def take(self, index: Tensor) -> Tensor:
        """Rows ``index`` (int64, on the CPU) as a tensor on the device."""

    @abc.abstractmethod
    def pad(self, batch: Tensor, size: int) -> Tensor:
        """Append empty rows until ``batch`` has ``size`` rows."""

    @abc.abstractmethod
    def mix(self, first: Tensor, second: Tensor, share: Tensor) -> Tensor:
        """Row by row ``share * first + (1 - share) * second``."""

    @abc.abstractmethod
    def mean_and_scale(self, weight: np.ndarray) -> tuple[Tensor, Tensor] | None:
        """Weighted mean and standard deviation of each column; None where it does not apply."""

    def __len__(self) -> int:
        return self.shape[0]

    def blocks(
        self, size: int, index: np.ndarray | None = None, *, fixed_size: bool = False
    ) -> Iterator[tuple[Tensor, int]]:
        """Rows in order (all, or those of ``index``), as ``(block, number of real rows in it)``.

        With ``fixed_size`` every block has exactly ``size`` rows, the last one padded. A matrix
        product rounds differently for different shapes, so only equal shapes make the
        prediction for a row independent of the rows that are predicted with it.
        """
        numbers = torch.arange(len(self)) if index is None else torch.from_numpy(index)
        for part in numbers.split(size):
            block = self.take(part)
            yield (self.pad(block, size) if fixed_size else block), len(part)


class DenseRows(Rows):
    """Rows of an array of two or more dimensions (kept as it is: a memory map stays one)."""

    def __init__(self, features: np.ndarray, device: torch.device) -> None:
        with warnings.catch_warnings():
            # Read-only arrays (memory maps) are only ever read here.
            warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
            tensor = torch.from_numpy(features)
        mapped = isinstance(features, np.memmap) or isinstance(features.base, np.memmap)
        self.features = tensor if mapped else tensor.to(device)
        self.device = device
        self.shape = tuple(features.shape)

    def take(self, index: Tensor) -> Tensor:  # noqa: D102
        index = index.to(self.features.device)
        return self.features.index_select(0, index).to(self.device)

    def pad(self, batch: Tensor, size: int) -> Tensor:  # noqa: D102
        missing = size - batch.shape[0]
        return (
            torch.cat([batch, batch.new_zeros((missing, *batch.shape[1:]))]) if missing else batch
        )

    def mix(self, first: Tensor, second: Tensor, share: Tensor) -> Tensor:  # noqa: D102
        share = share.view((-1,) + (1,) * (first.dim() - 1))
        return first * share + second * (1 - share)

    def mean_and_scale(self, weight: np.ndarray) -> tuple[Tensor, Tensor] | None:  # noqa: D102
        if len(self.shape) != 2:
            return None
        weights = torch.from_numpy(weight / weight.sum()).to(self.features.device)
        size = max(1, 2**22 // max(1, self.shape[1]))  # bounds the float64 copies to some 32 MiB
        mean = torch.zeros(self.shape[1], dtype=torch.float64, device=self.features.device)
        for start in range(0, len(self), size):
            mean += weights[start : start + size] @ self.features[start : start + size].double()
        variance = torch.zeros_like(mean)
        for start in range(0, len(self), size):
            centred = self.features[start : start + size].double() - mean
            variance += weights[start : start + size] @ centred.square_()
        scale = variance.sqrt_()
        # A constant column has only rounding error left: dividing by it would blow that up.
        precision = torch.finfo(self.features.dtype).eps
        constant = scale <= precision * mean.abs().clamp_min(1e-12)
        return mean, scale.masked_fill_(constant, 1.0)


class SparseRows(Rows):
    """Rows of a scipy CSR matrix; batches are torch sparse CSR tensors."""

    def __init__(self, features: Any, device: torch.device) -> None:
        self.features = scipy.sparse.csr_matrix(features)
        self.device = device
        self.shape = tuple(self.features.shape)

    def take(self, index: Tensor) -> Tensor:  # noqa: D102
        part = self.features[index.numpy()]
        return self._tensor(part.indptr, part.indices, part.data, part.shape)

    def pad(self, batch: Tensor, size: int) -> Tensor:  # noqa: D102
        missing = size - batch.shape[0]
        if not missing:
            return batch
        starts = batch.crow_indices()
        starts = torch.cat([starts, starts[-1:].expand(missing)])
        return self._tensor(starts, batch.col_indices(), batch.values(), (size, batch.shape[1]))

    def mix(self, first: Tensor, second: Tensor, share: Tensor) -> Tensor:  # noqa: D102
        # Both rows' entries side by side; layers add up what has the same column.
        own, other = self._scaled(first, share), self._scaled(second, 1 - share)
        mixed = scipy.sparse.csr_matrix(own + other)
        return self._tensor(mixed.indptr, mixed.indices, mixed.data, mixed.shape)

    def _scaled(self, batch: Tensor, factor: Tensor) -> Any:
        parts = (batch.values(), batch.col_indices(), batch.crow_indices())
        matrix = scipy.sparse.csr_matrix(tuple(p.cpu().numpy() for p in parts), tuple(batch.shape))
        return matrix.multiply(factor.cpu().numpy()[:, None]).tocsr().astype(matrix.dtype)

    def mean_and_scale(self, weight: np.ndarray) -> tuple[Tensor, Tensor] | None:
        """None: centring would fill in the zeros."""
        return None

    def _tensor(self, starts: Any, columns: Any, values: Any, shape: tuple[int, int]) -> Tensor:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta")
            return torch.sparse_csr_tensor(
                torch.as_tensor(starts, dtype=torch.int64),
                torch.as_tensor(columns, dtype=torch.int64),
                torch.as_tensor(values),
                size=shape,
                device=self.device,
                check_invariants=False,
            )


def as_rows(features: Any, device: torch.device) -> Rows:
    """Rows of a validated numpy array or scipy sparse matrix."""
    if scipy.sparse.issparse(features):
        return SparseRows(features, device)
    return DenseRows(features, device)
