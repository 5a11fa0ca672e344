"""Rows of the table about labels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from bad_input.estimators import CLASSIFIERS, FITTED, MEDOIDS, NETWORKS, ROW_3, X, y
from bad_input.outcomes import EITHER, Case, DoesNotApply, Raises, Works, row
from sklearn.naive_bayes import GaussianNB

AREA = "labels"
HOLDS_WEIGHTS = DoesNotApply("holds weights only")
HUNDRED = np.arange(300) % 100
MANY_ROWS = np.random.RandomState(0).randn(300, 6) * 0.1 + HUNDRED[:, None]


def bad(*labels: Any, match: str, error: Any = ValueError) -> tuple[dict, tuple[Case, ...]]:
    cells = {FITTED: Raises(match, error=error), "CarriedWeights": HOLDS_WEIGHTS}
    return cells, tuple(Case(y=some) for some in labels)


def refused(kind: str, *labels: Any, match: str, error: Any = ValueError) -> Any:
    cells, cases = bad(*labels, match=match, error=error)
    return row(AREA, kind, "y", cells, *cases)


def has_classes(*classes: Any) -> Any:
    def check(estimator: Any, case: Case) -> None:
        if hasattr(estimator, "classes_"):
            assert estimator.classes_.tolist() == list(classes)

    return check


def predicts_the_type(estimator: Any, case: Case) -> None:
    if hasattr(estimator, "predict"):
        assert estimator.predict(case.X).dtype == np.asarray(case.y).dtype


def large_batches(column: str) -> dict[str, Any]:
    if column == "CoresetClassifier":
        return {"estimator": GaussianNB()}
    return {"batch_size": 128} if column in NETWORKS else {}


ROWS = [
    refused("two columns", np.c_[y, y], match=r"1d array.*\(40, 2\)"),
    refused("NaN", np.where(ROW_3, np.nan, y), match="NaN"),
    refused("None among them", np.where(ROW_3, None, y), match="Unknown label type|NaN"),
    refused(
        "NaN among strings", np.array(["a", np.nan] * 20, dtype=object), match="NaN", error=EITHER
    ),
    refused("infinity", np.where(ROW_3, np.inf, y), match="infinity"),
    refused("fractions", y + 0.01 * np.arange(40), match="Unknown label type"),
    refused(
        "numbers and strings",
        np.array([1, "a"] * 20, dtype=object),
        np.array(["a", 1] * 20, dtype=object),
        match="Unknown label type|sorted",
        error=EITHER,
    ),
    refused("complex numbers", y + 1j, match="Complex data not supported"),
    refused("rows of different lengths", [[0], [1, 2]] * 20, match="inhomogeneous"),
    refused("a number", 3, match="1d array|shape"),
    row(
        AREA,
        "none given",
        "y",
        {
            FITTED: Raises("requires y to be passed, but the target y is None"),
            "GradientMedoidSelector": Works("fits: all rows are one group"),
            "CarriedWeights": HOLDS_WEIGHTS,
        },
        Case(y=None),
    ),
    row(
        AREA,
        "one class only",
        "y",
        {
            CLASSIFIERS: Raises("one class only .*at least\\s+two classes"),
            MEDOIDS: Works("fits: one group"),
            "CarriedWeights": HOLDS_WEIGHTS,
        },
        Case(y=np.zeros(40, int)),
        Case(y=["only"] * 40),
    ),
    row(
        AREA,
        "one column",
        "y",
        {
            FITTED: Works("fits, with a warning", warns="column-vector y was passed"),
            "CarriedWeights": HOLDS_WEIGHTS,
        },
        Case(y=y[:, None]),
    ),
    row(
        AREA,
        "a list of numbers and strings",
        "y",
        {
            CLASSIFIERS: Works("fits: numpy makes strings of them", has_classes("1", "a")),
            MEDOIDS: Works("fits: numpy makes strings of them"),
            "CarriedWeights": HOLDS_WEIGHTS,
        },
        Case(y=[1, "a"] * 20),
    ),
    row(
        AREA,
        "numbers of any size, booleans, strings, categories, a Series with another index",
        "y",
        {
            FITTED: Works("fits; predictions are of that type", predicts_the_type),
            "CarriedWeights": HOLDS_WEIGHTS,
        },
        Case(y=y * 2**62 - 7),
        Case(y=y == 1),
        Case(y=np.array(["no", "yes"])[y]),
        Case(y=pd.Series(np.array(["no", "yes"])[y], dtype="category", index=range(100, 140))),
    ),
    row(
        AREA,
        "a class of one row",
        "y",
        {
            FITTED: Works("fits"),
            CLASSIFIERS: Works("fits; the class can be predicted", has_classes(0, 1, 7)),
            "CarriedWeights": HOLDS_WEIGHTS,
        },
        Case(y=np.where(ROW_3, 7, y)),
    ),
    row(
        AREA,
        "two rows, of two classes",
        "y",
        {
            FITTED: Works(),
            "CRUSTClassifier": Raises(
                "set cross_fit=None", "refused: set cross_fit=None", names="cross_fit"
            ),
            "CarriedWeights": HOLDS_WEIGHTS,
        },
        Case(X[:2], y[:2]),
    ),
    row(
        AREA,
        "one row against 500",
        "y",
        {FITTED: Works(), "CarriedWeights": HOLDS_WEIGHTS},
        Case(np.random.RandomState(0).randn(501, 3), np.arange(501) == 500, large_batches),
    ),
    row(
        AREA,
        "a hundred classes of three rows",
        "y",
        {FITTED: Works(), "CarriedWeights": HOLDS_WEIGHTS},
        Case(MANY_ROWS, HUNDRED, large_batches),
    ),
]
