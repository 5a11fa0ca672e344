"""Robust classifiers for data whose labels are partly wrong.

Estimators: `CRUSTClassifier` and `DMClassifier`, the library's own; `CoresetClassifier` around any
scikit-learn classifier; `ForwardClassifier`, `TRevisionClassifier`, `LDMIClassifier`,
`PENCILClassifier`, `CoTeachingClassifier` and `RobustLossClassifier`, other methods for networks;
`GradientMedoidSelector` and `GradientMedoidSampler` to choose rows.

Underneath, usable without them: `noisyfit.selection` (gradients to medoids), `noisyfit.weighting`
and `noisyfit.losses` (derivatives by design), `noisyfit.noise` (corrupting labels, estimating
noise, ranking rows).
"""

from noisyfit import losses, noise, selection, weighting
from noisyfit._version import __version__ as __version__
from noisyfit.estimators import (
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
from noisyfit.persistence import load, save

__all__ = [
    "CRUSTClassifier",
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
    "load",
    "losses",
    "noise",
    "save",
    "selection",
    "weighting",
]
