"""Training that diverges: noticed in the epoch in which it happens, with advice."""

from __future__ import annotations

from typing import Any

import pytest
from bad_input.estimators import INCREMENTAL, Maker, X, for_networks, y
from bad_input.outcomes import assert_fit_fails, assert_predicts, assert_unfitted
from sklearn.exceptions import NotFittedError


@for_networks
@pytest.mark.parametrize(
    "options",
    [
        {"lr": 1e30},
        {"lr": 1e300},
        {"lr": 1e38, "optimizer": "sgd", "module__batch_norm": False},
        # One step only: nothing but the weights themselves shows what has happened.
        {"lr": 1e38, "optimizer": "sgd", "max_epochs": 1, "batch_size": -1},
        {"lr": 1e300, "max_epochs": 1, "batch_size": -1},
    ],
    ids=["adam", "beyond float32", "sgd", "one step of sgd", "one step of adam"],
)
def test_training_that_diverges(make: Maker, options: dict[str, Any]) -> None:
    estimator = make(**options)
    assert_fit_fails(estimator, X, y, r"(?s)diverged.*[Ll]ower lr")


@for_networks
@pytest.mark.parametrize("how", ["warm_start", "partial_fit"])
def test_divergence_while_going_on_leaves_no_broken_network(make: Maker, how: str) -> None:
    if how == "partial_fit" and make.column not in INCREMENTAL:
        return  # it has none
    """The weights were changed in place: the earlier ones come back, or the net is gone."""
    estimator = make(warm_start=True)
    train = estimator.fit if how == "warm_start" else estimator.partial_fit
    train(X, y)
    estimator.set_params(lr=1e30)
    with pytest.raises(ValueError, match="diverged"):
        train(X, y)
    try:
        assert_predicts(estimator, X)
    except NotFittedError:
        assert_unfitted(estimator)
