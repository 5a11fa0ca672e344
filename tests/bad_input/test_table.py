"""Every cell of the table is tried, and none is empty."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from bad_input.estimators import COLUMNS, make
from bad_input.outcomes import Case, DoesNotApply, Raises, Row, TestedBy, Works, row, run_cell
from bad_input.parameters import VALUES, parameters_of
from bad_input.table import AREAS, TABLE

import noisyfit

TESTS = Path(__file__).resolve().parents[1]
TRIED = [
    pytest.param(row, column, id=f"{row.area}: {row.kind}-{column}")
    for row in TABLE
    for column in COLUMNS
    if isinstance(row.cells.get(column), Raises | Works)
]


@pytest.mark.parametrize(("row", "column"), TRIED)
def test_the_cell_holds(row: Row, column: str) -> None:
    run_cell(row, column)


def test_no_cell_is_empty() -> None:
    empty = [(row.kind, column) for row in TABLE for column in COLUMNS if column not in row.cells]
    assert empty == []
    assert all(set(row.cells) == set(COLUMNS) for row in TABLE)
    assert len({(row.area, row.kind) for row in TABLE}) == len(TABLE)
    assert all(row.parameter for row in TABLE)


def test_reasons_are_given_where_a_row_does_not_apply() -> None:
    outcomes = [outcome for row in TABLE for outcome in row.cells.values()]
    assert all(outcome.reason for outcome in outcomes if isinstance(outcome, DoesNotApply))
    for some in TABLE:
        assert not all(isinstance(cell, DoesNotApply) for cell in some.cells.values()), some.kind


def test_every_public_estimator_has_a_column() -> None:
    estimators = {
        name
        for name in noisyfit.__all__
        if isinstance(getattr(noisyfit, name), type) and name[0].isupper()
    }
    assert set(COLUMNS) == estimators


def test_the_areas_are_all_there() -> None:
    areas = ["shape", "dtype", "values", "labels", "weights", "parameters", "files", "devices"]
    assert list(AREAS) == areas


@pytest.mark.parametrize("column", COLUMNS)
def test_every_parameter_of_every_estimator_has_a_row(column: str) -> None:
    assert parameters_of(column) <= set(VALUES)


def test_tests_that_cells_point_to_exist() -> None:
    sources = "\n".join(path.read_text() for path in TESTS.rglob("test_*.py"))
    named = {
        outcome.test
        for row in TABLE
        for outcome in row.cells.values()
        if isinstance(outcome, TestedBy)
    }
    missing = {test for test in named if not re.search(rf"def {test}\(", sources)}
    assert missing == set()


# ------------------------------------------------------------------------------ a cell can fail


@pytest.mark.parametrize(
    ("outcome", "parameter"),
    [
        (Raises("0 sample"), "X"),
        (Raises("NaN", error=TypeError), "X"),
        (Raises("NaN"), "sample_weight"),
        (Works(), "X"),
    ],
    ids=["other message", "other error", "other parameter", "refused"],
)
def test_a_cell_that_holds_something_else_fails(outcome: Raises | Works, parameter: str) -> None:
    features = [[0.0], [float("nan")]] * 4
    bad = row("values", "NaN", parameter, {"DMClassifier": outcome}, Case(features, [0, 1] * 4))
    with pytest.raises(BaseException):  # noqa: B017, PT011 (pytest's own Failed is no Exception)
        run_cell(bad, "DMClassifier")


def test_a_cell_that_should_be_refused_and_is_not_fails() -> None:
    fine = row("values", "numbers", "X", {"DMClassifier": Raises("X")}, Case())
    assert make("DMClassifier").max_epochs < 5
    with pytest.raises(BaseException, match="DID NOT RAISE"):
        run_cell(fine, "DMClassifier")
