"""Rows of the table about values of X."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse
from bad_input.estimators import (
    CLASSIFIERS,
    FITTED,
    MEDOIDS,
    NETWORKS,
    ONE_INF,
    ONE_NAN,
    X,
    around_a_classifier,
)
from bad_input.outcomes import Case, DoesNotApply, Raises, Works, row

AREA = "values"
HOLDS_WEIGHTS = DoesNotApply("holds weights only")
HUGE = X.copy()
HUGE[3, 1] = 1e100


def sparse_case(values: np.ndarray) -> Case:
    matrix = scipy.sparse.csr_matrix(np.where(np.abs(values) < 0.5, 0, values))
    return Case(matrix, options=lambda column: around_a_classifier(column))


def in_double_precision(column: str) -> dict[str, Any]:
    return {"dtype": "float64"} if column in NETWORKS else {}


def alike(estimator: Any, case: Case) -> None:
    probabilities = estimator.predict_proba(case.X)
    np.testing.assert_allclose(probabilities, probabilities[:1].repeat(40, axis=0), atol=1e-6)


ROWS = [
    row(
        AREA,
        "NaN",
        "X",
        {FITTED: Raises("NaN"), "CarriedWeights": HOLDS_WEIGHTS},
        Case(ONE_NAN),
        Case(ONE_NAN.astype(object)),
        sparse_case(ONE_NAN),
    ),
    row(
        AREA,
        "infinity",
        "X",
        {FITTED: Raises("infinity"), "CarriedWeights": HOLDS_WEIGHTS},
        Case(ONE_INF),
        sparse_case(ONE_INF),
    ),
    row(
        AREA,
        "numbers beyond float32",
        "X",
        {
            NETWORKS: Raises("too large for dtype\\('float32'\\)", 'refused: set dtype="float64"'),
            ("CoresetClassifier", *MEDOIDS): Works("fits: computed in float64"),
            "CarriedWeights": HOLDS_WEIGHTS,
        },
        Case(HUGE),
    ),
    row(
        AREA,
        'numbers beyond float32, with dtype="float64"',
        "X",
        {
            NETWORKS: Works(),
            ("CoresetClassifier", *MEDOIDS): DoesNotApply("has no parameter dtype"),
            "CarriedWeights": HOLDS_WEIGHTS,
        },
        Case(HUGE, options=in_double_precision),
    ),
    row(
        AREA,
        "gradients too large to square",
        "X|gradients|points",
        {
            CLASSIFIERS: DoesNotApply("takes features"),
            MEDOIDS: Raises("too large.*divide", "refused: divide them"),
            "CarriedWeights": HOLDS_WEIGHTS,
        },
        Case(X * 1e200, options={"k": 2}),
    ),
    row(
        AREA,
        "constant columns, one row repeated, zeros",
        "X",
        {
            CLASSIFIERS: Works("fits; all rows get the same probabilities", alike),
            MEDOIDS: Works("fits: copies are medoids in the order of the rows"),
            "CarriedWeights": HOLDS_WEIGHTS,
        },
        Case(np.full((40, 3), 7.0)),
        Case(np.repeat(X[:1], 40, axis=0)),
        Case(np.zeros((40, 2))),
    ),
    row(
        AREA,
        "huge, tiny, far from zero",
        "X",
        {FITTED: Works(), "CarriedWeights": HOLDS_WEIGHTS},
        Case(X * 1e30),
        Case(X * 1e-30),
        Case(X + 1e6),
    ),
    row(
        AREA,
        "a sparse matrix without entries",
        "X",
        {FITTED: Works(), "CarriedWeights": HOLDS_WEIGHTS},
        Case(
            scipy.sparse.csr_matrix((40, 3)),
            options=lambda column: around_a_classifier(column),
        ),
    ),
]
