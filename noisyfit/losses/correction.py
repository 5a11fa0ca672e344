"""Cross entropy corrected by a noise matrix: what the labels would have been, not what they are."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from noisyfit.losses.base import Reduction, RowCriterion
from noisyfit.losses.checks import check_indices, check_logits, check_transition_matrix

# Probabilities are bounded by this before their logarithm is taken, as in the papers' code.
_SMALLEST = 1e-7
# Beyond this condition number the inverse multiplies losses by more than they can bear.
_LARGEST_CONDITION = 1e6


class _WithMatrix(RowCriterion):
    """A criterion that knows the noise matrix, a buffer."""

    transition_matrix: Tensor

    def __init__(self, transition_matrix: Any, reduction: Reduction = "none") -> None:
        super().__init__(reduction)
        self.register_buffer("transition_matrix", check_transition_matrix(transition_matrix))

    @abstractmethod
    def _losses(self, logits: Tensor, column: Tensor, matrix: Tensor) -> Tensor:
        """Return the losses (n,) of labels (n, 1) under the matrix, in the logits' dtype."""

    def forward(
        self, logits: Tensor, target: Tensor, sample_weight: Tensor | None = None
    ) -> Tensor:
        """Return the losses of the rows, or their reduction.

        Parameters
        ----------
        logits : Tensor of shape (n, n_classes)
            Half precision is computed and returned in float32.
        target : integer Tensor of shape (n,)
            Class codes of the given labels.
        sample_weight : Tensor of shape (n,), default=None
            Multiplies the rows' losses.

        Returns
        -------
        Tensor of shape (n,), or a scalar

        Raises
        ------
        TypeError, ValueError
            If an argument has another shape or dtype, or a code is out of range.
        """
        logits = check_logits(logits)
        n_classes = len(self.transition_matrix)
        if logits.shape[1] != n_classes:
            raise ValueError(
                f"logits must have one column for each of the {n_classes} classes of "
                f"transition_matrix, got {logits.shape[1]}."
            )
        column = check_indices("target", target, *logits.shape).unsqueeze(1)
        losses = self._losses(logits, column, self.transition_matrix.to(logits))
        return self.reduce(losses, sample_weight)

    def extra_repr(self) -> str:
        """Name the parameters in ``repr``."""
        return f"n_classes={len(self.transition_matrix)}, {super().extra_repr()}"


class ForwardCorrection(_WithMatrix):
    r"""Forward-corrected cross entropy: the likelihood of the *given* label.

    The network predicts true labels, ``p``; the noise matrix turns them into predictions of given
    ones. The loss is ``-log((p @ T)[y])``, with ``T[k, j] = P(given j | true k)``. Its minimiser on
    noisy labels is that of cross entropy on clean ones, and with T the identity it is cross
    entropy.

    Parameters
    ----------
    transition_matrix : array-like of shape (n_classes, n_classes)
        Noise matrix, rows true and columns given; its rows sum to 1.
    reduction : {"none", "mean", "sum"}, default="none"
        Return the rows' losses, of shape (n,), their mean or their sum.

    References
    ----------
    G. Patrini, A. Rozza, A. Menon, R. Nock, L. Qu. Making Deep Neural Networks Robust to Label
    Noise: a Loss Correction Approach. CVPR 2017. arXiv:1609.03683, theorem 2.

    Examples
    --------
    >>> import torch
    >>> criterion = ForwardCorrection([[0.8, 0.2], [0.2, 0.8]])
    >>> criterion(torch.tensor([[0.0, 0.0], [3.0, 0.0]]), torch.tensor([0, 1]))
    tensor([0.6931, 1.4764])
    """

    def _losses(self, logits: Tensor, column: Tensor, matrix: Tensor) -> Tensor:
        # In logarithms, which stay finite where p rounds to 0. A label that no class is given has
        # probability 0 whatever the network says, which is bounded.
        matrix = torch.where(matrix.sum(dim=0) > 0, matrix, _SMALLEST)
        evidence = matrix.log()[:, column.squeeze(1)].T
        return -(logits.log_softmax(dim=1) + evidence).logsumexp(dim=1)


class BackwardCorrection(_WithMatrix):
    """Backward-corrected cross entropy: unbiased for the loss on true labels.

    The loss of a row is ``sum_k inverse(T)[y, k] * -log p[k]``: in expectation over the noise it is
    the cross entropy on the true label. It has no lower bound: a network that can fit anything is
    driven to infinite logits, so prefer :class:`ForwardCorrection` where nothing holds it back.

    Parameters
    ----------
    transition_matrix : array-like of shape (n_classes, n_classes)
        Noise matrix, rows true and columns given; invertible, with a condition number of at most a
        million.
    reduction : {"none", "mean", "sum"}, default="none"
        Return the rows' losses, of shape (n,), their mean or their sum.

    References
    ----------
    G. Patrini, A. Rozza, A. Menon, R. Nock, L. Qu. Making Deep Neural Networks Robust to Label
    Noise: a Loss Correction Approach. CVPR 2017. arXiv:1609.03683, theorem 1.

    Examples
    --------
    >>> import torch
    >>> criterion = BackwardCorrection([[0.8, 0.2], [0.2, 0.8]])
    >>> criterion(torch.tensor([[0.0, 0.0], [3.0, 0.0]]), torch.tensor([0, 1]))
    tensor([0.6931, 4.0486])
    """

    inverse: Tensor

    def __init__(self, transition_matrix: Any, reduction: Reduction = "none") -> None:
        super().__init__(transition_matrix, reduction)
        condition = float(np.linalg.cond(self.transition_matrix.numpy()))
        if not condition <= _LARGEST_CONDITION:
            raise ValueError(
                f"transition_matrix has the condition number {condition:.3g} and can't be inverted "
                "for backward correction; use forward correction."
            )
        self.register_buffer("inverse", torch.linalg.inv(self.transition_matrix))

    def _losses(self, logits: Tensor, column: Tensor, matrix: Tensor) -> Tensor:
        shares = self.inverse.to(logits)[column.squeeze(1)]
        return -(shares * logits.log_softmax(dim=1)).sum(dim=1)


class ImportanceReweighting(_WithMatrix):
    """Cross entropy weighted by how much likelier the label is as the true than as the given one.

    The weight of a row is ``p[y] / (p @ T)[y]``. In the reweighting phase of T-Revision it is taken
    as a constant; after :meth:`revise` a correction is added to T, a parameter to be learned with
    the network's, and the derivative goes through the weight.

    (In the official code the correction gets no derivative in one version, and is added once more
    for every row of a batch in the other.)

    Parameters
    ----------
    transition_matrix : array-like of shape (n_classes, n_classes)
        Noise matrix, rows true and columns given; its rows sum to 1.
    reduction : {"none", "mean", "sum"}, default="none"
        Return the rows' losses, of shape (n,), their mean or their sum.

    Attributes
    ----------
    correction : torch.nn.Parameter of shape (n_classes, n_classes) or None
        What is added to the matrix, not clipped and not normalised; None before :meth:`revise`.

    References
    ----------
    X. Xia, T. Liu, N. Wang, B. Han, C. Gong, G. Niu, M. Sugiyama. Are Anchor Points Really
    Indispensable in Label-Noise Learning? NeurIPS 2019. arXiv:1906.00189, equation 4.

    Examples
    --------
    >>> import torch
    >>> criterion = ImportanceReweighting([[0.8, 0.2], [0.2, 0.8]])
    >>> criterion(torch.tensor([[0.0, 0.0], [3.0, 0.0]]), torch.tensor([0, 1]))
    tensor([0.6931, 0.6329])
    >>> criterion.revise().correction.shape
    torch.Size([2, 2])
    """

    correction: nn.Parameter | None

    def __init__(self, transition_matrix: Any, reduction: Reduction = "none") -> None:
        super().__init__(transition_matrix, reduction)
        self.register_parameter("correction", None)

    def revise(self) -> ImportanceReweighting:
        """Start revising: add a correction of zeros, and let derivatives go through the weights.

        Returns
        -------
        ImportanceReweighting
            The criterion itself.
        """
        self.correction = nn.Parameter(torch.zeros_like(self.transition_matrix))
        return self

    def for_validation(self) -> nn.Module:
        """Return the likelihood of the given labels under the matrix.

        The weights would be small where the network is wrong about a label, and the loss with them.

        Returns
        -------
        ForwardCorrection
        """
        matrix = self.revised_matrix.detach().clamp_min(0)
        matrix = matrix / matrix.sum(dim=1, keepdim=True)
        likelihood = ForwardCorrection(np.eye(len(matrix)))
        likelihood.transition_matrix = matrix  # on its device, where no check would wait for it
        return likelihood

    @property
    def revised_matrix(self) -> Tensor:
        """The matrix in use, (n_classes, n_classes): with the correction if there is one."""
        matrix = self.transition_matrix
        return matrix if self.correction is None else matrix + self.correction

    def _losses(self, logits: Tensor, column: Tensor, matrix: Tensor) -> Tensor:
        log_p = logits.log_softmax(dim=1)
        given = log_p.gather(1, column).squeeze(1)
        if self.correction is not None:
            matrix = matrix + self.correction.to(logits)
        predicted = (log_p.exp() * matrix[:, column.squeeze(1)].T).sum(dim=1)
        # A correction may make a probability negative, which the bound also takes care of.
        weights = given.exp() / predicted.clamp_min(_SMALLEST)
        if self.correction is None:
            weights = weights.detach()
        return weights * -given
