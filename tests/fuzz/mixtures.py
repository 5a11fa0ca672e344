"""Cases in which usually at most one thing is odd: else hardly any call would get to its end."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hypothesis import strategies as st

Choices = st.SearchStrategy[Any] | Iterable[Any]


def strategy_of(choices: Choices) -> st.SearchStrategy[Any]:
    return choices if isinstance(choices, st.SearchStrategy) else st.sampled_from(list(choices))


@st.composite
def one_odd(
    draw: st.DrawFn, usual: dict[str, Choices], odd: dict[str, Choices], share: int = 3
) -> dict[str, Any]:
    """Draw a value for each name, in one of ``share`` cases an odd one for one of the names."""
    case = {name: draw(strategy_of(choices)) for name, choices in usual.items()}
    if draw(st.integers(1, share)) == 1:
        name = draw(st.sampled_from(sorted(odd)))
        case[name] = draw(strategy_of(odd[name]))
    return case


def maybe(choices: Iterable[Any]) -> list[Any]:
    """None half of the time."""
    known = list(choices)
    return [None] * len(known) + known
