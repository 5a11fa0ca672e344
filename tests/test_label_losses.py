"""Normalised losses, mixed targets and squared errors against their definitions in plain loops."""

from __future__ import annotations

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
    FocalLoss,
    GeneralizedCrossEntropy,
    HardBootstrapping,
    LabelSmoothing,
    LogitDerivative,
    MeanAbsoluteError,
    MeanSquaredError,
    NormalizedLoss,
    ReverseCrossEntropy,
    SoftBootstrapping,
    SquaredError,
    SymmetricCrossEntropy,
    resolve_criterion,
)
from noisyfit.losses.expected import expected_losses

DEVICES = ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]
LOG_ZERO = math.log(1e-4)


def cross_entropy(p, k):
    return -math.log(p[k])


def focal(p, k):
    return -((1 - p[k]) ** 0.5) * math.log(p[k])


def normalized(loss):
    return lambda p, k: loss(p, k) / sum(loss(p, j) for j in range(len(p)))


def against(target_of):
    """Cross entropy of a target, given as a function of probabilities and label."""
    return lambda p, k: -sum(t * math.log(q) for t, q in zip(target_of(p, k), p, strict=True))


def mixed(share, other):
    """Label and something else in a target."""
    return lambda p, k: [share * (j == k) + (1 - share) * other(p)[j] for j in range(len(p))]


def most_probable(p):
    return [float(j == p.index(max(p))) for j in range(len(p))]


# Each criterion with its definition: the loss of probabilities p, a list, with the label k.
OF_PROBABILITIES = [
    (NormalizedLoss(), normalized(cross_entropy)),
    (NormalizedLoss(FocalLoss(0.5)), normalized(focal)),
    (NormalizedLoss(MeanAbsoluteError()), lambda p, k: (1 - p[k]) / (len(p) - 1)),
    (
        NormalizedLoss(GeneralizedCrossEntropy(0.7)),
        lambda p, k: (1 - p[k] ** 0.7) / (len(p) - sum(q**0.7 for q in p)),
    ),
    (
        ActivePassiveLoss(),
        lambda p, k: normalized(cross_entropy)(p, k) - LOG_ZERO * (1 - p[k]),
    ),
    (
        ActivePassiveLoss(NormalizedLoss(FocalLoss(0.5)), MeanAbsoluteError(), 10.0, 0.1),
        lambda p, k: 10 * normalized(focal)(p, k) + 0.1 * (1 - p[k]),
    ),
    (
        ActivePassiveLoss(CrossEntropy(), ReverseCrossEntropy(-4.0), 0.1, 2.0),
        lambda p, k: 0.1 * cross_entropy(p, k) + 8 * (1 - p[k]),
    ),
    (LabelSmoothing(0.3), against(mixed(0.7, lambda p: [1 / len(p)] * len(p)))),
    (LabelSmoothing(1.0), against(mixed(0.0, lambda p: [1 / len(p)] * len(p)))),
    (SoftBootstrapping(), against(mixed(0.95, lambda p: p))),
    (SoftBootstrapping(0.4), against(mixed(0.4, lambda p: p))),
    (HardBootstrapping(), against(mixed(0.8, most_probable))),
    (HardBootstrapping(0.0), against(mixed(0.0, most_probable))),
]
of_probabilities = pytest.mark.parametrize(
    ("criterion", "definition"),
    OF_PROBABILITIES,
    ids=[" ".join(repr(criterion).split()) for criterion, _ in OF_PROBABILITIES],
)

NEW = [criterion for criterion, _ in OF_PROBABILITIES] + [
    SquaredError(),
    SquaredError(15.0, 30.0),
    FocalLoss(0.5),
    ReverseCrossEntropy(),
    GeneralizedCrossEntropy(0.7, truncation=0.4),
]
new = pytest.mark.parametrize("criterion", NEW, ids=repr)


@st.composite
def batches(draw, spread=8.0):
    """Draw logits (n, C) in float64 and class codes (n,)."""
    n, n_classes = draw(st.integers(1, 6)), draw(st.integers(2, 5))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    logits = torch.randn(n, n_classes, generator=generator, dtype=torch.float64)
    target = torch.randint(n_classes, (n,), generator=generator)
    return logits * draw(st.floats(0.1, spread)), target


def gradient(criterion, logits, target):
    logits = logits.detach().clone().requires_grad_()
    criterion(logits, target).sum().backward()
    return logits.grad


@of_probabilities
@given(batch=batches())
@settings(deadline=None, max_examples=20)
def test_losses_are_their_definitions(criterion, definition, batch):
    logits, target = batch
    rows = zip(logits.softmax(1).tolist(), target.tolist(), strict=True)
    expected = torch.tensor([definition(p, k) for p, k in rows], dtype=torch.float64)
    torch.testing.assert_close(criterion(logits, target), expected, rtol=1e-8, atol=1e-10)


@given(batch=batches(), label_weight=st.floats(0.1, 20.0), label_value=st.floats(0.1, 30.0))
@settings(deadline=None, max_examples=20)
def test_squared_error_is_its_definition(batch, label_weight, label_value):
    outputs, target = batch
    expected = []
    for f, k in zip(outputs.tolist(), target.tolist(), strict=True):
        others = sum(f[j] ** 2 for j in range(len(f)) if j != k)
        expected.append((label_weight * (f[k] - label_value) ** 2 + others) / len(f))
    found = SquaredError(label_weight, label_value)(outputs, target)
    torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float64))


@given(batch=batches())
@settings(deadline=None, max_examples=20)
def test_plain_squared_error_is_torchs_on_one_hot_labels(batch):
    outputs, target = batch
    one_hot = nn.functional.one_hot(target, outputs.shape[1]).double()
    expected = nn.functional.mse_loss(outputs, one_hot, reduction="none").mean(1)
    torch.testing.assert_close(SquaredError()(outputs, target), expected)


@given(batch=batches(), smoothing=st.floats(0.0, 1.0))
@settings(deadline=None, max_examples=20)
def test_label_smoothing_is_torchs(batch, smoothing):
    theirs = nn.CrossEntropyLoss(label_smoothing=smoothing, reduction="none")
    torch.testing.assert_close(LabelSmoothing(smoothing)(*batch), theirs(*batch))


@new
@given(batch=batches(), seed=st.integers(0, 1000))
@settings(deadline=None, max_examples=10)
def test_soft_targets_are_expectations(criterion, batch, seed):
    logits, target = batch
    one_hot = nn.functional.one_hot(target, logits.shape[1]).double()
    torch.testing.assert_close(criterion(logits, one_hot), criterion(logits, target))
    torch.testing.assert_close(
        gradient(criterion, logits, one_hot), gradient(criterion, logits, target)
    )
    generator = np.random.RandomState(seed)
    soft = torch.from_numpy(generator.dirichlet(np.full(logits.shape[1], 0.3), len(logits)))
    by_label = [criterion(logits, torch.full_like(target, k)) for k in range(logits.shape[1])]
    expected = (soft * torch.stack(by_label, dim=1)).sum(1)
    torch.testing.assert_close(criterion(logits, soft), expected)
    torch.testing.assert_close(expected_losses(criterion, logits, soft), expected)


@new
@given(batch=batches(spread=4.0))
@settings(deadline=None, max_examples=5)
def test_derivatives_are_those_of_the_losses(criterion, batch):
    if isinstance(criterion, GeneralizedCrossEntropy):
        return  # it has a kink; its derivative is tested on both sides of it
    logits, target = batch
    ordered = logits.sort(dim=1).values
    if (ordered[:, -1] - ordered[:, -2]).min() < 1e-3:
        return  # hard bootstrapping is not smooth where two classes are equally probable
    logits = logits.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda z: criterion(z, target), (logits,))


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@new
def test_extreme_logits_have_finite_losses_and_gradients(criterion, dtype, device):
    logits = torch.tensor([[1e4, -1e4, 0.0]] * 3, dtype=dtype, device=device)
    hard = torch.tensor([0, 1, 2], device=device)
    soft = torch.tensor([[1.0, 0.0, 0.0], [0.3, 0.4, 0.3], [0.0, 0.0, 1.0]], device=device)
    for target in (hard, soft):
        values = criterion(logits, target)
        assert values.dtype == dtype
        assert values.isfinite().all()
        assert gradient(criterion, logits, target).isfinite().all()


@given(batch=batches(spread=30.0))
@settings(deadline=None, max_examples=20)
def test_normalised_losses_of_all_labels_add_up_to_one(batch):
    logits, _ = batch
    for loss in (CrossEntropy(), FocalLoss(0.5), GeneralizedCrossEntropy(0.3), MeanSquaredError()):
        criterion = NormalizedLoss(loss)
        total = sum(
            criterion(logits, torch.full((len(logits),), k)) for k in range(logits.shape[1])
        )
        torch.testing.assert_close(total, torch.ones_like(total))


@given(batch=batches())
@settings(deadline=None, max_examples=20)
def test_soft_bootstrapping_minimises_the_entropy(batch):
    logits, target = batch
    z = logits.clone().requires_grad_()
    p = z.softmax(1)
    entropy = -(p * p.log()).sum(1)
    (expected,) = torch.autograd.grad(entropy.sum(), z)
    torch.testing.assert_close(gradient(SoftBootstrapping(0.0), logits, target), expected)


def test_hard_bootstrapping_chooses_one_of_equally_probable_classes():
    logits = torch.tensor([[1.0, 1.0, 0.0]], dtype=torch.float64)
    found = gradient(HardBootstrapping(0.0), logits, torch.tensor([2]))
    expected = gradient(CrossEntropy(), logits, torch.tensor([0]))
    torch.testing.assert_close(found, expected)


def test_mixed_targets_with_all_of_the_label_are_cross_entropy():
    logits = torch.randn(5, 4, generator=torch.Generator().manual_seed(0))
    target = torch.tensor([0, 1, 2, 3, 0])
    for criterion in (LabelSmoothing(0.0), SoftBootstrapping(1.0), HardBootstrapping(1.0)):
        torch.testing.assert_close(criterion(logits, target), CrossEntropy()(logits, target))


@pytest.mark.parametrize(
    ("build", "match"),
    [
        (lambda: NormalizedLoss(LabelSmoothing()), "loss must be a loss of the label's prob"),
        (lambda: NormalizedLoss(CrossEntropy), r"such as CrossEntropy\(\).* got <class"),
        (lambda: NormalizedLoss(nn.CrossEntropyLoss()), r"got CrossEntropyLoss\(\)"),
        (lambda: ActivePassiveLoss("nce"), "active must be a loss of this folder .* got 'nce'"),
        (
            lambda: ActivePassiveLoss(passive=LogitDerivative(lambda z, y: z)),
            "passive must be a loss of this folder",
        ),
        (lambda: LabelSmoothing("0.1"), "smoothing must be a number, got '0.1'"),
        (lambda: SquaredError(label_weight=None), "label_weight must be a number, got None"),
    ],
)
def test_parts_of_a_wrong_kind(build, match):
    with pytest.raises(TypeError, match=match):
        build()


@pytest.mark.parametrize("name", CRITERION_NAMES)
def test_they_can_be_pickled_and_train_in_a_plain_loop(name):
    # Three clusters, with a fifth of the labels wrong.
    generator = torch.Generator().manual_seed(0)
    truth = torch.arange(300) % 3
    X = nn.functional.one_hot(truth, 3) * 4 + torch.randn(300, 3, generator=generator)
    wrong = torch.rand(300, generator=generator) < 0.2
    labels = torch.where(wrong, truth + torch.randint(1, 3, (300,), generator=generator), truth) % 3
    criterion = pickle.loads(pickle.dumps(resolve_criterion(name)))
    criterion.reduction = "mean"
    weights = torch.zeros(3, 3, requires_grad=True)
    optimizer = torch.optim.Adam([weights], lr=0.1)
    for _ in range(60):
        optimizer.zero_grad()
        criterion(X @ weights, labels).backward()
        optimizer.step()
    assert ((X @ weights).argmax(1) == truth).float().mean() > 0.9


def test_what_they_say_about_themselves():
    assert repr(SquaredError()) == ("SquaredError(label_weight=1, label_value=1, reduction='none')")
    assert repr(SoftBootstrapping()) == "SoftBootstrapping(weight=0.95, reduction='none')"
    assert repr(LabelSmoothing()) == "LabelSmoothing(smoothing=0.1, reduction='none')"
    text = repr(ActivePassiveLoss(NormalizedLoss(SymmetricCrossEntropy()), alpha=2.0))
    for part in ("alpha=2", "NormalizedLoss", "SymmetricCrossEntropy", "ReverseCrossEntropy"):
        assert part in text
