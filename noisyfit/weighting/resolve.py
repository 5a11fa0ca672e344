"""From what a user writes to an emphasis density."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from noisyfit.weighting.common_losses import (
    CrossEntropyEmphasis,
    FocalEmphasis,
    GeneralizedCrossEntropyEmphasis,
    MeanAbsoluteErrorEmphasis,
    MeanSquaredErrorEmphasis,
    ReverseCrossEntropyEmphasis,
    SymmetricCrossEntropyEmphasis,
)
from noisyfit.weighting.custom import CallableEmphasis
from noisyfit.weighting.emphasis import Emphasis
from noisyfit.weighting.families import (
    BetaEmphasis,
    DMEmphasis,
    ExponentialEmphasis,
    NormalEmphasis,
)

# Each name with the parameters that can be given beside it.
_NAMED: dict[str, tuple[Callable[..., Emphasis], tuple[str, ...]]] = {
    "dm": (DMEmphasis, ("mode", "variance")),
    "normal": (NormalEmphasis, ("mode", "variance")),
    "exponential": (ExponentialEmphasis, ("variance",)),
    "beta": (BetaEmphasis.from_mode, ("mode", "variance")),
    "cce": (CrossEntropyEmphasis, ()),
    "mae": (MeanAbsoluteErrorEmphasis, ()),
    "mse": (MeanSquaredErrorEmphasis, ()),
    "gce": (GeneralizedCrossEntropyEmphasis, ()),
    "sl": (SymmetricCrossEntropyEmphasis, ()),
    "rce": (ReverseCrossEntropyEmphasis, ()),
    "focal": (FocalEmphasis, ()),
}
EMPHASIS_NAMES = tuple(_NAMED)
"""The names that :func:`resolve_emphasis` knows."""

_EXPECTED = f"one of {list(_NAMED)}, an Emphasis instance or a function of the probability"


def resolve_emphasis(
    emphasis: str | Emphasis | Callable[[Tensor], Tensor],
    mode: float | None = None,
    variance: float | None = None,
) -> Emphasis:
    """Return the emphasis density that a name, a density or a function stands for.

    Parameters
    ----------
    emphasis : str, Emphasis or callable
        - "dm", "normal", "beta": families designed by `mode` and `variance`;
        - "exponential": designed by `variance`;
        - "cce", "mae", "mse", "gce", "sl": the densities of cross entropy, mean absolute error,
          mean squared error, generalized cross entropy (q=0.7) and symmetric cross entropy
          (alpha=0.1, beta=1), which have no parameters here; also "rce", reverse cross entropy, and
          "focal", focal loss (gamma=2);
        - an :class:`Emphasis` is returned as it is;
        - any other callable, from a tensor of probabilities to a tensor of weights, becomes a
          :class:`CallableEmphasis`.
    mode : float, default=None
        Probability that is weighted most. None means 0.5 where there is a choice.
    variance : float, default=None
        How much the weights differ. None means 12 where there is a choice.

    Returns
    -------
    Emphasis

    Raises
    ------
    ValueError
        If the name is unknown, or `mode` or `variance` is given to what has none.
    TypeError
        If `emphasis` is none of the above.

    Examples
    --------
    >>> resolve_emphasis("dm", mode=0.25)
    DMEmphasis(mode=0.25, variance=12.0)
    >>> resolve_emphasis("gce")
    GeneralizedCrossEntropyEmphasis(q=0.7, truncation=None)
    """
    if isinstance(emphasis, str):
        if emphasis not in _NAMED:
            raise ValueError(f"emphasis must be {_EXPECTED}, got {emphasis!r}.")
        build, accepted = _NAMED[emphasis]
    elif isinstance(emphasis, Emphasis):
        build, accepted = (lambda: emphasis), ()
    elif callable(emphasis) and not isinstance(emphasis, type):
        build, accepted = (lambda: CallableEmphasis(emphasis)), ()
    else:
        raise TypeError(f"emphasis must be {_EXPECTED}, got {emphasis!r}.")
    given = {"mode": mode, "variance": variance}
    given = {name: value for name, value in given.items() if value is not None}
    for name, value in given.items():
        if name not in accepted:
            raise ValueError(
                f"{name}={value!r} was given, but emphasis={emphasis!r} has no {name} to set; "
                f"leave {name}=None, or use emphasis='dm'."
            )
    return build(**given)
