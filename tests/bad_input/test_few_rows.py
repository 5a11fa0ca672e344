"""Few rows, or few of a class: they work, or what stands in the way is named."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from bad_input.estimators import CROSS_FITTED, Maker, X, for_classifiers, of, y
from bad_input.outcomes import assert_fit_fails, assert_predicts


@for_classifiers
@pytest.mark.parametrize("others", [2, 9])
def test_two_classes_one_of_a_single_row(make: Maker, others: int) -> None:
    """One of the cross-fitted models sees one class only: it is sure of that one."""
    labels = (np.arange(1 + others) == 1).astype(int)
    options = {"cross_fit": 3} if without_folds(make) else {}
    assert_predicts(make(**options).fit(X[: 1 + others], labels), X)


@for_classifiers
@pytest.mark.parametrize("n", [2, 3, 5, 10])
def test_few_rows(make: Maker, n: int) -> None:
    assert_predicts(make(**without_folds(make)).fit(X[:n], y[:n]), X)


def without_folds(make: Maker) -> dict[str, Any]:
    return {"cross_fit": None} if make.column in (*CROSS_FITTED, "CoresetClassifier") else {}


# T-Revision has its folds from the base that it shares with Forward.
@of(("CRUSTClassifier", "ForwardClassifier", "CoTeachingClassifier", "CoresetClassifier"))
@pytest.mark.parametrize("cross_fit", [2, 5, 1000])
@pytest.mark.parametrize("n", [2, 3, 4, 5, 6, 10])
def test_few_rows_and_folds(make: Maker, n: int, cross_fit: int) -> None:
    """They work, or cross_fit is what stands in the way and is named."""
    estimator = make(cross_fit=cross_fit)
    n_seen = n - int(np.ceil(n / min(n, cross_fit)))  # rows of the smallest training part
    if make.column in CROSS_FITTED and n_seen < 2:  # batch normalisation can't train on one row
        assert_fit_fails(estimator, X[:n], y[:n], "cross_fit=")
    else:
        assert_predicts(estimator.fit(X[:n], y[:n]), X)
