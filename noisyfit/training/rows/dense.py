"""Rows of one array of numbers."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from noisyfit.training.rows.base import Rows
from noisyfit.training.surroundings import without_warning


class DenseRows(Rows):
    """Rows of an array of two or more dimensions (kept as it is: a memory map stays one)."""

    def __init__(self, features: np.ndarray, device: torch.device) -> None:
        # Read-only arrays (memory maps) are only ever read here.
        with without_warning("The given NumPy array is not writable"):
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
