"""What a network thought of each row while it was training."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from skorch.callbacks import Callback

from noisyfit._blocks import slices
from noisyfit._precision import in_double
from noisyfit.training.checks import logits_of


class ProbabilityRecorder(Callback):
    """Mean, over the epochs, of the probabilities each row got when its batch came up.

    They cost nothing, since training computes them anyway, and each is taken before the
    network learns from the row in that epoch. A network fits wrong labels late, so the mean
    over epochs tells wrong from right labels better than the final probabilities do.
    """

    def __init__(self, n_rows: int, n_classes: int) -> None:
        self.n_rows = n_rows
        self.n_classes = n_classes

    def initialize(self) -> ProbabilityRecorder:
        """Start from nothing (skorch calls this when it sets up the net).

        What is recorded stays where the network is: to fetch it batch by batch, a GPU would have to
        be waited for.
        """
        self.total_ = torch.zeros(self.n_rows, self.n_classes)
        self.count_ = torch.zeros(self.n_rows, dtype=torch.int64)
        return self

    def on_train_begin(self, net: Any, X: Any = None, y: Any = None, **kwargs: Any) -> None:
        """Go where the network is."""
        self.total_, self.count_ = self.total_.to(net.device), self.count_.to(net.device)

    def state_dict(self) -> dict[str, Any]:
        """What was recorded."""
        return {"total": self.total_, "count": self.count_}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what an earlier process recorded, to where the network is."""
        self.total_, self.count_ = state["total"].to(self.total_), state["count"].to(self.count_)

    @torch.no_grad()
    def on_batch_end(
        self,
        net: Any,
        training: bool = False,
        y_pred: Any = None,
        rows: torch.Tensor | None = None,
        **kwargs: Any,
    ) -> None:
        """Add the batch's probabilities."""
        if not training or rows is None:
            return
        probabilities = logits_of(y_pred).detach().softmax(1).float()
        self.total_[rows] += probabilities
        self.count_[rows] += 1

    def unseen(self) -> np.ndarray:
        """Mask (n,) of the rows that were never trained on."""
        mask: np.ndarray = (self.count_ == 0).cpu().numpy()
        return mask

    def mean(self, predict: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """Mean probabilities (n, classes); ``predict`` gives them for rows never trained on."""
        result = in_double(self.total_).cpu().numpy()
        unseen = np.flatnonzero(self.unseen())
        if len(unseen):
            result[unseen] = predict(unseen)
        for part in slices(*result.shape):
            result[part] /= result[part].sum(axis=1, keepdims=True)
        return result
