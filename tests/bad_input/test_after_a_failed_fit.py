"""After a fit that failed or was broken off, and before one that goes on."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from bad_input.estimators import Maker, X, coreset, for_classifiers, for_networks, y
from bad_input.outcomes import assert_predicts, assert_unfitted
from bad_input.stand_ins import ForgetsAClass
from skorch.callbacks import Callback


@for_classifiers
def test_a_failed_fit_keeps_the_earlier_one(make: Maker) -> None:
    """A `fit` that fails leaves the estimator as it was, wherever it fails."""
    fitted = make().fit(X, y)
    expected = fitted.predict_proba(X)
    broken = {} if make == coreset else {"lr": 1e30}
    wide = np.c_[X, X]
    attempts = [(wide, 0 * y, {}), (X, y + 0.01 * np.arange(40), {}), (wide, y + 3, broken)]
    if make == coreset:
        attempts[-1] = (wide, y + 3, {"estimator": ForgetsAClass()})
    for features, labels, options in attempts:
        fitted.set_params(**options)
        with pytest.raises(ValueError):  # noqa: PT011 (which is the subject of other tests)
            fitted.fit(features, labels)
        assert fitted.n_features_in_ == 4
        assert fitted.classes_.tolist() == [0, 1]
        estimator_or_net = fitted.estimator_ if make == coreset else fitted.net_
        assert estimator_or_net is not None
        np.testing.assert_array_equal(fitted.predict_proba(X), expected)


@for_networks
def test_warm_start_on_other_data(make: Maker) -> None:
    estimator = make(warm_start=True).fit(X, y)
    expected = estimator.predict_proba(X)
    with pytest.raises(ValueError, match="X has 3 features"):
        estimator.fit(X[:, :3], y)
    with pytest.raises(ValueError, match=r"labels \[2\].*warm_start=False"):
        estimator.fit(X, y + 1)
    np.testing.assert_array_equal(estimator.predict_proba(X), expected)


@for_networks
def test_warm_start_in_another_precision(make: Maker) -> None:
    estimator = make(warm_start=True).fit(X, y).set_params(dtype="float64")
    with pytest.raises(ValueError, match=r"dtype='float64'.*float32"):
        estimator.fit(X, y)
    assert_predicts(estimator, X)


@for_networks
def test_an_interrupted_first_fit_is_no_fit(make: Maker) -> None:
    class Interrupt(Callback):
        def on_batch_end(self, net: Any, **kwargs: Any) -> None:
            raise KeyboardInterrupt

    estimator = make(callbacks=[Interrupt()])
    with pytest.raises(KeyboardInterrupt):
        estimator.fit(X, y)
    assert_unfitted(estimator)
