"""Rows of a sparse matrix, whose zeros are never filled in."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse
import torch
from torch import Tensor

from noisyfit.training.rows.base import RowForm, Rows
from noisyfit.training.surroundings import without_warning


class SparseRows(Rows):
    """Rows of a scipy CSR matrix; batches are torch sparse CSR tensors."""

    def __init__(self, features: Any, device: torch.device) -> None:
        self.features = scipy.sparse.csr_matrix(features)
        self.device = device
        self.shape = tuple(self.features.shape)

    @property
    def form(self) -> RowForm:
        """What the rows are like."""
        return RowForm("sparse", self.shape[1:])

    def fetch(self, index: Tensor) -> Tensor:  # noqa: D102
        part = self.features[index.numpy()]
        return self._tensor(part.indptr, part.indices, part.data, part.shape, torch.device("cpu"))

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

    def _tensor(
        self,
        starts: Any,
        columns: Any,
        values: Any,
        shape: tuple[int, int],
        device: torch.device | None = None,
    ) -> Tensor:
        with without_warning("Sparse CSR tensor support is in beta"):
            return torch.sparse_csr_tensor(
                torch.as_tensor(starts, dtype=torch.int64),
                torch.as_tensor(columns, dtype=torch.int64),
                torch.as_tensor(values),
                size=shape,
                device=self.device if device is None else device,
                check_invariants=False,
            )
