"""Criteria for labels that are partly wrong: one loss per row, from logits and labels.

All are torch modules, called as ``criterion(logits, target)`` with the logits of n rows and C
classes. They return the n losses of the rows by default, so that rows can be weighted, selected
and compared; ``reduction="mean"`` or ``"sum"`` makes them fit any training loop.

:class:`DerivativeManipulation` turns an emphasis density of :mod:`noisyfit.weighting` into a
criterion, :class:`LogitDerivative` any function that returns a derivative. The others are robust
losses that were proposed as such, and cross entropy to compare them with.
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
from noisyfit.losses.label_distribution import LabelDistributionLearning
from noisyfit.losses.resolve import resolve_criterion
from noisyfit.losses.robust import (
    CrossEntropy,
    GeneralizedCrossEntropy,
    MeanAbsoluteError,
    MeanSquaredError,
    SymmetricCrossEntropy,
)

__all__ = [
    "BackwardCorrection",
    "CrossEntropy",
    "DerivativeManipulation",
    "DeterminantMutualInformation",
    "EarlyLearningRegularization",
    "ForwardCorrection",
    "GeneralizedCrossEntropy",
    "ImportanceReweighting",
    "LabelDistributionLearning",
    "LogitDerivative",
    "MeanAbsoluteError",
    "MeanSquaredError",
    "RowCriterion",
    "SymmetricCrossEntropy",
    "resolve_criterion",
]
