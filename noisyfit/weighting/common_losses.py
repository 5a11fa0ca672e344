"""The emphasis densities of common losses.

Each is the L1 norm of the derivative of the loss with respect to the logits, as a function of the
probability p of the given label. All these losses have the derivative's *direction* in common.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from noisyfit.weighting.checks import store_number
from noisyfit.weighting.emphasis import Emphasis


@dataclass(frozen=True)
class CrossEntropyEmphasis(Emphasis):
    """Cross entropy, ``-log p``: weight ``2 * (1 - p)``, most for the least probable label.

    Examples
    --------
    >>> CrossEntropyEmphasis().integral()
    1.0
    """

    @property
    def mode(self) -> float:
        """0."""
        return 0.0

    def _weight(self, p: Tensor) -> Tensor:
        return 2.0 * (1.0 - p)

    def _integral(self) -> float:
        return 1.0


@dataclass(frozen=True)
class MeanAbsoluteErrorEmphasis(Emphasis):
    """Mean absolute error of the given class, ``1 - p``: weight ``2 * p * (1 - p)``.

    Examples
    --------
    >>> MeanAbsoluteErrorEmphasis().mode
    0.5
    """

    @property
    def mode(self) -> float:
        """One half."""
        return 0.5

    def _weight(self, p: Tensor) -> Tensor:
        return 2.0 * p * (1.0 - p)

    def _integral(self) -> float:
        return 1.0 / 3.0


@dataclass(frozen=True)
class MeanSquaredErrorEmphasis(Emphasis):
    """Mean squared error of the given class, ``(1 - p)**2``: weight ``4 * p * (1 - p)**2``.

    Examples
    --------
    >>> round(MeanSquaredErrorEmphasis().mode, 4)
    0.3333
    """

    @property
    def mode(self) -> float:
        """One third."""
        return 1.0 / 3.0

    def _weight(self, p: Tensor) -> Tensor:
        return 4.0 * p * (1.0 - p).square()

    def _integral(self) -> float:
        return 1.0 / 3.0


@dataclass(frozen=True)
class GeneralizedCrossEntropyEmphasis(Emphasis):
    """Generalized cross entropy, ``(1 - p**q) / q``: weight ``2 * p**q * (1 - p)``.

    Parameters
    ----------
    q : float in [0, 1], default=0.7
        0 is cross entropy, 1 mean absolute error.

    References
    ----------
    Z. Zhang, M. R. Sabuncu. Generalized Cross Entropy Loss for Training Deep Neural Networks with
    Noisy Labels. NeurIPS 2018. arXiv:1805.07836.

    Examples
    --------
    >>> round(GeneralizedCrossEntropyEmphasis(q=0.7).mode, 4)
    0.4118
    """

    q: float = 0.7

    def __post_init__(self) -> None:
        store_number(self, "q", 0.0, 1.0)

    @property
    def mode(self) -> float:
        """``q / (q + 1)``."""
        return self.q / (self.q + 1.0)

    def _weight(self, p: Tensor) -> Tensor:
        return 2.0 * p.pow(self.q) * (1.0 - p)

    def _integral(self) -> float:
        return 2.0 / ((self.q + 1.0) * (self.q + 2.0))


@dataclass(frozen=True)
class SymmetricCrossEntropyEmphasis(Emphasis):
    """Symmetric cross entropy: weight ``2 * (1 - p) * (alpha - log_zero * beta * p)``.

    Its loss is ``alpha`` times cross entropy plus ``beta`` times reverse cross entropy, in which
    the logarithm of zero is replaced by `log_zero`.

    Parameters
    ----------
    alpha : float, non-negative, default=0.1
        Share of cross entropy.
    beta : float, non-negative, default=1.0
        Share of reverse cross entropy. `alpha` and `beta` cannot both be 0.
    log_zero : float in [-80, 0], default=log(1e-4)
        ``A`` in the paper.

    References
    ----------
    Y. Wang, X. Ma, Z. Chen, Y. Luo, J. Yi, J. Bailey. Symmetric Cross Entropy for Robust Learning
    with Noisy Labels. ICCV 2019. arXiv:1908.06112.

    Examples
    --------
    >>> round(SymmetricCrossEntropyEmphasis(alpha=0.1, beta=1.0).mode, 4)
    0.4946
    """

    alpha: float = 0.1
    beta: float = 1.0
    log_zero: float = math.log(1e-4)

    def __post_init__(self) -> None:
        store_number(self, "alpha", 0.0)
        store_number(self, "beta", 0.0)
        store_number(self, "log_zero", -80.0, 0.0)
        if self.alpha == 0.0 and self._slope == 0.0:
            raise ValueError(
                "alpha and beta * log_zero cannot both be 0, else every row weighs nothing; got "
                f"alpha={self.alpha!r}, beta={self.beta!r}, log_zero={self.log_zero!r}."
            )

    @property
    def _slope(self) -> float:
        return -self.log_zero * self.beta

    @property
    def mode(self) -> float:
        """Where the quadratic peaks, or 0 if it only falls in [0, 1]."""
        if self._slope <= self.alpha:
            return 0.0
        return (self._slope - self.alpha) / (2.0 * self._slope)

    def _weight(self, p: Tensor) -> Tensor:
        return 2.0 * (1.0 - p) * (self.alpha + self._slope * p)

    def _integral(self) -> float:
        return self.alpha + self._slope / 3.0
