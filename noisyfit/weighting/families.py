"""Families of emphasis densities, to be designed by their mode and variance."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from scipy.special import beta as beta_function
from torch import Tensor

from noisyfit.weighting.checks import check_number, store_number
from noisyfit.weighting.emphasis import Emphasis


@dataclass(frozen=True)
class DMEmphasis(Emphasis):
    """The density of derivative manipulation: ``exp(beta * p**lambda * (1 - p))``.

    Parameters
    ----------
    mode : float in [0, 1), default=0.5
        Probability that is weighted most; ``lambda = mode / (1 - mode)``. Near 0 it favours rows
        that the network does not yet predict (clean data), higher values pass over rows that it
        contradicts (noisy labels).
    variance : float, default=12.0
        ``beta``, the emphasis variance: 0 weights all rows by 1, larger values tell them apart
        more. A negative value turns the density over and is allowed for ``mode=0`` only, where it
        favours rows already predicted; their probability 1 is then the mode, and is stored as such.

    References
    ----------
    X. Wang, E. Kodirov, Y. Hua, N. M. Robertson. Derivative Manipulation for General Example
    Weighting. arXiv:1905.11233, equation of the weight w.

    Examples
    --------
    >>> import torch
    >>> emphasis = DMEmphasis(mode=0.5, variance=12.0)
    >>> emphasis.weight(torch.tensor([0.0, 0.5, 1.0]))
    tensor([ 1.0000, 20.0855,  1.0000])
    >>> round(emphasis.integral(), 3)
    10.13
    >>> DMEmphasis(mode=0, variance=-0.52).mode
    1.0
    """

    mode: float = 0.5
    variance: float = 12.0

    def __post_init__(self) -> None:
        store_number(self, "variance")
        if self.variance >= 0:
            store_number(self, "mode", 0.0, 1.0, high_included=False)
        else:
            if check_number("mode", self.mode) not in (0.0, 1.0):
                raise ValueError(
                    f"variance must be non-negative unless mode=0, got variance={self.variance!r} "
                    f"with mode={self.mode!r}."
                )
            object.__setattr__(self, "mode", 1.0)
        self._check_range()

    @property
    def exponent(self) -> float:
        """The ``lambda`` of the paper."""
        return self.mode / (1.0 - self.mode) if self.variance >= 0 else 0.0

    def _weight(self, p: Tensor) -> Tensor:
        return torch.exp(p.pow(self.exponent) * (1.0 - p) * self.variance)

    def _integral(self) -> float:
        if self.exponent == 0.0:
            return _exponential_integral(self.variance)
        if self.exponent == 1.0:
            return _normal_integral(0.5, self.variance)
        return super()._integral()

    def _square_integral(self) -> float:
        if self.exponent == 0.0:
            return _exponential_integral(2.0 * self.variance)
        if self.exponent == 1.0:
            return _normal_integral(0.5, 2.0 * self.variance)
        return super()._square_integral()


@dataclass(frozen=True)
class NormalEmphasis(Emphasis):
    """A normal density cut to [0, 1]: ``exp(-variance * p * (p - 2 * mode))``.

    Parameters
    ----------
    mode : float in [0, 1], default=0.5
        Probability that is weighted most.
    variance : float, non-negative, default=12.0
        How much the weights differ, as for :class:`DMEmphasis`, which it equals for ``mode=0.5``.
        (The statistical variance of the normal density is ``1 / (2 * variance)``.)

    Examples
    --------
    >>> import torch
    >>> NormalEmphasis(mode=0.5, variance=4.0).weight(torch.tensor([0.0, 0.5, 1.0]))
    tensor([1.0000, 2.7183, 1.0000])
    """

    mode: float = 0.5
    variance: float = 12.0

    def __post_init__(self) -> None:
        store_number(self, "mode", 0.0, 1.0)
        store_number(self, "variance", 0.0)
        self._check_range()

    def _weight(self, p: Tensor) -> Tensor:
        return torch.exp(p * (p - 2.0 * self.mode) * -self.variance)

    def _integral(self) -> float:
        return _normal_integral(self.mode, self.variance)

    def _square_integral(self) -> float:
        return _normal_integral(self.mode, 2.0 * self.variance)


@dataclass(frozen=True)
class ExponentialEmphasis(Emphasis):
    """An exponential density: ``exp(variance * (1 - p))``.

    Parameters
    ----------
    variance : float, default=12.0
        How much the weights differ. Positive values favour rows whose label the network finds
        improbable, negative ones those it already predicts; 0 weights all rows by 1.

    Examples
    --------
    >>> import torch
    >>> ExponentialEmphasis(variance=1.0).weight(torch.tensor([0.0, 1.0]))
    tensor([2.7183, 1.0000])
    """

    variance: float = 12.0

    def __post_init__(self) -> None:
        store_number(self, "variance")
        self._check_range()

    @property
    def mode(self) -> float:
        """0 for a non-negative variance, else 1."""
        return 0.0 if self.variance >= 0 else 1.0

    def _weight(self, p: Tensor) -> Tensor:
        return torch.exp((1.0 - p) * self.variance)

    def _integral(self) -> float:
        return _exponential_integral(self.variance)

    def _square_integral(self) -> float:
        return _exponential_integral(2.0 * self.variance)


@dataclass(frozen=True)
class BetaEmphasis(Emphasis):
    """A beta density without its constant: ``p**(alpha - 1) * (1 - p)**(eta - 1)``.

    Parameters
    ----------
    alpha, eta : float, at least 1
        The shape parameters. The mode is ``(alpha - 1) / (alpha + eta - 2)``; with both equal to 1
        all rows weigh 1 and the mode is given as 0.5. See :meth:`from_mode` for a construction by
        mode and variance.

    Examples
    --------
    >>> import torch
    >>> emphasis = BetaEmphasis(alpha=2.0, eta=3.0)
    >>> round(emphasis.mode, 4), round(emphasis.integral(), 4)
    (0.3333, 0.0833)
    >>> emphasis.weight(torch.tensor([0.0, 0.5, 1.0]))
    tensor([0.0000, 0.1250, 0.0000])
    """

    alpha: float
    eta: float

    def __post_init__(self) -> None:
        store_number(self, "alpha", 1.0)
        store_number(self, "eta", 1.0)
        self._check_range()

    @classmethod
    def from_mode(cls, mode: float = 0.5, variance: float = 12.0) -> BetaEmphasis:
        """Return the density with ``alpha = 1 + variance * mode`` and the given mode.

        Parameters
        ----------
        mode : float in [0, 1], default=0.5
            Probability that is weighted most.
        variance : float, non-negative, default=12.0
            ``alpha + eta - 2``: how much the weights differ; 0 weights all rows by 1.

        Examples
        --------
        >>> BetaEmphasis.from_mode(mode=0.25, variance=8.0)
        BetaEmphasis(alpha=3.0, eta=7.0)
        """
        mode = check_number("mode", mode, 0.0, 1.0)
        variance = check_number("variance", variance, 0.0)
        return cls(alpha=1.0 + variance * mode, eta=1.0 + variance * (1.0 - mode))

    @property
    def mode(self) -> float:
        """``(alpha - 1) / (alpha + eta - 2)``."""
        total = self.alpha + self.eta - 2.0
        return (self.alpha - 1.0) / total if total > 0 else 0.5

    def _weight(self, p: Tensor) -> Tensor:
        return p.pow(self.alpha - 1.0) * (1.0 - p).pow(self.eta - 1.0)

    def _integral(self) -> float:
        return float(beta_function(self.alpha, self.eta))

    def _square_integral(self) -> float:
        return float(beta_function(2.0 * self.alpha - 1.0, 2.0 * self.eta - 1.0))


# The squares of these two families belong to the families again, with twice the variance.


def _exponential_integral(variance: float) -> float:
    """Integral of ``exp(variance * (1 - p))`` over [0, 1]."""
    return math.expm1(variance) / variance if variance else 1.0


def _normal_integral(mode: float, variance: float) -> float:
    """Integral of ``exp(-variance * p * (p - 2 * mode))`` over [0, 1]."""
    if variance == 0.0:
        return 1.0
    root = math.sqrt(variance)
    area = math.erf(root * (1.0 - mode)) + math.erf(root * mode)
    return math.exp(variance * mode**2) * math.sqrt(math.pi) / (2.0 * root) * area
