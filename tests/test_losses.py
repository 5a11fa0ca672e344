"""Criteria against autograd, naive formulas and slow references."""

from __future__ import annotations

import copy
import math
import pickle

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from noisyfit.losses import (
    CRITERION_NAMES,
    ActivePassiveLoss,
    CrossEntropy,
    DerivativeManipulation,
    EarlyLearningRegularization,
    FocalLoss,
    GeneralizedCrossEntropy,
    HardBootstrapping,
    LabelSmoothing,
    LogitDerivative,
    MeanAbsoluteError,
    MeanSquaredError,
    NormalizedLoss,
    ReverseCrossEntropy,
    RowCriterion,
    SoftBootstrapping,
    SquaredError,
    SymmetricCrossEntropy,
    resolve_criterion,
)
from noisyfit.weighting import (
    BetaEmphasis,
    DMEmphasis,
    ExponentialEmphasis,
    FocalEmphasis,
    GeneralizedCrossEntropyEmphasis,
    NormalEmphasis,
    ReverseCrossEntropyEmphasis,
    SymmetricCrossEntropyEmphasis,
)

DEVICES = ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]
LOG_ZERO = math.log(1e-4)

EMPHASES = [
    "dm",
    "normal",
    "exponential",
    "beta",
    "cce",
    "mae",
    "mse",
    "gce",
    "sl",
    DMEmphasis(0.2, 8.0),
    DMEmphasis(0, -0.52),
    lambda p: p.sqrt() + 0.1,
]


def emphasis_name(emphasis):
    if isinstance(emphasis, str):
        return emphasis
    return repr(emphasis) if isinstance(emphasis, DMEmphasis) else "callable"


# A criterion, and the density that must have its derivative.
LOSSES = [
    (CrossEntropy(), "cce"),
    (MeanAbsoluteError(), "mae"),
    (MeanSquaredError(), "mse"),
    (GeneralizedCrossEntropy(), "gce"),
    (GeneralizedCrossEntropy(q=0.25), GeneralizedCrossEntropyEmphasis(0.25)),
    (GeneralizedCrossEntropy(0.7, 0.3), GeneralizedCrossEntropyEmphasis(0.7, 0.3)),
    (GeneralizedCrossEntropy(0.0, 0.3), GeneralizedCrossEntropyEmphasis(0.0, 0.3)),
    (ReverseCrossEntropy(), "rce"),
    (ReverseCrossEntropy(-4.0), ReverseCrossEntropyEmphasis(-4.0)),
    (FocalLoss(), "focal"),
    (FocalLoss(0.5), FocalEmphasis(0.5)),
    (FocalLoss(0.0), FocalEmphasis(0.0)),
    (SymmetricCrossEntropy(), "sl"),
    (SymmetricCrossEntropy(6.0, 0.1, -4.0), SymmetricCrossEntropyEmphasis(6.0, 0.1, -4.0)),
]
losses = pytest.mark.parametrize("criterion", [criterion for criterion, _ in LOSSES], ids=repr)


@st.composite
def batches(draw, spread=8.0):
    """Draw logits (n, C) in float64 and class codes (n,)."""
    n, n_classes = draw(st.integers(1, 6)), draw(st.integers(2, 5))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    logits = torch.randn(n, n_classes, generator=generator, dtype=torch.float64)
    target = torch.randint(n_classes, (n,), generator=generator)
    return logits * draw(st.floats(0.0, spread)), target


def gradient(criterion, logits, target, **keywords):
    logits = logits.detach().clone().requires_grad_()
    criterion(logits, target, **keywords).sum().backward()
    return logits.grad


def probability_of(logits, target):
    return logits.softmax(1)[torch.arange(len(target)), target]


# Derivative manipulation


@pytest.mark.parametrize("emphasis", EMPHASES, ids=emphasis_name)
@given(batch=batches(), normalize=st.sampled_from([None, "integral", "batch"]))
@settings(deadline=None, max_examples=12)
def test_dm_gradient_has_the_designed_size_and_cross_entropys_direction(emphasis, batch, normalize):
    logits, target = batch
    criterion = DerivativeManipulation(emphasis, normalize=normalize)
    found = gradient(criterion, logits, target)

    p = probability_of(logits, target)
    weights = criterion.emphasis.weight(p)
    if normalize == "integral":
        weights = weights / criterion.emphasis.integral()
    elif normalize == "batch":
        weights = weights / weights.mean()
    torch.testing.assert_close(found.abs().sum(1), weights)
    torch.testing.assert_close(found.sum(1), torch.zeros_like(p), rtol=0, atol=1e-9)
    given_class = torch.zeros_like(found, dtype=torch.bool).scatter(1, target[:, None], True)
    assert (found[given_class] <= 0).all()
    assert (found[~given_class] >= 0).all()
    # The definition: cross entropy's derivative, scaled.
    naive = weights / (2 * (1 - p))
    expected = naive[:, None] * (logits.softmax(1) - given_class.double())
    sound = 1 - p > 1e-6  # elsewhere the definition itself has lost its digits
    torch.testing.assert_close(found[sound], expected[sound], rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("emphasis", EMPHASES, ids=emphasis_name)
def test_dm_is_exact_where_the_label_is_certain_or_impossible(emphasis, dtype, device):
    logits = torch.tensor([[1e4, -1e4, -1e4], [1e4, -1e4, -1e4]], dtype=dtype, device=device)
    target = torch.tensor([0, 1], device=device)
    criterion = DerivativeManipulation(emphasis, normalize=None)
    assert criterion(logits, target).isfinite().all()
    found = gradient(criterion, logits, target)
    weights = criterion.emphasis.weight(torch.tensor([1.0, 0.0], dtype=dtype, device=device))
    torch.testing.assert_close(found.abs().sum(1), weights)
    share = torch.tensor([[-1.0, 0.5, 0.5], [1.0, -1.0, 0.0]], dtype=dtype, device=device)
    torch.testing.assert_close(found, 0.5 * weights[:, None] * share)


@given(batch=batches())
@settings(deadline=None, max_examples=20)
def test_dm_without_variance_gives_every_row_a_unit_gradient(batch):
    found = gradient(DerivativeManipulation("dm", variance=0.0), *batch)
    torch.testing.assert_close(found.abs().sum(1), torch.ones(len(found), dtype=torch.float64))


@pytest.mark.parametrize(("criterion", "emphasis"), LOSSES, ids=lambda value: repr(value))
@given(batch=batches())
@settings(deadline=None, max_examples=20)
def test_dm_with_a_losss_density_is_that_loss(criterion, emphasis, batch):
    dm = DerivativeManipulation(emphasis, normalize=None)
    torch.testing.assert_close(
        gradient(dm, *batch), gradient(criterion, *batch), rtol=1e-6, atol=1e-12
    )


def test_dm_weights_are_constants():
    # Were the weight differentiated too, the second row's gradient would not sum to w.
    logits = torch.tensor([[0.3, -0.2], [2.0, 1.0]], dtype=torch.float64)
    criterion = DerivativeManipulation(ExponentialEmphasis(3.0), normalize=None)
    found = gradient(criterion, logits, torch.tensor([1, 0]))
    p = probability_of(logits, torch.tensor([1, 0]))
    torch.testing.assert_close(found.abs().sum(1), torch.exp(3 * (1 - p)))


def test_dm_batch_normalisation_counts_sample_weights():
    logits = torch.tensor([[0.0, 1.0], [2.0, 0.0], [0.0, 5.0]], dtype=torch.float64)
    target = torch.tensor([0, 0, 0])
    counts = torch.tensor([2.0, 1.0, 0.0])
    criterion = DerivativeManipulation(normalize="batch")
    weighted = gradient(criterion, logits, target, sample_weight=counts)
    repeated = gradient(criterion, logits[[0, 0, 1]], target)
    torch.testing.assert_close(weighted[0], repeated[0] + repeated[1])
    torch.testing.assert_close(weighted[1], repeated[2])
    assert (weighted[2] == 0).all()


def test_dm_learns_despite_wrong_labels():
    # Two clusters, three tenths of the labels turned: the end that a user cares about.
    generator = torch.Generator().manual_seed(0)
    truth = torch.arange(400) % 2
    X = torch.randn(400, 2, generator=generator) + 4.0 * (truth[:, None] - 0.5)
    given_label = torch.where(torch.rand(400, generator=generator) < 0.3, 1 - truth, truth)
    weights = torch.zeros(2, 2, requires_grad=True)
    criterion = DerivativeManipulation("dm", mode=0.5, variance=4.0, reduction="mean")
    for _ in range(30):
        (step,) = torch.autograd.grad(criterion(X @ weights, given_label), weights)
        weights = (weights - step).detach().requires_grad_()
    assert ((X @ weights).argmax(1) == truth).float().mean() > 0.98


def test_dm_says_what_it_is():
    assert repr(DerivativeManipulation("dm", variance=8)) == (
        "DerivativeManipulation(DMEmphasis(mode=0.5, variance=8.0), normalize='integral', "
        "reduction='none')"
    )


@pytest.mark.parametrize(
    ("keywords", "match"),
    [
        ({"normalize": "sum"}, "normalize must be one of"),
        ({"reduction": "max"}, "reduction must be one of"),
        ({"emphasis": "ce"}, "emphasis must be one of"),
        ({"emphasis": "cce", "variance": 3}, "has no variance"),
    ],
)
def test_dm_bad_parameters(keywords, match):
    with pytest.raises(ValueError, match=match):
        DerivativeManipulation(**keywords)


# A derivative alone


@given(batch=batches())
@settings(deadline=None, max_examples=20)
def test_logit_derivative_is_the_gradient(batch):
    def cross_entropys(logits, target):
        logits -= logits.logsumexp(1, keepdim=True)  # in place: must not reach the caller
        derivative = logits.exp()
        derivative[torch.arange(len(target)), target] -= 1.0
        return derivative

    logits, target = batch
    criterion = LogitDerivative(cross_entropys)
    found = gradient(criterion, logits, target)
    torch.testing.assert_close(found, gradient(CrossEntropy(), logits, target))
    before = logits.clone()
    criterion(logits, target)
    assert torch.equal(logits, before)


def test_logit_derivative_may_depend_on_parameters_without_training_them():
    scale = torch.tensor(2.0, requires_grad=True)
    logits = torch.zeros(1, 2, requires_grad=True)
    criterion = LogitDerivative(lambda z, y: scale * torch.ones_like(z))
    criterion(logits, torch.tensor([0])).sum().backward()
    assert logits.grad.tolist() == [[2.0, 2.0]]
    assert scale.grad is None


@pytest.mark.parametrize(
    ("derivative", "error", "match"),
    [
        (lambda z, y: z[:, :1], ValueError, r"shape \(2, 3\), got \(2, 1\)"),
        (lambda z, y: z / 0, ValueError, r"finite numbers, got \[nan, inf, inf\] for row 0"),
        (lambda z, y: z.tolist(), TypeError, "must return a torch tensor, got list"),
    ],
)
def test_logit_derivative_bad_results(derivative, error, match):
    logits = torch.tensor([[0.0, 1.0, 2.0], [0.0, 1.0, 2.0]])
    with pytest.raises(error, match=match):
        LogitDerivative(derivative)(logits, torch.tensor([0, 1]))
    with pytest.raises(TypeError, match="derivative must take logits and target"):
        LogitDerivative("ce")


# Losses of the probability


@given(batch=batches())
@settings(deadline=None, max_examples=30)
def test_losses_are_their_formulas(batch):
    logits, target = batch
    p = probability_of(logits, target)
    for criterion, expected in [
        (CrossEntropy(), -p.log()),
        (MeanAbsoluteError(), 1 - p),
        (MeanSquaredError(), (1 - p) ** 2),
        (GeneralizedCrossEntropy(0.7), (1 - p**0.7) / 0.7),
        (GeneralizedCrossEntropy(0.0), -p.log()),
        (GeneralizedCrossEntropy(1.0), 1 - p),
        (GeneralizedCrossEntropy(1e-12), -p.log()),
        (GeneralizedCrossEntropy(0.7, 0.2), (1 - p.clamp(min=0.2) ** 0.7) / 0.7),
        (GeneralizedCrossEntropy(0.0, 0.2), -p.clamp(min=0.2).log()),
        (GeneralizedCrossEntropy(0.7, 0.0), (1 - p**0.7) / 0.7),
        (ReverseCrossEntropy(), -LOG_ZERO * (1 - p)),
        (ReverseCrossEntropy(-4.0), 4 * (1 - p)),
        (FocalLoss(), -((1 - p) ** 2) * p.log()),
        (FocalLoss(0.5), -((1 - p) ** 0.5) * p.log()),
        (SymmetricCrossEntropy(), -0.1 * p.log() - LOG_ZERO * (1 - p)),
        (SymmetricCrossEntropy(0.0, 1.0), -LOG_ZERO * (1 - p)),
    ]:
        torch.testing.assert_close(criterion(logits, target), expected, rtol=1e-8, atol=1e-10)


@losses
@given(batch=batches())
@settings(deadline=None, max_examples=15)
def test_soft_one_hot_targets_equal_class_codes(criterion, batch):
    logits, target = batch
    one_hot = nn.functional.one_hot(target, logits.shape[1]).double()
    torch.testing.assert_close(criterion(logits, one_hot), criterion(logits, target))
    torch.testing.assert_close(
        gradient(criterion, logits, one_hot), gradient(criterion, logits, target)
    )


@given(batch=batches(), seed=st.integers(0, 1000))
@settings(deadline=None, max_examples=20)
def test_soft_targets_against_plain_loops(batch, seed):
    logits, _ = batch
    soft = np.random.RandomState(seed).dirichlet(np.full(logits.shape[1], 0.3), len(logits))
    probabilities = logits.softmax(1).tolist()
    formulas = {
        CrossEntropy(): lambda t, p: -t * math.log(p),
        MeanAbsoluteError(): lambda t, p: t * (1 - p),
        MeanSquaredError(): lambda t, p: t * (1 - p) ** 2,
        GeneralizedCrossEntropy(0.3): lambda t, p: t * (1 - p**0.3) / 0.3,
        GeneralizedCrossEntropy(0.3, 0.4): lambda t, p: t * (1 - max(p, 0.4) ** 0.3) / 0.3,
        ReverseCrossEntropy(-3.0): lambda t, p: t * 3 * (1 - p),
        FocalLoss(1.5): lambda t, p: -t * (1 - p) ** 1.5 * math.log(p),
        SymmetricCrossEntropy(2.0, 0.5): lambda t, p: (
            t * (-2.0 * math.log(p) - 0.5 * math.log(1e-4) * (1 - p))
        ),
    }
    for criterion, formula in formulas.items():
        expected = [
            sum(map(formula, ts, ps)) for ts, ps in zip(soft.tolist(), probabilities, strict=True)
        ]
        found = criterion(logits, torch.from_numpy(soft))
        torch.testing.assert_close(
            found, torch.tensor(expected, dtype=torch.float64), rtol=1e-8, atol=1e-10
        )


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    "criterion",
    [criterion for criterion, _ in LOSSES]
    + [GeneralizedCrossEntropy(q) for q in (0.0, 1e-30, 1e-9, 1e-3, 1.0)]
    + [GeneralizedCrossEntropy(q, 0.5) for q in (0.0, 1e-30, 1.0)]
    + [FocalLoss(gamma) for gamma in (1e-6, 0.01, 1.0, 100.0)],
    ids=repr,
)
def test_extreme_logits_have_finite_losses_and_gradients(criterion, dtype, device):
    logits = torch.tensor([[1e4, -1e4, 0.0], [1e4, -1e4, 0.0]], dtype=dtype, device=device)
    hard = torch.tensor([0, 1], device=device)
    soft = torch.tensor([[1.0, 0.0, 0.0], [0.3, 0.4, 0.3]], dtype=dtype, device=device)
    for target in (hard, soft):
        values = criterion(logits, target)
        assert values.dtype == dtype
        assert values.isfinite().all()
        assert values[0] == 0
        assert gradient(criterion, logits, target).isfinite().all()


def test_gce_keeps_its_digits_for_small_q_and_improbable_labels():
    # (1 - p**q) / q in float32 would give 0 and 1 / q here.
    found = GeneralizedCrossEntropy(1e-9)(torch.tensor([[0.0, 1.0], [0.0, 200.0]]), TARGET[[0, 0]])
    torch.testing.assert_close(found, torch.tensor([1.3132617, 200.0]))


def test_truncated_gce_is_silent_up_to_the_truncation():
    # Two equal logits: p is exactly one half, which still belongs to the silent rows.
    logits = torch.tensor([[0.0, 0.0], [0.0, 1.0], [0.1, 0.0]], dtype=torch.float64)
    truncated, plain = GeneralizedCrossEntropy(0.7, 0.5), GeneralizedCrossEntropy(0.7)
    target = torch.zeros(3, dtype=torch.int64)
    bound = (1 - 0.5**0.7) / 0.7
    torch.testing.assert_close(
        truncated(logits, target)[:2], torch.full((2,), bound, dtype=torch.float64)
    )
    found = gradient(truncated, logits, target)
    assert (found[:2] == 0).all()
    torch.testing.assert_close(found[2], gradient(plain, logits, target)[2])
    assert "truncation=0.5" in repr(truncated)


@given(batch=batches(), alpha=st.floats(0.0, 5.0), beta=st.floats(0.0, 5.0))
@settings(deadline=None, max_examples=30)
def test_symmetric_cross_entropy_has_twice_the_published_reverse_part(batch, alpha, beta):
    # See the note of SymmetricCrossEntropyEmphasis. Autograd on the definition with all classes
    # decides: -sum(p * log(onehot)), with log_zero for the logarithm of 0.
    logits, target = batch
    logits = logits.clone().requires_grad_()
    one_hot = nn.functional.one_hot(target, logits.shape[1])
    p = logits.softmax(1)
    reverse = -(p * (1 - one_hot) * LOG_ZERO).sum(1)
    absolute_errors = (p - one_hot).abs().sum(1)
    torch.testing.assert_close(reverse, -LOG_ZERO / 2 * absolute_errors)
    (-alpha * (p.log() * one_hot).sum(1) + beta * reverse).sum().backward()
    size = logits.grad.abs().sum(1)
    p = probability_of(logits.detach(), target)
    published = 2 * (1 - p) * (alpha - LOG_ZERO * beta / 2 * p)
    torch.testing.assert_close(size - published, -LOG_ZERO * beta * p * (1 - p))
    if alpha > 0 or beta > 0:
        ours = SymmetricCrossEntropyEmphasis(alpha, beta).weight(p)
        torch.testing.assert_close(size, ours)


# What all criteria share

CRITERIA = [criterion for criterion, _ in LOSSES] + [
    DerivativeManipulation(),
    DerivativeManipulation(BetaEmphasis(2.0, 3.0), normalize="batch"),
    LogitDerivative(lambda z, y: z.softmax(1)),
    EarlyLearningRegularization(9, 3),
    *map(resolve_criterion, CRITERION_NAMES),
]
all_criteria = pytest.mark.parametrize("criterion", CRITERIA, ids=lambda c: type(c).__name__)

LOGITS = torch.tensor([[0.0, 1.0, 2.0], [1.0, 0.0, 0.0], [3.0, 0.0, 1.0]])
TARGET = torch.tensor([0, 1, 0])


def call(criterion, logits=LOGITS, target=TARGET, **keywords):
    if isinstance(criterion, EarlyLearningRegularization):
        criterion.targets.zero_()
        keywords["row"] = torch.tensor([4, 0, 8])
    return criterion(logits, target, **keywords)


@all_criteria
def test_reductions_and_sample_weights(criterion):
    criterion = copy.deepcopy(criterion)
    counts = torch.tensor([2, 0, 1])
    rows = call(criterion)
    assert isinstance(criterion, RowCriterion)
    assert rows.shape == (3,)
    weighted = call(criterion, sample_weight=counts)
    if getattr(criterion, "normalize", None) != "batch":
        torch.testing.assert_close(weighted, rows * counts)
    for reduction in ("sum", "mean"):
        criterion.reduction = reduction
        divisor = 1 if reduction == "sum" else 3  # three rows, and weights with sum three
        torch.testing.assert_close(call(criterion), rows.sum() / divisor)
        found = call(criterion, sample_weight=counts)
        torch.testing.assert_close(found, weighted.sum() / divisor)
        assert call(criterion, sample_weight=torch.zeros(3)) == 0
    with pytest.raises(ValueError, match=r"sample_weight must have .*\(3,\),? got \(2,\)"):
        call(criterion, sample_weight=torch.ones(2))


@all_criteria
def test_half_precision_is_computed_in_float32(criterion):
    for dtype in (torch.float16, torch.bfloat16):
        half = LOGITS.to(dtype).requires_grad_()
        values = call(criterion, half)
        assert values.dtype == torch.float32
        torch.testing.assert_close(values, call(criterion, half.detach().float()))
        values.sum().backward()
        assert half.grad.dtype == dtype


@all_criteria
def test_pickle_and_other_integer_codes(criterion):
    if not isinstance(criterion, LogitDerivative):
        again = pickle.loads(pickle.dumps(criterion))
        torch.testing.assert_close(call(again), call(criterion))
    torch.testing.assert_close(call(criterion, target=TARGET.int()), call(criterion))


@all_criteria
@pytest.mark.parametrize(
    ("logits", "error", "match"),
    [
        (LOGITS[0], ValueError, r"logits must have shape .* got \(3,\)"),
        (LOGITS[:, :1], ValueError, "at least 2 classes"),
        (LOGITS.int(), TypeError, r"logits must be a floating point .* torch\.int32"),
        (LOGITS.numpy(), TypeError, "logits must be a floating point .* got ndarray"),
    ],
)
def test_bad_logits(criterion, logits, error, match):
    with pytest.raises(error, match=match):
        call(criterion, logits)


@pytest.mark.parametrize(
    "criterion", [c for c in CRITERIA if not isinstance(c, LogitDerivative)], ids=repr
)
@pytest.mark.parametrize(
    ("target", "error", "match"),
    [
        (TARGET[:2], ValueError, r"target must have one entry per row.* got \(2,\)"),
        (TARGET[:, None], ValueError, r"target must have one entry .* got \(3, 1\)"),
        (TARGET + 1 - 2 * (TARGET == 0), ValueError, "entries from 0 to 2, got -1"),
        (TARGET + 3, ValueError, "entries from 0 to 2, got 3"),
        (TARGET == 0, TypeError, r"target must be .* integers, got torch\.bool"),
        (TARGET.numpy(), TypeError, "target must be .* integers, got ndarray"),
        (TARGET.float(), (TypeError, ValueError), r"integer.* torch\.float32"),
    ],
)
def test_bad_codes(criterion, target, error, match):
    with pytest.raises(error, match=match):
        call(criterion, target=target)


def test_bad_soft_targets():
    for soft in (torch.full((3, 3), 0.5), torch.tensor([[1.5, -0.5, 0.0]] * 3), LOGITS * math.nan):
        with pytest.raises(ValueError, match="rows of class probabilities, non-negative and with"):
            CrossEntropy()(LOGITS, soft)
    with pytest.raises(TypeError, match="target must be a torch tensor of integers"):
        DerivativeManipulation()(LOGITS, LOGITS.softmax(1))


@pytest.mark.parametrize(
    ("build", "match"),
    [
        (lambda: GeneralizedCrossEntropy(1.5), r"q must be in \[0, 1\], got 1\.5"),
        (lambda: GeneralizedCrossEntropy(-0.1), r"q must be in \[0, 1\]"),
        (lambda: GeneralizedCrossEntropy(0.7, 1.0), r"truncation must be in \[0, 1\), got 1\.0"),
        (lambda: ReverseCrossEntropy(0.0), r"log_zero must be in \[-80, 0\), got 0\.0"),
        (lambda: FocalLoss(-1.0), r"gamma must be in \[0, 100\], got -1\.0"),
        (lambda: LabelSmoothing(1.5), r"smoothing must be in \[0, 1\], got 1\.5"),
        (lambda: SoftBootstrapping(-0.1), r"weight must be in \[0, 1\], got -0\.1"),
        (lambda: HardBootstrapping(1.1), r"weight must be in \[0, 1\], got 1\.1"),
        (lambda: ActivePassiveLoss(alpha=-1.0), "alpha must be in"),
        (lambda: ActivePassiveLoss(beta=-1.0), "beta must be in"),
        (lambda: ActivePassiveLoss(alpha=0.0, beta=0.0), "alpha and beta cannot both be 0"),
        (lambda: ActivePassiveLoss(NormalizedLoss(reduction="sum")), "active must have reduction="),
        (lambda: NormalizedLoss(CrossEntropy("mean")), "loss must have reduction='none', got 'me"),
        (lambda: NormalizedLoss(SymmetricCrossEntropy(0.0, 0.0)), "loss must be positive"),
        (lambda: SquaredError(label_weight=0.0), "label_weight must be positive, got 0"),
        (lambda: SquaredError(label_value=-1.0), r"label_value must be in \[0, inf\)"),
        (lambda: SymmetricCrossEntropy(alpha=-1), "alpha must be"),
        (lambda: SymmetricCrossEntropy(beta=-1), "beta must be"),
        (lambda: SymmetricCrossEntropy(log_zero=4), r"log_zero must be in \[-80, 0\], got 4\.0"),
        (lambda: EarlyLearningRegularization(0, 3), "n_rows must be at least 1, got 0"),
        (lambda: EarlyLearningRegularization(5, 1), "n_classes must be at least 2, got 1"),
        (lambda: EarlyLearningRegularization(5, 3, momentum=1.0), r"momentum must be in \[0, 1\)"),
        (lambda: EarlyLearningRegularization(5, 3, strength=-1), "strength must be"),
        (lambda: CrossEntropy(reduction="max"), r"reduction must be one of .* got 'max'"),
    ],
)
def test_bad_parameters(build, match):
    with pytest.raises(ValueError, match=match):
        build()


# Early-learning regularization


def slow_elr(averages, logits, target, row, strength, momentum, training):
    """Return the losses; `averages` is a dict from row number to list, updated in training."""
    result = []
    for z, y, number in zip(logits.tolist(), target.tolist(), row.tolist(), strict=True):
        total = sum(math.exp(value) for value in z)
        p = [math.exp(value) / total for value in z]
        t = averages.get(number, [0.0] * len(p))
        if training:
            bounded = [min(max(value, 1e-4), 1 - 1e-4) for value in p]
            bounded = [value / sum(bounded) for value in bounded]
            t = [momentum * old + (1 - momentum) * new for old, new in zip(t, bounded, strict=True)]
            averages[number] = t
        agreement = sum(a * b for a, b in zip(t, p, strict=True))
        result.append(-math.log(p[y]) + strength * math.log(1 - agreement))
    return torch.tensor(result, dtype=torch.float64)


@given(
    seed=st.integers(0, 1000),
    momentum=st.floats(0.0, 0.99),
    strength=st.floats(0.0, 10.0),
    training=st.lists(st.booleans(), min_size=1, max_size=5),
)
@settings(deadline=None, max_examples=30)
def test_elr_against_the_slow_reference(seed, momentum, strength, training):
    generator = torch.Generator().manual_seed(seed)
    criterion = EarlyLearningRegularization(7, 3, strength, momentum).double()
    averages = {}
    for mode in training:
        criterion.train(mode)
        row = torch.randperm(7, generator=generator)[:4]
        logits = 6 * torch.randn(4, 3, generator=generator, dtype=torch.float64)
        target = torch.randint(3, (4,), generator=generator)
        expected = slow_elr(averages, logits, target, row, strength, momentum, mode)
        torch.testing.assert_close(criterion(logits, target, row), expected)
    stored = torch.zeros(7, 3, dtype=torch.float64)
    for number, t in averages.items():
        stored[number] = torch.tensor(t, dtype=torch.float64)
    torch.testing.assert_close(criterion.targets, stored)


def test_elr_gradient_is_cross_entropys_plus_the_regularisers():
    # The paper's form: p - y + strength * p * sum_k (t_k - t_c) p_k / (1 - <t, p>), for class c.
    criterion = EarlyLearningRegularization(3, 3, strength=2.0, momentum=0.5).double()
    row, logits = torch.arange(3), LOGITS.double()
    criterion(logits.flip(1), TARGET, row)
    found = gradient(criterion, logits, TARGET, row=row)
    p, t = logits.softmax(1), criterion.targets
    agreement = (t * p).sum(1, keepdim=True)
    expected = p - nn.functional.one_hot(TARGET, 3) + 2.0 * p * (agreement - t) / (1 - agreement)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("momentum", [0.0, 0.7])
def test_elr_stays_finite_when_the_network_is_certain(momentum, device):
    logits = torch.tensor([[1e4, -1e4], [1e4, -1e4]], device=device, requires_grad=True)
    target, row = torch.tensor([0, 1], device=device), torch.tensor([0, 1], device=device)
    criterion = EarlyLearningRegularization(2, 2, momentum=momentum).to(device)
    for _ in range(200):
        values = criterion(logits, target, row)
    values.sum().backward()
    assert values.isfinite().all()
    assert logits.grad.isfinite().all()
    assert not criterion.targets.requires_grad


def test_elr_keeps_its_averages_in_its_state():
    criterion = EarlyLearningRegularization(4, 3)
    criterion(LOGITS, TARGET, torch.tensor([0, 1, 2]))
    again = EarlyLearningRegularization(4, 3)
    again.load_state_dict(criterion.state_dict())
    torch.testing.assert_close(again.targets, criterion.targets)
    assert list(criterion.state_dict()) == ["targets"]
    assert criterion.targets[3].tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("row", "error", "match"),
    [
        (torch.tensor([0, 1, 4]), ValueError, "row must have entries from 0 to 3, got 4"),
        (torch.tensor([0, 1, -1]), ValueError, "row must have entries from 0 to 3, got -1"),
        (torch.tensor([0, 1]), ValueError, "row must have one entry per row"),
        (torch.tensor([0.0, 1.0, 2.0]), TypeError, "row must be a torch tensor of integers"),
    ],
)
def test_elr_bad_rows(row, error, match):
    criterion = EarlyLearningRegularization(4, 3)
    with pytest.raises(error, match=match):
        criterion(LOGITS, TARGET, row)
    with pytest.raises(ValueError, match="n_classes=3 columns, got 2"):
        criterion(LOGITS[:, :2], TARGET, torch.arange(3))
    with pytest.raises(TypeError, match=r"n_rows must be an integer, got 4\.0"):
        EarlyLearningRegularization(4.0, 3)


# Names

NAMED = {
    "ce": CrossEntropy(),
    "sce": SymmetricCrossEntropy(0.1, 1.0),
    "gce": GeneralizedCrossEntropy(0.7),
    "mae": MeanAbsoluteError(),
    "mse": MeanSquaredError(),
    "rce": ReverseCrossEntropy(LOG_ZERO),
    "focal": FocalLoss(2.0),
    "nce": NormalizedLoss(CrossEntropy()),
    "nfl": NormalizedLoss(FocalLoss(0.5)),
    "nce_rce": ActivePassiveLoss(NormalizedLoss(CrossEntropy()), ReverseCrossEntropy(), 1.0, 1.0),
    "nce_mae": ActivePassiveLoss(NormalizedLoss(CrossEntropy()), MeanAbsoluteError()),
    "nfl_rce": ActivePassiveLoss(NormalizedLoss(FocalLoss(0.5)), ReverseCrossEntropy()),
    "nfl_mae": ActivePassiveLoss(NormalizedLoss(FocalLoss(0.5)), MeanAbsoluteError()),
    "label_smoothing": LabelSmoothing(0.1),
    "bootstrap_soft": SoftBootstrapping(0.95),
    "bootstrap_hard": HardBootstrapping(0.8),
    "squared": SquaredError(1.0, 1.0),
}


def test_every_name_is_tested():
    assert tuple(NAMED) == CRITERION_NAMES


@pytest.mark.parametrize("name", CRITERION_NAMES)
def test_names(name):
    criterion = resolve_criterion(name)
    assert repr(criterion) == repr(NAMED[name])
    torch.testing.assert_close(criterion(LOGITS, TARGET), NAMED[name](LOGITS, TARGET))


def test_own_criteria_are_returned_as_they_are():
    def own(logits, target):
        return logits[:, 0]

    module = nn.CrossEntropyLoss(reduction="none")
    assert resolve_criterion(own) is own
    assert resolve_criterion(module) is module


@pytest.mark.parametrize(
    ("criterion", "error", "match"),
    [
        ("cce", ValueError, r"criterion must be one of \['ce', .* got 'cce'"),
        (
            nn.CrossEntropyLoss(),
            ValueError,
            r"reduction='mean'; construct it with reduction='none'",
        ),
        (
            CrossEntropy,
            TypeError,
            r"the class CrossEntropy, give an instance such as CrossEntropy\(",
        ),
        (None, TypeError, "criterion must be .* got None"),
    ],
)
def test_bad_criteria(criterion, error, match):
    with pytest.raises(error, match=match):
        resolve_criterion(criterion)


def test_densities_and_losses_leave_the_global_generator_alone():
    before = torch.get_rng_state()
    for criterion in CRITERIA:
        call(criterion)
    NormalEmphasis().integral()
    assert torch.equal(torch.get_rng_state(), before)
