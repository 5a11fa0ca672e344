"""The estimators: thin shells over selection, losses, noise and training."""

from noisyfit.estimators.carried_weights import CarriedWeights
from noisyfit.estimators.co_teaching import CoTeachingClassifier
from noisyfit.estimators.coreset import CoresetClassifier
from noisyfit.estimators.crust import CRUSTClassifier
from noisyfit.estimators.dm import DMClassifier
from noisyfit.estimators.forward import ForwardClassifier
from noisyfit.estimators.l_dmi import LDMIClassifier
from noisyfit.estimators.pencil import PENCILClassifier
from noisyfit.estimators.robust_loss import RobustLossClassifier
from noisyfit.estimators.sampler import GradientMedoidSampler
from noisyfit.estimators.selector import GradientMedoidSelector
from noisyfit.estimators.t_revision import TRevisionClassifier

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
]
