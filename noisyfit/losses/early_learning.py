"""Cross entropy held to what the network predicted early."""

from __future__ import annotations

import numbers

import torch
from torch import Tensor

from noisyfit.losses.base import Reduction, RowCriterion
from noisyfit.losses.checks import check_indices, check_logits
from noisyfit.losses.robust import CrossEntropy
from noisyfit.weighting.checks import check_number

_SMALLEST = 1e-4


class EarlyLearningRegularization(RowCriterion):
    """Early-learning regularization (ELR): cross entropy plus ``strength * log(1 - <t, p>)``.

    Networks fit clean labels first and wrong ones later. ELR keeps for each training row a moving
    average t of its predicted probabilities p and rewards agreement with it, which cancels the pull
    of a wrong label once the early network has contradicted it.

    Parameters
    ----------
    n_rows : int
        Number of training rows.
    n_classes : int, at least 2
        Number of classes.
    strength : float, non-negative, default=3.0
        ``lambda`` in the paper, 3 for its CIFAR-10 experiments.
    momentum : float in [0, 1), default=0.7
        ``beta`` in the paper: ``t = momentum * t + (1 - momentum) * p``, starting from 0. In the
        average, p is bounded to [1e-4, 1 - 1e-4] and divided by its sum, so that the logarithm
        stays finite.
    reduction : {"none", "mean", "sum"}, default="none"
        Return the rows' losses, of shape (n,), their mean or their sum.

    Attributes
    ----------
    targets : Tensor of shape (n_rows, n_classes)
        The averages t, a buffer: it moves with ``.to()`` and is saved in the state. Updated by each
        call in training mode, left alone in evaluation mode.

    References
    ----------
    S. Liu, J. Niles-Weed, N. Razavian, C. Fernandez-Granda. Early-Learning Regularization Prevents
    Memorization of Noisy Labels. NeurIPS 2020. arXiv:2007.00151.

    Examples
    --------
    >>> import torch
    >>> criterion = EarlyLearningRegularization(n_rows=3, n_classes=2)
    >>> logits = torch.tensor([[0.0, 0.0], [3.0, 0.0]])
    >>> criterion(logits, torch.tensor([0, 1]), row=torch.tensor([2, 0]))
    tensor([0.2056, 2.0925])
    >>> criterion.targets
    tensor([[0.2858, 0.0142],
            [0.0000, 0.0000],
            [0.1500, 0.1500]])
    """

    needs_rows = True
    targets: Tensor

    def __init__(
        self,
        n_rows: int,
        n_classes: int,
        strength: float = 3.0,
        momentum: float = 0.7,
        reduction: Reduction = "none",
    ) -> None:
        super().__init__(reduction)
        for name, value, least in (("n_rows", n_rows, 1), ("n_classes", n_classes, 2)):
            if isinstance(value, bool) or not isinstance(value, numbers.Integral):
                raise TypeError(f"{name} must be an integer, got {value!r}.")
            if value < least:
                raise ValueError(f"{name} must be at least {least}, got {value!r}.")
        self.strength = check_number("strength", strength, 0.0)
        self.momentum = check_number("momentum", momentum, 0.0, 1.0, high_included=False)
        self.register_buffer("targets", torch.zeros(int(n_rows), int(n_classes)))
        self._cross_entropy = CrossEntropy()

    def forward(
        self, logits: Tensor, target: Tensor, row: Tensor, sample_weight: Tensor | None = None
    ) -> Tensor:
        """Return the losses of the rows, or their reduction.

        Parameters
        ----------
        logits : Tensor of shape (n, n_classes)
            Half precision is computed and returned in float32.
        target : Tensor
            Class codes, integers of shape (n,), or class probabilities of shape (n, n_classes).
        row : integer Tensor of shape (n,)
            Number of each row in the training data, from 0 to n_rows - 1, on the device of the
            buffer. A row that comes twice in one batch keeps one of its two averages.
        sample_weight : Tensor of shape (n,), default=None
            Multiplies the rows' losses. The averages do not depend on it.

        Returns
        -------
        Tensor of shape (n,), or a scalar

        Raises
        ------
        TypeError, ValueError
            If an argument has another shape or dtype, or a number is out of range.
        """
        logits = check_logits(logits)
        n_rows, n_classes = self.targets.shape
        if logits.shape[1] != n_classes:
            raise ValueError(
                f"logits must have n_classes={n_classes} columns, got {logits.shape[1]}."
            )
        row = check_indices("row", row, len(logits), n_rows)
        cross_entropy = self._cross_entropy(logits, target)
        p = logits.softmax(dim=1)
        averages = self.targets[row]
        if self.training:
            with torch.no_grad():
                bounded = p.clamp(_SMALLEST, 1.0 - _SMALLEST)
                bounded = (bounded / bounded.sum(dim=1, keepdim=True)).to(averages)
                averages = self.momentum * averages + (1.0 - self.momentum) * bounded
                self.targets[row] = averages
        agreement = (averages.to(p) * p).sum(dim=1)
        return self.reduce(cross_entropy + self.strength * torch.log1p(-agreement), sample_weight)

    def extra_repr(self) -> str:
        """Name the parameters in ``repr``."""
        return f"strength={self.strength:g}, momentum={self.momentum:g}, {super().extra_repr()}"
