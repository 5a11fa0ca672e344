"""Recipes for labels and for weights of rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import torch
from hypothesis import strategies as st

NAMES = {
    "codes": [0, 1, 2, 3, 4],
    "numbers": [-7, 3, 12, 40, 1000],
    "whole floats": [-1.0, 0.0, 2.0, 5.0, 9.0],
    "strings": ["ant", "bee", "cow", "", "dog, with é"],
    "booleans": [False, True],
    "large": [2**40, 2**41, 2**42, 2**62, 5],
}
USUAL_CONTAINERS = ("array", "list", "Series", "tensor", "objects", "polars", "small integers")
DISTRIBUTIONS = ("even", "random", "one rare", "sorted", "each its own")
PROBLEMS = (
    "one class",
    "NaN",
    "None inside",
    "mixed",
    "continuous",
    "too short",
    "too long",
    "column",
    "two columns",
    "infinite",
    "None",
    "complex",
    "empty",
    "scalar",
)


@dataclass(frozen=True)
class Labels:
    """What y is to be like."""

    n_rows: int
    n_classes: int
    seed: int
    names: str = "codes"
    distribution: str = "even"
    container: str = "array"
    problem: str | None = None

    def codes(self) -> np.ndarray:
        rng = np.random.RandomState(self.seed)
        if self.distribution == "random":
            return rng.randint(0, self.n_classes, self.n_rows)
        if self.distribution == "one rare":
            codes = np.zeros(self.n_rows, dtype=int)
            codes[-(self.n_classes - 1) :] = np.arange(1, self.n_classes)[: self.n_rows]
            return codes
        if self.distribution == "sorted":
            return np.sort(np.arange(self.n_rows) % self.n_classes)
        return np.arange(self.n_rows) % self.n_classes

    def build(self) -> Any:
        if self.problem is not None:
            return self._broken()
        if self.distribution == "each its own":
            return np.arange(self.n_rows)
        names = NAMES[self.names]
        return self._contained(np.array(names)[self.codes() % len(names)])

    def _contained(self, labels: np.ndarray) -> Any:
        if self.container == "list":
            return labels.tolist()
        if self.container == "Series":
            return pd.Series(labels, index=np.arange(len(labels)) + 100)
        if self.container == "polars":
            return pl.Series("label", labels)
        if self.container == "objects":
            return labels.astype(object)
        if labels.dtype.kind in "iufb" and self.container == "tensor":
            return torch.from_numpy(labels)
        if self.names == "codes" and self.container == "small integers":
            return labels.astype(np.uint8)
        return labels

    def _broken(self) -> Any:
        codes = self.codes()
        first = np.arange(self.n_rows) == 0
        return {
            "one class": lambda: np.zeros(self.n_rows, int),
            "NaN": lambda: np.where(first, np.nan, codes),
            "None inside": lambda: np.where(first, None, codes),
            "mixed": lambda: np.where(first, "a", codes.astype(object)),
            "continuous": lambda: codes + np.arange(self.n_rows) / 100,
            "too short": lambda: codes[:-1],
            "too long": lambda: np.append(codes, 0),
            "column": lambda: codes[:, None],
            "two columns": lambda: np.c_[codes, codes],
            "infinite": lambda: np.where(first, np.inf, codes),
            "None": lambda: None,
            "complex": lambda: codes + 1j,
            "empty": lambda: codes[:0],
            "scalar": lambda: 3,
        }[str(self.problem)]()


@st.composite
def labels(draw: st.DrawFn, n_rows: int, odd: bool | None = None) -> Labels:
    """Labels of so many rows; one in six is broken."""
    if odd is None:
        odd = draw(st.sampled_from([False] * 5 + [True]))
    return Labels(
        n_rows=n_rows,
        n_classes=draw(st.integers(2, 5)),
        seed=draw(st.integers(0, 99)),
        names=draw(st.sampled_from(["codes"] * 2 + list(NAMES))),
        distribution=draw(st.sampled_from(["even"] * 2 + list(DISTRIBUTIONS))),
        container=draw(st.sampled_from(["array"] * 2 + list(USUAL_CONTAINERS))),
        problem=draw(st.sampled_from(PROBLEMS)) if odd else None,
    )


USUAL_WEIGHTS = {
    "ones": lambda n: np.ones(n),
    "counts": lambda n: np.arange(n) % 3 + 1,
    "some zero": lambda n: (np.arange(n) % 3 > 0).astype(float),
    "fractions": lambda n: 0.1 + np.arange(n) % 5 / 7,
    "list": lambda n: (0.5 + np.arange(n) % 2).tolist(),
    "tensor": lambda n: torch.ones(n),
    "Series": lambda n: pd.Series(np.ones(n), index=np.arange(n) + 100),
    "huge": lambda n: np.full(n, 1e200),
    "tiny": lambda n: np.full(n, 1e-200),
    "of all scales": lambda n: np.logspace(-12, 12, n),
    "scalar": lambda n: 2.0,
}
ODD_WEIGHTS = {
    "one row only": lambda n: (np.arange(n) == 0).astype(float),
    "zero": lambda n: np.zeros(n),
    "negative": lambda n: -np.ones(n),
    "NaN": lambda n: np.where(np.arange(n) == 0, np.nan, 1.0),
    "infinite": lambda n: np.where(np.arange(n) == 0, np.inf, 1.0),
    "overflowing": lambda n: np.full(n, 1e308),
    "subnormal": lambda n: np.full(n, 5e-324),
    "short": lambda n: np.ones(max(n - 1, 0)),
    "column": lambda n: np.ones((n, 1)),
    "strings": lambda n: ["a"] * n,
    "complex": lambda n: np.ones(n) * 1j,
    "objects": lambda n: np.array([None] * n, dtype=object),
}
ALL_WEIGHTS = {**USUAL_WEIGHTS, **ODD_WEIGHTS}


@dataclass(frozen=True)
class Weights:
    """What sample_weight is to be like; None gives none."""

    n_rows: int
    kind: str | None

    def build(self) -> Any:
        return None if self.kind is None else ALL_WEIGHTS[self.kind](self.n_rows)


@st.composite
def weights(draw: st.DrawFn, n_rows: int, odd: bool | None = None) -> Weights:
    """None for half of the cases, and broken ones now and then."""
    if odd is None:
        odd = draw(st.sampled_from([False] * 7 + [True]))
    if odd:
        return Weights(n_rows, draw(st.sampled_from(list(ODD_WEIGHTS))))
    nothing: list[str | None] = [None] * len(USUAL_WEIGHTS)
    return Weights(n_rows, draw(st.sampled_from(nothing + list(USUAL_WEIGHTS))))
