"""float64 where a device has it. Apple's GPUs have not: there, what needs it goes to the CPU."""

from __future__ import annotations

import numpy as np
import torch


def has_float64(device: torch.device) -> bool:
    """Whether the device can hold float64."""
    return device.type != "mps"


def accumulator_dtype(device: torch.device) -> torch.dtype:
    """The precision for long sums that stay on the device."""
    return torch.float64 if has_float64(device) else torch.float32


def placed(values: np.ndarray, device: torch.device) -> torch.Tensor:
    """The values as a tensor on the device, in their precision or the best that it has."""
    tensor = torch.from_numpy(values)
    if tensor.dtype == torch.float64:
        tensor = tensor.to(accumulator_dtype(device))
    return tensor.to(device)


def double_device(device: torch.device) -> torch.device:
    """Where float64 is computed with: the device or, where that has none, the CPU."""
    return device if has_float64(device) else torch.device("cpu")


def in_double(tensor: torch.Tensor) -> torch.Tensor:
    """The tensor in float64, on its device or, where that has none, on the CPU."""
    # Moved first: the other way round, the device would be asked for float64.
    return tensor.to(double_device(tensor.device)).double()
