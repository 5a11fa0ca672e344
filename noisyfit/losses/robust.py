"""Losses that are functions of the probability of the label; most of them bound it."""

from __future__ import annotations

import math
from abc import abstractmethod

import torch
from torch import Tensor

from noisyfit.losses.base import Reduction
from noisyfit.losses.labels import LabelLoss
from noisyfit.weighting.checks import check_number


class ProbabilityLoss(LabelLoss):
    """A loss ``l(log p)``; for soft targets its expectation, the sum of ``target * l(log p)``."""

    @abstractmethod
    def _loss(self, log_p: Tensor) -> Tensor:
        """Return the loss of labels whose log probability is `log_p`, element by element."""

    # Losses are written in log p, which stays finite and exact where p rounds to 0.

    def _losses_of_labels(self, logits: Tensor) -> Tensor:
        return self._loss(logits.log_softmax(dim=1))

    def _losses_of_given(self, logits: Tensor, column: Tensor) -> Tensor:
        return self._loss(logits.log_softmax(dim=1).gather(1, column).squeeze(1))


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
    """Generalized cross entropy, ``(1 - p**q) / q``, truncated where the label is improbable.

    Parameters
    ----------
    q : float in [0, 1], default=0.7
        0 is cross entropy (the limit), 1 mean absolute error.
    truncation : float in [0, 1), default=None
        ``k`` in the paper, which takes 0.5: rows with ``p <= truncation`` have the constant loss
        ``(1 - truncation**q) / q`` and so no derivative. A network that starts from nothing learns
        little with it, as all its probabilities are small; train without it first. None truncates
        nothing.
    reduction : {"none", "mean", "sum"}, default="none"
        Return the rows' losses, of shape (n,), their mean or their sum.

    References
    ----------
    Z. Zhang, M. R. Sabuncu. Generalized Cross Entropy Loss for Training Deep Neural Networks with
    Noisy Labels. NeurIPS 2018. arXiv:1805.07836, sections 3.2 and 3.3.

    Examples
    --------
    >>> import torch
    >>> logits, labels = torch.tensor([[1.0, 0.0], [3.0, 0.0]]), torch.tensor([0, 1])
    >>> GeneralizedCrossEntropy(q=0.7)(logits, labels)
    tensor([0.2813, 1.2595])
    >>> GeneralizedCrossEntropy(q=0.7, truncation=0.5)(logits, labels)
    tensor([0.2813, 0.5492])
    """

    def __init__(
        self, q: float = 0.7, truncation: float | None = None, reduction: Reduction = "none"
    ) -> None:
        super().__init__(reduction)
        self.q = check_number("q", q, 0.0, 1.0)
        self.truncation = truncation
        if truncation is not None:
            self.truncation = check_number("truncation", truncation, 0.0, 1.0, high_included=False)

    def _loss(self, log_p: Tensor) -> Tensor:
        if self.truncation:  # with 0 as with None, there is nothing to truncate
            least = math.log(self.truncation)
            # Not clamp, which would let the derivative through where both are equal.
            log_p = torch.where(log_p > least, log_p, torch.full_like(log_p, least))
        return -torch.expm1(self.q * log_p) / self.q if self.q > 0 else -log_p

    def extra_repr(self) -> str:
        """Name the parameters in ``repr``."""
        truncation = "" if self.truncation is None else f"truncation={self.truncation:g}, "
        return f"q={self.q:g}, {truncation}{super().extra_repr()}"


class ReverseCrossEntropy(ProbabilityLoss):
    """Reverse cross entropy, ``-log_zero * (1 - p)``.

    Cross entropy with the label in the place of the prediction, ``-sum(p * log(onehot(y)))``, and
    `log_zero` for the logarithm of zero. But for the scale it is mean absolute error.

    Parameters
    ----------
    log_zero : float in [-80, 0), default=log(1e-4)
        Stands for the logarithm of 0, ``A`` in the paper; the default is that of the paper's code.
    reduction : {"none", "mean", "sum"}, default="none"
        Return the rows' losses, of shape (n,), their mean or their sum.

    References
    ----------
    Y. Wang, X. Ma, Z. Chen, Y. Luo, J. Yi, J. Bailey. Symmetric Cross Entropy for Robust Learning
    with Noisy Labels. ICCV 2019. arXiv:1908.06112.

    Examples
    --------
    >>> import torch
    >>> ReverseCrossEntropy()(torch.tensor([[0.0, 0.0], [3.0, 0.0]]), torch.tensor([0, 1]))
    tensor([4.6052, 8.7735])
    """

    def __init__(self, log_zero: float = math.log(1e-4), reduction: Reduction = "none") -> None:
        super().__init__(reduction)
        self.log_zero = check_number("log_zero", log_zero, -80.0, 0.0, high_included=False)

    def _loss(self, log_p: Tensor) -> Tensor:
        return self.log_zero * torch.expm1(log_p)

    def extra_repr(self) -> str:
        """Name the parameters in ``repr``."""
        return f"log_zero={self.log_zero:g}, {super().extra_repr()}"


class FocalLoss(ProbabilityLoss):
    """Focal loss, ``-(1 - p)**gamma * log p``.

    Not robust by itself: it turns away from rows that are learned, towards those that look wrong.
    Normalised it is, see :class:`NormalizedLoss`.

    Parameters
    ----------
    gamma : float in [0, 100], default=2.0
        Focusing parameter; 0 is cross entropy.
    reduction : {"none", "mean", "sum"}, default="none"
        Return the rows' losses, of shape (n,), their mean or their sum.

    References
    ----------
    T.-Y. Lin, P. Goyal, R. Girshick, K. He, P. Dollar. Focal Loss for Dense Object Detection.
    ICCV 2017. arXiv:1708.02002, equation 4.

    Examples
    --------
    >>> import torch
    >>> FocalLoss(gamma=2.0)(torch.tensor([[0.0, 0.0], [3.0, 0.0]]), torch.tensor([0, 1]))
    tensor([0.1733, 2.7663])
    """

    def __init__(self, gamma: float = 2.0, reduction: Reduction = "none") -> None:
        super().__init__(reduction)
        self.gamma = check_number("gamma", gamma, 0.0, 100.0)

    def _loss(self, log_p: Tensor) -> Tensor:
        # The power has an infinite derivative at 0 for gamma below 1, the loss has not.
        improbability = (-torch.expm1(log_p)).clamp(min=torch.finfo(log_p.dtype).tiny)
        return -improbability.pow(self.gamma) * log_p

    def extra_repr(self) -> str:
        """Name the parameters in ``repr``."""
        return f"gamma={self.gamma:g}, {super().extra_repr()}"


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
