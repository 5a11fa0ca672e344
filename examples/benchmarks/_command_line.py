"""What the command lines of the benchmarks share."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from _shared import stop


class CanLack(Protocol):
    """A method that may need what is not there."""

    def lacks(self) -> str | None:
        """Why it can't be measured here; None if it can."""


def count(text: str) -> int:
    """A positive int."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is not positive")
    return number


def chosen_methods(methods: Mapping[str, CanLack], asked: list[str] | None) -> list[str]:
    """The methods asked for, or all that can be measured here, saying which can't."""
    chosen = []
    for name in asked or methods:
        reason = methods[name].lacks()
        if reason is None:
            chosen.append(name)
        elif asked:
            stop(f"{name}: {reason}")
        else:
            print(f"Left out: {name} ({reason}).", file=sys.stderr)
    return chosen
