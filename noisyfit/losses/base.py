"""What all criteria share: the reduction of the rows' losses."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from noisyfit.losses.checks import check_sample_weight
from noisyfit.weighting.checks import check_choice

Reduction = Literal["none", "mean", "sum"]


class RowCriterion(nn.Module):
    """A criterion that computes one loss per row. Subclasses define ``forward``.

    One that keeps something about each training row says so by ``needs_rows = True``; it is then
    called as ``criterion(logits, target, row)`` with the rows' numbers in the training data.

    Parameters
    ----------
    reduction : {"none", "mean", "sum"}, default="none"
        What is returned: the losses of the rows, of shape (n,), their mean or their sum.
    """

    needs_rows: ClassVar[bool] = False

    def __init__(self, reduction: Reduction = "none") -> None:
        super().__init__()
        check_choice("reduction", reduction, ("none", "mean", "sum"))
        self.reduction = reduction

    def reduce(self, losses: Tensor, sample_weight: Tensor | None = None) -> Tensor:
        """Weight the losses of the rows and reduce them.

        Parameters
        ----------
        losses : Tensor of shape (n,)
            Losses of the rows.
        sample_weight : Tensor of shape (n,), default=None
            Each row's loss is multiplied by its weight; the mean is divided by the sum of the
            weights (and is 0 if that is 0), so that a row of weight 2 counts like two rows.

        Returns
        -------
        Tensor of shape (n,), or a scalar
        """
        if sample_weight is not None:
            sample_weight = check_sample_weight(sample_weight, losses)
            losses = losses * sample_weight
        if self.reduction == "none":
            return losses
        if self.reduction == "sum":
            return losses.sum()
        if sample_weight is None:
            return losses.mean()
        total = sample_weight.sum()
        return losses.sum() / torch.where(total > 0, total, torch.ones_like(total))

    def for_validation(self) -> nn.Module:
        """Return the criterion that tells how good a network is, on rows it is not trained on.

        Returns
        -------
        torch.nn.Module
            The criterion itself, unless its losses only make sense as something to descend.
        """
        return self

    def extra_repr(self) -> str:
        """Name the reduction in ``repr``."""
        return f"reduction={self.reduction!r}"
