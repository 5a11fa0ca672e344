"""The network of the epoch that did best on held-out rows."""

from __future__ import annotations

import copy
import math
from typing import Any

from skorch.callbacks import Callback


class BestEpoch(Callback):
    """At the end of a training run, go back to the weights of the epoch that validation favours.

    Rows are validated under the labels as given: ``monitor`` is "valid_loss", by the criterion in
    training, or "valid_acc", of the predicted true label.
    """

    def __init__(self, monitor: str = "valid_loss") -> None:
        self.monitor = monitor

    def on_train_begin(self, net: Any, X: Any = None, y: Any = None, **kwargs: Any) -> None:
        """Forget earlier runs."""
        self.lowest_ = math.inf
        self.state_: dict[str, Any] | None = None

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Keep the weights of an epoch better than all before it."""
        loss = net.history[-1, self.monitor]
        loss = -loss if self.monitor == "valid_acc" else loss
        if loss < self.lowest_:
            self.lowest_ = loss
            self.state_ = copy.deepcopy(dict(net.module_.state_dict()))

    def on_train_end(self, net: Any, X: Any = None, y: Any = None, **kwargs: Any) -> None:
        """Put the best weights back."""
        if self.state_ is not None:
            net.module_.load_state_dict(self.state_)
        self.state_ = None
