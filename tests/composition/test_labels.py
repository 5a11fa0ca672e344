"""Labels of any type in any container."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest
from composition.common import CLASSIFIERS, assert_same_predictions, every_classifier

LABELS = {
    "strings": np.array(["x", "y", "z"]),
    "objects": np.array(["x", "y", "z"], dtype=object),
    "integers": np.array([-7, 0, 40]),
    "floats": np.array([0.0, 1.0, 5.0]),
    "small integers": np.array([3, 4, 250], dtype=np.uint8),
}


@every_classifier
@pytest.mark.parametrize("names", LABELS.values(), ids=LABELS)
def test_labels_come_back_as_they_were(names, make, blobs):
    X, y = blobs
    estimator = make().fit(X, names[y])
    np.testing.assert_array_equal(estimator.classes_, names)
    assert estimator.predict(X).dtype == estimator.transduction_.dtype == names.dtype
    assert estimator.score(X, names[y]) > 0.9
    assert_same_predictions(estimator, make().fit(X, names[y].tolist()), X)


@every_classifier
def test_labels_true_and_false(make, blobs):
    X, y = blobs[0], blobs[1] == 1
    estimator = make().fit(X, y)
    assert estimator.predict(X).dtype == bool
    assert estimator.score(X, y) > 0.9


CONTAINERS = {
    "Series": pd.Series,
    "Categorical": pd.Categorical,
    "category": lambda y: pd.Series(y, dtype="category", index=np.arange(len(y))[::-1]),
    "string": lambda y: pd.Series(y, dtype="string"),
    "polars": pl.Series,
    "polars categorical": lambda y: pl.Series(y, dtype=pl.Categorical),
}
CONTAINER_CASES = [
    pytest.param(make, CONTAINERS[kind], id=f"{kind}-{name}")
    for name, make in CLASSIFIERS.items()
    for kind in (("category", "polars categorical") if name == "crust" else CONTAINERS)
]


@pytest.mark.parametrize(("make", "wrap"), CONTAINER_CASES)
def test_labels_in_other_containers(make, wrap, blobs):
    X, y = blobs
    labels = np.array(["x", "y", "z"])[y]
    estimator = make().fit(X, wrap(labels))
    assert list(estimator.classes_) == ["x", "y", "z"]
    assert_same_predictions(estimator, make().fit(X, labels), X)
    assert estimator.score(X, wrap(labels)) > 0.9
