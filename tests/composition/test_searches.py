"""Searches, cross-validation and what else fits an estimator many times."""

from __future__ import annotations

import numpy as np
import pytest
from composition.common import NEWER, coreset, crust, dm, each_network, every_classifier
from scipy.stats import loguniform
from sklearn.base import clone
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.feature_selection import SelectFromModel, SequentialFeatureSelector
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    RandomizedSearchCV,
    TunedThresholdClassifierCV,
    cross_val_predict,
    learning_curve,
)

GRIDS = {
    "crust": (crust(max_epochs=4), {"trim": [None, 0.2], "selection": ["greedy"]}),
    "prefixed": (dm(), {"module__hidden": [(4,), (8, 4)], "optimizer__weight_decay": [0.0, 0.1]}),
    "dm": (dm(), {"mode": [0.3, 0.5], "variance": [12.0]}),
    "coreset": (
        coreset(estimator=LogisticRegression()),
        {"estimator__C": [0.1, 1.0], "trim": [0.1]},
    ),
    "forward": (NEWER["forward"](), {"correction": ["forward", "backward"]}),
    "t_revision": (NEWER["t_revision"](), {"revision_lr": [1e-4, 1e-3]}),
    "l_dmi": (NEWER["l_dmi"](), {"information_lr": [1e-4, 1e-3]}),
    "pencil": (NEWER["pencil"](), {"compatibility": [0.1, 0.3]}),
    "co_teaching": (NEWER["co_teaching"](), {"noise_rate": [0.0, 0.2]}),
    "robust_loss": (NEWER["robust_loss"](), {"criterion": ["ce", "gce"]}),
}


@pytest.mark.parametrize(("estimator", "grid"), GRIDS.values(), ids=GRIDS)
def test_grid_search_in_two_processes(estimator, grid, blobs):
    search = GridSearchCV(estimator, grid, cv=2, n_jobs=2, error_score="raise").fit(*blobs)
    assert set(search.best_params_) == set(grid)
    assert search.best_params_.items() <= search.best_estimator_.get_params().items()
    assert search.score(*blobs) > 0.9
    in_process = GridSearchCV(estimator, grid, cv=2, refit=False, error_score="raise").fit(*blobs)
    np.testing.assert_array_equal(
        search.cv_results_["mean_test_score"], in_process.cv_results_["mean_test_score"]
    )


def test_randomized_search_over_names_by_prefix(blobs):
    distributions = {
        "optimizer__weight_decay": loguniform(1e-5, 1e-2),
        "module__hidden": [(4,), (8,)],
    }
    search = RandomizedSearchCV(
        dm(), distributions, n_iter=2, cv=2, random_state=0, error_score="raise"
    ).fit(*blobs)
    decay = search.best_params_["optimizer__weight_decay"]
    assert 1e-5 <= decay <= 1e-2
    group = search.best_estimator_.net_.optimizer_.param_groups[0]
    assert group["weight_decay"] == decay


@pytest.mark.parametrize("resource", ["n_samples", "max_epochs"])
def test_halving_search_over_rows_or_epochs(resource, blobs):
    most = "auto" if resource == "n_samples" else 6
    search = HalvingGridSearchCV(
        dm(),
        {"mode": [0.0, 0.3, 0.5], "module__hidden": [(4,)]},
        resource=resource,
        max_resources=most,
        min_resources=40 if resource == "n_samples" else 2,
        factor=3,
        cv=2,
        random_state=0,
        error_score="raise",
    ).fit(*blobs)
    assert search.n_resources_ == [40, 120] if resource == "n_samples" else [2, 6]
    assert search.score(*blobs) > 0.9


@every_classifier
def test_held_out_predictions_of_all_rows(make, blobs):
    X, y = blobs
    names = np.array(["x", "y", "z"])
    predicted = cross_val_predict(make(), X, names[y], cv=2, method="predict_proba")
    assert predicted.shape == (120, 3)
    assert (names[predicted.argmax(axis=1)] == names[y]).mean() > 0.9


def test_learning_curve(blobs):
    sizes, _, scores = learning_curve(
        dm(), *blobs, train_sizes=[0.5, 1.0], cv=2, shuffle=True, random_state=0
    )
    assert list(sizes) == [30, 60]
    assert scores.shape == (2, 2)
    assert scores[-1].min() > 0.9


def test_permutation_importance_finds_the_column_that_matters():
    rng = np.random.RandomState(0)
    X = rng.normal(size=(120, 3))
    y = np.where(X[:, 1] > 0, "up", "down")
    fitted = dm(max_epochs=15).fit(X, y)
    importance = permutation_importance(fitted, X, y, n_repeats=2, random_state=0)
    assert importance.importances_mean.argmax() == 1
    assert importance.importances_mean[1] > 0.2


@every_classifier
def test_a_tuned_threshold(make, blobs):
    X, y = blobs[0], np.where(blobs[1] == 1, "yes", "no")
    tuned = TunedThresholdClassifierCV(
        make(), cv=2, scoring="balanced_accuracy", random_state=0
    ).fit(X, y)
    assert 0 <= tuned.best_threshold_ <= 1
    assert tuned.score(X, y) > 0.9


def test_columns_selected_by_and_for_an_estimator():
    rng = np.random.RandomState(0)
    X = rng.normal(size=(120, 4))
    y = (X[:, 2] > 0).astype(int)
    by_coreset = SelectFromModel(
        coreset(estimator=LogisticRegression()),
        importance_getter="estimator_.coef_",
        max_features=1,
        threshold=-np.inf,
    ).fit(X, y)
    np.testing.assert_array_equal(by_coreset.get_support(indices=True), [2])
    for_network = SequentialFeatureSelector(dm(max_epochs=8), n_features_to_select=1, cv=2)
    np.testing.assert_array_equal(for_network.fit(X, y).get_support(indices=True), [2])


@each_network
def test_a_clone_has_the_parameters_and_nothing_of_the_fit(make, blobs):
    fitted = make(optimizer__weight_decay=0.25).fit(*blobs)
    cloned = clone(fitted)
    assert cloned.get_params() == fitted.get_params()
    assert not [name for name in vars(cloned) if name.endswith("_")]
