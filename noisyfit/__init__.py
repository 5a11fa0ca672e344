"""Robust classifiers for data whose labels are partly wrong.

Estimators: `CRUSTClassifier` and `DMClassifier`, the library's own; `CoresetClassifier` around any
scikit-learn classifier; `ForwardClassifier`, `TRevisionClassifier`, `LDMIClassifier`,
`PENCILClassifier`, `CoTeachingClassifier` and `RobustLossClassifier`, other methods for networks;
`GradientMedoidSelector` and `GradientMedoidSampler` to choose rows.

Underneath, usable without them: `noisyfit.selection` (gradients to medoids), `noisyfit.weighting`
and `noisyfit.losses` (derivatives by design), `noisyfit.noise` (corrupting labels, estimating
noise, ranking rows). To see what a fit did: `noisyfit.inspection` (displays) and
`noisyfit.callbacks` (records, where the truth is known). `noisyfit.augmentation` changes images in
training, and `save` and `load` keep estimators in files without pickle.
"""

from noisyfit import augmentation, callbacks, inspection, losses, noise, selection, weighting
from noisyfit._version import __version__ as __version__
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
from noisyfit.persistence import load, save

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
    "augmentation",
    "callbacks",
    "inspection",
    "load",
    "losses",
    "noise",
    "save",
    "selection",
    "weighting",
]
