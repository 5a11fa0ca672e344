"""Robust classifiers for data whose labels are partly wrong.

Estimators: `CRUSTClassifier`, `DMClassifier`, `CoresetClassifier`, `GradientMedoidSelector` and
`GradientMedoidSampler`. Underneath, usable without them: `noisyfit.selection` (gradients to
medoids), `noisyfit.weighting` and `noisyfit.losses` (derivatives by design), `noisyfit.noise`
(corrupting labels, estimating noise, ranking rows).
"""

from noisyfit import losses, noise, selection, weighting
from noisyfit.estimators import (
    CoresetClassifier,
    CRUSTClassifier,
    DMClassifier,
    GradientMedoidSampler,
    GradientMedoidSelector,
)

__version__ = "0.1.0.dev0"

__all__ = [
    "CRUSTClassifier",
    "CoresetClassifier",
    "DMClassifier",
    "GradientMedoidSampler",
    "GradientMedoidSelector",
    "losses",
    "noise",
    "selection",
    "weighting",
]
