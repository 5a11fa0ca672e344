"""Weights for estimators inside others."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from bad_input.estimators import Maker, X, coreset, for_classifiers, y
from bad_input.outcomes import assert_fit_fails
from sklearn.neighbors import KNeighborsClassifier


class KNeighborsWithWeights(KNeighborsClassifier):
    """Takes weights; what it makes of them does not matter here."""

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> KNeighborsWithWeights:
        return super().fit(X, y)


@for_classifiers
@pytest.mark.parametrize("scale", [1e-200, 1e-3, 1e200])
def test_only_the_ratio_of_sample_weights_matters_where_they_are_not_counts(
    make: Maker, scale: float
) -> None:
    weight = 0.5 + np.arange(40) % 3
    options = {"estimator": KNeighborsWithWeights()} if make == coreset else {}
    expected = make(**options).fit(X, y, sample_weight=weight).predict_proba(X)
    got = make(**options).fit(X, y, sample_weight=weight * scale).predict_proba(X)
    np.testing.assert_allclose(got, expected, atol=1e-5)


def test_an_estimator_that_takes_no_weights() -> None:
    plain = KNeighborsClassifier()
    assert_fit_fails(coreset(estimator=plain), X, y, "no sample_weight", sample_weight=np.ones(40))
    assert_fit_fails(
        coreset(estimator=plain, weights="cluster"), X, y, "no sample_weight.*weights='cluster'"
    )
