"""What a cell of the table may hold, and how it is tried."""

from __future__ import annotations

import contextlib
import functools
import re
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from bad_input.estimators import MEDOIDS, X, make, y
from fuzz.checks import check_indices, check_probabilities
from fuzz.estimators import check_report
from sklearn.exceptions import NotFittedError

from noisyfit import CarriedWeights

EITHER = (ValueError, TypeError)


@dataclass(frozen=True)
class Raises:
    """`fit` refuses: the message names the parameter, and matches.

    That is the row's parameter unless there is another ``names``, several of them as ``a|b``.
    """

    match: str = ""
    says: str = "refused"
    error: type[Exception] | tuple[type[Exception], ...] = ValueError
    names: str | None = None


@dataclass(frozen=True)
class Works:
    """`fit` does it; ``says`` is what is documented to come of it, and ``check`` finds that out.

    ``check`` is called with the fitted estimator and the case, beside what holds of every fit.
    """

    says: str = "fits"
    check: Callable[[Any, Case], None] | None = None
    warns: str | None = None


@dataclass(frozen=True)
class TestedBy:
    """Tried by a test of its own, of this name."""

    test: str
    says: str
    __test__ = False  # it is no test itself


@dataclass(frozen=True)
class DoesNotApply:
    """There is nothing to try, for a reason."""

    reason: str


Outcome = Raises | Works | TestedBy | DoesNotApply


@dataclass(frozen=True)
class Case:
    """One way to make the mistake that a row is about."""

    X: Any = field(default_factory=lambda: X)
    y: Any = field(default_factory=lambda: y)
    options: dict[str, Any] | Callable[[str], dict[str, Any]] = field(default_factory=dict)
    fit: dict[str, Any] = field(default_factory=dict)

    def made(self, column: str) -> Any:
        options = self.options(column) if callable(self.options) else self.options
        return make(column, **options)


@dataclass(frozen=True)
class Row:
    """A kind of input, the parameter it comes by, and what every estimator does about it."""

    area: str
    kind: str
    parameter: str
    cells: dict[str, Outcome]
    cases: tuple[Case, ...]


def row(
    area: str,
    kind: str,
    parameter: str,
    cells: dict[tuple[str, ...] | str, Outcome],
    *cases: Case,
) -> Row:
    """A row whose cells are given by groups of columns; later ones override earlier ones."""
    by_column: dict[str, Outcome] = {}
    for columns, outcome in cells.items():
        for column in (columns,) if isinstance(columns, str) else columns:
            by_column[column] = outcome
    return Row(area, kind, parameter, by_column, cases)


def assert_unfitted(estimator: Any) -> None:
    """Nothing of a failed fit can be used, and it says so as scikit-learn does."""
    methods = ("predict", "predict_proba", "transform")
    calls = [getattr(estimator, m) for m in methods if hasattr(estimator, m)]
    for call in calls:
        with pytest.raises(NotFittedError):
            call(X)
    if hasattr(estimator, "get_support"):
        with pytest.raises(NotFittedError):
            estimator.get_support()


def assert_fit_fails(
    estimator: Any,
    features: Any,
    labels: Any,
    match: str,
    error: type[Exception] | tuple[type[Exception], ...] = ValueError,
    **fit_options: Any,
) -> str:
    with pytest.raises(error, match=match) as caught:
        estimator.fit(features, labels, **fit_options)
    assert_unfitted(estimator)
    return str(caught.value)


def n_rows_of(features: Any) -> int:
    if isinstance(features, dict):
        return len(next(iter(features.values())))
    return features.shape[0] if hasattr(features, "shape") else len(features)


def assert_predicts(classifier: Any, features: Any, n_classes: int = 2) -> None:
    probabilities = classifier.predict_proba(features)
    check_probabilities(probabilities, n_rows_of(features), n_classes)
    assert set(classifier.predict(features)) <= set(classifier.classes_)


def assert_well_formed(estimator: Any, column: str, case: Case) -> None:
    """What holds of everything that a fit leaves, whatever the data."""
    n_rows = n_rows_of(case.X)
    if column in MEDOIDS:
        check_indices(estimator.medoid_indices_, n_rows)
        assert estimator.get_support().sum() == len(estimator.medoid_indices_)
        assert np.isfinite(estimator.weights_).all()
        if hasattr(estimator, "transform"):
            distances = estimator.transform(case.X)
            assert distances.shape == (n_rows, len(estimator.medoid_indices_))
            assert np.isfinite(distances).all()
        return
    assert_predicts(estimator, case.X, len(estimator.classes_))
    check_report(estimator, n_rows)


@contextlib.contextmanager
def warns_of(match: str | None) -> Iterator[None]:
    """The warning that a cell tells of; those of scikit-learn and numpy about odd data are not."""
    if match is not None:
        with pytest.warns(UserWarning, match=match):
            yield
    else:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield


def names(parameter: str, message: str) -> bool:
    """Whether a message names a parameter, or one of several that are given as ``a|b``."""
    return re.search(rf"\b({parameter})(\b|__)", message) is not None


@functools.cache
def plain_probabilities(column: str) -> np.ndarray:
    probabilities: np.ndarray = make(column).fit(X, y).predict_proba(X)
    return probabilities


def as_from_plain_arrays(estimator: Any, case: Case) -> None:
    """A classifier predicts what it does for the same numbers in a numpy array."""
    column = type(estimator).__name__
    if hasattr(estimator, "predict_proba"):
        expected = plain_probabilities(column)
        np.testing.assert_allclose(estimator.predict_proba(case.X), expected, atol=1e-6)


def run_cell(row: Row, column: str) -> None:
    """Try all cases of a row on an estimator."""
    outcome = row.cells[column]
    assert row.cases, "a row without cases tries nothing"
    for case in row.cases:
        if column == "CarriedWeights":
            try_carrying(outcome, row.parameter, case)
        elif isinstance(outcome, Raises):
            with warns_of(None):
                message = assert_fit_fails(
                    case.made(column), case.X, case.y, outcome.match, outcome.error, **case.fit
                )
            parameter = outcome.names or row.parameter
            assert names(parameter, message), f"{parameter} is not named by: {message}"
        elif isinstance(outcome, Works):
            with warns_of(outcome.warns):
                fitted = case.made(column).fit(case.X, case.y, **case.fit)
            with warns_of(None):
                assert_well_formed(fitted, column, case)
            if outcome.check is not None:
                outcome.check(fitted, case)


def try_carrying(outcome: Outcome, parameter: str, case: Case) -> None:
    """Have weights carried past a sampler, which is all that is done with `CarriedWeights`."""

    def carried() -> np.ndarray:
        weights = CarriedWeights(case.fit["sample_weight"])
        make("GradientMedoidSampler").fit_resample(case.X, case.y, sample_weight=weights)
        return np.asarray(weights)

    if isinstance(outcome, Raises):
        with pytest.raises(outcome.error, match=outcome.match) as caught, warns_of(None):
            carried()
        assert names(parameter, str(caught.value))
    else:
        kept = carried()
        assert kept.ndim == 1
        assert np.isfinite(kept).all()
        assert (kept >= 0).all()
