"""Checks of numeric parameters, shared by the densities and the losses."""

from __future__ import annotations

import math
import numbers
from typing import Any


def check_number(
    name: str,
    value: Any,
    low: float = -math.inf,
    high: float = math.inf,
    high_included: bool = True,
) -> float:
    """Return `value` as a float, or raise naming the parameter and the interval it must be in."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name} must be a number, got {value!r} of type {type(value).__name__}.")
    value = float(value)
    inside = low <= value <= high if high_included else low <= value < high
    if not (inside and math.isfinite(value)):
        left = "(" if math.isinf(low) else "["
        right = "]" if high_included and math.isfinite(high) else ")"
        raise ValueError(f"{name} must be in {left}{low:g}, {high:g}{right}, got {value!r}.")
    return value


def store_number(
    instance: object,
    name: str,
    low: float = -math.inf,
    high: float = math.inf,
    high_included: bool = True,
) -> None:
    """Check the field `name` of a frozen dataclass and keep it as a plain Python float."""
    value = check_number(name, getattr(instance, name), low, high, high_included)
    object.__setattr__(instance, name, value)


def check_choice(name: str, value: Any, choices: tuple[str | None, ...]) -> None:
    """Raise a ValueError unless `value` is one of `choices`."""
    if value not in choices:
        raise ValueError(f"{name} must be one of {list(choices)}, got {value!r}.")
