"""From a criterion to its emphasis density, by automatic differentiation."""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from noisyfit._precision import in_double
from noisyfit.losses.resolve import resolve_criterion
from noisyfit.weighting import CallableEmphasis, Emphasis

# Stands for an infinite logit. Its exponential is below any number that adds to 1, yet no zero.
_HIGHEST_LOGIT = 700.0


def emphasis_of(
    criterion: str | Callable[[Tensor, Tensor], Tensor], n_classes: int = 2
) -> Emphasis:
    """Return the emphasis density of any criterion: the size of its derivative.

    The weight of p is the L1 norm of the derivative with respect to the logits, found by autograd,
    of a row whose label has the probability p and whose other classes share the rest evenly. For
    losses of the label's probability alone this is their closed form in :mod:`noisyfit.weighting`,
    for any number of classes; for others, such as normalised ones, it is a picture of them. Given
    to :class:`DerivativeManipulation` or `DMClassifier`, the density trains with cross entropy's
    direction and the criterion's size.

    Parameters
    ----------
    criterion : str or callable
        A name, criterion or function as :func:`resolve_criterion` takes it, a user's own included:
        from logits (n, C) and class codes (n,) to n losses, each of its own row only.
    n_classes : int, at least 2, default=2
        Number of classes. With two, there is only one way to share the rest.

    Returns
    -------
    Emphasis
        Its mode and integral are found numerically. It can be pickled if the criterion can.

    Raises
    ------
    TypeError, ValueError
        If the criterion is none, or `n_classes` no integer of at least 2. When weights are asked
        for: if the criterion does not return n losses that depend on the logits.

    Notes
    -----
    The size only: where a criterion pushes a row away from its label, as bootstrapping with a small
    weight may, a density cannot say so. For p, the label's logit is ``log(p / (1 - p)) +
    log(n_classes - 1)``, at most 700 and at least -700, and that of all other classes 0. This
    matters for :class:`SquaredError` only, whose outputs are no logits. Computed in float64.

    Examples
    --------
    >>> import torch
    >>> from noisyfit.losses import DerivativeManipulation, SymmetricCrossEntropy
    >>> emphasis_of(SymmetricCrossEntropy()).weight(torch.tensor([0.0, 0.5, 1.0]))
    tensor([0.2000, 4.7052, 0.0000])
    >>> density = emphasis_of("nce_rce", n_classes=10)
    >>> round(density.mode, 2)
    0.5
    >>> criterion = DerivativeManipulation(density)
    """
    criterion = resolve_criterion(criterion)
    if isinstance(n_classes, bool) or not isinstance(n_classes, numbers.Integral):
        raise TypeError(f"n_classes must be an integer, got {n_classes!r}.")
    if n_classes < 2:
        raise ValueError(f"n_classes must be at least 2, got {n_classes!r}.")
    return CallableEmphasis(_DerivativeSize(criterion, int(n_classes)))


@dataclass(frozen=True)
class _DerivativeSize:
    """L1 norm of a criterion's derivative with respect to the logits, as a function of p.

    An object instead of a closure, so that it can be pickled and named by ``repr``.
    """

    criterion: Callable[[Tensor, Tensor], Tensor]
    n_classes: int

    def __call__(self, p: Tensor) -> Tensor:
        # Criteria ask for weights where no derivatives are recorded.
        with torch.inference_mode(False), torch.enable_grad():
            flat = in_double(p.detach().flatten())
            given = flat.logit().clamp(-_HIGHEST_LOGIT, _HIGHEST_LOGIT)
            logits = given.new_zeros(len(flat), self.n_classes)
            logits[:, 0] = given + math.log(self.n_classes - 1)
            labels = torch.zeros(len(flat), dtype=torch.int64, device=flat.device)
            losses = self.criterion(logits.requires_grad_(), labels)
            if not isinstance(losses, Tensor) or losses.shape != flat.shape:
                got = tuple(losses.shape) if isinstance(losses, Tensor) else type(losses).__name__
                raise ValueError(
                    f"criterion must return one loss per row, shape {tuple(flat.shape)}, got {got} "
                    f"from {self.criterion!r}; reduce nothing."
                )
            if not losses.requires_grad:
                raise ValueError(
                    "criterion must return losses that depend on the logits, got "
                    f"{self.criterion!r}; compute them with torch, without detach() or no_grad()."
                )
            (derivative,) = torch.autograd.grad(losses.sum(), logits)
        return derivative.abs().sum(dim=1).reshape(p.shape).to(p.device)
