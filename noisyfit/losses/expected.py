"""Losses against probable instead of given labels."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from noisyfit.losses.labels import LabelLoss


def expected_losses(
    criterion: Callable[[Tensor, Tensor], Tensor], logits: Tensor, probabilities: Tensor
) -> Tensor:
    """Losses (n,) in expectation over labels drawn from ``probabilities`` (n, C)."""
    if isinstance(criterion, LabelLoss):  # knows how in one step
        return criterion(logits, probabilities)
    losses = torch.zeros_like(logits[:, 0])
    for code in range(logits.shape[1]):
        labels = torch.full((len(logits),), code, dtype=torch.int64, device=logits.device)
        losses = losses + probabilities[:, code] * criterion(logits, labels)
    return losses
