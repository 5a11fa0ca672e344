"""Information between predictions and labels, measured by a determinant."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from noisyfit._precision import in_double
from noisyfit.losses.checks import check_indices, check_logits, check_sample_weight

# Relative to the square of the largest singular value there can be. Keeps the logarithm finite
# where predictions of two classes are the same.
_RIDGE = 1e-8


class DeterminantMutualInformation(nn.Module):
    r"""Determinant based mutual information (L_DMI) of a batch.

    With one-hot labels Y (n, C) and predicted probabilities P (n, C), the joint distribution of
    labels and predictions is ``U = Y.T @ P / n``, and the loss is ``-log|det U|``. Noise that
    depends on the true class only multiplies U by the noise matrix, which adds a constant: the loss
    orders classifiers the same way on noisy labels as on clean ones.

    It is a loss of the batch, not a sum over rows, and blind to which column stands for which
    class: a network has to know that before, from cross entropy say. Classes without a row in the
    batch say nothing about it; draw batches that hold each class several times.

    The logarithm of the determinant is computed as half of that of ``U @ U.T``, which is the same
    and is defined where classes are missing. (The official code does not divide by n and adds .001
    to the determinant, which for many classes is more than the determinant itself.)

    References
    ----------
    Y. Xu, P. Cao, Y. Kong, Y. Wang. L_DMI: A Novel Information-theoretic Loss Function for Training
    Deep Nets Robust to Label Noise. NeurIPS 2019. arXiv:1909.03388.

    Examples
    --------
    >>> import torch
    >>> logits = torch.tensor([[4.0, 0.0], [3.0, 0.0], [0.0, 2.0]])
    >>> DeterminantMutualInformation()(logits, torch.tensor([0, 0, 1]))
    tensor(1.6688)
    >>> DeterminantMutualInformation()(logits[:, [1, 0]], torch.tensor([0, 0, 1]))
    tensor(1.6688)
    """

    def __init__(self) -> None:
        super().__init__()

    def forward(
        self, logits: Tensor, target: Tensor, sample_weight: Tensor | None = None
    ) -> Tensor:
        """Return the loss of the batch.

        Parameters
        ----------
        logits : Tensor of shape (n, n_classes)
            Half precision is computed and returned in float32.
        target : integer Tensor of shape (n,)
            Class codes of the given labels.
        sample_weight : Tensor of shape (n,), default=None
            A row of weight 2 counts like two rows, one of weight 0 not at all.

        Returns
        -------
        Tensor, a scalar

        Raises
        ------
        TypeError, ValueError
            If an argument has another shape or dtype, or a code is out of range.
        """
        logits = check_logits(logits)
        target = check_indices("target", target, *logits.shape)
        n_classes = logits.shape[1]
        # Determinants of many classes are far below what float32 can tell apart.
        p = in_double(logits).softmax(dim=1)
        ones = torch.ones_like(p[:, 0])
        weights = ones if sample_weight is None else check_sample_weight(sample_weight, ones)
        one_hot = torch.nn.functional.one_hot(target, n_classes).to(p)
        total = weights.sum()
        total = torch.where(total > 0, total, torch.ones_like(total))  # the loss is 0 then, not NaN
        joint = one_hot.T @ (p * (weights / total).unsqueeze(1))
        # A class without a row has a factor of 1 in the determinant: it is left out. One whose
        # rows are NaN is not, or the loss would be finite.
        empty = joint.detach().sum(dim=1) == 0
        diagonal = torch.where(empty, 1.0, _RIDGE / n_classes**2).to(p)
        gram = joint @ joint.T + diagonal.diag()
        return (-0.5 * torch.linalg.slogdet(gram).logabsdet).to(logits)
