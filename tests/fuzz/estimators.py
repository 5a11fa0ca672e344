"""Properties of estimators: a fit refuses by design, or all it leaves is well formed."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from fuzz.arrays import Features, features
from fuzz.checks import check_by_design, check_indices, check_probabilities, nothing_changed
from fuzz.labels import Labels, Weights, labels, weights
from fuzz.parameters import parameters
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

REFUSED, FITTED = "refused", "fitted"
# What scikit-learn and scipy say of odd but legal data; the results are checked all the same.
QUIET = {"action": "ignore", "category": UserWarning}


@dataclass(frozen=True)
class Case:
    """One call of fit."""

    estimator_class: type
    parameters: dict[str, Any]
    X: Features
    y: Labels
    weights: Weights
    again: bool = False

    def estimator(self) -> Any:
        return self.estimator_class(**self.parameters)


@st.composite
def cases(draw: st.DrawFn, estimator_class: type, *, weighted: bool = True) -> Case:
    """A fit in which usually at most one thing is odd."""
    odd = draw(st.sampled_from(["nothing"] * 8 + ["X", "y", "weights", "all"]))

    def is_odd(part: str) -> bool | None:
        return None if odd == "all" else odd == part

    X = draw(features(odd=is_odd("X")))
    return Case(
        estimator_class,
        draw(parameters(estimator_class)),
        X,
        draw(labels(X.n_rows, odd=is_odd("y"))),
        draw(weights(X.n_rows, odd=is_odd("weights"))) if weighted else Weights(X.n_rows, None),
        again=draw(st.sampled_from([False] * 7 + [True])),
    )


def fitted_or_refused(case: Case, X: Any, y: Any, weight: Any) -> Any:
    """The fitted estimator, or None where it refused by design, and then is not fitted."""
    options = {} if weight is None else {"sample_weight": weight}
    try:
        estimator = case.estimator()
    except Exception as error:
        check_by_design(error)
        return None
    with nothing_changed(X, y, weight):
        try:
            assert estimator.fit(X, y, **options) is estimator
        except Exception as error:
            check_by_design(error)
            refused = True
        else:
            refused = False
    if not refused:
        return estimator
    for method in ("predict", "predict_proba", "transform", "get_support"):
        if hasattr(estimator, method):
            arguments = () if method == "get_support" else (np.zeros((2, 2)),)
            try:
                getattr(estimator, method)(*arguments)
            except NotFittedError:
                continue
            raise AssertionError(f"{method} works after a fit that failed")
    return None


def plain(values: Any) -> np.ndarray:
    """Labels as an array, as a user would compare them."""
    return np.asarray(values.cpu() if hasattr(values, "cpu") else values)


def check_classifier(case: Case) -> str:
    """A classifier's fit and what it predicts and tells."""
    X, y, weight = case.X.build(), case.y.build(), case.weights.build()
    with warnings.catch_warnings():
        warnings.simplefilter(**QUIET)
        estimator = fitted_or_refused(case, X, y, weight)
        if estimator is None:
            return REFUSED
        given = plain(y).ravel()
        n_rows, classes = len(given), estimator.classes_
        np.testing.assert_array_equal(classes, np.unique(given))
        with nothing_changed(X):
            probabilities = estimator.predict_proba(X)
            predicted = estimator.predict(X)
        check_probabilities(probabilities, n_rows, len(classes))
        assert predicted.shape == (n_rows,)
        assert set(predicted.tolist()) <= set(classes.tolist())
        check_report(estimator, n_rows)
        if case.again and isinstance(case.parameters.get("random_state"), int):
            other = clone(estimator).fit(
                X, y, **({"sample_weight": weight} if weight is not None else {})
            )
            np.testing.assert_array_equal(other.predict_proba(X), probabilities)
            np.testing.assert_array_equal(other.label_quality_, estimator.label_quality_)
    return FITTED


def check_report(estimator: Any, n_rows: int) -> None:
    """What a classifier's fit tells about its rows and about the noise."""
    classes = estimator.classes_
    quality, believed = np.asarray(estimator.label_quality_), np.asarray(estimator.transduction_)
    assert quality.shape == believed.shape == (n_rows,)
    assert np.isfinite(quality).all()
    assert ((quality >= 0) & (quality <= 1)).all()
    assert set(believed.tolist()) <= set(classes.tolist())
    assert 0 <= estimator.noise_rate_ <= 1
    check_probabilities(estimator.transition_matrix_, len(classes), len(classes))
    if hasattr(estimator, "coreset_indices_"):
        check_indices(estimator.coreset_indices_, n_rows)
        assert estimator.coreset_weights_.shape == estimator.coreset_indices_.shape
        assert np.isfinite(estimator.coreset_weights_).all()
        assert (estimator.coreset_weights_ >= 0).all()
    if hasattr(estimator, "label_distributions_"):
        check_probabilities(estimator.label_distributions_, n_rows, len(classes))
    if hasattr(estimator, "net_"):
        assert estimator.n_iter_ == len(estimator.history_) > 0
        losses = [epoch["train_loss"] for epoch in estimator.history_ if "train_loss" in epoch]
        assert np.isfinite(losses).all()


def check_partial_fit(case: Case) -> str:
    """Two calls of partial_fit; the second may refuse, and then nothing has changed."""
    X, y, weight = case.X.build(), case.y.build(), case.weights.build()
    with warnings.catch_warnings():
        warnings.simplefilter(**QUIET)
        try:
            estimator = case.estimator()
            with nothing_changed(X, y, weight):
                estimator.partial_fit(X, y, sample_weight=weight)
        except Exception as error:
            check_by_design(error)
            return REFUSED
        n_rows = len(plain(y).ravel())
        before = estimator.predict_proba(X)
        check_probabilities(before, n_rows, len(estimator.classes_))
        try:
            estimator.partial_fit(X, y, classes=None, sample_weight=weight)
        except Exception as error:
            check_by_design(error)
            try:
                after = estimator.predict_proba(X)
            except NotFittedError:
                return REFUSED
            np.testing.assert_array_equal(after, before)
            return REFUSED
        check_probabilities(estimator.predict_proba(X), n_rows, len(estimator.classes_))
    return FITTED


def check_medoids(case: Case) -> str:
    """The selector and the sampler: rows that exist, and weights that add up."""
    X, y, weight = case.X.build(), case.y.build(), case.weights.build()
    with warnings.catch_warnings():
        warnings.simplefilter(**QUIET)
        estimator = fitted_or_refused(case, X, y, weight)
        if estimator is None:
            return REFUSED
        n_rows = case.X.n_rows
        check_indices(estimator.medoid_indices_, n_rows)
        n_medoids = len(estimator.medoid_indices_)
        np.testing.assert_array_equal(np.sort(estimator.medoid_indices_), estimator.sample_indices_)
        assert estimator.weights_.shape == (n_medoids,)
        assert np.isfinite(estimator.weights_).all()
        assert (estimator.weights_ >= 0).all()
        assert np.asarray(estimator.labels_).shape == (n_rows,)
        assert set(np.asarray(estimator.labels_).tolist()) <= set(range(-1, n_medoids))
        support = estimator.get_support()
        assert support.shape == (n_rows,)
        assert support.sum() == n_medoids
        if hasattr(estimator, "transform"):
            distances = estimator.transform(X)
            assert distances.shape == (n_rows, n_medoids)
            assert np.isfinite(distances).all()
        else:
            kept_X, kept_y = case.estimator().fit_resample(X, y, sample_weight=weight)
            n_kept = kept_X.shape[0] if hasattr(kept_X, "shape") else len(kept_X)
            assert n_kept == len(kept_y) == n_medoids
            assert estimator.carry().shape == (n_medoids,)
    return FITTED
