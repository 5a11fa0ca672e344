"""Random shifts and mirror images, each image by itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class RandomCropAndFlip:
    """Shift each image by up to ``padding`` pixels and mirror half of them.

    What is shifted in is black, as in a random crop of the padded image: the augmentation used with
    CIFAR-10 in nearly all of the literature. The work is done for a whole batch at once, on its
    device.

    Parameters
    ----------
    padding : int, default=4
        Largest shift up, down, left and right, in pixels.
    flip : bool, default=True
        Whether half of the images are mirrored left to right. Not for digits and letters.

    Raises
    ------
    ValueError
        If ``padding`` is not a whole number of at least 0, or a batch is not one of images.

    Examples
    --------
    >>> import torch
    >>> from noisyfit.augmentation import RandomCropAndFlip
    >>> images = torch.arange(12.0).reshape(1, 1, 3, 4)
    >>> RandomCropAndFlip(padding=1)(images).shape
    torch.Size([1, 1, 3, 4])
    >>> bool((RandomCropAndFlip(padding=0, flip=False)(images) == images).all())
    True
    """

    padding: int = 4
    flip: bool = True

    def __post_init__(self) -> None:
        whole = isinstance(self.padding, int | np.integer) and not isinstance(self.padding, bool)
        if not whole or self.padding < 0:
            raise ValueError(
                f"padding must be a whole number of pixels from 0, got {self.padding!r}."
            )

    def __call__(self, images: Tensor) -> Tensor:
        """Changed images (n, channels, height, width) of the same shape, type and device."""
        if images.ndim != 4:
            raise ValueError(
                "RandomCropAndFlip needs images of shape (n, channels, height, width), got a batch "
                f"of shape {tuple(images.shape)}."
            )
        n, _, height, width = images.shape
        device = images.device
        rows = torch.arange(height, device=device).expand(n, height)
        columns = torch.arange(width, device=device).expand(n, width)
        if self.flip:
            mirrored = torch.rand(n, 1, device=device) < 0.5
            columns = torch.where(mirrored, columns.flip(1), columns)
        if self.padding:
            shift = torch.randint(2 * self.padding + 1, (2, n, 1), device=device)
            rows, columns = rows + shift[0], columns + shift[1]
            images = nn.functional.pad(images, [self.padding] * 4)
        image = torch.arange(n, device=device)[:, None, None]
        # Indexing puts the channels last.
        return images[image, :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)
