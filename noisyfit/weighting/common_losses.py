"""The emphasis densities of common losses.

Each is the L1 norm of the derivative of the loss with respect to the logits, as a function of the
probability p of the given label. All these losses have the derivative's *direction* in common.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

from scipy.optimize import brentq
from scipy.special import digamma
from torch import Tensor

from noisyfit.weighting.checks import store_number
from noisyfit.weighting.emphasis import Emphasis
from noisyfit.weighting.families import NormalEmphasis


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

    def _square_integral(self) -> float:
        return 4.0 / 3.0


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

    def _square_integral(self) -> float:
        return 2.0 / 15.0


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

    def _square_integral(self) -> float:
        return 16.0 / 105.0


@dataclass(frozen=True)
class GeneralizedCrossEntropyEmphasis(Emphasis):
    """Generalized cross entropy, ``(1 - p**q) / q``: weight ``2 * p**q * (1 - p)``.

    Parameters
    ----------
    q : float in [0, 1], default=0.7
        0 is cross entropy, 1 mean absolute error.
    truncation : float in [0, 1), default=None
        ``k`` in the paper: rows with ``p <= truncation`` weigh 0, as those of the truncated loss,
        which is constant there. None weights all rows.

    References
    ----------
    Z. Zhang, M. R. Sabuncu. Generalized Cross Entropy Loss for Training Deep Neural Networks with
    Noisy Labels. NeurIPS 2018. arXiv:1805.07836, sections 3.2 and 3.3.

    Examples
    --------
    >>> import torch
    >>> round(GeneralizedCrossEntropyEmphasis(q=0.7).mode, 4)
    0.4118
    >>> truncated = GeneralizedCrossEntropyEmphasis(q=1.0, truncation=0.5)
    >>> truncated.weight(torch.tensor([0.25, 0.5, 0.75]))
    tensor([0.0000, 0.0000, 0.3750])
    """

    q: float = 0.7
    truncation: float | None = None

    def __post_init__(self) -> None:
        store_number(self, "q", 0.0, 1.0)
        if self.truncation is not None:
            store_number(self, "truncation", 0.0, 1.0, high_included=False)

    @property
    def mode(self) -> float:
        """``q / (q + 1)``, or the first number above the truncation if that is higher."""
        peak = self.q / (self.q + 1.0)
        if self.truncation is None or peak > self.truncation:
            return peak
        return math.nextafter(self.truncation, 1.0)

    def _weight(self, p: Tensor) -> Tensor:
        weights = 2.0 * p.pow(self.q) * (1.0 - p)
        return weights if self.truncation is None else weights * (p > self.truncation)

    def _integral(self) -> float:
        return 2.0 * (self._moment(self.q) - self._moment(self.q + 1.0))

    def _square_integral(self) -> float:
        twice = 2.0 * self.q
        return 4.0 * (
            self._moment(twice) - 2.0 * self._moment(twice + 1.0) + self._moment(twice + 2.0)
        )

    def _moment(self, power: float) -> float:
        """Integral of ``p**power`` over the rows that are weighted."""
        low = 0.0 if self.truncation is None else self.truncation
        return (1.0 - low ** (power + 1.0)) / (power + 1.0)


@dataclass(frozen=True)
class ReverseCrossEntropyEmphasis(Emphasis):
    """Reverse cross entropy, ``-log_zero * (1 - p)``: weight ``-2 * log_zero * p * (1 - p)``.

    Mean absolute error's, but for the scale.

    Parameters
    ----------
    log_zero : float in [-80, 0), default=log(1e-4)
        Stands for the logarithm of zero, ``A`` in the paper.

    References
    ----------
    Y. Wang, X. Ma, Z. Chen, Y. Luo, J. Yi, J. Bailey. Symmetric Cross Entropy for Robust Learning
    with Noisy Labels. ICCV 2019. arXiv:1908.06112.

    Examples
    --------
    >>> import torch
    >>> ReverseCrossEntropyEmphasis(log_zero=-4.0).weight(torch.tensor([0.0, 0.5, 1.0]))
    tensor([0., 2., 0.])
    """

    log_zero: float = math.log(1e-4)

    def __post_init__(self) -> None:
        store_number(self, "log_zero", -80.0, 0.0, high_included=False)

    @property
    def mode(self) -> float:
        """One half."""
        return 0.5

    def _weight(self, p: Tensor) -> Tensor:
        return -2.0 * self.log_zero * p * (1.0 - p)

    def _integral(self) -> float:
        return -self.log_zero / 3.0

    def _square_integral(self) -> float:
        return self.log_zero**2 * 2.0 / 15.0


@dataclass(frozen=True)
class FocalEmphasis(Emphasis):
    """Focal loss: weight ``2 * (1 - p)**gamma * (1 - p - gamma * p * log p)``.

    The loss is ``-(1 - p)**gamma * log p``.

    Parameters
    ----------
    gamma : float in [0, 100], default=2.0
        Focusing parameter; 0 is cross entropy.

    References
    ----------
    T.-Y. Lin, P. Goyal, R. Girshick, K. He, P. Dollar. Focal Loss for Dense Object Detection.
    ICCV 2017. arXiv:1708.02002.

    Examples
    --------
    >>> emphasis = FocalEmphasis(gamma=2.0)
    >>> round(emphasis.mode, 4), round(emphasis.integral(), 4)
    (0.0578, 0.8611)
    """

    gamma: float = 2.0

    def __post_init__(self) -> None:
        store_number(self, "gamma", 0.0, 100.0)

    @property
    def mode(self) -> float:
        """Found numerically. Below 0.1: focal loss, too, favours rows that look wrong."""
        return self._cached_mode

    @cached_property
    def _cached_mode(self) -> float:
        if self.gamma < 1e-3:  # the mode is about exp(-2 - 1 / gamma), no more a float
            return 0.0

        # Minus the derivative of log w, times positive factors. The weight is the product of two
        # log-concave functions, so there is one zero; it lies between these ends for any gamma.
        def fall(log_p: float) -> float:
            p = math.exp(log_p)
            inner = 1.0 - p - self.gamma * p * log_p
            return (1.0 - p) * (1.0 + self.gamma * (1.0 + log_p)) + self.gamma * inner

        return math.exp(brentq(fall, -10.0 - 1.0 / self.gamma, -1.0, xtol=1e-12))

    def _weight(self, p: Tensor) -> Tensor:
        return 2.0 * (1.0 - p).pow(self.gamma) * (1.0 - p - self.gamma * p.xlogy(p))

    def _integral(self) -> float:
        gamma = self.gamma
        return float(
            2.0 / (gamma + 2.0)
            + 2.0 * gamma * (digamma(gamma + 3.0) - digamma(2.0)) / ((gamma + 1.0) * (gamma + 2.0))
        )


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

    Notes
    -----
    The authors of derivative manipulation, in a reply to reviewers, give the weight
    ``2 * (1 - p) * (alpha - A * beta / 2 * p)``, with half of the reverse part. They write reverse
    cross entropy as ``-A / 2`` times mean absolute error. That is right if the latter is the sum of
    the absolute errors over all classes, ``2 * (1 - p)``. But the weight of that sum is
    ``4 * p * (1 - p)``, and they take ``2 * p * (1 - p)``, which belongs to ``1 - p``. The weight
    here is what differentiating the loss gives; theirs is this one with ``log_zero=A / 2``.

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

    def normal_transform(self) -> NormalEmphasis:
        """Return the normal density that is the exponential of the weight, but for the scale.

        With ``s = -log_zero * beta`` the weight is ``2 * alpha + 2 * (s - alpha) * p - 2 * s *
        p**2``, so that ``exp(weight(p) - 2 * alpha)`` is a :class:`NormalEmphasis` of the mode ``(s
        - alpha) / (2 * s)`` and the variance ``2 * s``. The mode is the same as before, and rows
        differ much more.

        Returns
        -------
        NormalEmphasis

        Raises
        ------
        ValueError
            If ``s < alpha``: cross entropy prevails, the weight falls in all of [0, 1], and the
            normal density would be centred below 0. Also if s is so large that the weights leave
            the range of float32.

        Examples
        --------
        >>> SymmetricCrossEntropyEmphasis(alpha=1.0, beta=1.0, log_zero=-4.0).normal_transform()
        NormalEmphasis(mode=0.375, variance=8.0)
        """
        slope = self._slope
        if slope < self.alpha:
            raise ValueError(
                "-log_zero * beta must be at least alpha for a normal transform, else it is "
                f"centred below 0; got alpha={self.alpha!r} and -log_zero * beta={slope!r}. Choose "
                "a smaller alpha or a larger beta, or ExponentialEmphasis for a weight that falls."
            )
        return NormalEmphasis((slope - self.alpha) / (2.0 * slope), 2.0 * slope)

    def _weight(self, p: Tensor) -> Tensor:
        return 2.0 * (1.0 - p) * (self.alpha + self._slope * p)

    def _integral(self) -> float:
        return self.alpha + self._slope / 3.0

    def _square_integral(self) -> float:
        alpha, slope = self.alpha, self._slope
        return 4.0 * (alpha**2 / 3.0 + alpha * slope / 6.0 + slope**2 / 30.0)
