"""Rows that are images, kept as they came and turned into numbers batch by batch."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from noisyfit._precision import double_device, in_double
from noisyfit.training.rows.base import RowForm
from noisyfit.training.rows.channels import channel_axis
from noisyfit.training.rows.dataset import DatasetItems
from noisyfit.training.rows.dense import DenseRows
from noisyfit.training.rows.mapped import ConvertedMap


class ImageRows(DenseRows):
    """Images (n, H, W, C), (n, C, H, W) or (n, H, W); batches are (n, C, H, W).

    Bytes stay bytes (a quarter of the memory of numbers) until a batch is cut; 0 to 255 becomes
    0 to 1 then.
    """

    def __init__(
        self,
        images: np.ndarray | ConvertedMap | DatasetItems,
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        super().__init__(images, device)
        axis = channel_axis(images.shape)
        assert axis is not None
        self.channels_last = axis == 3
        self.dtype = dtype
        n, *rest = images.shape
        self.grey = axis == 0
        if self.grey:
            rest = [1, *rest]
        elif self.channels_last:
            rest = [rest[2], rest[0], rest[1]]
        self.shape = (n, *rest)

    @property
    def form(self) -> RowForm:
        """What the rows are like."""
        return RowForm("images", self.shape[1:])

    def put(self, batch: Tensor) -> Tensor:  # noqa: D102
        batch = super().put(batch)
        if self.grey:
            batch = batch.unsqueeze(1)
        if self.channels_last:
            batch = batch.permute(0, 3, 1, 2).contiguous()
        if batch.dtype == torch.uint8:
            return batch.to(self.dtype).div_(255)
        return batch

    def mean_and_scale(self, weight: np.ndarray) -> tuple[Tensor, Tensor]:
        """Weighted mean and standard deviation of each channel."""
        device = double_device(self.device)
        weights = torch.from_numpy(weight / weight.sum()).to(device)
        mean = torch.zeros(self.shape[1], dtype=torch.float64, device=device)
        square = torch.zeros_like(mean)
        n_pixels = self.shape[2] * self.shape[3]
        size = max(1, 2**20 // (n_pixels * self.shape[1]))
        first = 0
        for block, n_real in self.blocks(size):
            share = weights[first : first + n_real, None, None, None] / n_pixels
            values = in_double(block)
            mean += (share * values).sum(dim=(0, 2, 3))
            square += (share * values.square()).sum(dim=(0, 2, 3))
            first += n_real
        variance = (square - mean.square()).clamp_min_(0.0)
        # A channel of one value has only rounding error left: dividing by it would blow that up.
        constant = variance <= 1e-10 * mean.square().clamp_min(1e-12)
        return mean, variance.sqrt_().masked_fill_(constant, 1.0)
