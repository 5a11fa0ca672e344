"""The estimators inside and around other classifiers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from composition.common import CLASSIFIERS, assert_same_predictions, coreset, dm, every_classifier
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import (
    BaggingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler


@every_classifier
@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
def test_calibration(method, make, blobs):
    X, y = blobs
    calibrated = CalibratedClassifierCV(make(), method=method, cv=2).fit(X, y)
    assert calibrated.score(X, y) > 0.9


@every_classifier
def test_a_frozen_estimator_is_not_fitted_again(make, blobs):
    X, y = blobs
    fitted = make().fit(X, y)
    frozen = FrozenEstimator(fitted)
    calibrated = CalibratedClassifierCV(frozen).fit(X, y)
    assert calibrated.score(X, y) > 0.9
    frozen.fit(X, 2 - y)
    assert_same_predictions(clone(frozen), fitted, X)


@every_classifier
def test_bagging_in_two_processes(make, blobs):
    X, y = blobs
    bag = BaggingClassifier(make(), n_estimators=2, n_jobs=2, random_state=0).fit(X, y)
    assert bag.score(X, y) > 0.9
    alone = BaggingClassifier(make(), n_estimators=2, random_state=0).fit(X, y)
    assert_same_predictions(bag, alone, X)


@pytest.mark.parametrize(
    "combine",
    [
        lambda members: VotingClassifier(members, voting="soft"),
        lambda m: StackingClassifier(m, cv=2),
    ],
    ids=["voting", "stacking"],
)
def test_ensembles_of_all_three(combine, blobs):
    X, y = blobs
    labels = np.array(["x", "y", "z"])[y]
    combined = combine([(name, make()) for name, make in CLASSIFIERS.items()]).fit(X, labels)
    assert combined.score(X, labels) > 0.9


@pytest.mark.parametrize(
    "inner",
    [
        HistGradientBoostingClassifier(max_iter=5, min_samples_leaf=5, random_state=0),
        RandomForestClassifier(n_estimators=10, random_state=0),
        make_pipeline(StandardScaler(), LogisticRegression()),
        dm(),
    ],
    ids=["boosting", "forest", "pipeline", "network"],
)
def test_coreset_around_another_classifier(inner, blobs):
    X, y = blobs
    labels = np.array(["x", "y", "z"])[y]
    estimator = coreset(estimator=inner).fit(X, labels)
    assert estimator.score(X, labels) > 0.9
    assert not hasattr(inner, "classes_")  # the clone is fitted, never the given instance
    assert hasattr(estimator, "decision_function") == hasattr(inner, "decision_function")
    if isinstance(inner, Pipeline):
        with pytest.raises(ValueError, match="takes no sample_weight in fit"):
            coreset(estimator=inner, weights="cluster").fit(X, labels)
    else:
        assert coreset(estimator=inner, weights="cluster").fit(X, labels).score(X, labels) > 0.9


@pytest.mark.parametrize(
    "wrap",
    [list, np.array, lambda texts: np.array(texts, dtype=object), pd.Series],
    ids=["list", "array", "objects", "Series"],
)
def test_coreset_of_texts(wrap):
    fruit, metal = "apple pear plum cherry", "iron zinc lead copper"
    rng = np.random.RandomState(0)
    y = np.arange(60) % 2
    texts = [" ".join(rng.choice((fruit if c else metal).split(), 3)) for c in y]
    estimator = coreset(estimator=make_pipeline(TfidfVectorizer(), LogisticRegression()))
    estimator.fit(wrap(texts), np.where(y, "fruit", "metal"))
    np.testing.assert_array_equal(
        estimator.predict(wrap(["pear pear", "zinc lead"])), ["fruit", "metal"]
    )
    assert len(estimator.label_quality_) == 60
