"""Robust classifiers for data whose labels are partly wrong.

Estimators: `CRUSTClassifier` and `DMClassifier`, the library's own; `CoresetClassifier` around any
scikit-learn classifier; `ForwardClassifier`, `TRevisionClassifier`, `LDMIClassifier`,
`PENCILClassifier`, `CoTeachingClassifier` and `RobustLossClassifier`, other methods for networks;
`GradientMedoidSelector` and `GradientMedoidSampler` to choose rows.

Underneath, usable without them: `noisyfit.selection` (gradients to medoids), `noisyfit.weighting`
and `noisyfit.losses` (derivatives by design), `noisyfit.noise` (corrupting labels, estimating
noise, ranking rows). To see what a fit did: `noisyfit.inspection` (displays) and
`noisyfit.callbacks` (records, where the truth is known).
"""

from noisyfit import callbacks, inspection, losses, noise, selection, weighting
from noisyfit.estimators import (
    CarriedWeights,
    CoresetClassifier,
    CoTeachingClassifier,
    CRUSTClassifier,
    DMClassifier,
    ForwardClassifier,
    GradientMedoidSampler,
    GradientMedoidSelector,
    LDMIClassifier,
    PENCILClassifier,
    RobustLossClassifier,
    TRevisionClassifier,
)

__version__ = "0.1.0.dev0"

__all__ = [
    "CRUSTClassifier",
    "CarriedWeights",
    "CoTeachingClassifier",
    "CoresetClassifier",
    "DMClassifier",
    "ForwardClassifier",
    "GradientMedoidSampler",
    "GradientMedoidSelector",
    "LDMIClassifier",
    "PENCILClassifier",
    "RobustLossClassifier",
    "TRevisionClassifier",
    "callbacks",
    "inspection",
    "losses",
    "noise",
    "selection",
    "weighting",
]
