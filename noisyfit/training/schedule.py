"""The learning rate over the epochs of one training run."""

from __future__ import annotations

import math
from typing import Any

from skorch.callbacks import Callback


class CosineSchedule(Callback):
    """Let the learning rate fall to zero along half a cosine, anew in each training run.

    skorch's ``LRScheduler`` goes on from the length of the history, which is wrong for a fit that
    continues an earlier one: past its end a cosine rises again.
    """

    def __init__(self, n_epochs: int) -> None:
        self.n_epochs = n_epochs

    def on_train_begin(self, net: Any, X: Any = None, y: Any = None, **kwargs: Any) -> None:
        """Take the present rates as those to start from."""
        self.first_rates_ = [group["lr"] for group in net.optimizer_.param_groups]
        self.epoch_ = 0

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Set the rates of the next epoch."""
        self.epoch_ += 1
        factor = (1 + math.cos(math.pi * min(1.0, self.epoch_ / self.n_epochs))) / 2
        for group, first in zip(net.optimizer_.param_groups, self.first_rates_, strict=True):
            group["lr"] = factor * first


class StepSchedule(Callback):
    """Multiply the learning rate by a factor after certain epochs of each training run.

    ``milestones`` maps a number of epochs to the factor that applies from then on, on top of
    those before it.
    """

    def __init__(self, milestones: dict[int, float]) -> None:
        self.milestones = milestones
        self.active = True

    def on_train_begin(self, net: Any, X: Any = None, y: Any = None, **kwargs: Any) -> None:
        """Count the epochs anew."""
        self.epoch_ = 0

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Set the rates of the next epoch."""
        self.epoch_ += 1
        factor = self.milestones.get(self.epoch_, 1.0) if self.active else 1.0
        for group in net.optimizer_.param_groups:
            group["lr"] *= factor
