"""What goes together with sparse rows, and what is said of ordinary data: nothing."""

from __future__ import annotations

import warnings

import numpy as np
import scipy.sparse
from bad_input.estimators import CLASSIFIERS, Maker, X, crust, for_all, y
from bad_input.outcomes import assert_predicts


def test_mixup_of_sparse_rows() -> None:
    matrix = scipy.sparse.csr_matrix(np.where(np.abs(X) < 0.5, 0, X))
    for selection in ("all", "greedy"):
        assert_predicts(crust(mixup=1.0, selection=selection).fit(matrix, y), matrix)


@for_all
def test_no_warning_on_ordinary_data(make: Maker) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        make().fit(X, y)
        if make.column in CLASSIFIERS:
            make().fit(scipy.sparse.csr_matrix(X), y)
