"""From what a user writes to a criterion."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from noisyfit.losses.base import RowCriterion
from noisyfit.losses.robust import (
    CrossEntropy,
    GeneralizedCrossEntropy,
    MeanAbsoluteError,
    MeanSquaredError,
    SymmetricCrossEntropy,
)

_NAMED: dict[str, type[RowCriterion]] = {
    "ce": CrossEntropy,
    "sce": SymmetricCrossEntropy,
    "gce": GeneralizedCrossEntropy,
    "mae": MeanAbsoluteError,
    "mse": MeanSquaredError,
}
_EXPECTED = (
    f"one of {list(_NAMED)}, or a torch module or function that takes logits (n, C) and class "
    "codes (n,) and returns n losses"
)


def resolve_criterion(
    criterion: str | Callable[[Tensor, Tensor], Tensor],
) -> Callable[[Tensor, Tensor], Tensor]:
    """Return the criterion that a name or an object stands for.

    Parameters
    ----------
    criterion : str or callable
        - "ce": cross entropy; "sce": symmetric cross entropy (alpha=0.1, beta=1); "gce":
          generalized cross entropy (q=0.7); "mae": mean absolute error; "mse": mean squared error;
        - a torch module or function that takes logits of shape (n, C) and class codes of shape (n,)
          and returns the n losses of the rows; returned as it is. A module with a ``reduction``
          must have ``reduction="none"``.

    Returns
    -------
    callable

    Raises
    ------
    ValueError
        If the name is unknown or the module reduces the rows' losses to one.
    TypeError
        If `criterion` is none of the above, or a class instead of an instance.

    Examples
    --------
    >>> resolve_criterion("gce")
    GeneralizedCrossEntropy(q=0.7, reduction='none')
    """
    if isinstance(criterion, str):
        if criterion not in _NAMED:
            raise ValueError(f"criterion must be {_EXPECTED}; got {criterion!r}.")
        return _NAMED[criterion]()
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
