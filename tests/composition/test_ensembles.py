"""The estimators inside and around other classifiers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from composition.common import (
    CLASSIFIERS,
    SKLEARN,
    assert_same_predictions,
    coreset,
    dm,
    every_classifier,
    every_newer_network,
)
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
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.fixes import parse_version

CALIBRATIONS = {
    "sigmoid": {"method": "sigmoid"},
    "isotonic, one classifier": {"method": "isotonic", "ensemble": False},
    "temperature": {"method": "temperature"},
}


CALIBRATION_CASES = [
    pytest.param(make, options, id=f"{kind}-{name}")
    for name, make in CLASSIFIERS.items()
    for kind, options in CALIBRATIONS.items()
    if name != "crust" or kind == "sigmoid"
]


@pytest.mark.parametrize(("make", "options"), CALIBRATION_CASES)
def test_calibration(make, options, blobs):
    if options["method"] == "temperature" and parse_version("1.8") > SKLEARN:
        pytest.skip("scikit-learn calibrates by temperature from version 1.8 on")
    X, y = blobs
    calibrated = CalibratedClassifierCV(make(max_epochs=4) if make is not coreset else make(), cv=2)
    calibrated.set_params(**options).fit(X, y)
    assert calibrated.score(X, y) > 0.9
    assert len(calibrated.calibrated_classifiers_) == (1 if "ensemble" in options else 2)


@every_newer_network
def test_calibration_of_the_newer_networks(make, blobs):
    calibrated = CalibratedClassifierCV(make(), cv=2, ensemble=False).fit(*blobs)
    assert calibrated.score(*blobs) > 0.9


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


@pytest.mark.parametrize("voting", ["soft", "hard"])
def test_voting_with_weights_of_members_and_rows(voting, blobs, without_class_two):
    X, y = blobs
    labels = np.array(["x", "y", "z"])[y]
    names = CLASSIFIERS if voting == "soft" else ("dm", "coreset")
    members = [(name, CLASSIFIERS[name]()) for name in names]
    vote = VotingClassifier(members, voting=voting, weights=[3, 2, 2][: len(members)])
    vote.fit(X, labels)
    assert vote.score(X, labels) > 0.9
    weighted = clone(vote).fit(X, labels, sample_weight=without_class_two)
    assert set(weighted.predict(X)) == {"x", "y"}


@pytest.mark.parametrize("passthrough", [False, True])
def test_stacking(passthrough, blobs):
    X, y = blobs
    labels = np.array(["x", "y", "z"])[y]
    members = [(name, CLASSIFIERS[name]()) for name in ("dm", "coreset")]
    if passthrough:
        members.append(("crust", CLASSIFIERS["crust"](max_epochs=4)))
    stack = StackingClassifier(members, cv=2, passthrough=passthrough).fit(X, labels)
    assert stack.score(X, labels) > 0.9
    assert stack.final_estimator_.n_features_in_ == (9 + 5 if passthrough else 6)


@pytest.mark.parametrize("strategy", [OneVsRestClassifier, OneVsOneClassifier])
def test_two_classes_at_a_time(strategy, blobs):
    X, y = blobs
    labels = np.array(["x", "y", "z"])[y]
    split = strategy(dm()).fit(X, labels)
    assert len(split.estimators_) == 3
    assert split.score(X, labels) > 0.9


def test_several_outputs(blobs):
    X, y = blobs
    targets = np.column_stack([y, y == 1])
    both = MultiOutputClassifier(dm()).fit(X, targets)
    assert (both.predict(X) == targets).mean(axis=0).min() > 0.9


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
