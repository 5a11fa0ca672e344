"""Weights of rows and classes, plain and routed."""

from __future__ import annotations

import numpy as np
import pytest
import sklearn
from composition.common import (
    FULL_BATCH,
    OLD_SKLEARN,
    assert_same_predictions,
    dm,
    every_classifier,
)
from sklearn.base import clone
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from noisyfit import CoresetClassifier, CRUSTClassifier, DMClassifier


@every_classifier
def test_weights_through_a_pipeline_and_a_search_without_routing(make, blobs, without_class_two):
    X, y = blobs
    pipeline = Pipeline([("scale", StandardScaler()), ("model", make())])
    pipeline.fit(X, y, model__sample_weight=without_class_two)
    assert set(pipeline.predict(X)) == {0, 1}
    search = GridSearchCV(make(), {"trim" if make is not dm else "mode": [0.1]}, cv=2)
    search.fit(X, y, sample_weight=without_class_two)
    assert set(search.predict(X)) == {0, 1}


@pytest.mark.skipif(OLD_SKLEARN, reason="scikit-learn 1.6 asks for a score request of the Pipeline")
@every_classifier
def test_weights_by_metadata_routing(make, blobs, without_class_two):
    X, y = blobs
    weights = {"sample_weight": without_class_two}
    with sklearn.config_context(enable_metadata_routing=True):
        model = make().set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        for estimator in (model, make_pipeline(scaler, model)):
            result = cross_validate(
                estimator, X, y, params=weights, cv=2, return_estimator=True, error_score="raise"
            )
            for fitted in result["estimator"]:
                assert set(fitted.predict(X)) == {0, 1}
            # Weighted by the same weights, the rows of the unknown class cost nothing.
            assert result["test_score"].min() > 0.9
        with pytest.raises(UnsetMetadataPassedError, match="sample_weight"):
            cross_validate(make(), X, y, params=weights, cv=2, error_score="raise")


FULL_BATCH_CLASSIFIERS = {
    "dm": DMClassifier(**FULL_BATCH),
    "crust": CRUSTClassifier(cross_fit=None, warmup_epochs=2, **FULL_BATCH),
    "medoids": CRUSTClassifier(
        cross_fit=None, warmup_epochs=2, selection="greedy", weights="cluster", **FULL_BATCH
    ),
    "coreset": CoresetClassifier(cross_fit=None),
}
every_full_batch_classifier = pytest.mark.parametrize(
    "estimator", FULL_BATCH_CLASSIFIERS.values(), ids=FULL_BATCH_CLASSIFIERS
)


@every_full_batch_classifier
def test_rows_of_weight_zero_are_as_if_absent(estimator, blobs):
    X, y = blobs
    absent = np.arange(len(y)) % 4 == 0
    wrong = np.where(absent, (y + 1) % 3, y)
    spoiled = np.where(absent[:, None], 1e3, X)
    weighted = clone(estimator).fit(spoiled, wrong, sample_weight=~absent)
    removed = clone(estimator).fit(X[~absent], y[~absent])
    np.testing.assert_allclose(weighted.predict_proba(X), removed.predict_proba(X), atol=1e-10)
    np.testing.assert_allclose(weighted.label_quality_[~absent], removed.label_quality_, atol=1e-6)
    assert weighted.noise_rate_ == pytest.approx(removed.noise_rate_)
    if hasattr(weighted, "coreset_indices_"):
        rows = np.flatnonzero(~absent)[removed.coreset_indices_]
        assert set(weighted.coreset_indices_) == set(rows)


@pytest.mark.parametrize("name", ["dm", "crust", "coreset"])
def test_a_weight_of_two_is_the_row_twice(name, blobs):
    X, y = blobs
    estimator = FULL_BATCH_CLASSIFIERS[name]
    twice = np.arange(len(y)) % 3 == 0
    weighted = clone(estimator).fit(X, y, sample_weight=1 + twice)
    repeated = clone(estimator).fit(np.vstack([X, X[twice]]), np.append(y, y[twice]))
    np.testing.assert_allclose(weighted.predict_proba(X), repeated.predict_proba(X), atol=1e-7)
    assert weighted.noise_rate_ == pytest.approx(repeated.noise_rate_)


@pytest.mark.parametrize("name", ["dm", "crust"])
def test_class_weight_equals_weights_of_the_rows(name, blobs):
    X, y = blobs
    rows = np.flatnonzero((y != 0) | (np.arange(len(y)) % 4 == 0))  # makes class 0 rare
    X, labels = X[rows], np.array(["x", "y", "z"])[y[rows]]
    estimator = clone(FULL_BATCH_CLASSIFIERS[name]).set_params(max_epochs=2)
    plain = clone(estimator).fit(X, labels)
    by_dict = clone(estimator).set_params(class_weight={"x": 3.0}).fit(X, labels)
    by_rows = clone(estimator).set_params(trim=None) if name == "crust" else clone(estimator)
    by_rows.fit(X, labels, sample_weight=np.where(labels == "x", 3.0, 1.0))
    assert not np.allclose(plain.predict_proba(X), by_dict.predict_proba(X))
    np.testing.assert_allclose(by_dict.predict_proba(X), by_rows.predict_proba(X), atol=1e-7)

    balanced = clone(estimator).set_params(class_weight="balanced").fit(X, labels)
    names, counts = np.unique(labels, return_counts=True)
    weights = dict(zip(names, len(labels) / (3 * counts), strict=True))
    by_dict = clone(estimator).set_params(class_weight=weights).fit(X, labels)
    assert_same_predictions(balanced, by_dict, X)
