"""Two networks that choose each other's training rows (Co-teaching)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from noisyfit.training.checks import check_row_losses, logits_of
from noisyfit.training.network import PlannedNet
from noisyfit.training.plan import BatchTargets


class Twins(nn.Module):
    """Two networks of one kind; predicts the mean of their probabilities.

    The output is the logarithm of that mean, which serves as logits, and the logits of both.
    """

    def __init__(self, make: Callable[[], nn.Module]) -> None:
        super().__init__()
        self.first = make()
        self.second = make()
        if _start_alike(self.first, self.second):
            draw_last_layer(self.second)
        if _start_alike(self.first, self.second):
            raise ValueError(
                "module gives two networks of the same weights, and no layer of it can be drawn "
                "anew; co-teaching needs two that differ: pass a class or a function that draws "
                "them."
            )

    def forward(self, *features: Any, **named: Any) -> tuple[Tensor, Tensor, Tensor]:
        """Log of the mean probabilities (n, C), and the logits of both networks."""
        first = logits_of(self.first(*features, **named))
        second = logits_of(self.second(*features, **named))
        logs = torch.stack([first.log_softmax(dim=1), second.log_softmax(dim=1)])
        return logs.logsumexp(dim=0) - math.log(2.0), first, second


def _start_alike(first: nn.Module, second: nn.Module) -> bool:
    pairs = zip(first.parameters(), second.parameters(), strict=True)
    return all(torch.equal(one, other) for one, other in pairs)


def draw_last_layer(module: nn.Module) -> None:
    """Draw the weights of the last layer anew that is to be trained and knows how."""
    for part in reversed(list(module.modules())):
        weights = list(part.parameters(recurse=False))
        reset = getattr(part, "reset_parameters", None)
        if callable(reset) and weights and all(weight.requires_grad for weight in weights):
            reset()
            return


class TwinNet(PlannedNet):
    """Trains each of two networks on the rows of a batch that the other finds easiest.

    ``drop_share`` is the share of the weight of each batch that is left out.
    """

    drop_share: float = 0.0

    def gather_output(self, output: Any, n_rows: int) -> Any:
        """Predictions and the logits of both networks for all rows of a batch."""
        return tuple(self.processes_.gather_rows(part, n_rows) for part in output)

    def get_loss(  # noqa: D102
        self, y_pred: Any, y_true: BatchTargets, X: Any = None, training: bool = False
    ) -> Tensor:
        if not training:
            return super().get_loss(y_pred, y_true, X, training)
        _, *both = y_pred
        losses = [self.criterion_(logits, y_true.labels) for logits in both]
        for some in losses:
            check_row_losses(some, y_true.labels)
        kept = [easiest(some.detach(), y_true.weights, 1 - self.drop_share) for some in losses]
        taught = (y_true.weights * kept[1], y_true.weights * kept[0])
        return sum(
            (some * weights).sum() / weights.sum()
            for some, weights in zip(losses, taught, strict=True)
        )


def easiest(losses: Tensor, weights: Tensor, share: float) -> Tensor:
    """Part (n,) of each row that belongs to the ``share`` of the weight with the smallest losses.

    1 or 0, but for the row at the boundary: so a row of weight two is like two rows.
    """
    order = losses.argsort(stable=True)
    ordered = weights[order]
    room = share * weights.sum() - (ordered.cumsum(dim=0) - ordered)
    part = torch.empty_like(weights)
    part[order] = (room / ordered).clamp(0.0, 1.0)
    return part
