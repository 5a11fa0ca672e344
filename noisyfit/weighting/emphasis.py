"""What every emphasis density can do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cached_property

import torch
from scipy.integrate import quad
from torch import Tensor


class Emphasis(ABC):
    """Weight of a row as a function of the probability of its given label.

    A subclass says what the weight is (`_weight`) and where it is largest (`mode`), and may replace
    the numerical integral by a closed form (`_integral`). Instances are immutable.
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

    def _integral(self) -> float:
        # Splitting at the mode keeps a narrow peak from falling between the quadrature's points; at
        # the ends these are dense, and a tiny piece would only confuse it.
        points = [self.mode] if 1e-3 < self.mode < 1.0 - 1e-3 else None
        value, _ = quad(
            self._weight_at, 0.0, 1.0, points=points, epsabs=0.0, epsrel=1e-9, limit=200
        )
        return float(value)

    def _weight_at(self, p: float) -> float:
        return float(self.weight(torch.tensor([p], dtype=torch.float64)))

    def _check_range(self) -> None:
        """Raise unless the largest weight can be told from zero and infinity in float32."""
        largest = self._weight_at(self.mode)
        if not 1e-35 <= largest <= 1e35:
            raise ValueError(
                f"{self!r} has a largest weight of {largest:.3g}, which is out of the range of "
                "float32; choose a smaller variance."
            )
