"""Memory maps of numbers of another type than the network's: converted as they are read."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor


def is_mapped(values: Any) -> bool:
    """Whether an array is a memory map or a view of one."""
    while isinstance(values, np.ndarray):
        if isinstance(values, np.memmap):
            return True
        values = values.base
    return False


def needs_conversion(values: np.ndarray, dtype: Any) -> bool:
    """Whether batches of an array have to be converted: a tensor could not be made of it as is."""
    return values.dtype != dtype or not values.flags.c_contiguous


class ConvertedMap:
    """A memory map (n, ...) whose rows become numbers of ``dtype`` only when they are read."""

    def __init__(self, values: np.ndarray, dtype: Any) -> None:
        self.values = values
        self.dtype = np.dtype(dtype)
        self.shape = tuple(values.shape)

    def read(self, index: Tensor) -> Tensor:
        """Some rows, as a tensor of their own."""
        return torch.from_numpy(np.ascontiguousarray(self.values[index.numpy()], self.dtype))
