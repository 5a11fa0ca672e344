"""Outer products as points: the gradient with respect to a linear layer's weights, by its factors.

The gradient of the loss with respect to the weight matrix of ``logits = W h + b`` is the outer
product of the gradient with respect to the logits and the layer's input h. Written out it has as
many entries as the matrix; but inner products of such gradients are products of the factors' inner
products, ``<a (x) h, a' (x) h'> = <a, a'> <h, h'>``, and distances need nothing else.
"""

from __future__ import annotations

from typing import Any

import torch


class OuterProducts:
    """Points that are outer products of two vectors each, of which only the vectors are kept.

    Made by `last_layer_gradients`; functions that take points take them as well.

    Parameters
    ----------
    left : tensor of shape (n, a)
    right : tensor of shape (n, b)
        Both floating, of one precision and on one device.

    Examples
    --------
    >>> import torch
    >>> from noisyfit.selection import OuterProducts, euclidean_distances
    >>> points = OuterProducts(torch.tensor([[1.0, 0.0], [0.0, 2.0]]), torch.tensor([[3.0], [2.0]]))
    >>> points.shape
    (2, 2)
    >>> euclidean_distances(points)
    array([[0., 5.],
           [5., 0.]], dtype=float32)
    """

    ndim = 2

    def __init__(self, left: torch.Tensor, right: torch.Tensor) -> None:
        self.left = left
        self.right = right

    def __len__(self) -> int:
        return len(self.left)

    def __getitem__(self, rows: Any) -> OuterProducts:
        """Return the points of these rows."""
        return OuterProducts(self.left[rows], self.right[rows])

    @property
    def shape(self) -> tuple[int, int]:
        """Number of points, and of the entries that each would have."""
        return len(self.left), self.left.shape[1] * self.right.shape[1]

    @property
    def dtype(self) -> torch.dtype:
        """Precision of the factors."""
        return self.left.dtype

    @property
    def device(self) -> torch.device:
        """Device of the factors."""
        return self.left.device

    def to(self, *args: Any) -> OuterProducts:
        """Convert both factors.

        Parameters
        ----------
        *args : dtype, device or both
            As ``torch.Tensor.to`` takes them.
        """
        return OuterProducts(self.left.to(*args), self.right.to(*args))

    def squared_norms(self) -> torch.Tensor:
        """Squared norms (n,)."""
        return self.left.square().sum(dim=1) * self.right.square().sum(dim=1)

    def inner_products(self, others: OuterProducts) -> torch.Tensor:
        """Inner products with other points.

        Parameters
        ----------
        others : OuterProducts of shape (m, a * b)

        Returns
        -------
        products : tensor of shape (n, m)
        """
        products = self.left @ others.left.T
        return products.mul_(self.right @ others.right.T)

    def distances_from_mean(self, shares: torch.Tensor) -> torch.Tensor:
        """Distances from the weighted mean.

        Parameters
        ----------
        shares : tensor of shape (n,)
            Weights, which sum to one.

        Returns
        -------
        distances : tensor of shape (n,)
        """
        mean = (self.left * shares[:, None]).T @ self.right
        products = ((self.left @ mean) * self.right).sum(dim=1)
        squared = self.squared_norms() - 2 * products + mean.square().sum()
        return squared.clamp_(min=0).sqrt_()
