"""Before and at prediction: features that don't fit the fit."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from bad_input.estimators import (
    ONE_INF,
    ONE_NAN,
    Maker,
    X,
    for_all,
    for_classifiers,
    for_networks,
    selector,
    y,
)
from bad_input.outcomes import assert_fit_fails, assert_predicts, assert_unfitted
from torch import nn


@for_all
def test_use_before_fit(make: Maker) -> None:
    assert_unfitted(make())


@for_classifiers
@pytest.mark.parametrize("method", ["predict", "predict_proba"])
def test_bad_features_at_prediction(make: Maker, method: str) -> None:
    call = getattr(make().fit(X, y), method)
    with pytest.raises(ValueError, match=r"X has 3 features, but .* is expecting 4"):
        call(X[:, :3])
    with pytest.raises(ValueError, match="NaN"):
        call(ONE_NAN)
    with pytest.raises(ValueError, match="infinity"):
        call(ONE_INF)
    with pytest.raises(ValueError, match="0 sample"):
        call(X[:0])
    with pytest.raises(ValueError, match=r"1D array|Reshape"):
        call(X[0])


def test_bad_features_at_transform() -> None:
    fitted = selector(k=2).fit(X, y)
    with pytest.raises(ValueError, match="X has 3 features"):
        fitted.transform(X[:, :3])
    with pytest.raises(ValueError, match="NaN"):
        fitted.transform(ONE_NAN)


@for_networks
@pytest.mark.parametrize("shape", [(5, 2, 5), (5, 2), (5, 2, 4, 1)])
def test_images_of_another_shape_at_prediction(make: Maker, shape: tuple[int, ...]) -> None:
    images = np.random.RandomState(0).randn(20, 2, 4)
    fitted = make().fit(images, y[:20])
    assert_predicts(fitted, images)
    with pytest.raises(ValueError, match=r"\(2, 4\)|expecting"):
        fitted.predict(np.zeros(shape))


@for_networks
def test_float64_values_beyond_float32(make: Maker) -> None:
    huge = X.copy()
    huge[3, 1] = 1e100
    assert_fit_fails(make(), huge, y, "too large for dtype\\('float32'\\)")
    assert_predicts(make(dtype="float64").fit(huge, y), huge)
    fitted = make().fit(X, y)
    with pytest.raises(ValueError, match="too large"):
        fitted.predict(huge)


@for_networks
def test_values_that_overflow_inside_the_network(make: Maker) -> None:
    """Probabilities are numbers, or the overflow is reported."""
    fitted = make(module=nn.Linear).fit(X, y)
    with torch.no_grad():
        for weight in fitted.net_.module_.parameters():
            weight.fill_(100.0)
        if getattr(fitted, "_teacher", None) is not None:
            fitted._teacher.module_.weight.fill_(100.0)
    with pytest.raises(ValueError, match=r"NaN|overflow|finite|too large"):
        fitted.predict_proba(np.full((2, 4), 3e38))


@for_networks
def test_parameters_that_change_after_fit_do_not_break_prediction(make: Maker) -> None:
    fitted = make().fit(X, y)
    expected = fitted.predict_proba(X)
    fitted.set_params(dtype="float64", batch_size=1, module__hidden=(3,), lr=1.0)
    np.testing.assert_allclose(fitted.predict_proba(X), expected, atol=1e-5)
