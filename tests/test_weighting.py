"""Emphasis densities against their formulas, numerical modes and scipy's integrals."""

from __future__ import annotations

import dataclasses
import math
import pickle

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

from noisyfit.weighting import (
    EMPHASIS_NAMES,
    BetaEmphasis,
    CallableEmphasis,
    CrossEntropyEmphasis,
    DMEmphasis,
    Emphasis,
    ExponentialEmphasis,
    FocalEmphasis,
    GeneralizedCrossEntropyEmphasis,
    MeanAbsoluteErrorEmphasis,
    MeanSquaredErrorEmphasis,
    NormalEmphasis,
    ReverseCrossEntropyEmphasis,
    SymmetricCrossEntropyEmphasis,
    normalize_weights,
    resolve_emphasis,
)

DEVICES = ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]
LOG_ZERO = math.log(1e-4)


def focal(p, gamma):
    return 2 * (1 - p) ** gamma * (1 - p - (gamma * p * math.log(p) if p > 0 else 0))


# Each density with its formula, written once more in plain Python.
FORMULAS = [
    (DMEmphasis(), lambda p: math.exp(12 * p * (1 - p))),
    (DMEmphasis(0.25, 8.0), lambda p: math.exp(8 * p ** (1 / 3) * (1 - p))),
    (DMEmphasis(0.8, 16.0), lambda p: math.exp(16 * p**4 * (1 - p))),
    (DMEmphasis(0.02, 5.0), lambda p: math.exp(5 * p ** (1 / 49) * (1 - p))),
    (DMEmphasis(0, 0.9), lambda p: math.exp(0.9 * (1 - p))),
    (DMEmphasis(0, -0.52), lambda p: math.exp(-0.52 * (1 - p))),
    (NormalEmphasis(0.3, 20.0), lambda p: math.exp(-20 * p * (p - 0.6))),
    (NormalEmphasis(1.0, 3.0), lambda p: math.exp(-3 * p * (p - 2))),
    (ExponentialEmphasis(3.0), lambda p: math.exp(3 * (1 - p))),
    (ExponentialEmphasis(-3.0), lambda p: math.exp(-3 * (1 - p))),
    (BetaEmphasis(2.5, 4.0), lambda p: p**1.5 * (1 - p) ** 3),
    (BetaEmphasis(1.0, 2.0), lambda p: 1 - p),
    (CrossEntropyEmphasis(), lambda p: 2 * (1 - p)),
    (MeanAbsoluteErrorEmphasis(), lambda p: 2 * p * (1 - p)),
    (MeanSquaredErrorEmphasis(), lambda p: 4 * p * (1 - p) ** 2),
    (GeneralizedCrossEntropyEmphasis(), lambda p: 2 * p**0.7 * (1 - p)),
    (GeneralizedCrossEntropyEmphasis(0.2), lambda p: 2 * p**0.2 * (1 - p)),
    (
        GeneralizedCrossEntropyEmphasis(0.7, truncation=0.2),
        lambda p: 2 * p**0.7 * (1 - p) * (p > 0.2),
    ),
    (
        GeneralizedCrossEntropyEmphasis(0.3, truncation=0.6003),
        lambda p: 2 * p**0.3 * (1 - p) * (p > 0.6003),
    ),
    (GeneralizedCrossEntropyEmphasis(0.5, truncation=0.0), lambda p: 2 * p**0.5 * (1 - p)),
    (ReverseCrossEntropyEmphasis(), lambda p: -2 * LOG_ZERO * p * (1 - p)),
    (ReverseCrossEntropyEmphasis(-4.0), lambda p: 8 * p * (1 - p)),
    (FocalEmphasis(), lambda p: focal(p, 2)),
    (FocalEmphasis(0.5), lambda p: focal(p, 0.5)),
    (FocalEmphasis(0.0), lambda p: 2 * (1 - p)),
    (FocalEmphasis(40.0), lambda p: focal(p, 40)),
    (SymmetricCrossEntropyEmphasis(), lambda p: 2 * (1 - p) * (0.1 - LOG_ZERO * p)),
    (SymmetricCrossEntropyEmphasis(6.0, 0.1), lambda p: 2 * (1 - p) * (6 - LOG_ZERO * 0.1 * p)),
    (CallableEmphasis(lambda p: torch.sin(3 * p).square()), lambda p: math.sin(3 * p) ** 2),
]
formulas = pytest.mark.parametrize(
    ("emphasis", "formula"), FORMULAS, ids=lambda value: type(value).__name__
)


def grid(steps: int = 100_000) -> torch.Tensor:
    return torch.linspace(0.0, 1.0, steps + 1, dtype=torch.float64)


@formulas
def test_weight_is_the_formula(emphasis, formula):
    p = grid(200)
    expected = torch.tensor([formula(value) for value in p.tolist()], dtype=torch.float64)
    torch.testing.assert_close(emphasis.weight(p), expected, rtol=1e-12, atol=1e-14)


@formulas
def test_mode_is_where_the_formula_peaks(emphasis, formula):
    values = np.array([formula(p) for p in np.linspace(0, 1, 2001)])
    assert emphasis.mode == pytest.approx(np.linspace(0, 1, 2001)[values.argmax()], abs=5e-4)
    assert formula(emphasis.mode) >= values.max() * (1 - 1e-12)


@formulas
def test_integral_is_scipys(emphasis, formula):
    expected, error = quad(formula, 0, 1, points=[0.01, 0.5], epsabs=0, epsrel=1e-10, limit=500)
    assert error < 1e-7 * expected
    assert emphasis.integral() == pytest.approx(expected, rel=1e-7)


@formulas
def test_relative_variance_is_that_of_the_formula(emphasis, formula):
    options = {"points": [0.01, 0.5], "epsabs": 0, "epsrel": 1e-10, "limit": 500}
    mean, _ = quad(formula, 0, 1, **options)
    expected, _ = quad(lambda p: (formula(p) / mean - 1) ** 2, 0, 1, **options)
    assert emphasis.relative_variance() == pytest.approx(expected, rel=1e-6, abs=1e-9)


@formulas
@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_any_shape_dtype_and_device(emphasis, formula, device, dtype):
    p = torch.tensor([[0.0, 1e-7, 0.25], [0.75, 0.999, 1.0]]).to(device, dtype)
    weights = emphasis.weight(p)
    assert weights.shape == p.shape
    assert weights.device == p.device
    assert weights.dtype == (dtype if dtype == torch.float64 else torch.float32)
    assert weights.isfinite().all()
    assert (weights >= 0).all()
    expected = torch.tensor([[formula(x) for x in row] for row in p.double().tolist()])
    torch.testing.assert_close(weights.cpu().float(), expected, rtol=1e-4, atol=1e-5)
    assert emphasis.weight(p[0, 0]).shape == ()
    assert emphasis.weight(p[:0]).shape == (0, 3)


@given(exponent=st.just(0.0) | st.floats(0.01, 20.0), variance=st.floats(0.5, 30.0))
@settings(deadline=None, max_examples=30)
def test_dm_mode_is_lambda_over_lambda_plus_one(exponent, variance):
    mode = exponent / (exponent + 1)
    emphasis = DMEmphasis(mode, variance)
    assert emphasis.exponent == pytest.approx(exponent, abs=1e-9)
    p = grid(10_000)
    # log w rather than w: flat tops would hide the mode behind rounding.
    peak = float(p[(p**exponent * (1 - p)).argmax()])
    assert emphasis.mode == pytest.approx(peak, abs=2e-4)
    assert float(emphasis.weight(p).max()) == pytest.approx(emphasis._weight_at(mode), rel=1e-4)


@pytest.mark.parametrize(
    "flat",
    [
        DMEmphasis(0.0, 0.0),
        DMEmphasis(0.7, 0.0),
        NormalEmphasis(0.7, 0.0),
        ExponentialEmphasis(0.0),
        BetaEmphasis(1.0, 1.0),
        BetaEmphasis.from_mode(0.7, 0.0),
    ],
)
def test_variance_zero_weights_all_rows_by_one(flat):
    assert (flat.weight(grid(100)) == 1).all()
    assert flat.integral() == pytest.approx(1.0, rel=1e-12)
    assert flat.relative_variance() == pytest.approx(0.0, abs=1e-12)


@given(mode=st.floats(0.0, 0.95), low=st.floats(0.0, 20.0), high=st.floats(0.0, 20.0))
@settings(deadline=None, max_examples=30)
def test_more_variance_is_more_variation_of_normalised_weights(mode, low, high):
    low, high = sorted((low, high))
    for family in (DMEmphasis, NormalEmphasis, BetaEmphasis.from_mode):
        variations = [family(mode, variance).relative_variance() for variance in (low, high)]
        assert 0 <= variations[0] <= variations[1] * (1 + 1e-6) + 1e-9


@given(scale=st.floats(1e-3, 1e3), mode=st.floats(0.0, 0.9), variance=st.floats(0.0, 12.0))
@settings(deadline=None, max_examples=20)
def test_relative_variance_does_not_depend_on_the_scale(scale, mode, variance):
    emphasis = DMEmphasis(mode, variance)
    scaled = CallableEmphasis(lambda p: scale * emphasis.weight(p))
    assert scaled.relative_variance() == pytest.approx(emphasis.relative_variance(), rel=1e-4)


def test_weights_without_integral_have_no_relative_variance():
    nothing = CallableEmphasis(torch.zeros_like)
    with pytest.raises(ValueError, match=r"the integral 0\.0 and so no relative variance"):
        nothing.relative_variance()


def test_the_largest_densities_have_a_relative_variance():
    for emphasis in (ExponentialEmphasis(80.0), NormalEmphasis(1.0, 80.0), DMEmphasis(0.9, 400.0)):
        assert 1 < emphasis.relative_variance() < math.inf


@given(gamma=st.floats(0.0, 100.0))
@settings(deadline=None, max_examples=40)
def test_focal_mode_is_found_for_any_gamma(gamma):
    emphasis = FocalEmphasis(gamma)
    largest = float(emphasis.weight(grid(20_000)).max())
    assert emphasis._weight_at(emphasis.mode) >= largest * (1 - 1e-12)


def test_negative_variance_turns_the_density_over():
    emphasis = DMEmphasis(mode=0, variance=-0.52)
    assert emphasis.mode == 1.0
    assert emphasis.exponent == 0.0
    assert emphasis == DMEmphasis(mode=1.0, variance=-0.52) == pickle.loads(pickle.dumps(emphasis))
    weights = emphasis.weight(grid(100))
    assert (weights.diff() > 0).all()
    assert weights[-1] == 1.0


def test_equation_8_leaves_cross_entropy_as_it_is():
    # Its integral is 1; those of the bounded losses are known too.
    assert CrossEntropyEmphasis().integral() == 1.0
    assert MeanAbsoluteErrorEmphasis().integral() == pytest.approx(1 / 3)
    assert MeanSquaredErrorEmphasis().integral() == pytest.approx(1 / 3)
    assert GeneralizedCrossEntropyEmphasis(0.0).integral() == 1.0
    assert GeneralizedCrossEntropyEmphasis(1.0).integral() == pytest.approx(1 / 3)


def test_families_meet_where_they_should():
    p = grid(100)
    for variance in (0.5, 12.0):
        dm, normal = DMEmphasis(0.5, variance), NormalEmphasis(0.5, variance)
        torch.testing.assert_close(dm.weight(p), normal.weight(p))
        assert dm.integral() == pytest.approx(normal.integral(), rel=1e-12)
    torch.testing.assert_close(DMEmphasis(0, 3).weight(p), ExponentialEmphasis(3).weight(p))
    beta = BetaEmphasis.from_mode(mode=0.25, variance=8.0)
    assert (beta.alpha, beta.eta, beta.mode) == (3.0, 7.0, 0.25)


def test_symmetric_cross_entropy_without_reverse_part_peaks_at_zero():
    emphasis = SymmetricCrossEntropyEmphasis(alpha=1.0, beta=0.0)
    torch.testing.assert_close(emphasis.weight(grid(10)), CrossEntropyEmphasis().weight(grid(10)))
    assert emphasis.mode == 0.0
    assert emphasis.integral() == 1.0


@pytest.mark.parametrize(
    "emphasis",
    [
        SymmetricCrossEntropyEmphasis(),
        SymmetricCrossEntropyEmphasis(alpha=1.0, beta=0.5, log_zero=-6.0),
        SymmetricCrossEntropyEmphasis(alpha=2.0, beta=0.5, log_zero=-4.0),
        SymmetricCrossEntropyEmphasis(alpha=0.0, beta=1.0),
    ],
)
def test_exponential_of_symmetric_cross_entropy_is_a_normal_density(emphasis):
    normal = emphasis.normal_transform()
    assert isinstance(normal, NormalEmphasis)
    assert normal.mode == pytest.approx(emphasis.mode)
    p = grid(200)
    exponential = torch.exp(emphasis.weight(p) - emphasis.weight(p[0]))  # w(0) = 2 alpha
    torch.testing.assert_close(exponential, normal.weight(p), rtol=1e-10, atol=0)


@pytest.mark.parametrize(
    "emphasis",
    [
        SymmetricCrossEntropyEmphasis(alpha=6.0, beta=0.1),  # the published ones for CIFAR-100
        SymmetricCrossEntropyEmphasis(alpha=1.0, beta=0.0),
    ],
)
def test_no_normal_density_where_cross_entropy_prevails(emphasis):
    with pytest.raises(ValueError, match="must be at least alpha for a normal transform"):
        emphasis.normal_transform()


def test_the_published_weight_of_symmetric_cross_entropy_has_half_of_the_reverse_part():
    # Derivative manipulation's rebuttal, with mu and nu for alpha and beta. That our weight is the
    # right one is tested against autograd, with the losses.
    mu, nu, A = 0.3, 0.8, LOG_ZERO
    p = grid(100)
    published = 2 * mu * (1 - p) * (1 - A * nu / (2 * mu) * p)
    expanded = 2 * mu + A * nu * p * (p - (2 * mu + A * nu) / (A * nu))
    torch.testing.assert_close(published, expanded)
    halved = SymmetricCrossEntropyEmphasis(mu, nu, log_zero=A / 2)
    torch.testing.assert_close(halved.weight(p), published)
    ours = SymmetricCrossEntropyEmphasis(mu, nu, log_zero=A).weight(p)
    torch.testing.assert_close(ours - published, -A * nu * p * (1 - p))


@given(q=st.floats(0.0, 1.0), truncation=st.floats(0.0, 0.99))
@settings(deadline=None, max_examples=40)
def test_truncation_silences_rows_up_to_it_and_no_others(q, truncation):
    plain = GeneralizedCrossEntropyEmphasis(q)
    emphasis = GeneralizedCrossEntropyEmphasis(q, truncation)
    p = torch.cat([grid(100), torch.tensor([truncation, emphasis.mode], dtype=torch.float64)])
    weights = emphasis.weight(p)
    assert (weights[p <= truncation] == 0).all()
    torch.testing.assert_close(weights[p > truncation], plain.weight(p)[p > truncation])
    assert weights[-1] >= weights.max() * (1 - 1e-12)


def test_densities_are_immutable_and_hashable():
    with pytest.raises(dataclasses.FrozenInstanceError):
        DMEmphasis().mode = 0.3
    assert len({DMEmphasis(), DMEmphasis(0.5, 12), NormalEmphasis()}) == 2


def test_integral_is_computed_once():
    calls = []
    emphasis = CallableEmphasis(lambda p: calls.append(1) or p)
    assert emphasis.integral() == pytest.approx(0.5)
    count = len(calls)
    assert emphasis.integral() == pytest.approx(0.5)
    assert len(calls) == count > 0


# Callables


@pytest.mark.parametrize("name", EMPHASIS_NAMES)
def test_callable_equals_the_named_density(name):
    named = resolve_emphasis(name)
    custom = resolve_emphasis(lambda p: named._weight(p))
    assert isinstance(custom, CallableEmphasis)
    torch.testing.assert_close(custom.weight(grid(100)), named.weight(grid(100)))
    assert custom.mode == pytest.approx(named.mode, abs=1e-6)
    assert custom.integral() == pytest.approx(named.integral(), rel=1e-6)


def test_callable_steps_and_narrow_peaks_are_not_overlooked():
    step = CallableEmphasis(lambda p: (p > 0.3) & (p < 0.33))
    assert step.integral() == pytest.approx(0.03, rel=1e-9)
    assert 0.3 < step.mode < 0.33
    peak = CallableEmphasis(lambda p: torch.exp(-(((p - 0.512345) / 1e-3) ** 2)))
    assert peak.mode == pytest.approx(0.512345, abs=1e-7)
    assert peak.integral() == pytest.approx(math.sqrt(math.pi) * 1e-3, rel=1e-9)


@pytest.mark.parametrize(
    ("function", "error", "match"),
    [
        (
            lambda p: p[:1],
            ValueError,
            r"one weight per probability, shape \(3,\), got shape \(1,\)",
        ),
        (lambda p: p - 0.5, ValueError, r"finite, non-negative weights, got -0\.5 at p=0\.0"),
        (lambda p: 1 / p, ValueError, r"finite, non-negative weights, got inf at p=0\.0"),
        (lambda p: p * math.nan, ValueError, "finite, non-negative weights, got nan"),
        (lambda p: p.tolist(), TypeError, "must return a torch tensor"),
    ],
)
def test_bad_results_of_a_callable(function, error, match):
    with pytest.raises(error, match=match):
        CallableEmphasis(function).weight(torch.tensor([0.0, 0.5, 1.0]))


# Names


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("dm", DMEmphasis(0.5, 12.0)),
        ("normal", NormalEmphasis(0.5, 12.0)),
        ("exponential", ExponentialEmphasis(12.0)),
        ("beta", BetaEmphasis(7.0, 7.0)),
        ("cce", CrossEntropyEmphasis()),
        ("mae", MeanAbsoluteErrorEmphasis()),
        ("mse", MeanSquaredErrorEmphasis()),
        ("gce", GeneralizedCrossEntropyEmphasis(0.7)),
        ("sl", SymmetricCrossEntropyEmphasis(0.1, 1.0, LOG_ZERO)),
        ("rce", ReverseCrossEntropyEmphasis(LOG_ZERO)),
        ("focal", FocalEmphasis(2.0)),
    ],
)
def test_names_and_their_defaults(name, expected):
    assert resolve_emphasis(name) == expected
    assert name in EMPHASIS_NAMES


def test_known_names_are_found():
    assert len(EMPHASIS_NAMES) == len(set(EMPHASIS_NAMES)) == 11
    for name in EMPHASIS_NAMES:
        assert isinstance(resolve_emphasis(name), Emphasis)


def test_names_with_parameters_and_densities():
    assert resolve_emphasis("dm", mode=0.2, variance=3) == DMEmphasis(0.2, 3.0)
    assert resolve_emphasis("dm", mode=0, variance=-0.5).mode == 1.0
    assert resolve_emphasis("exponential", variance=0) == ExponentialEmphasis(0.0)
    assert resolve_emphasis("beta", mode=0.25, variance=8) == BetaEmphasis(3.0, 7.0)
    own = GeneralizedCrossEntropyEmphasis(0.3)
    assert resolve_emphasis(own) is own


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        (("dmm",), ValueError, r"emphasis must be one of \['dm', .* got 'dmm'"),
        ((DMEmphasis,), TypeError, "an Emphasis instance .* got <class"),
        ((None,), TypeError, "emphasis must be .* got None"),
        (("cce", 0.3), ValueError, r"mode=0\.3 was given, but emphasis='cce' has no mode"),
        (("gce", None, 3), ValueError, "variance=3 was given, but emphasis='gce' has no variance"),
        (("exponential", 0.3), ValueError, "emphasis='exponential' has no mode"),
        ((torch.sin, 0.3), ValueError, "has no mode to set"),
        ((DMEmphasis(), None, 2), ValueError, "has no variance to set"),
    ],
)
def test_bad_names(arguments, error, match):
    with pytest.raises(error, match=match):
        resolve_emphasis(*arguments)


@pytest.mark.parametrize(
    ("build", "error", "match"),
    [
        (lambda: DMEmphasis(mode=1.0), ValueError, r"mode must be in \[0, 1\), got 1\.0"),
        (lambda: DMEmphasis(mode=-0.1), ValueError, r"mode must be in \[0, 1\), got -0\.1"),
        (lambda: DMEmphasis(mode=math.nan), ValueError, "mode must be in .* got nan"),
        (lambda: DMEmphasis(mode="0.5"), TypeError, "mode must be a number, got '0.5' of type str"),
        (lambda: DMEmphasis(variance=True), TypeError, "variance must be a number, got True"),
        (lambda: DMEmphasis(0.5, -1.0), ValueError, r"non-negative unless mode=0, got .*-1\.0"),
        (lambda: DMEmphasis(0.5, math.inf), ValueError, "variance must be in"),
        (lambda: DMEmphasis(0.0, 100.0), ValueError, "smaller variance"),
        (lambda: DMEmphasis(0.0, 1000.0), (ValueError, OverflowError), "smaller variance"),
        (lambda: NormalEmphasis(1.5), ValueError, r"mode must be in \[0, 1\]"),
        (lambda: NormalEmphasis(0.5, -1.0), ValueError, r"variance must be in \[0, inf\)"),
        (lambda: ExponentialEmphasis(100.0), ValueError, "out of the range of float32"),
        (lambda: BetaEmphasis(0.5, 2.0), ValueError, r"alpha must be in \[1, inf\), got 0\.5"),
        (lambda: BetaEmphasis(2.0, 0.5), ValueError, "eta must be"),
        (lambda: BetaEmphasis(1e3, 1e3), ValueError, "out of the range of float32"),
        (lambda: BetaEmphasis.from_mode(2.0), ValueError, "mode must be"),
        (lambda: GeneralizedCrossEntropyEmphasis(1.5), ValueError, r"q must be in \[0, 1\]"),
        (
            lambda: GeneralizedCrossEntropyEmphasis(0.7, 1.0),
            ValueError,
            r"truncation must be in \[0, 1\), got 1\.0",
        ),
        (lambda: ReverseCrossEntropyEmphasis(0.0), ValueError, r"log_zero must be in \[-80, 0\)"),
        (lambda: FocalEmphasis(-1.0), ValueError, r"gamma must be in \[0, 100\], got -1\.0"),
        (lambda: SymmetricCrossEntropyEmphasis(alpha=-1.0), ValueError, "alpha must be"),
        (lambda: SymmetricCrossEntropyEmphasis(0.0, 0.0), ValueError, "cannot both be 0"),
        (lambda: CallableEmphasis(3), TypeError, "function must take a tensor"),
        (
            lambda: DMEmphasis().weight(torch.tensor([1])),
            TypeError,
            r"floating point torch tensor, got torch\.int64",
        ),
        (lambda: DMEmphasis().weight(0.5), TypeError, "floating point torch tensor, got float"),
    ],
)
def test_bad_parameters(build, error, match):
    with pytest.raises(error, match=match):
        build()


def test_numpy_numbers_are_kept_as_python_floats():
    emphasis = DMEmphasis(np.float32(0.25), np.int64(8))
    assert type(emphasis.mode) is type(emphasis.variance) is float
    assert repr(emphasis) == "DMEmphasis(mode=0.25, variance=8.0)"


def test_a_subclass_needs_only_weight_and_mode():
    class Triangle(Emphasis):
        mode = 0.5

        def _weight(self, p):
            return 1 - (2 * p - 1).abs()

    assert Triangle().integral() == pytest.approx(0.5, rel=1e-9)


# Normalisation

rows = st.lists(st.tuples(st.floats(0.0, 1.0), st.integers(0, 3)), min_size=1, max_size=12).filter(
    lambda pairs: any(count for _, count in pairs)
)


@given(rows)
@settings(deadline=None, max_examples=40)
def test_batch_normalisation_has_mean_one_and_counts_rows(pairs):
    p = torch.tensor([p for p, _ in pairs], dtype=torch.float64)
    counts = torch.tensor([count for _, count in pairs])
    emphasis = DMEmphasis()
    weights = emphasis.weight(p)
    plain = normalize_weights(weights, emphasis, "batch")
    assert float(plain.mean()) == pytest.approx(1.0)
    # A sample weight of k is the row k times over.
    weighted = normalize_weights(weights, emphasis, "batch", sample_weight=counts)
    repeated = normalize_weights(weights.repeat_interleave(counts), emphasis, "batch")
    torch.testing.assert_close(weighted.repeat_interleave(counts), repeated)


def test_integral_normalisation_does_not_depend_on_the_batch():
    emphasis = DMEmphasis(0.3, 8.0)
    weights = emphasis.weight(grid(1000))
    together = normalize_weights(weights, emphasis, "integral")
    torch.testing.assert_close(together, weights / emphasis.integral())
    torch.testing.assert_close(normalize_weights(weights[:7], emphasis), together[:7])
    assert float(torch.trapezoid(together, grid(1000))) == pytest.approx(1.0, abs=1e-4)


def test_no_normalisation_and_batches_without_weight():
    emphasis = MeanAbsoluteErrorEmphasis()
    weights = torch.tensor([0.2, 0.4])
    assert normalize_weights(weights, emphasis, None) is weights
    zeros = torch.zeros(3)
    assert normalize_weights(zeros, emphasis, "batch").tolist() == [0, 0, 0]
    assert normalize_weights(weights, emphasis, "batch", torch.zeros(2)).isfinite().all()
    assert normalize_weights(weights[:0], emphasis, "batch").shape == (0,)


def test_bad_normalisation():
    emphasis, weights = DMEmphasis(), torch.ones(2)
    with pytest.raises(ValueError, match=r"normalize must be one of \['integral', .* got 'sum'"):
        normalize_weights(weights, emphasis, "sum")
    with pytest.raises(ValueError, match=r"sample_weight must have the shape .*\(2,\), got \(3,\)"):
        normalize_weights(weights, emphasis, "batch", torch.ones(3))
    with pytest.raises(ValueError, match=r"has the integral 0\.0"):
        normalize_weights(weights, CallableEmphasis(torch.zeros_like), "integral")
