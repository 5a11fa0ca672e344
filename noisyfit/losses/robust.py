"""Losses that are functions of the probability of the label; most of them bound it."""

from __future__ import annotations

import math
from abc import abstractmethod

import torch
from torch import Tensor

from noisyfit.losses.base import Reduction, RowCriterion
from noisyfit.losses.checks import check_indices, check_logits, check_soft_target, is_soft
from noisyfit.weighting.checks import check_number


class ProbabilityLoss(RowCriterion):
    """A loss ``l(log p)``; for soft targets its expectation, the sum of ``target * l(log p)``."""

    @abstractmethod
    def _loss(self, log_p: Tensor) -> Tensor:
        """Return the loss of labels whose log probability is `log_p`, element by element."""

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
        # Losses are written in log p, which stays finite and exact where p rounds to 0.
        log_p = logits.log_softmax(dim=1)
        if is_soft(target):
            losses = (check_soft_target(target, logits) * self._loss(log_p)).sum(dim=1)
        else:
            column = check_indices("target", target, *logits.shape).unsqueeze(1)
            losses = self._loss(log_p.gather(1, column).squeeze(1))
        return self.reduce(losses, sample_weight)


class CrossEntropy(ProbabilityLoss):
    """Cross entropy, ``-log p``.

    Parameters
    ----------
    reduction : {"none", "mean", "sum"}, default="none"
        Return the rows' losses, of shape (n,), their mean or their sum.

    Examples
    --------
    >>> import torch
    >>> logits = torch.tensor([[0.0, 0.0], [3.0, 0.0]])
    >>> CrossEntropy()(logits, torch.tensor([0, 1]))
    tensor([0.6931, 3.0486])
    >>> CrossEntropy()(logits, torch.tensor([[0.5, 0.5], [0.9, 0.1]]))
    tensor([0.6931, 0.3486])
    """

    def _loss(self, log_p: Tensor) -> Tensor:
        return -log_p


class MeanAbsoluteError(ProbabilityLoss):
    """Mean absolute error of the given class, ``1 - p``.

    Half of the sum over all classes of the absolute differences to the one-hot label. For soft
    targets t the expectation, ``1 - sum(t * p)``.

    Parameters
    ----------
    reduction : {"none", "mean", "sum"}, default="none"
        Return the rows' losses, of shape (n,), their mean or their sum.

    References
    ----------
    A. Ghosh, H. Kumar, P. S. Sastry. Robust Loss Functions under Label Noise for Deep Neural
    Networks. AAAI 2017. arXiv:1712.09482.

    Examples
    --------
    >>> import torch
    >>> MeanAbsoluteError()(torch.tensor([[0.0, 0.0], [3.0, 0.0]]), torch.tensor([0, 1]))
    tensor([0.5000, 0.9526])
    """

    def _loss(self, log_p: Tensor) -> Tensor:
        return -torch.expm1(log_p)


class MeanSquaredError(ProbabilityLoss):
    """Mean squared error of the given class, ``(1 - p)**2``.

    As in the DM paper, of the given class only, without the squares of the other classes'
    probabilities. For soft targets t the expectation, ``sum(t * (1 - p)**2)``.

    Parameters
    ----------
    reduction : {"none", "mean", "sum"}, default="none"
        Return the rows' losses, of shape (n,), their mean or their sum.

    Examples
    --------
    >>> import torch
    >>> MeanSquaredError()(torch.tensor([[0.0, 0.0], [3.0, 0.0]]), torch.tensor([0, 1]))
    tensor([0.2500, 0.9074])
    """

    def _loss(self, log_p: Tensor) -> Tensor:
        return torch.expm1(log_p).square()


class GeneralizedCrossEntropy(ProbabilityLoss):
    """Generalized cross entropy, ``(1 - p**q) / q``.

    Parameters
    ----------
    q : float in [0, 1], default=0.7
        0 is cross entropy (the limit), 1 mean absolute error.
    reduction : {"none", "mean", "sum"}, default="none"
        Return the rows' losses, of shape (n,), their mean or their sum.

    References
    ----------
    Z. Zhang, M. R. Sabuncu. Generalized Cross Entropy Loss for Training Deep Neural Networks with
    Noisy Labels. NeurIPS 2018. arXiv:1805.07836.

    Examples
    --------
    >>> import torch
    >>> GeneralizedCrossEntropy(q=0.7)(torch.tensor([[0.0, 0.0], [3.0, 0.0]]), torch.tensor([0, 1]))
    tensor([0.5492, 1.2595])
    """

    def __init__(self, q: float = 0.7, reduction: Reduction = "none") -> None:
        super().__init__(reduction)
        self.q = check_number("q", q, 0.0, 1.0)

    def _loss(self, log_p: Tensor) -> Tensor:
        return -torch.expm1(self.q * log_p) / self.q if self.q > 0 else -log_p

    def extra_repr(self) -> str:
        """Name the parameters in ``repr``."""
        return f"q={self.q:g}, {super().extra_repr()}"


class SymmetricCrossEntropy(ProbabilityLoss):
    """Symmetric cross entropy: ``alpha`` cross entropy plus ``beta`` reverse cross entropy.

    Reverse cross entropy takes the label for the prediction: ``-sum(p * log(onehot(y)))``, with
    `log_zero` for the logarithm of zero, which is ``-log_zero * (1 - p)``. For soft targets the
    expectation over the label, as for the other losses here: the reverse cross entropy of the
    target itself would be largest where the target is a certainty.

    Parameters
    ----------
    alpha : float, non-negative, default=0.1
        Share of cross entropy.
    beta : float, non-negative, default=1.0
        Share of reverse cross entropy.
    log_zero : float in [-80, 0], default=log(1e-4)
        Stands for the logarithm of 0, ``A`` in the paper. The paper's text and its code differ in
        it; this is the code's, to which the published shares belong.
    reduction : {"none", "mean", "sum"}, default="none"
        Return the rows' losses, of shape (n,), their mean or their sum.

    References
    ----------
    Y. Wang, X. Ma, Z. Chen, Y. Luo, J. Yi, J. Bailey. Symmetric Cross Entropy for Robust Learning
    with Noisy Labels. ICCV 2019. arXiv:1908.06112.

    Examples
    --------
    >>> import torch
    >>> SymmetricCrossEntropy()(torch.tensor([[0.0, 0.0], [3.0, 0.0]]), torch.tensor([0, 1]))
    tensor([4.6745, 9.0784])
    """

    def __init__(
        self,
        alpha: float = 0.1,
        beta: float = 1.0,
        log_zero: float = math.log(1e-4),
        reduction: Reduction = "none",
    ) -> None:
        super().__init__(reduction)
        self.alpha = check_number("alpha", alpha, 0.0)
        self.beta = check_number("beta", beta, 0.0)
        self.log_zero = check_number("log_zero", log_zero, -80.0, 0.0)

    def _loss(self, log_p: Tensor) -> Tensor:
        return -self.alpha * log_p + self.beta * self.log_zero * torch.expm1(log_p)

    def extra_repr(self) -> str:
        """Name the parameters in ``repr``."""
        return (
            f"alpha={self.alpha:g}, beta={self.beta:g}, log_zero={self.log_zero:g}, "
            f"{super().extra_repr()}"
        )
