"""What a fit says about its rows and epochs."""

from __future__ import annotations

import numpy as np
import pytest
from composition.common import crust, dm, every_classifier, every_network


@every_classifier
@pytest.mark.parametrize(
    "options", [{}, {"selection": "greedy", "fraction": 0.3}], ids=["all", "greedy"]
)
def test_what_is_said_about_the_rows(options, make, blobs):
    X, y = blobs
    rng = np.random.RandomState(0)
    given = np.where(rng.rand(len(y)) < 0.2, rng.randint(3, size=len(y)), y)
    labels = np.array(["x", "y", "z"])[given]
    estimator = make(**({} if make is dm else options)).fit(X, labels)
    n = len(y)
    assert estimator.label_quality_.shape == (n,)
    assert estimator.label_quality_.dtype == np.float64
    assert estimator.label_quality_.min() >= 0
    assert estimator.label_quality_.max() <= 1
    wrong = given != y
    assert estimator.label_quality_[wrong].mean() < estimator.label_quality_[~wrong].mean()
    assert estimator.transduction_.shape == (n,)
    assert set(estimator.transduction_) <= set(estimator.classes_)
    assert isinstance(estimator.noise_rate_, float)
    assert 0 <= estimator.noise_rate_ <= 1
    assert estimator.transition_matrix_.shape == (3, 3)
    assert (estimator.transition_matrix_ >= 0).all()
    np.testing.assert_allclose(estimator.transition_matrix_.sum(axis=1), 1)
    if make is not dm:
        chosen, weights = estimator.coreset_indices_, estimator.coreset_weights_
        assert chosen.dtype == np.int64
        assert chosen.shape == weights.shape
        assert len(np.unique(chosen)) == len(chosen) < n
        assert chosen.min() >= 0
        assert chosen.max() < n
        assert (weights > 0).all()
        assert weights.sum() <= n + 1e-9
        assert len(chosen) < 0.4 * n if options else (weights == 1).all()


@every_network
def test_the_history_tells_epochs_and_phases(make, blobs):
    X, y = blobs
    estimator = make(**({"cross_fit": None} if make is crust else {})).fit(X, y)
    history = estimator.history_
    assert estimator.n_iter_ == len(history) == 6
    expected = ["warm-up"] * 2 + ["coreset"] * 4 if make is crust else ["train"] * 6
    assert history[:, "phase"] == expected
    assert np.isfinite(history[:, "train_loss"]).all()
    n_rows = history[:, "n_rows"]
    assert n_rows[:2] == [120, 120]
    assert n_rows[-1] <= 120
    assert isinstance(estimator.n_iter_, int)
    if make is crust:  # with a screening, there is no warm-up
        assert set(crust().fit(X, y).history_[:, "phase"]) == {"coreset"}
