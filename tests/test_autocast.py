"""Mixed precision: products in half precision, everything else as without."""

from __future__ import annotations

import copy
from typing import ClassVar

import numpy as np
import pytest
import scipy.sparse
import torch
from composition.common import dm, each_network, own_module, robust_loss
from sklearn.base import clone
from sklearn.datasets import load_digits, make_blobs
from sklearn.model_selection import GridSearchCV
from skorch.callbacks import Callback
from torch import nn

import noisyfit
from noisyfit.losses import CrossEntropy
from noisyfit.noise import symmetric_noise

X, Y = make_blobs(120, n_features=5, centers=3, cluster_std=1.0, random_state=3)
Y_GIVEN, _ = symmetric_noise(Y, 0.3, random_state=0)
HALVES = {"bfloat16": torch.bfloat16, "float16": torch.float16}
both_halves = pytest.mark.parametrize("autocast", HALVES)


class Spy(nn.Module):
    """A linear layer that notes in which type it computes."""

    seen: ClassVar[set] = set()

    def __init__(self, in_features, out_features):
        super().__init__()
        self.linear = nn.Linear(in_features, out_features)

    def forward(self, features):
        logits = self.linear(features)
        self.seen.add((logits.dtype, self.training))
        return logits


# ---------------------------------------------------------------------------------- closeness


@each_network
@both_halves
def test_a_fit_is_close_to_that_in_float32(make, autocast):
    single = make().fit(X, Y_GIVEN)
    half = make(autocast=autocast).fit(X, Y_GIVEN)
    difference = np.abs(half.predict_proba(X) - single.predict_proba(X))
    assert 0 < difference.mean() < 0.02
    assert half.noise_rate_ == pytest.approx(single.noise_rate_, abs=0.05)
    assert (half.predict(X) == single.predict(X)).mean() > 0.95
    assert all(weight.dtype == torch.float32 for weight in half.net_.module_.parameters())
    assert half.predict_proba(X).dtype == half.label_quality_.dtype == np.float64


@both_halves
def test_a_fit_inside_of_the_callers_autocast_is_the_same(autocast):
    outside = dm(autocast=autocast).fit(X, Y_GIVEN).predict_proba(X)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = dm(autocast=autocast).fit(X, Y_GIVEN).predict_proba(X)
    np.testing.assert_array_equal(inside, outside)


@both_halves
def test_predictions_by_the_same_weights_differ_by_the_rounding_of_half_precision(autocast):
    half = dm(autocast=autocast).fit(X, Y)
    single = copy.deepcopy(half)
    single.net_.autocast = None
    difference = np.abs(half.predict_proba(X) - single.predict_proba(X)).max()
    # A logit of some ten is rounded to 8 bits, or to 11.
    assert 0 < difference < (0.03 if autocast == "bfloat16" else 0.004)


@both_halves
def test_a_convolution_net_is_close_to_that_in_float32(autocast):
    X, y = load_digits(n_class=3, return_X_y=True)
    images = (X[:150] / 16).reshape(-1, 1, 8, 8).astype(np.float32)
    options = {"module": None, "module__channels": (4,), "max_epochs": 8, "random_state": 0}
    fits = [
        noisyfit.DMClassifier(autocast=choice, **options).fit(images, y[:150])
        for choice in (None, autocast)
    ]
    single, half = (fit.predict_proba(images) for fit in fits)
    assert 0 < np.abs(half - single).mean() < 0.02


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@each_network
@both_halves
def test_a_fit_on_a_gpu_is_close_to_that_in_float32(make, autocast):
    single = make(device="cuda").fit(X, Y_GIVEN).predict_proba(X)
    half = make(device="cuda", autocast=autocast).fit(X, Y_GIVEN).predict_proba(X)
    assert 0 < np.abs(half - single).mean() < 0.02


# ----------------------------------------------------------------------- what is computed in what


@both_halves
def test_products_are_in_half_precision_and_losses_are_not(autocast, monkeypatch):
    monkeypatch.setattr(Spy, "seen", set())
    criteria = set()

    def criterion(logits, target):
        criteria.add(logits.dtype)
        return nn.functional.cross_entropy(logits, target, reduction="none")

    options = {"module": Spy, "criterion": criterion, "max_epochs": 2, "batch_size": 16}
    classifier = noisyfit.RobustLossClassifier(autocast=autocast, random_state=0, **options)
    classifier.fit(X, Y).predict(X)
    assert Spy.seen == {(HALVES[autocast], True), (HALVES[autocast], False)}
    assert criteria == {torch.float32}


def test_nothing_is_in_half_precision_by_default(monkeypatch):
    monkeypatch.setattr(Spy, "seen", set())
    own_module(dm, Spy).fit(X, Y).predict(X)
    assert Spy.seen == {(torch.float32, True), (torch.float32, False)}


def test_a_module_that_gives_half_precision_of_its_own_accord_has_its_losses_in_single():
    class Half(nn.Linear):
        def forward(self, features):
            return super().forward(features).half()

    classifier = own_module(dm, Half).fit(X, Y)
    assert classifier.score(X, Y) > 0.9


class Gradients(Callback):
    """Notes what the callbacks of a user see of the gradients."""

    def __init__(self):
        self.of_steps = []

    def on_grad_computed(self, net, named_parameters, **kwargs):
        self.of_steps.append({name: p.grad.clone() for name, p in named_parameters})


def tiny(logits, target):
    return 1e-6 * nn.functional.cross_entropy(logits, target, reduction="none")


def first_gradients(criterion, autocast):
    recorder = Gradients()
    options = {"criterion": criterion, "callbacks": [recorder], "max_epochs": 1}
    classifier = robust_loss(autocast=autocast, **options).fit(X, Y)
    return recorder.of_steps[0], classifier


def test_gradients_too_small_for_float16_do_not_vanish():
    exact, _ = first_gradients(tiny, None)
    scaled, _ = first_gradients(tiny, "float16")
    for name, gradient in exact.items():
        if name.endswith("0.bias"):  # batch normalisation takes the mean off: only rounding is left
            continue
        error = (scaled[name] - gradient).norm() / gradient.norm()
        assert error < 0.02, name


def test_a_step_whose_gradients_overflow_is_left_out():
    def huge(logits, target):
        return 1e4 * nn.functional.cross_entropy(logits, target, reduction="none")

    gradients, classifier = first_gradients(huge, "float16")
    assert not all(gradient.isfinite().all() for gradient in gradients.values())
    assert classifier.net_.scaler_.get_scale() < 2**16
    assert np.isfinite(classifier.predict_proba(X)).all()


# ------------------------------------------------------------------------------- what is refused


@both_halves
def test_autocast_and_float64_contradict_each_other(autocast):
    with pytest.raises(ValueError, match=f"autocast='{autocast}' computes less precisely.*float64"):
        dm(autocast=autocast, dtype="float64").fit(X, Y)


def test_a_type_that_torch_does_not_support_on_the_device_is_refused(monkeypatch):
    monkeypatch.setattr(torch, "is_autocast_enabled", lambda *arguments: False)
    with pytest.raises(ValueError, match="autocast='float16' is not supported on device='cpu'"):
        dm(autocast="float16").fit(X, Y)


def test_float16_is_refused_where_losses_can_not_be_scaled(monkeypatch):
    def refuse(self, optimizer):
        raise TypeError("this device has no float64")  # as torch 2.5 on Apple's GPUs

    monkeypatch.setattr(torch.amp.GradScaler, "unscale_", refuse)
    with pytest.raises(ValueError, match="autocast='float16' is not supported on device='cpu'"):
        dm(autocast="float16").fit(X, Y)
    dm(autocast="bfloat16").fit(X, Y)


def test_lbfgs_goes_with_bfloat16_only():
    options = {"optimizer": torch.optim.LBFGS, "lr": 0.1}
    with pytest.raises(ValueError, match=r"LBFGS.*autocast=\"bfloat16\" or None"):
        robust_loss(autocast="float16", **options).fit(X, Y)
    assert robust_loss(autocast="bfloat16", **options).fit(X, Y).score(X, Y) > 0.6


@both_halves
def test_sparse_rows_need_a_module_whose_products_torch_has(autocast):
    sparse = scipy.sparse.csr_matrix(X)
    assert dm(autocast=autocast).fit(sparse, Y).score(sparse, Y) > 0.9
    with pytest.raises(ValueError, match=f"Linear fails on a batch.*autocast to torch.{autocast}"):
        own_module(dm, nn.Linear, autocast=autocast).fit(sparse, Y)


def test_a_fit_does_not_go_on_in_another_precision():
    classifier = dm(warm_start=True, autocast="bfloat16").fit(X, Y)
    before = classifier.predict_proba(X)
    classifier.set_params(autocast=None)
    np.testing.assert_array_equal(classifier.predict_proba(X), before)
    with pytest.raises(ValueError, match=r"autocast=None differs from.*bfloat16"):
        classifier.fit(X, Y)


def test_the_error_of_a_training_that_diverges_names_the_wider_type():
    features = np.float32(1e6) * X  # beyond the largest number of float16
    with pytest.raises(ValueError, match="bfloat16"):
        own_module(dm, nn.Linear, autocast="float16").fit(features, Y)


# ----------------------------------------------------------------------------- what goes with it


@both_halves
def test_a_saved_estimator_predicts_and_trains_on_alike(autocast, tmp_path):
    options = {"autocast": autocast, "warm_start": True}
    classifier = robust_loss(criterion=CrossEntropy(), **options).fit(X, Y)
    noisyfit.save(classifier, tmp_path / "classifier.noisyfit")
    loaded = noisyfit.load(tmp_path / "classifier.noisyfit")
    assert loaded.autocast == autocast
    np.testing.assert_array_equal(loaded.predict_proba(X), classifier.predict_proba(X))
    assert loaded.net_.scaler_.state_dict() == classifier.net_.scaler_.state_dict()
    np.testing.assert_array_equal(
        loaded.fit(X, Y).predict_proba(X), classifier.fit(X, Y).predict_proba(X)
    )


def test_clones_and_searches_keep_it():
    assert clone(dm(autocast="float16")).autocast == "float16"
    search = GridSearchCV(dm(), {"autocast": [None, "bfloat16"]}, cv=2).fit(X, Y)
    assert len(search.cv_results_["mean_test_score"]) == 2
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


@both_halves
def test_equal_seeds_give_equal_fits(autocast):
    first, second = (dm(autocast=autocast).fit(X, Y).predict_proba(X) for _ in range(2))
    np.testing.assert_array_equal(first, second)
