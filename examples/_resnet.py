"""Residual networks for images of 32 x 32 (He et al. 2016, section 4.2): ResNet-20 to 110."""

from __future__ import annotations

import torch
from torch import Tensor, nn

WIDTHS = (16, 32, 64)


class Block(nn.Module):
    """Two convolutions beside a shortcut without parameters (option A of the paper)."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(in_channels, out_channels, 3, stride, padding=1, bias=False)
        self.first_norm = nn.BatchNorm2d(out_channels)
        self.second = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False)
        self.second_norm = nn.BatchNorm2d(out_channels)
        self.stride = stride
        self.n_missing = out_channels - in_channels

    def forward(self, x: Tensor) -> Tensor:
        """Output of the block; where it is narrower, the shortcut takes every other pixel."""
        hidden = torch.relu(self.first_norm(self.first(x)))
        hidden = self.second_norm(self.second(hidden))
        shortcut = x[:, :, :: self.stride, :: self.stride]
        if self.n_missing:
            before = self.n_missing // 2
            shortcut = nn.functional.pad(shortcut, [0, 0, 0, 0, before, self.n_missing - before])
        return torch.relu(hidden + shortcut)


class CifarResNet(nn.Module):
    """Three stages of ``(depth - 2) / 6`` blocks, of 16, 32 and 64 channels.

    Colours are standardised by the means and deviations given, by default those of CIFAR-10.
    """

    def __init__(
        self,
        depth: int = 32,
        out_features: int = 10,
        mean: tuple[float, ...] = (0.4914, 0.4822, 0.4465),
        deviation: tuple[float, ...] = (0.2470, 0.2435, 0.2616),
    ) -> None:
        super().__init__()
        if depth < 8 or (depth - 2) % 6:
            raise ValueError(f"depth must be 6 n + 2 (8, 20, 32, 44, 56, 110), got {depth}.")
        self.register_buffer("mean", torch.tensor(mean)[:, None, None])
        self.register_buffer("deviation", torch.tensor(deviation)[:, None, None])
        self.stem = nn.Conv2d(3, WIDTHS[0], 3, padding=1, bias=False)
        self.stem_norm = nn.BatchNorm2d(WIDTHS[0])
        blocks = []
        before = WIDTHS[0]
        for stage, width in enumerate(WIDTHS):
            for number in range((depth - 2) // 6):
                blocks.append(Block(before, width, 2 if stage and not number else 1))
                before = width
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.Linear(WIDTHS[-1], out_features)
        for part in self.modules():
            if isinstance(part, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(part.weight)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (n, out_features) of images (n, 3, height, width) of numbers from 0 to 1."""
        x = (images - self.mean) / self.deviation
        x = self.blocks(torch.relu(self.stem_norm(self.stem(x))))
        return self.head(x.mean(dim=(2, 3)))
