"""The estimators as steps, in searches and pipelines."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
from composition.common import (
    OLD_SKLEARN,
    assert_same_predictions,
    coreset,
    dm,
    each_network,
    every_classifier,
    every_newer_network,
)
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from noisyfit import GradientMedoidSelector


@every_classifier
def test_pipeline_with_a_scaler(make, blobs):
    X, y = blobs
    pipeline = make_pipeline(StandardScaler(), make()).fit(X, y)
    assert pipeline.score(X, y) > 0.9
    np.testing.assert_array_equal(pipeline.classes_, [0, 1, 2])
    assert pipeline.n_features_in_ == 5


def test_selector_is_a_step_of_a_pipeline_and_names_its_columns(blobs):
    X, y = blobs
    frame = pd.DataFrame(X, columns=list("abcde"), index=np.arange(len(X)) + 1000)
    selector = GradientMedoidSelector(k=6)
    names = [f"gradientmedoidselector{i}" for i in range(6)]
    pipeline = make_pipeline(selector, LogisticRegression()).set_output(transform="pandas")
    pipeline.fit(frame, y)
    assert pipeline.score(frame, y) > 0.9
    np.testing.assert_array_equal(pipeline[:-1].get_feature_names_out(), names)
    np.testing.assert_array_equal(pipeline[-1].feature_names_in_, names)
    distances = pipeline[:-1].transform(frame)
    assert list(distances.columns) == names
    pd.testing.assert_index_equal(distances.index, frame.index)


@every_classifier
def test_columns_of_mixed_types_through_a_column_transformer(make, blobs):
    X, y = blobs
    frame = pd.DataFrame(X[:, :3], columns=["a", "b", "c"])
    frame["colour"] = pd.Categorical(np.array(["red", "green", "blue"])[(y + 1) % 3])
    columns = ColumnTransformer(
        [("numbers", StandardScaler(), ["a", "b", "c"]), ("words", OneHotEncoder(), ["colour"])]
    )
    pipeline = Pipeline([("columns", columns), ("model", make())]).fit(frame, y)
    assert pipeline.score(frame, y) > 0.9
    # The other way round: the whole pipeline is what the coreset is chosen for.
    around = coreset(estimator=make_pipeline(columns, LogisticRegression())).fit(frame, y)
    assert around.score(frame, y) > 0.9
    np.testing.assert_array_equal(around.feature_names_in_, frame.columns)


@every_newer_network
def test_the_newer_networks_in_a_pipeline(make, blobs):
    X, y = blobs
    names = np.array(["x", "y", "z"])
    pipeline = make_pipeline(StandardScaler(), make()).fit(X, names[y])
    assert pipeline.score(X, names[y]) > 0.9
    copied = pickle.loads(pickle.dumps(pipeline))
    assert_same_predictions(pipeline, copied, X)
    again = clone(pipeline)
    assert not hasattr(again[-1], "net_")
    assert_same_predictions(again.fit(X, names[y]), pipeline, X)


def test_grid_search_over_the_deep_names_of_a_nested_pipeline(blobs):
    X, y = blobs
    frame = pd.DataFrame(X[:, :3].copy(), columns=list("abc"))
    frame.loc[::7, "a"] = np.nan
    frame["colour"] = np.array(["red", "green", "blue"])[(y + 1) % 3]
    numbers = Pipeline([("fill", SimpleImputer()), ("scale", StandardScaler())])
    columns = ColumnTransformer(
        [("numbers", numbers, ["a", "b", "c"]), ("words", OneHotEncoder(), ["colour"])]
    )
    pipeline = Pipeline([("columns", columns), ("model", dm(max_epochs=4))])
    grid = {
        "columns__numbers__fill__strategy": ["mean", "median"],
        "model__module__hidden": [(4,), (8,)],
    }
    search = GridSearchCV(pipeline, grid, cv=2, error_score="raise").fit(frame, y)
    assert search.best_params_.keys() == grid.keys()
    assert search.score(frame, y) > 0.9
    deep = search.best_estimator_.get_params()
    assert deep["model__module__hidden"] == search.best_params_["model__module__hidden"]


@pytest.mark.parametrize("library", ["pandas", "polars"])
@pytest.mark.parametrize("inner", [None, LogisticRegression()], ids=["gradients", "classifier"])
def test_set_output_of_the_selector(inner, library, blobs):
    X, y = blobs
    selector = GradientMedoidSelector(k=4, estimator=inner, random_state=0)
    distances = selector.set_output(transform=library).fit(X, y).transform(X)
    assert type(distances).__module__.split(".")[0] == library
    names = [f"gradientmedoidselector{i}" for i in range(4)]
    assert list(distances.columns) == names
    np.testing.assert_array_equal(selector.get_feature_names_out(), names)
    default = selector.set_output(transform="default").transform(X)
    np.testing.assert_array_equal(np.asarray(distances), default)


@each_network
def test_the_diagram_shows_parameters_by_prefix(make, blobs):
    pipeline = make_pipeline(StandardScaler(), make(module__hidden=(77,)))
    for state in (pipeline, pipeline.fit(*blobs)):
        diagram = state._repr_html_()
        assert type(make()).__name__ in diagram
        if not OLD_SKLEARN:  # before, a diagram had no table of parameters
            assert "module__hidden" in diagram
            assert "(77,)" in diagram
