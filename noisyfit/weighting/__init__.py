"""Emphasis densities: how strongly a training row counts, given the probability of its label.

Derivative manipulation (DM) designs the *derivative* of a loss instead of the loss. Its direction
is that of cross entropy; its size, the L1 norm of the gradient with respect to the logits, is a
weight ``w(p)`` of the probability ``p`` that the network gives to the label of the row. Such a
function of ``p`` is an *emphasis density*: its mode says which rows count most, its variance how
much more they count than others. Every common loss has one too.

This folder knows densities only; :mod:`noisyfit.losses` turns them into criteria.

References
----------
X. Wang, E. Kodirov, Y. Hua, N. M. Robertson. Derivative Manipulation for General Example Weighting.
arXiv:1905.11233.
"""

from noisyfit.weighting.automatic import emphasis_for_noise
from noisyfit.weighting.common_losses import (
    CrossEntropyEmphasis,
    FocalEmphasis,
    GeneralizedCrossEntropyEmphasis,
    MeanAbsoluteErrorEmphasis,
    MeanSquaredErrorEmphasis,
    ReverseCrossEntropyEmphasis,
    SymmetricCrossEntropyEmphasis,
)
from noisyfit.weighting.custom import CallableEmphasis
from noisyfit.weighting.emphasis import Emphasis
from noisyfit.weighting.families import (
    BetaEmphasis,
    DMEmphasis,
    ExponentialEmphasis,
    NormalEmphasis,
)
from noisyfit.weighting.normalization import normalize_weights
from noisyfit.weighting.resolve import EMPHASIS_NAMES, resolve_emphasis

__all__ = [
    "EMPHASIS_NAMES",
    "BetaEmphasis",
    "CallableEmphasis",
    "CrossEntropyEmphasis",
    "DMEmphasis",
    "Emphasis",
    "ExponentialEmphasis",
    "FocalEmphasis",
    "GeneralizedCrossEntropyEmphasis",
    "MeanAbsoluteErrorEmphasis",
    "MeanSquaredErrorEmphasis",
    "NormalEmphasis",
    "ReverseCrossEntropyEmphasis",
    "SymmetricCrossEntropyEmphasis",
    "emphasis_for_noise",
    "normalize_weights",
    "resolve_emphasis",
]
