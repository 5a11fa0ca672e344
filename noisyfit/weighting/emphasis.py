"""What every emphasis density can do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import cached_property

import torch
from scipy.integrate import quad
from torch import Tensor


class Emphasis(ABC):
    """Weight of a row as a function of the probability of its given label.

    A subclass says what the weight is (`_weight`) and where it is largest (`mode`), and may replace
    the numerical integrals of the weight (`_integral`) and of its square (`_square_integral`) by
    closed forms. Instances are immutable.
    """

    @property
    @abstractmethod
    def mode(self) -> float:
        """The probability in [0, 1] at which the weight is largest."""

    @abstractmethod
    def _weight(self, p: Tensor) -> Tensor:
        """Return the weight at `p`, a tensor of float32 or float64."""

    def weight(self, p: Tensor) -> Tensor:
        """Return the weight of rows whose given label has probability `p`.

        Parameters
        ----------
        p : Tensor of any shape, floating point
            Probabilities in [0, 1], both ends included.

        Returns
        -------
        Tensor of the same shape and device
            Non-negative and finite. Of the same dtype, except that half precision (float16,
            bfloat16) is answered in float32: many weights exceed the range of float16.

        Raises
        ------
        TypeError
            If `p` is not a floating point tensor.
        """
        if not (isinstance(p, Tensor) and p.is_floating_point()):
            kind = p.dtype if isinstance(p, Tensor) else type(p).__name__
            raise TypeError(f"p must be a floating point torch tensor, got {kind}.")
        return self._weight(p.float() if p.dtype in (torch.float16, torch.bfloat16) else p)

    def integral(self) -> float:
        """Return the integral of the weight over [0, 1], computed once."""
        return self._cached_integral

    @cached_property
    def _cached_integral(self) -> float:
        # cached_property writes to __dict__ directly and so works on frozen dataclasses.
        return self._integral()

    def relative_variance(self) -> float:
        """Return the emphasis variance: how unequally rows count, whatever the scale of the weight.

        The variance of ``weight(p) / integral()`` for p uniform in [0, 1], computed once. 0 means
        that all rows count alike. It compares densities of different kinds, while a parameter
        called `variance`, such as that of :class:`DMEmphasis`, orders those of one family only.

        Returns
        -------
        float, non-negative

        Raises
        ------
        ValueError
            If the integral is zero: no row weighs anything.

        References
        ----------
        X. Wang, E. Kodirov, Y. Hua, N. M. Robertson. Derivative Manipulation for General Example
        Weighting. arXiv:1905.11233, "emphasis variance".

        Examples
        --------
        >>> from noisyfit.weighting import CrossEntropyEmphasis, MeanAbsoluteErrorEmphasis
        >>> round(CrossEntropyEmphasis().relative_variance(), 4)
        0.3333
        >>> round(MeanAbsoluteErrorEmphasis().relative_variance(), 4)
        0.2
        """
        return self._cached_relative_variance

    @cached_property
    def _cached_relative_variance(self) -> float:
        integral = self.integral()
        if not integral > 0:
            raise ValueError(
                f"{self!r} has the integral {integral!r} and so no relative variance; "
                "choose a density that weights some rows."
            )
        # Never below 0 but for rounding, by Jensen's inequality.
        return max(0.0, self._square_integral() / integral**2 - 1.0)

    def _integral(self) -> float:
        return self._integrate(lambda weight: weight)

    def _square_integral(self) -> float:
        return self._integrate(lambda weight: weight**2)

    def _integrate(self, function: Callable[[float], float]) -> float:
        """Integrate a function of the weight over all p."""
        # Splitting at the mode keeps a narrow peak from falling between the quadrature's points; at
        # the ends these are dense, and a tiny piece would only confuse it.
        points = [self.mode] if 1e-3 < self.mode < 1.0 - 1e-3 else None
        value, _ = quad(
            lambda p: function(self._weight_at(p)),
            0.0,
            1.0,
            points=points,
            epsabs=0.0,
            epsrel=1e-9,
            limit=200,
        )
        return float(value)

    def _weight_at(self, p: float) -> float:
        return float(self.weight(torch.tensor([p], dtype=torch.float64, device="cpu")))

    def _check_range(self) -> None:
        """Raise unless the largest weight can be told from zero and infinity in float32."""
        largest = self._weight_at(self.mode)
        if not 1e-35 <= largest <= 1e35:
            raise ValueError(
                f"{self!r} has a largest weight of {largest:.3g}, which is out of the range of "
                "float32; choose a smaller variance."
            )
