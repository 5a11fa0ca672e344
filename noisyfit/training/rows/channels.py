"""Where images have their channels."""

from __future__ import annotations

CHANNELS = (1, 3, 4)  # grey, colour, colour with opacity


def channel_axis(shape: tuple[int, ...]) -> int | None:
    """Axis that holds the channels of images of this shape: 1, 3, or 0 where each is grey.

    An axis of 1, 3 or 4 entries is taken for channels; of two the shorter one, or the second where
    they are equal. None: not the shape of images.
    """
    if len(shape) == 3:
        return 0
    if len(shape) != 4:
        return None
    axes = [axis for axis in (1, 3) if shape[axis] in CHANNELS]
    return min(axes, key=lambda axis: shape[axis], default=None)
