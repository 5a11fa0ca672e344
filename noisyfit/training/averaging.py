"""A teacher: the running average of a network's weights."""

from __future__ import annotations

import copy
from typing import Any

import torch
from skorch.callbacks import Callback
from torch import nn


class WeightAverage(Callback):
    """Exponential moving average of the weights (and buffers) after every step.

    The decay grows as ``min(decay, 1 - 1 / (step + 1))``: the first steps form a plain mean,
    so that the random initial weights don't linger.
    """

    def __init__(self, decay: float = 0.99) -> None:
        self.decay = decay

    def initialize(self) -> WeightAverage:
        """Forget earlier averages (skorch calls this when it sets up the net)."""
        self.module_: nn.Module | None = None
        self.__dict__.pop("_pairs", None)
        self.n_steps_ = 0
        return self

    @torch.no_grad()
    def on_batch_end(self, net: Any, training: bool = False, **kwargs: Any) -> None:
        """Update the average after a training step."""
        if not training:
            return
        self.follow(net.module_)
        if not hasattr(self, "_pairs"):  # new, or read from a pickle
            self._pair_tensors(net.module_)
        self.n_steps_ += 1
        rate = max(1.0 - self.decay, 1.0 / (self.n_steps_ + 1))
        for average, current, is_averaged in self._pairs:
            if is_averaged:
                average.lerp_(current, rate)
            else:
                average.copy_(current)

    def follow(self, module: nn.Module) -> None:
        """Begin with a copy of the module, unless there is an average already."""
        if self.module_ is None:
            self.module_ = copy.deepcopy(module).eval()

    def _pair_tensors(self, module: nn.Module) -> None:
        assert self.module_ is not None
        weights = zip(self.module_.parameters(), module.parameters(), strict=True)
        buffers = zip(self.module_.buffers(), module.buffers(), strict=True)
        # Of infinite numbers, which masks hold, there is no average.
        self._pairs = [(*pair, True) for pair in weights] + [
            (average, current, current.is_floating_point() and bool(current.isfinite().all()))
            for average, current in buffers
        ]

    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__.copy()
        state.pop("_pairs", None)
        return state
