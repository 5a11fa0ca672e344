"""Batch normalisation over the shares of a batch.

torch's SyncBatchNorm needs a GPU, and modules of another class. This one steps in when a module
calls ``torch.nn.functional.batch_norm``, as all of torch's do, and leaves modules as they are.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

_BATCH_NORM = inspect.signature(nn.functional.batch_norm)


class WholeBatchNormalisation(TorchFunctionMode):
    """Replaces batch normalisation by one whose mean and variance are those of all shares.

    Parameters
    ----------
    sum_up : callable
        Sums a tensor over all processes, with gradients.
    counts : bool
        Whether the rows of this process are of the batch at all.
    """

    def __init__(self, sum_up: Callable[[Tensor], Tensor], counts: bool) -> None:
        super().__init__()
        self.sum_up = sum_up
        self.counts = counts

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func is nn.functional.batch_norm:
            bound = _BATCH_NORM.bind(*args, **(kwargs or {}))
            bound.apply_defaults()
            if bound.arguments["training"]:
                return self._normalise(*bound.args)
        return func(*args, **(kwargs or {}))

    def _normalise(
        self,
        values: Tensor,
        running_mean: Tensor | None,
        running_var: Tensor | None,
        weight: Tensor | None,
        bias: Tensor | None,
        training: bool,
        momentum: float,
        eps: float,
    ) -> Tensor:
        precise = values.to(torch.promote_types(values.dtype, torch.float32))
        columns = [axis for axis in range(values.dim()) if axis != 1]
        shape = [1, -1] + [1] * (values.dim() - 2)
        own = float(self.counts)
        count = precise.new_full((1,), own * values.numel() / values.shape[1])
        total = self.sum_up(torch.cat([own * precise.sum(columns), count]))
        count = total[-1].detach()
        mean = total[:-1] / count
        centred = precise - mean.view(shape)
        variance = self.sum_up(own * centred.square().sum(columns)) / count
        if running_mean is not None and running_var is not None:
            with torch.no_grad():
                unbiased = variance * count / (count - 1)
                running_mean.lerp_(mean.to(running_mean), momentum)
                running_var.lerp_(unbiased.to(running_var), momentum)
        result = centred * (variance + eps).rsqrt().view(shape)
        if weight is not None:
            result = result * weight.view(shape)
        if bias is not None:
            result = result + bias.view(shape)
        return result.to(values.dtype)
