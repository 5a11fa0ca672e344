"""Learning in instalments: partial_fit and warm starts."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from composition.common import SMALL, RecordRates, assert_same_predictions, every_network


@every_network
def test_partial_fit_learns_from_pieces(make, blobs):
    X, y = blobs
    estimator = make()
    first = np.flatnonzero(y == 1)[:5]  # one class only
    estimator.partial_fit(X[first], y[first], classes=[2, 1, 0])
    np.testing.assert_array_equal(estimator.classes_, [0, 1, 2])
    assert estimator.predict_proba(X).shape == (120, 3)
    order = np.random.RandomState(0).permutation(120)
    for _ in range(12):
        for piece in np.array_split(order, 3):
            estimator.partial_fit(X[piece], y[piece])
    assert estimator.n_iter_ == 37
    assert estimator.score(X, y) > 0.9
    with pytest.raises(ValueError, match=r"\[9\].*not among classes"):
        estimator.partial_fit(X[:1], [9])
    with pytest.raises(ValueError, match="differs from the classes of the first call"):
        estimator.partial_fit(X, y, classes=[0, 1])
    with pytest.raises(ValueError, match="expecting 5 features"):
        estimator.partial_fit(X[:, :4], y)
    assert_same_predictions(estimator.fit(X, y), make().fit(X, y), X)  # fit starts anew


@every_network
def test_partial_fit_goes_on_from_fit_at_the_full_learning_rate(make, blobs):
    X, y = blobs
    estimator = make(callbacks=[RecordRates()]).fit(X, y)
    copied = copy.deepcopy(estimator)
    for _ in range(8):
        estimator.partial_fit(X, y)
    assert estimator.n_iter_ == 14
    assert estimator.history_[6:, "rate"] == [SMALL["lr"]] * 8
    assert estimator.score(X, y) > 0.9
    # Without steps to speak of nothing is unlearned: it went on from the fitted weights.
    copied.set_params(lr=1e-30, optimizer__weight_decay=0.0).partial_fit(X, y)
    weights = [parameter.detach() for parameter in copied.net_.module_.parameters()]
    fitted = list(make().fit(X, y).net_.module_.parameters())
    for one, other in zip(weights, fitted, strict=True):
        torch.testing.assert_close(one, other.detach())


@every_network
def test_warm_start_goes_on_and_restarts_the_schedule(make, blobs):
    X, y = blobs
    estimator = make(warm_start=True, callbacks=[RecordRates()]).fit(X, y)
    first = copy.deepcopy(estimator.history_)
    estimator.fit(X, y)
    assert (len(first), estimator.n_iter_, len(estimator.history_)) == (6, 12, 12)
    assert estimator.history_[6, "train_loss"] < first[0, "train_loss"]
    rates = np.array(estimator.history_[:, "rate"])
    assert rates[0] == SMALL["lr"]
    assert rates[5] < rates[0] / 4
    np.testing.assert_allclose(rates[6:], rates[:6])
    with pytest.raises(ValueError, match=r"\[3\].*not among classes"):
        estimator.fit(X, y + 1)
    estimator.set_params(warm_start=False).fit(X, y + 1)
    assert estimator.n_iter_ == 6
