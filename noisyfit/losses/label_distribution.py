"""Labels that are learned together with the network."""

from __future__ import annotations

import torch
from torch import Tensor

from noisyfit.losses.base import Reduction, RowCriterion
from noisyfit.losses.checks import check_indices, check_logits
from noisyfit.weighting.checks import check_number


class LabelDistributionLearning(RowCriterion):
    r"""PENCIL: each training row has a label distribution, which is learned with the network.

    The distribution d of a row is the softmax of its own logits, which start as ``confidence`` for
    the given label y and 0 for the others. The loss, with predicted probabilities p, is ::

        KL(p || d) - compatibility * log(d[y]) + entropy * H(p)

    trains both: every call in training mode moves the label logits of its rows by ``label_lr`` down
    the gradient. Each row is pulled to what is predicted for it and held by its given label; it
    settles at ``d = (p + compatibility * onehot(y)) / (1 + compatibility)``.

    The paper divides the first and the last term by the number of classes: its alpha is
    ``compatibility / n_classes``, its beta is ``entropy``, and its step, for the gradient of the
    mean over a batch, is ``label_lr * batch_size * n_classes`` in the end. (Its code applies a
    second softmax to the labels in the middle term, which makes that term much weaker than the
    formula has it.)

    Parameters
    ----------
    labels : integer Tensor of shape (n_rows,)
        Class codes of all training rows.
    n_classes : int, at least 2
        Number of classes.
    compatibility : float, non-negative, default=0.25
        How much the given label holds on to its row.
    entropy : float, non-negative, default=0.1
        How much undecided predictions cost.
    label_lr : float, non-negative, default=1.0
        Step of the label logits at each visit of a row; 0 freezes them.
    confidence : float, default=10.0
        Label logit of the given class at the start, K in the paper.
    reduction : {"none", "mean", "sum"}, default="none"
        Return the rows' losses, of shape (n,), their mean or their sum.

    Attributes
    ----------
    label_logits : Tensor of shape (n_rows, n_classes)
        A buffer: it moves with ``.to()`` and is saved in the state. Updated by each call in
        training mode, left alone in evaluation mode.

    References
    ----------
    K. Yi, J. Wu. Probabilistic End-to-end Noise Correction for Learning with Noisy Labels.
    CVPR 2019. arXiv:1903.07788, equations 1 to 8.

    Examples
    --------
    >>> import torch
    >>> criterion = LabelDistributionLearning(torch.tensor([0, 1]), n_classes=2, confidence=2.0)
    >>> logits = torch.tensor([[0.0, 3.0]])
    >>> criterion(logits, torch.tensor([0]), row=torch.tensor([0]))
    tensor([1.8920])
    >>> criterion.label_distributions()
    tensor([[0.5970, 0.4030],
            [0.1192, 0.8808]])
    """

    needs_rows = True
    label_logits: Tensor

    def __init__(
        self,
        labels: Tensor,
        n_classes: int,
        compatibility: float = 0.25,
        entropy: float = 0.1,
        label_lr: float = 1.0,
        confidence: float = 10.0,
        reduction: Reduction = "none",
    ) -> None:
        super().__init__(reduction)
        labels = check_indices("labels", labels, len(labels), n_classes)
        self.compatibility = check_number("compatibility", compatibility, 0.0)
        self.entropy = check_number("entropy", entropy, 0.0)
        self.label_lr = check_number("label_lr", label_lr, 0.0)
        confidence = check_number("confidence", confidence)
        one_hot = torch.nn.functional.one_hot(labels, n_classes)
        self.register_buffer("label_logits", confidence * one_hot.float())

    def label_distributions(self) -> Tensor:
        """Return the label distributions of all rows, (n_rows, n_classes), on the simplex."""
        return self.label_logits.softmax(dim=1)

    def freeze(self) -> LabelDistributionLearning:
        """Keep the labels as they are now: the loss is ``KL(p || d)`` from now on.

        Returns
        -------
        LabelDistributionLearning
            The criterion itself.
        """
        self.label_lr = self.compatibility = self.entropy = 0.0
        return self

    def forward(
        self, logits: Tensor, target: Tensor, row: Tensor, sample_weight: Tensor | None = None
    ) -> Tensor:
        """Return the losses of the rows, or their reduction.

        Parameters
        ----------
        logits : Tensor of shape (n, n_classes)
            Half precision is computed and returned in float32.
        target : integer Tensor of shape (n,)
            Class codes of the given labels.
        row : integer Tensor of shape (n,)
            Number of each row in the training data, from 0 to n_rows - 1, on the device of the
            buffer.
        sample_weight : Tensor of shape (n,), default=None
            Multiplies the rows' losses. The labels do not depend on it.

        Returns
        -------
        Tensor of shape (n,), or a scalar

        Raises
        ------
        TypeError, ValueError
            If an argument has another shape or dtype, or a number is out of range.
        """
        logits = check_logits(logits)
        n_rows, n_classes = self.label_logits.shape
        if logits.shape[1] != n_classes:
            raise ValueError(
                f"logits must have n_classes={n_classes} columns, got {logits.shape[1]}."
            )
        target = check_indices("target", target, *logits.shape)
        row = check_indices("row", row, len(logits), n_rows)
        label_logits = self.label_logits[row]
        log_d = label_logits.to(logits).log_softmax(dim=1)
        log_p = logits.log_softmax(dim=1)
        p = log_p.exp()
        divergence = (p * (log_p - log_d)).sum(dim=1)
        kept = -log_d.gather(1, target.unsqueeze(1)).squeeze(1)
        undecided = -(p * log_p).sum(dim=1)
        losses = divergence + self.compatibility * kept + self.entropy * undecided
        if self.training and self.label_lr > 0:
            with torch.no_grad():
                d = log_d.exp()
                given = torch.nn.functional.one_hot(target, n_classes)
                step = (d - p) + self.compatibility * (d - given)
                self.label_logits[row] = label_logits - self.label_lr * step.to(label_logits)
        return self.reduce(losses, sample_weight)

    def extra_repr(self) -> str:
        """Name the parameters in ``repr``."""
        return (
            f"compatibility={self.compatibility:g}, entropy={self.entropy:g}, "
            f"label_lr={self.label_lr:g}, {super().extra_repr()}"
        )
