"""Training that diverges: what is said about it, and when."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from noisyfit.losses import RowCriterion


class DivergenceError(ValueError):
    """Training has diverged: losses, weights or predictions are not finite."""


def divergence(
    finding: str, epoch: int, phase: str, lr: float | None = None, remedy: str = ""
) -> DivergenceError:
    """The error that names the epoch in which something was found, and what to do."""
    now = "" if lr is None else f" (now {lr})"
    return DivergenceError(
        f"{finding} in epoch {epoch} ({phase}): training diverged. Lower lr{now}, {remedy}scale "
        "the features, or clip gradients with skorch.callbacks.GradientNormClipping."
    )


def weights_are_finite(module: nn.Module, criterion: Any) -> bool:
    """Whether all that was trained is finite: after the last step, no loss shows it any more.

    Buffers of a user's module may be infinite on purpose, as masks are.
    """
    trained: list[Tensor] = [weight for weight in module.parameters() if weight.requires_grad]
    if isinstance(criterion, nn.Module):
        trained += criterion.parameters()
    if isinstance(criterion, RowCriterion):  # what it has learned about the rows
        trained += [buffer for buffer in criterion.buffers() if buffer.is_floating_point()]
    # Of all together: one look, where every look has a GPU waited for.
    return bool(torch.stack([weight.isfinite().all() for weight in trained]).all())


def first_not_finite(probabilities: Any) -> int | None:
    """The first row of predictions (dense, or with few peaks) that is not finite, or None."""
    with np.errstate(invalid="ignore"):
        finite = np.isfinite(np.asarray(probabilities.sum(axis=1)))
    return None if finite.all() else int(finite.argmin())
