"""An emphasis density from any function of the probability."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from scipy.optimize import minimize_scalar
from torch import Tensor

from noisyfit.weighting.emphasis import Emphasis

_CELLS = 10_000
# Gauss-Legendre in every cell. Adaptive quadrature would overlook narrow steps and peaks.
_NODES, _SHARES = np.polynomial.legendre.leggauss(4)


@dataclass(frozen=True)
class CallableEmphasis(Emphasis):
    """The density given by a function of p; its mode and integral are found numerically.

    Parameters
    ----------
    function : callable
        Takes a floating point tensor of probabilities, of any shape, and returns a tensor of
        weights of the same shape, finite and non-negative. Element by element: the weight of a row
        may not depend on other rows. The result is checked at every call and brought to the dtype
        of the probabilities.

    Examples
    --------
    >>> import torch
    >>> emphasis = CallableEmphasis(lambda p: p * (1 - p))
    >>> round(emphasis.mode, 4), round(emphasis.integral(), 4)
    (0.5, 0.1667)
    >>> CallableEmphasis(lambda p: p > 0.5).weight(torch.tensor([0.2, 0.8]))
    tensor([0., 1.])
    """

    function: Callable[[Tensor], Tensor]

    def __post_init__(self) -> None:
        if not callable(self.function):
            raise TypeError(
                "function must take a tensor of probabilities and return their weights, got "
                f"{self.function!r} of type {type(self.function).__name__}."
            )

    @property
    def mode(self) -> float:
        """Where the weight is largest; the least such probability on a grid if there are several.

        Found on a grid of 10,001 points and then refined between the best point's neighbours; the
        integral is a sum over the grid's cells, exact for steps at multiples of 1e-4.
        """
        return self._cached_mode

    @cached_property
    def _cached_mode(self) -> float:
        grid = torch.linspace(0.0, 1.0, _CELLS + 1, dtype=torch.float64, device="cpu")
        best = int(self.weight(grid).argmax())
        bounds = (max(best - 1, 0) / _CELLS, min(best + 1, _CELLS) / _CELLS)
        found = minimize_scalar(
            lambda p: -self._weight_at(p), bounds=bounds, method="bounded", options={"xatol": 1e-9}
        )
        at_grid = float(grid[best])
        return float(found.x) if -found.fun > self._weight_at(at_grid) else at_grid

    def _weight(self, p: Tensor) -> Tensor:
        weights = self.function(p)
        if not isinstance(weights, Tensor):
            raise TypeError(
                "the emphasis function must return a torch tensor, got "
                f"{weights!r} of type {type(weights).__name__}."
            )
        if weights.shape != p.shape:
            raise ValueError(
                "the emphasis function must return one weight per probability, shape "
                f"{tuple(p.shape)}, got shape {tuple(weights.shape)}."
            )
        weights = weights.to(p)
        bad = ~(torch.isfinite(weights) & (weights >= 0))
        if bad.any():
            raise ValueError(
                "the emphasis function must return finite, non-negative weights, got "
                f"{weights[bad][0].item()!r} at p={p[bad][0].item()!r}."
            )
        return weights

    def _integral(self) -> float:
        return float(self._mean(self._weights_in_cells))

    def _square_integral(self) -> float:
        return float(self._mean(self._weights_in_cells.square()))

    @cached_property
    def _weights_in_cells(self) -> Tensor:
        p = (
            torch.arange(_CELLS, device="cpu")[:, None] + torch.from_numpy(_NODES + 1.0) / 2.0
        ) / _CELLS
        return self.weight(p)

    @staticmethod
    def _mean(values: Tensor) -> Tensor:
        return (values @ torch.from_numpy(_SHARES / 2.0)).mean()
