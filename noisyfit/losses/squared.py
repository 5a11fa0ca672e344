"""Squared error of the network's outputs, without a softmax."""

from __future__ import annotations

from torch import Tensor

from noisyfit.losses.base import Reduction
from noisyfit.losses.labels import LabelLoss
from noisyfit.weighting.checks import check_number


class SquaredError(LabelLoss):
    r"""Squared error of the network's outputs f for C classes, rescaled for many of them.

    It is ::

        (k * (f[y] - M) ** 2 + sum of f[j] ** 2 over all j != y) / C

    The outputs are pulled to M for the label and to 0 for all other classes. With ``k = M = 1``,
    the plain squared distance to the one-hot label, the label's share vanishes among very many
    classes; the paper then raises both: k says how much the label's output counts, M what it is
    pulled to. For soft targets the expectation.

    The largest output is the predicted class. But the outputs are no logits: their softmax is no
    estimate of probabilities (for M = 1 it is never far from uniform), so what is computed from
    predicted probabilities, such as label quality, means less after training with this loss.

    Parameters
    ----------
    label_weight : float, positive, default=1.0
        ``k`` in the paper: 1 up to a few dozen classes, 15 for 1,000 (ImageNet).
    label_value : float, positive, default=1.0
        ``M`` in the paper: 1 up to a few dozen classes, 30 for 1,000 (ImageNet).
    reduction : {"none", "mean", "sum"}, default="none"
        Return the rows' losses, of shape (n,), their mean or their sum.

    References
    ----------
    L. Hui, M. Belkin. Evaluation of Neural Architectures Trained with Square Loss vs Cross-Entropy
    in Classification Tasks. ICLR 2021. arXiv:2006.07322, section on loss rescaling.

    Examples
    --------
    >>> import torch
    >>> outputs, labels = torch.tensor([[1.0, 0.0], [0.5, 0.0]]), torch.tensor([0, 1])
    >>> SquaredError()(outputs, labels)
    tensor([0.0000, 0.6250])
    >>> SquaredError(label_weight=15.0, label_value=30.0)(outputs, labels)
    tensor([6307.5000, 6750.1250])
    """

    def __init__(
        self, label_weight: float = 1.0, label_value: float = 1.0, reduction: Reduction = "none"
    ) -> None:
        super().__init__(reduction)
        self.label_weight = check_number("label_weight", label_weight, 0.0)
        self.label_value = check_number("label_value", label_value, 0.0)
        for name in ("label_weight", "label_value"):
            if getattr(self, name) == 0.0:
                raise ValueError(f"{name} must be positive, got 0, which makes labels meaningless.")

    def _losses_of_labels(self, logits: Tensor) -> Tensor:
        squares = logits.square()
        others = squares.sum(dim=1, keepdim=True) - squares
        given = self.label_weight * (logits - self.label_value).square()
        return (given + others) / logits.shape[1]

    def _losses_of_given(self, logits: Tensor, column: Tensor) -> Tensor:
        given = logits.gather(1, column).squeeze(1) - self.label_value
        others = logits.scatter(1, column, 0.0).square().sum(dim=1)
        return (self.label_weight * given.square() + others) / logits.shape[1]

    def extra_repr(self) -> str:
        """Name the parameters in ``repr``."""
        return (
            f"label_weight={self.label_weight:g}, label_value={self.label_value:g}, "
            f"{super().extra_repr()}"
        )
