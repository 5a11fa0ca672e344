"""The default network of tables: a multilayer perceptron."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from numbers import Integral

import torch
from torch import Tensor, nn


class SparseLinear(nn.Module):
    """A linear layer that also takes sparse CSR batches, without filling in their zeros.

    A sparse batch times the weights is a weighted sum of few rows of the weight matrix, which
    is what ``embedding_bag`` computes, several times faster than torch's sparse product.
    """

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__()
        self.in_features, self.out_features = in_features, out_features
        linear = nn.Linear(in_features, out_features)
        self.weight = nn.Parameter(linear.weight.detach().t().contiguous())
        self.bias = nn.Parameter(linear.bias.detach())

    def forward(self, features: Tensor) -> Tensor:
        """Map (n, in_features) to (n, out_features)."""
        if features.layout != torch.sparse_csr:
            return features @ self.weight + self.bias
        summed = nn.functional.embedding_bag(
            features.col_indices(),
            self.weight,
            features.crow_indices()[:-1],
            per_sample_weights=features.values(),
            mode="sum",
        )
        return summed + self.bias


class MLP(nn.Module):
    """Fully connected network with batch normalisation; the default of every estimator.

    Parameters
    ----------
    in_features : int
        Number of features of a row (images are flattened).
    out_features : int
        Number of classes.
    hidden : sequence of int, default=(256, 256)
        Width of each hidden layer; empty for a linear model.
    batch_norm : bool, default=True
        Normalise each hidden layer over the batch.
    dropout : float, default=0.0
        Share of hidden units dropped in training.
    sparse : bool, default=False
        Whether rows come as sparse CSR batches.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        hidden: Sequence[int] = (256, 256),
        batch_norm: bool = True,
        dropout: float = 0.0,
        sparse: bool = False,
    ) -> None:
        super().__init__()
        if not 0 <= dropout < 1:
            raise ValueError(f"module__dropout must lie in [0, 1), got {dropout!r}.")
        if not all(isinstance(width, Integral) and width > 0 for width in hidden):
            raise ValueError(f"module__hidden={hidden!r} must hold positive ints.")
        # What it was made of, for whoever has to make another one.
        self.in_features, self.out_features = in_features, out_features
        self.hidden = tuple(int(width) for width in hidden)
        self.batch_norm, self.dropout, self.sparse = batch_norm, dropout, sparse
        widths = [in_features, *self.hidden]
        layers: list[nn.Module] = []
        for number, (width_in, width_out) in enumerate(pairwise(widths)):
            first = sparse and number == 0
            layers.append((SparseLinear if first else nn.Linear)(width_in, width_out))
            if batch_norm:
                layers.append(nn.BatchNorm1d(width_out))
            layers.append(nn.ReLU())
            if dropout:
                layers.append(nn.Dropout(dropout))
        linear = SparseLinear if sparse and not hidden else nn.Linear
        layers.append(linear(widths[-1], out_features))
        self.layers = nn.Sequential(*layers)
        self.register_buffer("input_mean", None)
        self.register_buffer("input_scale", None)

    def standardize_inputs(self, mean: Tensor, scale: Tensor) -> None:
        """Subtract ``mean`` from each input column and divide it by ``scale`` from now on."""
        like = next(self.parameters())
        self.input_mean = mean.to(like)
        self.input_scale = scale.to(like)

    def forward(self, features: Tensor) -> Tensor:
        """Logits (n, out_features) of the rows (n, ...)."""
        if features.layout != torch.sparse_csr:
            features = features.flatten(1)
            if self.input_mean is not None:
                features = (features - self.input_mean) / self.input_scale
        return self.layers(features)
