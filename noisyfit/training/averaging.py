"""A teacher: the running average of a network's weights."""

from __future__ import annotations

import copy
from typing import Any

import torch
from skorch.callbacks import Callback
from torch import Tensor, nn


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
        self.__dict__.pop("_lists", None)
        self.n_steps_ = 0
        return self

    def on_train_begin(self, net: Any, X: Any = None, y: Any = None, **kwargs: Any) -> None:
        """Look which buffers have an average; infinite numbers, as in masks, have none."""
        self._have_average = [
            buffer.is_floating_point() and bool(buffer.isfinite().all())
            for buffer in net.module_.buffers()
        ]

    @torch.no_grad()
    def on_batch_end(self, net: Any, training: bool = False, **kwargs: Any) -> None:
        """Update the average after a training step."""
        if not training:
            return
        self.follow(net.module_)
        if not hasattr(self, "_lists"):  # new, or read from a pickle
            self._list_tensors(net.module_)
        self.n_steps_ += 1
        rate = max(1.0 - self.decay, 1.0 / (self.n_steps_ + 1))
        # Of all tensors at once: one by one, a GPU would be kept waiting for the next.
        averages, averaged, copies, copied = self._lists
        torch._foreach_lerp_(averages, averaged, rate)
        if copies:
            torch._foreach_copy_(copies, copied)

    def follow(self, module: nn.Module) -> None:
        """Begin with a copy of the module, unless there is an average already."""
        if self.module_ is None:
            self.module_ = copy.deepcopy(module).eval()

    def _list_tensors(self, module: nn.Module) -> None:
        assert self.module_ is not None
        averages: list[Tensor] = list(self.module_.parameters())
        averaged: list[Tensor] = list(module.parameters())
        copies: list[Tensor] = []
        copied: list[Tensor] = []
        buffers = zip(self.module_.buffers(), module.buffers(), self._have_average, strict=True)
        for own, current, has_average in buffers:
            (averages if has_average else copies).append(own)
            (averaged if has_average else copied).append(current)
        self._lists = averages, averaged, copies, copied

    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__.copy()
        state.pop("_lists", None)
        return state
