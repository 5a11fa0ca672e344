"""Medoids of the selector and the sampler."""

from __future__ import annotations

import numpy as np
import pytest
from bad_input.estimators import MEDOIDS, Maker, X, for_medoids, of, selector, y
from bad_input.outcomes import EITHER, assert_fit_fails
from bad_input.stand_ins import ForgetsAClass
from sklearn.linear_model import LogisticRegression


@for_medoids
@pytest.mark.parametrize("k", [2, 7, 40])
def test_medoids_of_identical_rows_are_distinct_and_cover_all(make: Maker, k: int) -> None:
    fitted = make(k=k).fit(np.ones((40, 3)), y)
    assert len(set(fitted.medoid_indices_)) == k
    assert fitted.weights_.sum() == 40


def test_without_labels_all_rows_are_one_group() -> None:
    assert selector().fit(X).get_support().sum() == 20
    assert_fit_fails(selector(estimator=LogisticRegression()), X, None, "estimator=.* need.*labels")


@for_medoids
class TestMedoids:
    def test_more_medoids_than_rows(self, make: Maker) -> None:
        assert_fit_fails(make(k=41), X, y, r"k must lie between 1 and .*n=40, got k=41")
        assert make(k=40).fit(X, y).get_support().all()

    def test_more_medoids_than_trimming_leaves(self, make: Maker) -> None:
        assert_fit_fails(make(k=30, trim=0.5), X, y, "k must lie between 1 and .*got k=30")

    def test_fewer_medoids_than_classes(self, make: Maker) -> None:
        assert_fit_fails(make(k=1), X, y, "k=1 must be at least the number of non-empty groups, 2")

    def test_a_number_of_medoids_where_all_rows_are_taken(self, make: Maker) -> None:
        assert_fit_fails(make(k=3, selection="all"), X, y, "k=3.*selection")

    @pytest.mark.parametrize("options", [{"trim": "auto"}, {"group_by": "predicted"}])
    def test_what_needs_predictions(self, make: Maker, options: dict[str, str]) -> None:
        assert_fit_fails(make(**options), X, y, "needs predictions: set estimator")

    def test_few_rows_for_an_estimator(self, make: Maker) -> None:
        inner = LogisticRegression()
        assert_fit_fails(make(estimator=inner), X, np.zeros(40, int), "one class")
        for cross_fit in (2, 5, None):
            fitted = make(estimator=inner, cross_fit=cross_fit).fit(X[:2], y[:2])
            assert fitted.get_support().all()

    def test_an_estimator_class_instead_of_an_instance(self, make: Maker) -> None:
        assert_fit_fails(make(estimator=LogisticRegression), X, y, "instance", EITHER)

    def test_one_row(self, make: Maker) -> None:
        fitted = make().fit(X[:1], y[:1])
        assert fitted.medoid_indices_.tolist() == [0]
        assert fitted.weights_.tolist() == [1]


@of(("CoresetClassifier", *MEDOIDS))
def test_an_estimator_whose_probabilities_are_nan(make: Maker) -> None:
    assert_fit_fails(make(estimator=ForgetsAClass()), X, y, "NaN|finite")


@for_medoids
def test_a_failed_fit_keeps_the_earlier_medoids(make: Maker) -> None:
    fitted = make(k=4).fit(X, y)
    expected = fitted.get_support()
    fitted.set_params(k=100)
    with pytest.raises(ValueError, match="k=100"):
        fitted.fit(X[:, :2], y)
    assert fitted.n_features_in_ == 4
    np.testing.assert_array_equal(fitted.get_support(), expected)
