"""Rows of one array of numbers."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from noisyfit._precision import double_device, in_double
from noisyfit.training.rows.base import Rows, moved
from noisyfit.training.rows.dataset import DatasetItems
from noisyfit.training.rows.mapped import ConvertedMap, is_mapped
from noisyfit.training.surroundings import without_warning


class DenseRows(Rows):
    """Rows of an array of two or more dimensions, or of the items of a data set that are such rows.

    A memory map stays one, and items stay in their data set until they are fetched.
    """

    def __init__(
        self, features: np.ndarray | ConvertedMap | DatasetItems, device: torch.device
    ) -> None:
        self.features: Tensor | ConvertedMap | DatasetItems
        if isinstance(features, np.ndarray):
            # Read-only arrays (memory maps) are only ever read here.
            with without_warning("The given NumPy array is not writable"):
                tensor = torch.from_numpy(features)
            self.features = tensor if is_mapped(features) else tensor.to(device)
        else:
            self.features = features
        self.device = device
        self.shape = tuple(features.shape)
        if isinstance(features, DatasetItems):
            self.loader_options = features.loader_options

    @property
    def index_device(self) -> torch.device:  # noqa: D102
        return self.features.device if isinstance(self.features, Tensor) else torch.device("cpu")

    def fetch(self, index: Tensor) -> Tensor:  # noqa: D102
        if isinstance(self.features, Tensor):
            return self.features.index_select(0, moved(index, self.index_device))
        return self.features.read(index)

    def _parts(self, size: int) -> Iterator[Tensor]:
        """All rows in order, so many at a time, where they lie."""
        if isinstance(self.features, Tensor):
            return iter(self.features.split(size))
        return self.fetched(torch.arange(len(self)).split(size))

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
        device = double_device(self.index_device)
        weights = torch.from_numpy(weight / weight.sum()).to(device)
        size = max(1, 2**22 // max(1, self.shape[1]))  # bounds the float64 copies to some 32 MiB
        shares = weights.split(size)
        mean = torch.zeros(self.shape[1], dtype=torch.float64, device=device)
        for share, part in zip(shares, self._parts(size), strict=True):
            mean += share @ in_double(part)
        variance = torch.zeros_like(mean)
        for share, part in zip(shares, self._parts(size), strict=True):
            precision = torch.finfo(part.dtype).eps
            variance += share @ (in_double(part) - mean).square_()
        scale = variance.sqrt_()
        # A constant column has only rounding error left: dividing by it would blow that up.
        constant = scale <= precision * mean.abs().clamp_min(1e-12)
        return mean, scale.masked_fill_(constant, 1.0)
