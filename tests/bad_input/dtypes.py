"""Rows of the table about types of numbers and containers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import scipy.sparse
import torch
from bad_input.estimators import CLASSIFIERS, FITTED, MEDOIDS, SPARSE, X, around_a_classifier, y
from bad_input.outcomes import (
    EITHER,
    Case,
    DoesNotApply,
    Raises,
    Works,
    as_from_plain_arrays,
    row,
)

AREA = "dtype"
BY_THE_ESTIMATOR = "refused by the estimator inside"
HOLDS_WEIGHTS = DoesNotApply("holds weights only")
MATRIX = scipy.sparse.csr_matrix(SPARSE)


def with_long_indices() -> Any:
    matrix = MATRIX.copy()
    matrix.indices, matrix.indptr = (a.astype(np.int64) for a in (matrix.indices, matrix.indptr))
    return matrix


def sparse_case(matrix: Any) -> Case:
    return Case(matrix, options=lambda column: around_a_classifier(column))


def as_from_plain_frames(estimator: Any, case: Case) -> None:
    as_from_plain_arrays(estimator, case)
    assert estimator.feature_names_in_.tolist() == list("abcd")
    told = getattr(estimator, "label_quality_", getattr(estimator, "labels_", None))
    assert isinstance(told, pd.Series) == isinstance(case.X, pd.DataFrame)
    if isinstance(told, pd.Series):
        assert told.index.tolist() == case.X.index.tolist()


ROWS = [
    row(
        AREA,
        "complex numbers",
        "X",
        {
            FITTED: Raises("Complex data not supported"),
            "CoresetClassifier": Raises("Complex", BY_THE_ESTIMATOR, names="estimator"),
            "CarriedWeights": HOLDS_WEIGHTS,
        },
        Case(X + 1j),
    ),
    row(
        AREA,
        "strings",
        "X",
        {
            FITTED: Raises("could not convert string to float: .*'a'"),
            "CoresetClassifier": Raises(
                "could not convert",
                "refused, but by an estimator for them",
                names="X|estimator",
            ),
            "CarriedWeights": HOLDS_WEIGHTS,
        },
        Case(np.full((40, 2), "a")),
        Case(np.full((40, 2), "a", dtype=object)),
    ),
    row(
        AREA,
        "dates, None and other objects",
        "X",
        {
            FITTED: Raises("", error=EITHER),
            "CoresetClassifier": Raises("", BY_THE_ESTIMATOR, EITHER, names="X|estimator"),
            "CarriedWeights": HOLDS_WEIGHTS,
        },
        Case(np.full((40, 2), None)),
        Case(np.full((40, 2), {"a": 1}, dtype=object)),
    ),
    row(
        AREA,
        "sparse torch tensors",
        "X",
        {
            FITTED: Raises(
                "sparse torch tensors.*to_dense", "refused: use scipy.sparse", TypeError
            ),
            "CarriedWeights": HOLDS_WEIGHTS,
        },
        Case(torch.tensor(X).to_sparse()),
    ),
    row(
        AREA,
        "tensors without data (meta)",
        "X",
        {
            FITTED: Raises("meta", error=TypeError),
            "CarriedWeights": HOLDS_WEIGHTS,
        },
        Case(torch.empty(40, 4, device="meta")),
    ),
    row(
        AREA,
        "tensors of any precision, with requires_grad",
        "X",
        {FITTED: Works(), "CarriedWeights": HOLDS_WEIGHTS},
        Case(torch.tensor(X, requires_grad=True), torch.tensor(y)),
        Case(torch.tensor(X).to(torch.float16)),
        Case(torch.tensor(X).to(torch.bfloat16)),
    ),
    row(
        AREA,
        "whole numbers, booleans, half and extended precision, foreign byte order",
        "X",
        {FITTED: Works(), "CarriedWeights": HOLDS_WEIGHTS},
        Case(X.astype(np.int8)),
        Case(X > 0),
        Case(X.astype(np.float16)),
        Case(X.astype(np.longdouble)),
        Case(X.astype(">f8")),
    ),
    row(
        AREA,
        "numbers as objects",
        "X",
        {FITTED: Works("fits, as numbers", as_from_plain_arrays), "CarriedWeights": HOLDS_WEIGHTS},
        Case(X.astype(object)),
    ),
    row(
        AREA,
        "lists, any memory layout, read-only arrays",
        "X",
        {
            FITTED: Works("fits, and predicts the same", as_from_plain_arrays),
            "CarriedWeights": HOLDS_WEIGHTS,
        },
        Case(X.astype(">f8")),
        Case(X.tolist(), y.tolist()),
        Case(np.asfortranarray(X)),
        Case(X[::-1][::-1]),
        Case(np.lib.stride_tricks.as_strided(X, writeable=False)),
    ),
    row(
        AREA,
        "DataFrames of pandas and polars",
        "X",
        {
            FITTED: Works("fits; names and index are kept", as_from_plain_frames),
            "CarriedWeights": HOLDS_WEIGHTS,
        },
        Case(pd.DataFrame(X, columns=list("abcd"), index=range(100, 140)), pd.Series(y)),
        Case(pl.DataFrame(X, schema=list("abcd")), pl.Series("label", y)),
    ),
    row(
        AREA,
        "sparse matrices and arrays of every kind",
        "X",
        {
            CLASSIFIERS: Works("fits, sparse as they are"),
            MEDOIDS: Works("fits, around an estimator only"),
            "CarriedWeights": HOLDS_WEIGHTS,
        },
        *(
            sparse_case(matrix)
            for matrix in (
                with_long_indices(),
                MATRIX.tocoo(),
                scipy.sparse.csr_array(MATRIX),
                MATRIX.astype(int),
                MATRIX.astype(bool),
            )
        ),
    ),
    row(
        AREA,
        "sparse gradients",
        "X",
        {
            CLASSIFIERS: DoesNotApply("takes features"),
            MEDOIDS: Raises(r"toarray\(\)", "refused: make them dense", TypeError),
            "CarriedWeights": HOLDS_WEIGHTS,
        },
        Case(MATRIX),
    ),
]
