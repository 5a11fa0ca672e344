"""The sampler in imbalanced-learn's pipelines, with weights carried along."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
import sklearn
from composition.common import OLD_SKLEARN, dm
from imblearn.pipeline import Pipeline as ResamplingPipeline
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.preprocessing import StandardScaler

from noisyfit import CarriedWeights, GradientMedoidSampler


@pytest.mark.parametrize("inner", [None, LogisticRegression()], ids=["gradients", "classifier"])
def test_sampler_keeps_frames_and_their_index(inner, blobs):
    X, y = blobs
    frame = pd.DataFrame(X, columns=list("abcde"), index=[f"row {i}" for i in range(len(X))])
    labels = pd.Series(np.array(["x", "y", "z"])[y], index=frame.index, name="label")
    sampler = GradientMedoidSampler(fraction=0.4, estimator=inner, random_state=0)
    frame_kept, labels_kept = sampler.fit_resample(frame, labels)
    kept = sampler.sample_indices_
    assert 0 < len(kept) < len(X)
    pd.testing.assert_frame_equal(frame_kept, frame.iloc[kept])
    pd.testing.assert_series_equal(labels_kept, labels.iloc[kept])
    pipeline = ResamplingPipeline([("sampler", sampler), ("model", dm())]).fit(frame, labels)
    assert pipeline.score(frame, labels) > 0.8
    assert len(pipeline[-1].label_quality_) == len(kept)


@pytest.fixture(scope="module")
def uneven():
    """Weights that no two rows share, so that a wrong row shows."""
    return np.random.RandomState(1).uniform(0.5, 2.0, 120)


def expected_fit(sampler, X, y, weight):
    """What a pipeline has to come to, done by hand."""
    return LogisticRegression().fit(
        X[sampler.sample_indices_], y[sampler.sample_indices_], sample_weight=weight
    )


@pytest.mark.parametrize("weights", ["uniform", "cluster"])
def test_weights_past_a_sampler_without_routing(weights, blobs, uneven):
    X, y = blobs
    sampler = GradientMedoidSampler(k=30, weights=weights)
    steps = [("scale", StandardScaler()), ("sampler", sampler), ("model", LogisticRegression())]
    pipeline = ResamplingPipeline(steps)
    pipeline.fit(X, y, model__sample_weight=CarriedWeights(uneven, sampler))
    kept = uneven[sampler.sample_indices_]
    if weights == "cluster":
        medoids = sampler.medoid_indices_[sampler.labels_]
        kept = np.array([uneven[medoids == row].sum() for row in sampler.sample_indices_])
        assert kept.sum() == pytest.approx(uneven.sum())
    by_hand = expected_fit(sampler, pipeline[0].transform(X), y, kept)
    np.testing.assert_allclose(pipeline[-1].coef_, by_hand.coef_)
    unweighted = expected_fit(sampler, pipeline[0].transform(X), y, None)
    assert not np.allclose(unweighted.coef_, by_hand.coef_)


@pytest.mark.parametrize("weights", ["uniform", "cluster"])
def test_weights_past_a_sampler_by_metadata_routing(weights, blobs, uneven):
    X, y = blobs
    with sklearn.config_context(enable_metadata_routing=True):
        sampler = GradientMedoidSampler(k=30, weights=weights)
        model = LogisticRegression().set_fit_request(sample_weight=True)
        pipeline = ResamplingPipeline([("sampler", sampler), ("model", model)])
        carried = CarriedWeights(uneven)
        for _ in range(2):  # the second fit starts from all weights again
            pipeline.fit(X, y, sample_weight=carried)
        alone = GradientMedoidSampler(k=30, weights=weights).fit(X, y, sample_weight=uneven)
        np.testing.assert_array_equal(sampler.sample_indices_, alone.sample_indices_)
        by_hand = expected_fit(alone, X, y, alone.carry(uneven))
        np.testing.assert_allclose(model.coef_, by_hand.coef_)


@pytest.mark.skipif(OLD_SKLEARN, reason="scikit-learn 1.6 asks for a score request of the Pipeline")
@pytest.mark.parametrize("make", [LogisticRegression, dm], ids=["linear", "network"])
def test_weights_past_a_sampler_in_cross_validation(make, blobs, without_class_two):
    X, y = blobs
    weights = {"sample_weight": CarriedWeights(without_class_two)}
    with sklearn.config_context(enable_metadata_routing=True):
        model = make().set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        # Half of the rows stay; those of class 2 have weight 0 and are as if absent.
        steps = [("sampler", GradientMedoidSampler(fraction=0.5)), ("model", model)]
        pipeline = ResamplingPipeline(steps)
        result = cross_validate(
            pipeline, X, y, params=weights, cv=2, return_estimator=True, error_score="raise"
        )
        for fitted in result["estimator"]:
            assert set(fitted.predict(X)) == {0, 1}
        assert result["test_score"].min() > 0.9  # weighted: the rows of class 2 cost nothing
        grid = {"sampler__fraction": [0.2, 0.5], "sampler__weights": ["uniform", "cluster"]}
        search = GridSearchCV(pipeline, grid, cv=2, error_score="raise")
        search.fit(X, y, **weights)
        assert set(search.predict(X)) == {0, 1}


@pytest.mark.parametrize("inner", [None, LogisticRegression()], ids=["gradients", "classifier"])
def test_rows_of_weight_zero_are_as_if_absent_to_the_sampler(inner, blobs):
    X, y = blobs
    absent = np.arange(len(y)) % 4 == 0
    options = {"fraction": 0.3, "estimator": inner, "random_state": 0}
    weighted = GradientMedoidSampler(**options).fit(X, y, sample_weight=~absent)
    removed = GradientMedoidSampler(**options).fit(X[~absent], y[~absent])
    rows = np.flatnonzero(~absent)
    np.testing.assert_array_equal(weighted.medoid_indices_, rows[removed.medoid_indices_])
    np.testing.assert_array_equal(weighted.labels_[rows], removed.labels_)
    assert (weighted.labels_[absent] == -1).all()
    np.testing.assert_array_equal(weighted.weights_, removed.weights_)
    assert len(weighted.get_support()) == len(y)


def test_an_integer_weight_is_as_many_rows_to_the_sampler(blobs):
    X, y = blobs
    twice = np.arange(len(y)) % 3 == 0
    weighted = GradientMedoidSampler(k=6).fit(X, y, sample_weight=1 + twice)
    repeated = GradientMedoidSampler(k=6).fit(np.vstack([X, X[twice]]), np.append(y, y[twice]))
    np.testing.assert_array_equal(weighted.sample_indices_, repeated.sample_indices_)
    np.testing.assert_allclose(weighted.weights_, repeated.weights_)


def test_carried_weights_are_those_of_all_rows_until_a_sampler_has_chosen(blobs, uneven):
    X, y = blobs
    carried = CarriedWeights(uneven)
    np.testing.assert_array_equal(np.asarray(carried), uneven)
    np.testing.assert_array_equal(np.asarray(carried[y == 1]), uneven[y == 1])
    sampler = GradientMedoidSampler(k=10)
    sampler.fit_resample(X, y, sample_weight=carried)
    for same in (carried, copy.deepcopy(carried), pickle.loads(pickle.dumps(carried))):
        np.testing.assert_array_equal(np.asarray(same), uneven[sampler.sample_indices_])
    assert np.asarray(carried, dtype=np.float32).dtype == np.float32


def test_carried_weights_say_what_is_missing(blobs, uneven):
    X, y = blobs
    with pytest.raises(NotFittedError):
        np.asarray(CarriedWeights(uneven, GradientMedoidSampler(k=3)))
    with pytest.raises(ValueError, match=r"one weight per row, got shape \(120, 1\)"):
        CarriedWeights(uneven[:, None])
    fitted = GradientMedoidSampler(k=3).fit(X, y)
    with pytest.raises(ValueError, match=r"sample_weight.shape == \(7,\), expected \(120,\)"):
        np.asarray(CarriedWeights(np.ones(7), fitted))
    inner = ResamplingPipeline([("model", LogisticRegression())])
    with pytest.raises(ValueError, match="takes no sample_weight in fit"):
        GradientMedoidSampler(k=3, estimator=inner).fit(X, y, sample_weight=uneven)
