"""The default network of images: a small convolution net."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from numbers import Integral

from torch import Tensor, nn


class ConvolutionNet(nn.Module):
    """Three convolutions with batch normalisation, each halving the image; then the mean over it.

    Parameters
    ----------
    in_channels : int
        Number of colour channels of an image.
    out_features : int
        Number of classes.
    channels : sequence of int, default=(32, 64, 128)
        Width of each convolution.
    dropout : float, default=0.0
        Share of the last convolution's means dropped in training.
    """

    def __init__(
        self,
        in_channels: int,
        out_features: int,
        channels: Sequence[int] = (32, 64, 128),
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if not 0 <= dropout < 1:
            raise ValueError(f"module__dropout must lie in [0, 1), got {dropout!r}.")
        if not channels or not all(isinstance(c, Integral) and c > 0 for c in channels):
            raise ValueError(f"module__channels={channels!r} must hold positive ints.")
        # What it was made of, for whoever has to make another one.
        self.in_channels, self.out_features = in_channels, out_features
        self.channels, self.dropout = tuple(int(width) for width in channels), dropout
        layers: list[nn.Module] = []
        for width_in, width_out in pairwise([in_channels, *self.channels]):
            layers += [
                nn.Conv2d(width_in, width_out, 3, padding=1, bias=False),
                nn.BatchNorm2d(width_out),
                nn.ReLU(),
                nn.MaxPool2d(2, ceil_mode=True),  # so that any size will do, one pixel too
            ]
        self.features = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.classify = nn.Sequential(nn.Dropout(dropout), nn.Linear(channels[-1], out_features))
        self.register_buffer("input_mean", None)
        self.register_buffer("input_scale", None)

    def standardize_inputs(self, mean: Tensor, scale: Tensor) -> None:
        """Subtract ``mean`` from each channel and divide it by ``scale`` from now on."""
        like = next(self.parameters())
        self.input_mean = mean.to(like)[:, None, None]
        self.input_scale = scale.to(like)[:, None, None]

    def forward(self, images: Tensor) -> Tensor:
        """Logits (n, out_features) of images (n, in_channels, height, width)."""
        if self.input_mean is not None:
            images = (images - self.input_mean) / self.input_scale
        return self.classify(self.features(images))
