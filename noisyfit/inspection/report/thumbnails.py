"""Images of any layout and range as small PNG files."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .png import COLOUR_TYPES, encode_png

LARGEST = 96  # pixels, either side


def thumbnails(images: NDArray[Any], limits: tuple[float, float] | None = None) -> list[str]:
    """Each image as a PNG file of at most 96 by 96 pixels, in base64.

    Parameters
    ----------
    images : ndarray of shape (n, H, W), (n, H, W, C) or (n, C, H, W)
        Grey images, or C = 1, 3 or 4 channels. Bytes, or numbers of which ``limits`` become black
        and white.
    limits : (float, float), default=None
        The darkest and the brightest number; see `value_limits`. None: those of ``images``.

    Returns
    -------
    list of str
        n files.

    Raises
    ------
    ValueError
        If the shape is none of these.
    """
    pixels = channels_last(images)
    if pixels.dtype != np.uint8:
        low, high = value_limits(images) if limits is None else limits
        scale = 255 / (high - low) if high > low else 0.0
        with np.errstate(invalid="ignore"):
            scaled = (np.asarray(pixels, dtype=np.float32) - low) * scale
        # A pixel that is not a number is black.
        pixels = np.rint(np.clip(np.nan_to_num(scaled, nan=0.0), 0, 255)).astype(np.uint8)
    return [base64.b64encode(encode_png(_shrunk(image))).decode() for image in pixels]


def channels_last(images: NDArray[Any]) -> NDArray[Any]:
    """Images as (n, H, W, C), whatever their layout."""
    if images.ndim == 3:
        return images[..., None]
    if images.ndim == 4 and images.shape[3] in COLOUR_TYPES:
        return images
    if images.ndim == 4 and images.shape[1] in COLOUR_TYPES:
        return images.transpose(0, 2, 3, 1)
    raise ValueError(
        "images must have shape (n, H, W), (n, H, W, C) or (n, C, H, W) with C = 1, 3 or 4 "
        f"channels, got shape {images.shape}."
    )


def value_limits(images: NDArray[Any]) -> tuple[float, float]:
    """What is shown as black and as white.

    Parameters
    ----------
    images : ndarray
        All images of the data set, so that each is shown alike.

    Returns
    -------
    (float, float)
        0 and 1, or 0 and 255, if all numbers lie there; else the smallest and largest number.
    """
    if images.dtype.kind == "b":
        return 0.0, 1.0
    low, high = _range(images)
    if not np.isfinite([low, high]).all():
        finite = images[np.isfinite(images)]
        low, high = _range(finite) if finite.size else (0.0, 1.0)
    if low >= 0 and images.dtype.kind == "f" and high <= 1:
        return 0.0, 1.0
    if low >= 0 and 128 <= high <= 255:
        return 0.0, 255.0
    return low, high


def _range(images: NDArray[Any]) -> tuple[float, float]:
    """Smallest and largest number beside NaN, with no copy of the images."""
    return float(np.fmin.reduce(images, axis=None)), float(np.fmax.reduce(images, axis=None))


def _shrunk(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The image, or the means of equal blocks of its pixels if it is too large."""
    height, width, channels = image.shape
    block = -(-max(height, width) // LARGEST)
    if block == 1:
        return image
    padding = ((0, -height % block), (0, -width % block), (0, 0))
    padded = np.pad(image, padding, mode="edge")
    rows, columns = padded.shape[0] // block, padded.shape[1] // block
    blocks = padded.reshape(rows, block, columns, block, channels)
    return np.rint(blocks.mean(axis=(1, 3))).astype(np.uint8)
