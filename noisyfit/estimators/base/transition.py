"""Methods that need the noise matrix: given, or estimated before they begin."""

from __future__ import annotations

from numbers import Integral
from typing import Any, ClassVar

import numpy as np

from noisyfit._compat import Interval, StrOptions
from noisyfit.estimators.base.whole_data import WholeDataClassifier
from noisyfit.noise import NoiseEstimate
from noisyfit.noise.belief import check_matrix
from noisyfit.noise.estimate import ESTIMATION_METHODS, noise_of_matrix
from noisyfit.training.data import LabeledRows
from noisyfit.training.folds import count_folds
from noisyfit.training.records import Record
from noisyfit.training.settings import NetworkSettings
from noisyfit.training.transition import estimate_transition

# Held out where that leaves at least one row of each class to validate on.
VALIDATION_SHARE = 0.1


class TransitionClassifier(WholeDataClassifier):
    """Knows the noise matrix before it trains."""

    transition_matrix: Any
    cross_fit: int | None
    estimation_epochs: int

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **WholeDataClassifier._parameter_constraints,
        "transition_matrix": [StrOptions({"auto", *ESTIMATION_METHODS}), "array-like"],
        "cross_fit": [Interval(Integral, 2, None, closed="left"), None],
        "estimation_epochs": [Interval(Integral, 1, None, closed="left")],
        "validation_fraction": [
            StrOptions({"auto"}),
            *WholeDataClassifier._parameter_constraints["validation_fraction"],
        ],
    }

    def _validation_share(self, n_rows_of_classes: np.ndarray) -> float | None:
        if not isinstance(self.validation_fraction, str):
            return super()._validation_share(n_rows_of_classes)
        return VALIDATION_SHARE if n_rows_of_classes.min() * VALIDATION_SHARE >= 1 else None

    def _noise(
        self, data: LabeledRows, settings: NetworkSettings, rng: np.random.RandomState
    ) -> tuple[NoiseEstimate, list[Record]]:
        """The noise matrix with what follows from it, and what to put into the history."""
        if not isinstance(self.transition_matrix, str):
            ways = ", ".join(repr(way) for way in ("auto", *ESTIMATION_METHODS))
            matrix = check_matrix(self.transition_matrix, data.n_classes, ways)
            assert isinstance(matrix, np.ndarray)
            counts = np.bincount(data.codes, data.counts, minlength=data.n_classes)
            return noise_of_matrix(matrix, counts / counts.sum()), []
        return estimate_transition(
            data,
            settings,
            self.transition_matrix,
            n_folds=count_folds(self.cross_fit, len(data.used)),
            epochs=self.estimation_epochs,
            rng=rng,
            progress=self._progress,
        )
