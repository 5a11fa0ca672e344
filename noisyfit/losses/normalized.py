"""Normalised losses, and the pairs of an active and a passive loss built from them."""

from __future__ import annotations

import torch
from torch import Tensor

from noisyfit.losses.base import Reduction
from noisyfit.losses.labels import LabelLoss
from noisyfit.losses.robust import CrossEntropy, ProbabilityLoss, ReverseCrossEntropy
from noisyfit.weighting.checks import check_number


class NormalizedLoss(LabelLoss):
    """A loss divided by its sum over all labels, ``l(p_y) / sum(l(p_k) for all classes k)``.

    The sum of the normalised losses of all labels is 1, whatever the prediction. Symmetric label
    noise then changes the risk by a constant and a factor only, so that the loss is robust to it.
    The price is underfitting, see :class:`ActivePassiveLoss`. For soft targets the expectation.

    Parameters
    ----------
    loss : criterion, default=None
        A loss of the label's probability alone: cross entropy (None stands for it), focal loss,
        generalized, reverse or symmetric cross entropy, mean absolute or squared error of this
        folder. Its own reduction must be "none".
    reduction : {"none", "mean", "sum"}, default="none"
        Return the rows' losses, of shape (n,), their mean or their sum.

    References
    ----------
    X. Ma, H. Huang, Y. Wang, S. Romano, S. Erfani, J. Bailey. Normalized Loss Functions for Deep
    Learning with Noisy Labels. ICML 2020. arXiv:2006.13554, equation 1.

    Examples
    --------
    >>> import torch
    >>> logits = torch.tensor([[0.0, 0.0], [3.0, 0.0]])
    >>> NormalizedLoss()(logits, torch.tensor([0, 1]))
    tensor([0.5000, 0.9843])
    >>> from noisyfit.losses import FocalLoss
    >>> NormalizedLoss(FocalLoss(gamma=0.5))(logits, torch.tensor([0, 1]))
    tensor([0.5000, 0.9965])
    """

    def __init__(self, loss: ProbabilityLoss | None = None, reduction: Reduction = "none") -> None:
        super().__init__(reduction)
        loss = CrossEntropy() if loss is None else loss
        if not isinstance(loss, ProbabilityLoss):
            raise TypeError(
                "loss must be a loss of the label's probability alone, such as CrossEntropy() or "
                f"FocalLoss(), got {loss!r}."
            )
        _check_not_reduced("loss", loss)
        # A loss that is 0 everywhere cannot be divided by its sum.
        if not float(loss._loss(torch.tensor(-1.0, device="cpu"))) > 0:
            raise ValueError(f"loss must be positive for uncertain labels, got {loss!r}.")
        self.loss = loss

    def _losses_of_labels(self, logits: Tensor) -> Tensor:
        losses = self.loss._losses_of_labels(logits)
        return losses / losses.sum(dim=1, keepdim=True)


class ActivePassiveLoss(LabelLoss):
    """Active passive loss (APL): ``alpha`` times an active plus ``beta`` times a passive loss.

    An active loss only raises the probability of the given label, a passive one also lowers those
    of other classes. Normalised losses resist wrong labels but learn too little; one of each kind
    together learn more, and the sum is as robust as its parts.

    Parameters
    ----------
    active : criterion, default=None
        None means ``NormalizedLoss(CrossEntropy())``. The paper also takes
        ``NormalizedLoss(FocalLoss(gamma=0.5))``, whose code leaves the factor ``(1 - p)**gamma``
        out of the derivative; here it is in.
    passive : criterion, default=None
        None means ``ReverseCrossEntropy()``. The paper also takes ``MeanAbsoluteError()``, which
        its code computes as ``1 - p``, like the one here.
    alpha, beta : float, non-negative, default=1.0
        Shares of the two, not both 0. The paper takes 1 and 1 for CIFAR-10, 10 and 0.1 for
        CIFAR-100; for the latter its code takes 10 and 1 where the passive loss is mean absolute
        error.
    reduction : {"none", "mean", "sum"}, default="none"
        Return the rows' losses, of shape (n,), their mean or their sum.

    References
    ----------
    X. Ma, H. Huang, Y. Wang, S. Romano, S. Erfani, J. Bailey. Normalized Loss Functions for Deep
    Learning with Noisy Labels. ICML 2020. arXiv:2006.13554, section 3.4.

    Examples
    --------
    >>> import torch
    >>> logits, labels = torch.tensor([[0.0, 0.0], [3.0, 0.0]]), torch.tensor([0, 1])
    >>> ActivePassiveLoss()(logits, labels)
    tensor([5.1052, 9.7578])
    >>> from noisyfit.losses import MeanAbsoluteError
    >>> ActivePassiveLoss(passive=MeanAbsoluteError(), alpha=10.0, beta=0.1)(logits, labels)
    tensor([5.0500, 9.9384])
    """

    def __init__(
        self,
        active: LabelLoss | None = None,
        passive: LabelLoss | None = None,
        alpha: float = 1.0,
        beta: float = 1.0,
        reduction: Reduction = "none",
    ) -> None:
        super().__init__(reduction)
        self.active = NormalizedLoss() if active is None else active
        self.passive = ReverseCrossEntropy() if passive is None else passive
        for name, part in (("active", self.active), ("passive", self.passive)):
            if not isinstance(part, LabelLoss):
                raise TypeError(
                    f"{name} must be a loss of this folder that takes class probabilities for "
                    f"labels, such as NormalizedLoss() or MeanAbsoluteError(), got {part!r}."
                )
            _check_not_reduced(name, part)
        self.alpha = check_number("alpha", alpha, 0.0)
        self.beta = check_number("beta", beta, 0.0)
        if self.alpha == self.beta == 0.0:
            raise ValueError("alpha and beta cannot both be 0, else every loss is 0.")

    def _losses_of_labels(self, logits: Tensor) -> Tensor:
        active = self.active._losses_of_labels(logits)
        return self.alpha * active + self.beta * self.passive._losses_of_labels(logits)

    def _losses_of_given(self, logits: Tensor, column: Tensor) -> Tensor:
        active = self.active._losses_of_given(logits, column)
        return self.alpha * active + self.beta * self.passive._losses_of_given(logits, column)

    def extra_repr(self) -> str:
        """Name the shares in ``repr``, which names the parts by itself."""
        return f"alpha={self.alpha:g}, beta={self.beta:g}, {super().extra_repr()}"


def _check_not_reduced(name: str, criterion: LabelLoss) -> None:
    if criterion.reduction != "none":
        raise ValueError(
            f"{name} must have reduction='none', got {criterion.reduction!r}; give the reduction "
            "to the outer loss."
        )
