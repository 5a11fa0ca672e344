"""How a user's criterion is built for the data at hand."""

from __future__ import annotations

import copy
import inspect
from typing import Any

from torch import Tensor, nn

from noisyfit.losses import (
    CrossEntropy,
    EarlyLearningRegularization,
    GeneralizedCrossEntropy,
    resolve_criterion,
)

# Criteria that keep something about every training row.
OF_ROWS: dict[str, type[nn.Module]] = {"elr": EarlyLearningRegularization}


class FunctionCriterion(nn.Module):
    """A plain function as a module, which is what skorch expects."""

    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function = function

    def forward(self, logits: Tensor, target: Tensor) -> Any:
        """Losses of the rows, as the function has them."""
        return self.function(logits, target)


def build_criterion(
    criterion: Any, options: dict[str, Any], *, n_rows: int = 0, n_classes: int = 0
) -> nn.Module:
    """Make the criterion from a name, a class, an instance (which is copied) or a function.

    Classes that have parameters called ``n_rows`` and ``n_classes`` are given the numbers, unless
    ``options`` say otherwise.
    """
    if isinstance(criterion, str) and criterion in OF_ROWS:
        criterion = OF_ROWS[criterion]
    is_class = isinstance(criterion, type) and issubclass(criterion, nn.Module)
    if options and not (isinstance(criterion, str) or is_class):
        raise ValueError(
            f"criterion is {criterion!r}, so criterion__{next(iter(options))} can't be applied; "
            "pass a name or a class instead."
        )
    if isinstance(criterion, str):
        factory, arguments = resolve_criterion, {"criterion": criterion, **options}
    elif is_class:
        accepted = inspect.signature(criterion).parameters
        sizes = {"n_rows": n_rows, "n_classes": n_classes}
        factory = criterion
        arguments = {name: size for name, size in sizes.items() if name in accepted} | options
    else:
        factory, arguments = resolve_criterion, {"criterion": criterion}
    try:
        built = factory(**arguments)
    except (TypeError, ValueError) as error:
        if not options:
            raise
        given = ", ".join(f"criterion__{name}={value!r}" for name, value in options.items())
        raise type(error)(
            f"criterion={criterion!r} could not be built with {given}: {error}"
        ) from error
    if built is criterion and isinstance(built, nn.Module):
        return copy.deepcopy(built)
    resolve_criterion(built)  # which a class may have made to reduce the losses
    return built if isinstance(built, nn.Module) else FunctionCriterion(built)


def warmup_criterion(criterion: nn.Module) -> nn.Module:
    """What to begin with where a criterion is not to be used from the first epoch on."""
    if needs_warmup(criterion):
        assert isinstance(criterion, GeneralizedCrossEntropy)
        return GeneralizedCrossEntropy(criterion.q)
    return CrossEntropy()


def needs_warmup(criterion: nn.Module) -> bool:
    """Whether a fresh network, which finds all labels improbable, would learn nothing from it."""
    return isinstance(criterion, GeneralizedCrossEntropy) and criterion.truncation is not None
