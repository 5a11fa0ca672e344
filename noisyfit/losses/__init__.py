"""Criteria for labels that are partly wrong: one loss per row, from logits and labels.

All are torch modules, called as ``criterion(logits, target)`` with the logits of n rows and C
classes. They return the n losses of the rows by default, so that rows can be weighted, selected
and compared; ``reduction="mean"`` or ``"sum"`` makes them fit any training loop.

:class:`DerivativeManipulation` turns an emphasis density of :mod:`noisyfit.weighting` into a
criterion, :class:`LogitDerivative` any function that returns a derivative, and :func:`emphasis_of`
a criterion into its density. The others are losses that were proposed as such, most of them against
label noise, and cross entropy to compare them with.
"""

from noisyfit.losses.base import RowCriterion
from noisyfit.losses.correction import (
    BackwardCorrection,
    ForwardCorrection,
    ImportanceReweighting,
)
from noisyfit.losses.derivative import DerivativeManipulation, LogitDerivative
from noisyfit.losses.determinant import DeterminantMutualInformation
from noisyfit.losses.early_learning import EarlyLearningRegularization
from noisyfit.losses.emphasis import emphasis_of
from noisyfit.losses.label_distribution import LabelDistributionLearning
from noisyfit.losses.mixed_targets import HardBootstrapping, LabelSmoothing, SoftBootstrapping
from noisyfit.losses.normalized import ActivePassiveLoss, NormalizedLoss
from noisyfit.losses.resolve import CRITERION_NAMES, resolve_criterion
from noisyfit.losses.robust import (
    CrossEntropy,
    FocalLoss,
    GeneralizedCrossEntropy,
    MeanAbsoluteError,
    MeanSquaredError,
    ReverseCrossEntropy,
    SymmetricCrossEntropy,
)
from noisyfit.losses.squared import SquaredError

__all__ = [
    "CRITERION_NAMES",
    "ActivePassiveLoss",
    "BackwardCorrection",
    "CrossEntropy",
    "DerivativeManipulation",
    "DeterminantMutualInformation",
    "EarlyLearningRegularization",
    "FocalLoss",
    "ForwardCorrection",
    "GeneralizedCrossEntropy",
    "HardBootstrapping",
    "ImportanceReweighting",
    "LabelDistributionLearning",
    "LabelSmoothing",
    "LogitDerivative",
    "MeanAbsoluteError",
    "MeanSquaredError",
    "NormalizedLoss",
    "ReverseCrossEntropy",
    "RowCriterion",
    "SoftBootstrapping",
    "SquaredError",
    "SymmetricCrossEntropy",
    "emphasis_of",
    "resolve_criterion",
]
