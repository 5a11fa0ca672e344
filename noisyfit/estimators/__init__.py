"""The estimators: thin shells over selection, losses, noise and training."""

from noisyfit.estimators.coreset import CoresetClassifier
from noisyfit.estimators.crust import CRUSTClassifier
from noisyfit.estimators.dm import DMClassifier
from noisyfit.estimators.sampler import GradientMedoidSampler
from noisyfit.estimators.selector import GradientMedoidSelector

__all__ = [
    "CRUSTClassifier",
    "CoresetClassifier",
    "DMClassifier",
    "GradientMedoidSampler",
    "GradientMedoidSelector",
]
