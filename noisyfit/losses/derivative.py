"""Training from a derivative: the loss is only there to have it."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from noisyfit.losses.base import Reduction, RowCriterion
from noisyfit.losses.checks import check_indices, check_logits
from noisyfit.weighting import Emphasis, normalize_weights, resolve_emphasis
from noisyfit.weighting.normalization import Normalization, check_normalization


class DerivativeManipulation(RowCriterion):
    r"""Derivative manipulation (DM): cross entropy's direction, a designed size.

    The derivative of a row's loss with respect to its logits has the direction of the derivative of
    cross entropy, and the L1 norm ``w(p)``, where p is the probability of the given label y and w
    an emphasis density, normalised. The loss is ::

        0.5 * w(p) * (log(sum of exp(z[j]) over all j != y) - z[y])

    with w(p) taken as a constant. This has exactly the derivative wanted and stays finite where
    dividing by ``1 - p``, as the definition asks, does not. Only its derivative means anything: the
    value is negative where p > 1/2 and is no measure of progress.

    Parameters
    ----------
    emphasis : str, Emphasis or callable, default="dm"
        The emphasis density, see :func:`noisyfit.weighting.resolve_emphasis`.
    mode, variance : float, default=None
        Parameters of a density given by name; None means 0.5 and 12 where the density has them.
    normalize : {"integral", "batch", None}, default="integral"
        See :func:`noisyfit.weighting.normalize_weights`.
    reduction : {"none", "mean", "sum"}, default="none"
        Return the rows' losses, of shape (n,), their mean or their sum.

    References
    ----------
    X. Wang, E. Kodirov, Y. Hua, N. M. Robertson. Derivative Manipulation for General Example
    Weighting. arXiv:1905.11233. The closed form is noisyfit's.

    Examples
    --------
    >>> import torch
    >>> criterion = DerivativeManipulation("dm", mode=0.5, variance=12.0, normalize=None)
    >>> logits = torch.zeros(1, 2, requires_grad=True)
    >>> criterion(logits, torch.tensor([0])).sum().backward()
    >>> logits.grad
    tensor([[-10.0428,  10.0428]])
    >>> criterion.emphasis.weight(torch.tensor(0.5))
    tensor(20.0855)
    """

    def __init__(
        self,
        emphasis: str | Emphasis | Callable[[Tensor], Tensor] = "dm",
        mode: float | None = None,
        variance: float | None = None,
        normalize: Normalization = "integral",
        reduction: Reduction = "none",
    ) -> None:
        super().__init__(reduction)
        check_normalization(normalize)
        self.emphasis = resolve_emphasis(emphasis, mode, variance)
        self.normalize = normalize

    def forward(
        self, logits: Tensor, target: Tensor, sample_weight: Tensor | None = None
    ) -> Tensor:
        """Return the losses of the rows, or their reduction.

        Parameters
        ----------
        logits : Tensor of shape (n, C), C at least 2
            Half precision is computed and returned in float32.
        target : integer Tensor of shape (n,)
            Class codes from 0 to C - 1.
        sample_weight : Tensor of shape (n,), default=None
            Multiplies the rows' losses; also counts in the mean of ``normalize="batch"``.

        Returns
        -------
        Tensor of shape (n,), or a scalar

        Raises
        ------
        TypeError, ValueError
            If the logits or the target have another shape or dtype, or a code is out of range.
        """
        logits = check_logits(logits)
        target = check_indices("target", target, *logits.shape)
        column = target.unsqueeze(1)
        with torch.no_grad():
            # A softmax may exceed 1 by rounding, and densities are defined up to 1 only.
            p = logits.softmax(dim=1).gather(1, column).squeeze(1).clamp(max=1.0)
            weights = self.emphasis.weight(p)
            weights = normalize_weights(weights, self.emphasis, self.normalize, sample_weight)
        # Measured from the largest of the others: a sum of exponentials far from 0 would round its
        # logarithm, and with it the derivative, to the spacing of the floats there.
        others = logits.scatter(1, column, -torch.inf)
        largest = others.detach().amax(dim=1, keepdim=True)
        given = (logits.gather(1, column) - largest).squeeze(1)
        others = (others - largest).logsumexp(dim=1)
        return self.reduce(0.5 * weights * (others - given), sample_weight)

    def extra_repr(self) -> str:
        """Name the parameters in ``repr``."""
        return f"{self.emphasis!r}, normalize={self.normalize!r}, {super().extra_repr()}"


class LogitDerivative(RowCriterion):
    """Train from a derivative alone, without a loss that has it.

    Some useful derivatives belong to no differentiable loss. The criterion returns the inner
    product of the logits with the given derivative, taken as a constant: backpropagation then
    starts from exactly that derivative. The value itself means nothing.

    Parameters
    ----------
    derivative : callable
        Takes a copy of the logits, of shape (n, C) and outside of the graph, and the target as it
        was given; returns the derivative of each row's loss with respect to its logits, of shape
        (n, C) and finite.
    reduction : {"none", "mean", "sum"}, default="none"
        Return the rows' values, of shape (n,), their mean or their sum.

    Examples
    --------
    The sign of cross entropy's derivative:

    >>> import torch
    >>> from torch.nn.functional import one_hot
    >>> criterion = LogitDerivative(lambda z, y: (z.softmax(1) - one_hot(y, z.shape[1])).sign())
    >>> logits = torch.tensor([[2.0, 1.0, 0.0]], requires_grad=True)
    >>> criterion(logits, torch.tensor([1])).sum().backward()
    >>> logits.grad
    tensor([[ 1., -1.,  1.]])
    """

    def __init__(
        self, derivative: Callable[[Tensor, Tensor], Tensor], reduction: Reduction = "none"
    ) -> None:
        super().__init__(reduction)
        if not callable(derivative):
            raise TypeError(
                "derivative must take logits and target and return the derivative of the logits, "
                f"got {derivative!r} of type {type(derivative).__name__}."
            )
        self.derivative = derivative

    def forward(
        self, logits: Tensor, target: Tensor, sample_weight: Tensor | None = None
    ) -> Tensor:
        """Return the inner products of the rows, or their reduction.

        Parameters
        ----------
        logits : Tensor of shape (n, C), C at least 2
            Half precision is computed and returned in float32.
        target : Tensor
            Passed on to `derivative`.
        sample_weight : Tensor of shape (n,), default=None
            Multiplies the rows' derivatives.

        Returns
        -------
        Tensor of shape (n,), or a scalar

        Raises
        ------
        TypeError, ValueError
            If `derivative` returns no tensor, one of another shape, or one that is not finite.
        """
        logits = check_logits(logits)
        # A copy: a derivative that works in place must not change the network's output.
        derivative = self.derivative(logits.detach().clone(), target)
        if not isinstance(derivative, Tensor):
            raise TypeError(
                f"derivative must return a torch tensor, got {type(derivative).__name__}."
            )
        if derivative.shape != logits.shape:
            raise ValueError(
                "derivative must return one number per logit, shape "
                f"{tuple(logits.shape)}, got {tuple(derivative.shape)}."
            )
        derivative = derivative.detach().to(logits)
        finite = derivative.isfinite().all(dim=1)
        if not finite.all():
            row = int((~finite).nonzero()[0])
            raise ValueError(
                "derivative must return finite numbers, got "
                f"{derivative[row].tolist()} for row {row} of the batch."
            )
        return self.reduce((derivative * logits).sum(dim=1), sample_weight)
