"""Images, and modules of any kind."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
import torch
from composition.common import (
    NETWORKS,
    TinyConvolution,
    assert_same_predictions,
    every_network,
    own_module,
)
from sklearn.base import clone
from torch import nn


def tiny_convolution(out_features, channels=4):
    return TinyConvolution(out_features, channels)


MODULES = {
    "class": {"module": TinyConvolution, "module__channels": 3},
    "instance": {"module": TinyConvolution(3)},
    "function": {"module": tiny_convolution, "module__channels": 3},
    "default": {},
}


MODULE_CASES = [
    pytest.param(make, MODULES[kind], id=f"{kind}-{name}")
    for name, make in NETWORKS.items()
    for kind in (("class", "default") if name == "crust" else MODULES)
]


@pytest.mark.parametrize(("make", "options"), MODULE_CASES)
def test_images(make, options, images):
    X, y = images
    estimator = make(max_epochs=10)
    estimator = clone(estimator)
    estimator._prefixed.pop("module__hidden")  # which a convolution net does not have
    estimator.set_params(**options).fit(X, y)
    assert estimator.score(X, y) > 0.9
    assert_same_predictions(estimator, pickle.loads(pickle.dumps(estimator)), X)
    assert_same_predictions(estimator, clone(estimator).fit(torch.from_numpy(X), y), X)


@every_network
def test_a_class_is_given_the_sizes(make, blobs):
    X, y = blobs
    estimator = own_module(make, nn.Linear, max_epochs=20).fit(X, y)
    assert estimator.net_.module_.weight.shape == (3, 5)
    assert estimator.score(X, y) > 0.9
    unbiased = own_module(make, nn.Linear, module__bias=False).fit(X, y)
    assert unbiased.net_.module_.bias is None


@every_network
def test_an_instance_is_where_training_starts_and_is_left_alone(make, blobs):
    X, y = blobs
    module = nn.Linear(5, 3)
    before = copy.deepcopy(module.state_dict())
    still = own_module(make, module, lr=1e-30, optimizer__weight_decay=0.0).fit(X, y)
    torch.testing.assert_close(still.net_.module_.weight, before["weight"])
    moved = own_module(make, module).fit(X, y)
    assert not torch.equal(moved.net_.module_.weight, before["weight"])
    torch.testing.assert_close(module.state_dict(), before, rtol=0, atol=0)
    with pytest.raises(ValueError, match="module__bias can't be applied"):
        own_module(make, module, module__bias=False).fit(X, y)


class WithFeatures(nn.Linear):
    """Gives its features beside the logits, as skorch allows."""

    def forward(self, rows):
        return super().forward(rows), rows


@every_network
def test_a_module_may_give_more_than_logits(make, blobs):
    X, y = blobs
    several = own_module(make, WithFeatures).fit(X, y)
    assert_same_predictions(several, own_module(make, nn.Linear).fit(X, y), X)


@every_network
def test_unfit_modules_are_named(make, blobs):
    with pytest.raises(ValueError, match=r"output of shape \(2, 7\).*each of the 3 classes"):
        own_module(make, nn.Linear, module__out_features=7).fit(*blobs)
    with pytest.raises(TypeError, match=r"num_embeddings.*module__<name>"):
        own_module(make, nn.Embedding).fit(*blobs)
    with pytest.raises(TypeError, match=r"must make a torch\.nn\.Module, got int"):
        own_module(make, lambda: 3).fit(*blobs)


@every_network
def test_double_precision(make, blobs):
    X, y = blobs
    estimator = make(dtype="float64").fit(X, y)
    assert {p.dtype for p in estimator.net_.module_.parameters()} == {torch.float64}
    assert estimator.score(X, y) > 0.9
    assert make().fit(X, y).predict_proba(X).dtype == np.float64
