"""Cross entropy against the given label mixed with something else."""

from __future__ import annotations

from abc import abstractmethod

from torch import Tensor

from noisyfit.losses.base import Reduction
from noisyfit.losses.labels import LabelLoss
from noisyfit.weighting.checks import check_number


class MixedTargetLoss(LabelLoss):
    """``weight`` times the cross entropy of the label plus the rest times that of another target.

    Parameters
    ----------
    weight : float in [0, 1]
        Share of the label.
    reduction : {"none", "mean", "sum"}, default="none"
        Return the rows' losses, of shape (n,), their mean or their sum.
    """

    def __init__(self, weight: float, reduction: Reduction) -> None:
        super().__init__(reduction)
        self._label_share = weight

    @abstractmethod
    def _other(self, log_p: Tensor) -> Tensor:
        """Return the cross entropy (n, 1) of the other target, given log probabilities (n, C)."""

    def _losses_of_labels(self, logits: Tensor) -> Tensor:
        log_p = logits.log_softmax(dim=1)
        return -self._label_share * log_p + (1.0 - self._label_share) * self._other(log_p)


class LabelSmoothing(MixedTargetLoss):
    """Cross entropy of smoothed labels: ``1 - smoothing`` the label, the rest all classes evenly.

    For C classes, the target is ``1 - smoothing + smoothing / C`` for the label and ``smoothing /
    C`` for any other class. It shrinks the network's confidence, which alone helps against label
    noise. The same as ``torch.nn.CrossEntropyLoss(label_smoothing=...)``.

    Parameters
    ----------
    smoothing : float in [0, 1], default=0.1
        0 is cross entropy; with 1 the labels do not matter.
    reduction : {"none", "mean", "sum"}, default="none"
        Return the rows' losses, of shape (n,), their mean or their sum.

    References
    ----------
    C. Szegedy, V. Vanhoucke, S. Ioffe, J. Shlens, Z. Wojna. Rethinking the Inception Architecture
    for Computer Vision. CVPR 2016. arXiv:1512.00567, section 7.

    M. Lukasik, S. Bhojanapalli, A. K. Menon, S. Kumar. Does Label Smoothing Mitigate Label Noise?
    ICML 2020. arXiv:2003.02819.

    Examples
    --------
    >>> import torch
    >>> LabelSmoothing(0.1)(torch.tensor([[0.0, 0.0], [3.0, 0.0]]), torch.tensor([0, 1]))
    tensor([0.6931, 2.8986])
    """

    def __init__(self, smoothing: float = 0.1, reduction: Reduction = "none") -> None:
        self_share = 1.0 - check_number("smoothing", smoothing, 0.0, 1.0)
        super().__init__(self_share, reduction)
        self.smoothing = float(smoothing)

    def _other(self, log_p: Tensor) -> Tensor:
        return -log_p.mean(dim=1, keepdim=True)

    def extra_repr(self) -> str:
        """Name the parameters in ``repr``."""
        return f"smoothing={self.smoothing:g}, {super().extra_repr()}"


class SoftBootstrapping(MixedTargetLoss):
    """Soft bootstrapping: the target is the label mixed with the network's own probabilities.

    ``-sum((weight * onehot(y) + (1 - weight) * p) * log(p))``, which is `weight` times cross
    entropy plus the rest times the entropy of the prediction. The derivative goes through both
    places of p, so that the entropy is minimised, as in the paper.

    Parameters
    ----------
    weight : float in [0, 1], default=0.95
        ``beta`` in the paper, the share of the label; 1 is cross entropy.
    reduction : {"none", "mean", "sum"}, default="none"
        Return the rows' losses, of shape (n,), their mean or their sum.

    References
    ----------
    S. Reed, H. Lee, D. Anguelov, C. Szegedy, D. Erhan, A. Rabinovich. Training Deep Neural Networks
    on Noisy Labels with Bootstrapping. 2014. arXiv:1412.6596, equation 6.

    Examples
    --------
    >>> import torch
    >>> SoftBootstrapping()(torch.tensor([[0.0, 0.0], [3.0, 0.0]]), torch.tensor([0, 1]))
    tensor([0.6931, 2.9057])
    """

    def __init__(self, weight: float = 0.95, reduction: Reduction = "none") -> None:
        super().__init__(check_number("weight", weight, 0.0, 1.0), reduction)

    @property
    def weight(self) -> float:
        """Share of the label."""
        return self._label_share

    def _other(self, log_p: Tensor) -> Tensor:
        return -(log_p.exp() * log_p).sum(dim=1, keepdim=True)

    def extra_repr(self) -> str:
        """Name the parameters in ``repr``."""
        return f"weight={self.weight:g}, {super().extra_repr()}"


class HardBootstrapping(MixedTargetLoss):
    """Hard bootstrapping: the target is the label mixed with the class that the network predicts.

    ``-weight * log(p_y) - (1 - weight) * log(p_k)`` for the most probable class k, which is taken
    as a constant: no derivative goes through the choice. Of equally probable classes the first.

    Parameters
    ----------
    weight : float in [0, 1], default=0.8
        ``beta`` in the paper, the share of the label; 1 is cross entropy.
    reduction : {"none", "mean", "sum"}, default="none"
        Return the rows' losses, of shape (n,), their mean or their sum.

    References
    ----------
    S. Reed, H. Lee, D. Anguelov, C. Szegedy, D. Erhan, A. Rabinovich. Training Deep Neural Networks
    on Noisy Labels with Bootstrapping. 2014. arXiv:1412.6596, equation 7.

    Examples
    --------
    >>> import torch
    >>> HardBootstrapping()(torch.tensor([[0.0, 0.0], [3.0, 0.0]]), torch.tensor([0, 1]))
    tensor([0.6931, 2.4486])
    """

    def __init__(self, weight: float = 0.8, reduction: Reduction = "none") -> None:
        super().__init__(check_number("weight", weight, 0.0, 1.0), reduction)

    @property
    def weight(self) -> float:
        """Share of the label."""
        return self._label_share

    def _other(self, log_p: Tensor) -> Tensor:
        # Not amax, which would share the derivative among equally probable classes.
        return -log_p.gather(1, log_p.argmax(dim=1, keepdim=True))

    def extra_repr(self) -> str:
        """Name the parameters in ``repr``."""
        return f"weight={self.weight:g}, {super().extra_repr()}"
