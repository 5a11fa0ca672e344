"""Rows of a sparse matrix, whose zeros are never filled in."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse
import torch
from torch import Tensor

from noisyfit.training.rows.base import RowForm, Rows, moved
from noisyfit.training.surroundings import without_warning


class SparseRows(Rows):
    """Rows of a scipy CSR matrix; batches are torch sparse CSR tensors."""

    def __init__(self, features: Any, device: torch.device) -> None:
        self.features = scipy.sparse.csr_matrix(features)
        self.device = device
        self.shape = tuple(self.features.shape)
        self._check_device()

    def _check_device(self) -> None:
        """Raise where torch has no sparse rows: up to 2.13, on Apple's GPUs."""
        place = torch.zeros(1, dtype=torch.int64, device=self.device)
        try:
            self._tensor(torch.cat([place, place + 1]), place, place.float(), (1, 1))
        except NotImplementedError as error:
            raise ValueError(
                f"sparse X can't be used on device={str(self.device)!r}, for which torch "
                f"{torch.__version__} has no sparse rows; use device='cpu', or a dense X."
            ) from error

    @property
    def form(self) -> RowForm:
        """What the rows are like."""
        return RowForm("sparse", self.shape[1:])

    def fetch(self, index: Tensor) -> Tensor:  # noqa: D102
        part = self.features[index.numpy()]
        return self._tensor(part.indptr, part.indices, part.data, part.shape)

    def put(self, batch: Tensor) -> Tensor:  # noqa: D102
        if batch.device == self.device:
            return batch
        return self._tensor(
            moved(batch.crow_indices(), self.device),
            moved(batch.col_indices(), self.device),
            moved(batch.values(), self.device),
            batch.shape,
        )

    def pad(self, batch: Tensor, size: int) -> Tensor:  # noqa: D102
        missing = size - batch.shape[0]
        if not missing:
            return batch
        starts = batch.crow_indices()
        starts = torch.cat([starts, starts[-1:].expand(missing)])
        return self._tensor(starts, batch.col_indices(), batch.values(), (size, batch.shape[1]))

    def mix(self, first: Tensor, second: Tensor, share: Tensor) -> Tensor:  # noqa: D102
        # Both rows' entries side by side; layers add up what has the same column.
        starts, others = first.crow_indices(), second.crow_indices()
        columns = first.col_indices().new_empty(first.values().numel() + second.values().numel())
        values = first.values().new_empty(len(columns))
        for batch, factor, before in (
            (first, share, others[:-1]),
            (second, 1 - share, starts[1:]),
        ):
            row = _row_of_each_entry(batch)
            place = torch.arange(len(row), device=row.device) + before[row]
            columns[place] = batch.col_indices()
            values[place] = batch.values() * factor[row]
        return self._tensor(starts + others, columns, values, first.shape)

    def mean_and_scale(self, weight: np.ndarray) -> tuple[Tensor, Tensor] | None:
        """None: centring would fill in the zeros."""
        return None

    def _tensor(self, starts: Any, columns: Any, values: Any, shape: tuple[int, ...]) -> Tensor:
        values = torch.as_tensor(values)
        with without_warning("Sparse CSR tensor support is in beta"):
            return torch.sparse_csr_tensor(
                torch.as_tensor(starts, dtype=torch.int64),
                torch.as_tensor(columns, dtype=torch.int64),
                values,
                size=shape,
                device=values.device,
                check_invariants=False,
            )


def _row_of_each_entry(batch: Tensor) -> Tensor:
    starts = batch.crow_indices()
    rows = torch.arange(batch.shape[0], device=starts.device)
    # Their number is known, so a GPU need not be waited for to count them.
    return rows.repeat_interleave(starts.diff(), output_size=batch.values().numel())
