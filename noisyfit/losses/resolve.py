"""From what a user writes to a criterion."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor

from noisyfit.losses.base import RowCriterion
from noisyfit.losses.mixed_targets import HardBootstrapping, LabelSmoothing, SoftBootstrapping
from noisyfit.losses.normalized import ActivePassiveLoss, NormalizedLoss
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

_NAMED: dict[str, Callable[..., RowCriterion]] = {
    "ce": CrossEntropy,
    "sce": SymmetricCrossEntropy,
    "gce": GeneralizedCrossEntropy,
    "mae": MeanAbsoluteError,
    "mse": MeanSquaredError,
    "rce": ReverseCrossEntropy,
    "focal": FocalLoss,
    "nce": NormalizedLoss,
    "nfl": lambda: NormalizedLoss(FocalLoss(gamma=0.5)),
    "nce_rce": ActivePassiveLoss,
    "nce_mae": lambda: ActivePassiveLoss(passive=MeanAbsoluteError()),
    "nfl_rce": lambda: ActivePassiveLoss(NormalizedLoss(FocalLoss(gamma=0.5))),
    "nfl_mae": lambda: ActivePassiveLoss(NormalizedLoss(FocalLoss(gamma=0.5)), MeanAbsoluteError()),
    "label_smoothing": LabelSmoothing,
    "bootstrap_soft": SoftBootstrapping,
    "bootstrap_hard": HardBootstrapping,
    "squared": SquaredError,
}
CRITERION_NAMES = tuple(_NAMED)
"""The names that :func:`resolve_criterion` knows."""

_EXPECTED = (
    f"one of {list(_NAMED)}, or a torch module or function that takes logits (n, C) and class "
    "codes (n,) and returns n losses"
)


def resolve_criterion(
    criterion: str | Callable[[Tensor, Tensor], Tensor], **options: Any
) -> Callable[[Tensor, Tensor], Tensor]:
    """Return the criterion that a name or an object stands for.

    Parameters
    ----------
    criterion : str or callable
        - "ce": cross entropy; "sce": symmetric cross entropy (alpha=0.1, beta=1); "gce":
          generalized cross entropy (q=0.7); "mae": mean absolute error; "mse": mean squared error;
          "rce": reverse cross entropy; "focal": focal loss (gamma=2);
        - "nce", "nfl": normalised cross entropy and focal loss (gamma=0.5); "nce_rce", "nce_mae",
          "nfl_rce", "nfl_mae": one of these plus "rce" or "mae", active passive losses with
          alpha=beta=1;
        - "label_smoothing" (0.1); "bootstrap_soft" (0.95) and "bootstrap_hard" (0.8);
        - "squared": squared error of the outputs, after which probabilities mean little, see
          :class:`SquaredError`;
        - a torch module or function that takes logits of shape (n, C) and class codes of shape (n,)
          and returns the n losses of the rows; returned as it is. A module with a ``reduction``
          must have ``reduction="none"``.
    **options : keywords
        Parameters of the class that a name stands for, such as ``q=0.5`` with "gce".

    Returns
    -------
    callable

    Raises
    ------
    ValueError
        If the name is unknown or the module reduces the rows' losses to one.
    TypeError
        If `criterion` is none of the above, or a class instead of an instance, or has no such
        option.

    Examples
    --------
    >>> resolve_criterion("gce")
    GeneralizedCrossEntropy(q=0.7, reduction='none')
    """
    if isinstance(criterion, str):
        if criterion not in _NAMED:
            raise ValueError(f"criterion must be {_EXPECTED}; got {criterion!r}.")
        return _NAMED[criterion](**options)
    if options:
        raise TypeError(f"options {sorted(options)} need a criterion by name, got {criterion!r}.")
    if isinstance(criterion, type):
        raise TypeError(
            f"criterion must be {_EXPECTED}; got the class {criterion.__name__}, give an instance "
            f"such as {criterion.__name__}(reduction='none')."
        )
    if not callable(criterion):
        raise TypeError(f"criterion must be {_EXPECTED}; got {criterion!r}.")
    reduction = getattr(criterion, "reduction", "none")
    if reduction != "none":
        raise ValueError(
            f"criterion must return the losses of the rows, got {criterion!r} with "
            f"reduction={reduction!r}; construct it with reduction='none'."
        )
    return criterion
