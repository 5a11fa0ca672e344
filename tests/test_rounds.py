"""CoresetClassifier's rounds: what clones are fitted on, and that believing helps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB

from noisyfit import CoresetClassifier
from noisyfit.estimators.rounds import Judge
from noisyfit.noise import pairwise_noise, symmetric_noise


class Noting(ClassifierMixin, BaseEstimator):
    """Naive Bayes that notes the rows (their first column is their number) and labels it saw."""

    fits: list[tuple[np.ndarray, np.ndarray, Any]] = []  # noqa: RUF012 - shared by the clones

    def fit(self, X, y, sample_weight=None):
        self.fits.append((X[:, 0].astype(int), y, sample_weight))
        self.inner_ = GaussianNB().fit(X[:, 1:], y)
        self.classes_ = self.inner_.classes_
        return self

    def predict_proba(self, X):
        return self.inner_.predict_proba(X[:, 1:])

    def predict(self, X):
        return self.inner_.predict(X[:, 1:])


@pytest.fixture
def problem():
    rng = np.random.default_rng(0)
    true = rng.integers(3, size=300)
    features = np.eye(3)[true] * 4 + rng.normal(size=(300, 3))
    names = np.array(["a", "b", "c"])
    given, wrong = pairwise_noise(names[true], 0.35, random_state=1)
    return np.column_stack([np.arange(300), features]), given, names[true], wrong


def fit(X, y, **options):
    Noting.fits.clear()
    classifier = CoresetClassifier(Noting(), random_state=0, **options).fit(X, y)
    return classifier, list(Noting.fits)


@pytest.mark.parametrize(("rounds", "cross_fit"), [(1, 3), (2, 3), (3, 2)])
def test_every_round_judges_rows_that_it_was_not_fitted_on(problem, rounds, cross_fit):
    X, given, _, _ = problem
    classifier, fits = fit(X, given, rounds=rounds, cross_fit=cross_fit)
    assert len(fits) == cross_fit + 2 * (rounds - 1) + 1
    for rows, labels, _ in fits[:cross_fit]:
        np.testing.assert_array_equal(labels, given[rows])  # the first round: labels as given
    # Each row is missing from exactly one of the folds, or was not taught at all.
    times = np.bincount(np.concatenate([rows for rows, _, _ in fits[:cross_fit]]), minlength=300)
    assert set(times) == {cross_fit - 1}
    for start in range(cross_fit, len(fits) - 1, 2):
        rows = np.concatenate([rows for rows, _, _ in fits[start : start + 2]])
        assert np.bincount(rows, minlength=300).max() == 1
        assert len(rows) > 200
    rows, labels, _ = fits[-1]
    changed = rows[labels != given[rows]]
    assert len(changed) > 20
    assert not set(changed) & set(classifier.coreset_indices_)
    assert set(rows) == set(changed) | set(classifier.coreset_indices_)


def test_rows_come_back_under_their_probable_label(problem):
    X, given, true, wrong = problem
    _, fits = fit(X, given)
    rows, labels, _ = fits[-1]
    assert (labels == true[rows]).mean() > 0.93 > 0.7 > (given == true).mean()
    _, fits = fit(X, given, pseudo_label=None)
    rows, labels, _ = fits[-1]
    np.testing.assert_array_equal(labels, given[rows])
    assert wrong[rows].mean() < 0.2 * wrong.mean()


@pytest.mark.parametrize("options", [{"trim": None}, {"trim": 0.3}, {"cross_fit": None}])
def test_without_held_out_beliefs_there_is_one_round(problem, options):
    X, given, _, _ = problem
    _, fits = fit(X, given, **options)
    assert len(fits) == (2 if "cross_fit" in options else 4)
    if "trim" in options:
        np.testing.assert_array_equal(fits[-1][1], given[fits[-1][0]])


def test_label_quality_is_the_mean_of_all_rounds(problem):
    X, given, _, _ = problem
    classifier, _ = fit(X, given)
    first, _ = fit(X, given, rounds=1)  # draws the same folds
    codes = np.searchsorted(classifier.classes_, given)

    def judged(rounds):
        judge = Judge("auto", "all", 0.5, "given", 0.8, "auto", rounds, 3, None)
        generator = np.random.RandomState(0)
        classes, rows = classifier.classes_, np.arange(len(given))
        return judge.judge(Noting(), X, given, classes, rows, None, None, generator)

    last = judged(2).probabilities[np.arange(len(given)), codes]
    np.testing.assert_array_equal(judged(1).quality, first.label_quality_)
    np.testing.assert_allclose(classifier.label_quality_, (first.label_quality_ + last) / 2)
    assert np.abs(last - first.label_quality_).max() > 0.1


def test_sample_weights_go_with_their_rows(problem):
    X, given, _, _ = problem
    weight = np.random.default_rng(2).integers(0, 4, size=300).astype(float)
    Noting.fits.clear()
    classifier = CoresetClassifier(Noting(), random_state=0)
    classifier.fit(X, given, sample_weight=weight)
    for rows, _, weights in Noting.fits:
        np.testing.assert_array_equal(weights, weight[rows])
        assert (weights > 0).all()


@pytest.mark.parametrize("noise", [symmetric_noise, pairwise_noise])
def test_a_second_round_beats_the_first_and_both_the_plain_classifier(noise):
    X, y = load_digits(return_X_y=True)
    X = X / 16
    given, wrong = noise(y[:1200], 0.4, random_state=0)
    model = LogisticRegression(C=10, max_iter=1000)

    def results(rounds):
        classifier = CoresetClassifier(model, rounds=rounds, random_state=0).fit(X[:1200], given)
        found = np.argsort(classifier.label_quality_)[: wrong.sum()]
        return classifier.score(X[1200:], y[1200:]), wrong[found].mean()

    plain = model.fit(X[:1200], given).score(X[1200:], y[1200:])
    first, second = results(1), results(2)
    assert plain + 0.03 < first[0] < second[0]
    assert first[1] < second[1]
