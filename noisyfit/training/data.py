"""A training set as the phases see it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from torch import Tensor

from noisyfit.training.plan import EpochPlan
from noisyfit.training.rows import Rows
from noisyfit.training.scaling import input_statistics


@dataclass(frozen=True)
class LabeledRows:
    """Features, class codes (n,) and weights (n,) of the rows; weight 0 means not trained on.

    ``weights`` is what a row's loss is multiplied with, the weight of its class included;
    ``counts`` says how many rows it stands for where rows are counted. ``index`` is that of the
    DataFrame they came in, if they did.
    """

    rows: Rows
    codes: np.ndarray
    weights: np.ndarray
    counts: np.ndarray
    n_classes: int
    validation: np.ndarray | None = None
    index: Any = None

    @cached_property
    def column_statistics(self) -> tuple[Tensor, Tensor] | None:
        """Weighted mean and scale of the columns: one pass, however many networks are built."""
        return input_statistics(self.rows, self.weights)

    @cached_property
    def used(self) -> np.ndarray:
        """Numbers of the rows that count: positive weight and not held out for validation."""
        counted = self.weights > 0
        if self.validation is not None:
            counted = counted.copy()
            counted[self.validation] = False
        return np.flatnonzero(counted)

    def of_used(self, values: np.ndarray) -> np.ndarray:
        """The entries of the rows that count: the same array where all of them do."""
        return values if len(self.used) == len(values) else values[self.used]

    def every_row(self, phase: str = "train", **options: Any) -> EpochPlan:
        """An epoch on all rows that count, under the labels as given; ``options`` of the plan."""
        codes, weights = self.of_used(self.codes), self.of_used(self.weights)
        return EpochPlan(self.used, codes, weights, phase=phase, **options)

    def validation_plan(self) -> EpochPlan | None:
        """The rows held out, under the labels as given; None where there are none."""
        if self.validation is None:
            return None
        return EpochPlan(
            self.validation, self.codes[self.validation], self.weights[self.validation]
        )
