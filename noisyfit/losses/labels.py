"""Losses that are known for every label a row could have, and so in expectation over labels."""

from __future__ import annotations

from abc import abstractmethod

from torch import Tensor

from noisyfit.losses.base import RowCriterion
from noisyfit.losses.checks import check_indices, check_logits, check_soft_target, is_soft


class LabelLoss(RowCriterion):
    """A loss of logits and a label; for soft targets its expectation over the label.

    A subclass says what the loss is for every label (`_losses_of_labels`). Where that of one label
    can be had with less work, it says so too (`_losses_of_given`).
    """

    @abstractmethod
    def _losses_of_labels(self, logits: Tensor) -> Tensor:
        """Return the losses (n, C) that the rows would have with each of the labels."""

    def _losses_of_given(self, logits: Tensor, column: Tensor) -> Tensor:
        """Return the losses (n,) of the rows with the labels in `column`, of shape (n, 1)."""
        return self._losses_of_labels(logits).gather(1, column).squeeze(1)

    def forward(
        self, logits: Tensor, target: Tensor, sample_weight: Tensor | None = None
    ) -> Tensor:
        """Return the losses of the rows, or their reduction.

        Parameters
        ----------
        logits : Tensor of shape (n, C), C at least 2
            Half precision is computed and returned in float32.
        target : Tensor
            Class codes, integers of shape (n,), or class probabilities of shape (n, C).
        sample_weight : Tensor of shape (n,), default=None
            Multiplies the rows' losses.

        Returns
        -------
        Tensor of shape (n,), or a scalar

        Raises
        ------
        TypeError, ValueError
            If the logits or the target have another shape or dtype, a code is out of range, or
            the target's rows are no probabilities.
        """
        logits = check_logits(logits)
        if is_soft(target):
            target = check_soft_target(target, logits)
            losses = (target * self._losses_of_labels(logits)).sum(dim=1)
        else:
            column = check_indices("target", target, *logits.shape).unsqueeze(1)
            losses = self._losses_of_given(logits, column)
        return self.reduce(losses, sample_weight)
