"""Bringing weights to a common scale, so that densities can share one learning rate."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from noisyfit.weighting.checks import check_choice
from noisyfit.weighting.emphasis import Emphasis

Normalization = Literal["integral", "batch"] | None


def check_normalization(normalize: Normalization) -> None:
    """Raise a ValueError unless `normalize` is a known normalisation."""
    check_choice("normalize", normalize, ("integral", "batch", None))


def normalize_weights(
    weights: Tensor,
    emphasis: Emphasis,
    normalize: Normalization = "integral",
    sample_weight: Tensor | None = None,
) -> Tensor:
    """Divide the weights of a batch by the scale of their density or by that of the batch.

    Parameters
    ----------
    weights : Tensor of shape (n,)
        ``emphasis.weight(p)`` of the rows of a batch.
    emphasis : Emphasis
        The density the weights come from.
    normalize : {"integral", "batch", None}, default="integral"
        - "integral": divide by ``emphasis.integral()`` (equation 8 of the DM paper). A row's weight
          does not depend on the batch it is in.
        - "batch": divide by the mean weight of the batch, so that its weights have mean 1. Very
          likely what the experiments of the DM paper did.
        - None: leave the weights as they are.
    sample_weight : Tensor of shape (n,), default=None
        With "batch", the mean is weighted by it, so that a row of sample weight 2 counts like two
        rows and one of weight 0 does not count.

    Returns
    -------
    Tensor of shape (n,)
        Weights of zero stay zero, also if all of a batch are.

    Raises
    ------
    ValueError
        If `normalize` is unknown, or the integral of the density is zero.

    Examples
    --------
    >>> import torch
    >>> from noisyfit.weighting import DMEmphasis
    >>> emphasis = DMEmphasis(mode=0.5, variance=12.0)
    >>> weights = emphasis.weight(torch.tensor([0.0, 0.5]))
    >>> normalize_weights(weights, emphasis, "integral")
    tensor([0.0987, 1.9828])
    >>> normalize_weights(weights, emphasis, "batch")
    tensor([0.0949, 1.9051])
    """
    check_normalization(normalize)
    if normalize is None:
        return weights
    if normalize == "integral":
        integral = emphasis.integral()
        if not integral > 0:
            raise ValueError(
                f"{emphasis!r} has the integral {integral!r} and cannot be normalised by it; "
                "use normalize='batch' or None, or another density."
            )
        return weights / integral
    if sample_weight is not None and not isinstance(sample_weight, Tensor):
        kind = type(sample_weight).__name__
        raise TypeError(f"sample_weight must be a torch tensor, got {kind}.")
    counts = torch.ones_like(weights) if sample_weight is None else sample_weight.to(weights)
    if counts.shape != weights.shape:
        raise ValueError(
            f"sample_weight must have the shape of weights, {tuple(weights.shape)}, got "
            f"{tuple(counts.shape)}."
        )
    mean = (weights * counts).sum() / counts.sum()
    # Selected rather than branched on, which would make a GPU wait for the host.
    return weights / torch.where(mean > 0, mean, torch.ones_like(mean))
