"""Densities of criteria by autograd, against closed forms and against training with them."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from noisyfit import DMClassifier
from noisyfit.losses import (
    CRITERION_NAMES,
    CrossEntropy,
    DerivativeManipulation,
    FocalLoss,
    GeneralizedCrossEntropy,
    LabelSmoothing,
    LogitDerivative,
    MeanAbsoluteError,
    MeanSquaredError,
    NormalizedLoss,
    ReverseCrossEntropy,
    SquaredError,
    SymmetricCrossEntropy,
    emphasis_of,
    resolve_criterion,
)
from noisyfit.weighting import (
    CrossEntropyEmphasis,
    DMEmphasis,
    Emphasis,
    FocalEmphasis,
    GeneralizedCrossEntropyEmphasis,
    MeanAbsoluteErrorEmphasis,
    MeanSquaredErrorEmphasis,
    ReverseCrossEntropyEmphasis,
    SymmetricCrossEntropyEmphasis,
)

DEVICES = ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]
CLOSED = [
    (CrossEntropy(), CrossEntropyEmphasis()),
    (MeanAbsoluteError(), MeanAbsoluteErrorEmphasis()),
    (MeanSquaredError(), MeanSquaredErrorEmphasis()),
    (GeneralizedCrossEntropy(0.4), GeneralizedCrossEntropyEmphasis(0.4)),
    (GeneralizedCrossEntropy(0.7, 0.3), GeneralizedCrossEntropyEmphasis(0.7, 0.3)),
    (ReverseCrossEntropy(-5.0), ReverseCrossEntropyEmphasis(-5.0)),
    (FocalLoss(1.5), FocalEmphasis(1.5)),
    (FocalLoss(0.3), FocalEmphasis(0.3)),
    (SymmetricCrossEntropy(0.3, 0.7, -6.0), SymmetricCrossEntropyEmphasis(0.3, 0.7, -6.0)),
    (DerivativeManipulation("dm", normalize=None), DMEmphasis()),
]
closed = pytest.mark.parametrize(("criterion", "density"), CLOSED, ids=repr)


def grid(steps=200):
    return torch.linspace(0.0, 1.0, steps + 1, dtype=torch.float64)


@closed
@pytest.mark.parametrize("n_classes", [2, 7])
def test_closed_forms_are_found_again(criterion, density, n_classes):
    found = emphasis_of(criterion, n_classes)
    assert isinstance(found, Emphasis)
    # A multiple of 1e-4 is on the truncation itself, where rounding decides.
    p = grid() * 0.99999
    torch.testing.assert_close(found.weight(p), density.weight(p), rtol=1e-7, atol=1e-9)
    ends = torch.tensor([0.0, 1.0], dtype=torch.float64)
    torch.testing.assert_close(found.weight(ends), density.weight(ends), rtol=1e-7, atol=1e-9)
    assert found.mode == pytest.approx(density.mode, abs=1e-3)
    assert density._weight_at(found.mode) == pytest.approx(
        density._weight_at(density.mode), rel=1e-3
    )
    assert found.integral() == pytest.approx(density.integral(), rel=1e-3)
    assert found.relative_variance() == pytest.approx(density.relative_variance(), rel=1e-3)


@closed
@given(seed=st.integers(0, 2**31), n_classes=st.integers(2, 6), spread=st.floats(0.1, 8.0))
@settings(deadline=None, max_examples=10)
def test_closed_forms_are_the_size_of_the_derivative(criterion, density, seed, n_classes, spread):
    generator = torch.Generator().manual_seed(seed)
    logits = spread * torch.randn(5, n_classes, generator=generator, dtype=torch.float64)
    target = torch.randint(n_classes, (5,), generator=generator)
    logits.requires_grad_()
    (derivative,) = torch.autograd.grad(criterion(logits, target).sum(), logits)
    p = logits.detach().softmax(1)[torch.arange(5), target]
    torch.testing.assert_close(derivative.abs().sum(1), density.weight(p), rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("name", [name for name in CRITERION_NAMES if name != "squared"])
@given(seed=st.integers(0, 2**31))
@settings(deadline=None, max_examples=10)
def test_for_two_classes_it_is_the_size_of_any_rows_derivative(name, seed):
    criterion = resolve_criterion(name)
    generator = torch.Generator().manual_seed(seed)
    logits = 4 * torch.randn(6, 2, generator=generator, dtype=torch.float64)
    target = torch.randint(2, (6,), generator=generator)
    logits.requires_grad_()
    (derivative,) = torch.autograd.grad(criterion(logits, target).sum(), logits)
    p = logits.detach().softmax(1)[torch.arange(6), target]
    torch.testing.assert_close(emphasis_of(name).weight(p), derivative.abs().sum(1))


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
@pytest.mark.parametrize("name", CRITERION_NAMES)
def test_weights_are_finite_everywhere_and_keep_shape_and_dtype(name, dtype, device):
    p = torch.tensor([[0.0, 1e-7, 0.5], [0.999, 1.0, 0.1]], device=device).to(dtype)
    with torch.no_grad():
        weights = emphasis_of(name, 5).weight(p)
    assert weights.shape == p.shape
    assert weights.device == p.device
    assert weights.dtype == (torch.float32 if dtype == torch.float16 else dtype)
    assert weights.isfinite().all()
    assert not weights.requires_grad


def test_normalised_cross_entropy_against_its_formula():
    # d/dz of (-log p) / S with S = -sum(log p_k), the others even: worked out by hand.
    n_classes, p = 4, 0.3
    rest = (1 - p) / (n_classes - 1)
    total = -np.log(p) - (n_classes - 1) * np.log(rest)
    loss = -np.log(p) / total
    given = (-(1 - p) - loss * (n_classes * p - 1)) / total
    others = (rest - loss * (n_classes * rest - 1)) / total
    expected = abs(given) + (n_classes - 1) * abs(others)
    found = emphasis_of(NormalizedLoss(), n_classes)._weight_at(p)
    assert found == pytest.approx(expected, rel=1e-12)


def test_squared_error_measures_the_labels_output_from_those_of_the_others():
    p, n_classes = 0.8, 5
    output = np.log(p / (1 - p)) + np.log(n_classes - 1)
    expected = 2 * 15 * abs(output - 30) / n_classes
    found = emphasis_of(SquaredError(15.0, 30.0), n_classes)._weight_at(p)
    assert found == pytest.approx(expected, rel=1e-12)


def test_own_functions_and_modules_have_densities_too():
    own = emphasis_of(lambda logits, y: -logits.softmax(1)[torch.arange(len(y)), y])
    torch.testing.assert_close(own.weight(grid()), MeanAbsoluteErrorEmphasis().weight(grid()))
    module = emphasis_of(nn.CrossEntropyLoss(reduction="none"), 3)
    torch.testing.assert_close(module.weight(grid()), CrossEntropyEmphasis().weight(grid()))
    sign = emphasis_of(LogitDerivative(lambda z, y: torch.ones_like(z)), 3)
    assert (sign.weight(grid()) == 3).all()


def test_smoothing_wants_no_label_certain():
    smoothed = emphasis_of(LabelSmoothing(0.3))
    assert smoothed._weight_at(0.85) == pytest.approx(0.0, abs=1e-12)
    assert smoothed._weight_at(1.0) > 0.2


def test_densities_can_be_copied_and_pickled_and_compared():
    density = emphasis_of("nce_rce", 10)
    for again in (copy.deepcopy(density), pickle.loads(pickle.dumps(density))):
        torch.testing.assert_close(again.weight(grid()), density.weight(grid()))
    assert "ActivePassiveLoss" in repr(density)
    assert "n_classes=10" in repr(density)


def test_dm_trains_with_the_density_of_a_loss_as_with_the_loss():
    generator = np.random.default_rng(0)
    X = generator.normal(size=(80, 3)).astype(np.float32)
    y = (X[:, 0] > 0).astype(int)
    settings_ = {"normalize": None, "max_epochs": 2, "random_state": 0}
    closed_form = DMClassifier(GeneralizedCrossEntropyEmphasis(0.4), **settings_).fit(X, y)
    found = DMClassifier(emphasis_of(GeneralizedCrossEntropy(0.4)), **settings_).fit(X, y)
    np.testing.assert_allclose(found.predict_proba(X), closed_form.predict_proba(X), rtol=1e-4)
    assert isinstance(found.emphasis_, Emphasis)
    for density in (emphasis_of("nce_rce", 2), "rce", "focal"):
        DMClassifier(density, max_epochs=1, random_state=0).fit(X, y)


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        (("ce", 1), ValueError, "n_classes must be at least 2, got 1"),
        (("ce", 2.0), TypeError, r"n_classes must be an integer, got 2\.0"),
        (("cce",), ValueError, "criterion must be one of"),
        ((nn.CrossEntropyLoss(),), ValueError, "reduction='mean'"),
        ((None,), TypeError, "criterion must be"),
    ],
)
def test_bad_arguments(arguments, error, match):
    with pytest.raises(error, match=match):
        emphasis_of(*arguments)


@pytest.mark.parametrize(
    ("criterion", "match"),
    [
        (lambda z, y: z.mean(), r"one loss per row, shape \(3,\), got \(\)"),
        (lambda z, y: 0.0, r"one loss per row, shape \(3,\), got float"),
        (lambda z, y: z.detach()[:, 0], "losses that depend on the logits"),
    ],
)
def test_bad_losses(criterion, match):
    with pytest.raises(ValueError, match=match):
        emphasis_of(criterion).weight(torch.tensor([0.0, 0.5, 1.0]))
