"""Losses that know a noise matrix, an information or learned labels, against their formulas."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from noisyfit.losses import (
    BackwardCorrection,
    CrossEntropy,
    DeterminantMutualInformation,
    ForwardCorrection,
    ImportanceReweighting,
    LabelDistributionLearning,
)

quick = settings(deadline=None, max_examples=40)
seeds = st.integers(0, 2**31)


def draw(seed, n=None, n_classes=None, concentration=2.0):
    """Logits, codes and a noise matrix, all float64."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 30)) if n is None else n
    n_classes = int(rng.integers(2, 6)) if n_classes is None else n_classes
    logits = torch.from_numpy(concentration * rng.normal(size=(n, n_classes)))
    target = torch.from_numpy(rng.integers(n_classes, size=n))
    matrix = rng.dirichlet(np.ones(n_classes), size=n_classes) * 0.5 + 0.5 * np.eye(n_classes)
    return logits, target, matrix


# -------------------------------------------------------------------------- forward and backward


@given(seeds)
@quick
def test_forward_correction_is_the_likelihood_of_the_given_label(seed):
    logits, target, matrix = draw(seed)
    p = np.exp(logits.numpy())
    p /= p.sum(axis=1, keepdims=True)
    expected = -np.log((p @ matrix)[np.arange(len(p)), target.numpy()])
    np.testing.assert_allclose(ForwardCorrection(matrix)(logits, target), expected, rtol=1e-5)


@given(seeds)
@quick
def test_forward_and_backward_with_the_identity_are_cross_entropy(seed):
    logits, target, matrix = draw(seed)
    expected = CrossEntropy()(logits, target)
    identity = np.eye(len(matrix))
    torch.testing.assert_close(ForwardCorrection(identity)(logits, target), expected)
    torch.testing.assert_close(BackwardCorrection(identity)(logits, target), expected)


@given(seeds)
@quick
def test_backward_correction_is_unbiased(seed):
    """Its mean over the labels that a true label may be given is the loss of the true label."""
    logits, true, matrix = draw(seed)
    criterion = BackwardCorrection(matrix)
    mean = torch.zeros(len(logits), dtype=torch.float64)
    for code in range(len(matrix)):
        given_label = torch.full_like(true, code)
        mean += torch.from_numpy(matrix)[true, code] * criterion(logits, given_label)
    torch.testing.assert_close(mean, CrossEntropy()(logits, true), rtol=1e-6, atol=1e-8)


def test_a_singular_matrix_is_refused_for_backward_correction():
    with pytest.raises(ValueError, match=r"condition number.*use forward correction"):
        BackwardCorrection(np.full((3, 3), 1 / 3))
    ForwardCorrection(np.full((3, 3), 1 / 3))


@pytest.mark.parametrize("kind", [ForwardCorrection, BackwardCorrection, ImportanceReweighting])
def test_matrices_that_are_none(kind):
    for matrix, match in (
        (np.ones((2, 3)), r"shape \(n_classes, n_classes\).*\(2, 3\)"),
        (np.ones((1, 1)), "at least 2 classes"),
        (np.eye(2) * 2, "rows that sum to 1"),
        ([[1.5, -0.5], [0, 1]], "no negative entries"),
        ([[np.nan, 1.0], [0, 1]], "no negative entries"),
    ):
        with pytest.raises(ValueError, match=match):
            kind(matrix)
    with pytest.raises(ValueError, match="one column for each of the 2 classes"):
        kind(np.eye(2))(torch.zeros(3, 4), torch.zeros(3, dtype=torch.int64))
    with pytest.raises(ValueError, match="entries from 0 to 1"):
        kind(np.eye(2))(torch.zeros(3, 2), torch.full((3,), 2))


@pytest.mark.parametrize("kind", [ForwardCorrection, BackwardCorrection, ImportanceReweighting])
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_extreme_logits_give_finite_losses_and_derivatives(kind, dtype):
    logits = torch.tensor([[1e4, -1e4, 0.0], [0.0, 1e4, 1e4]], dtype=dtype, requires_grad=True)
    criterion = kind(0.9 * np.eye(3) + 0.1 / 3)
    losses = criterion(logits, torch.tensor([1, 0]))
    losses.sum().backward()
    assert losses.dtype == torch.float32
    assert losses.isfinite().all()
    assert logits.grad.isfinite().all()


def test_a_label_that_no_class_is_given_has_a_bounded_loss():
    logits = torch.zeros(2, 2, requires_grad=True)
    losses = ForwardCorrection([[1.0, 0.0], [1.0, 0.0]])(logits, torch.tensor([0, 1]))
    losses.sum().backward()
    torch.testing.assert_close(losses.detach(), torch.tensor([0.0, -np.log(1e-7)]).float())
    assert logits.grad.isfinite().all()


# ---------------------------------------------------------------------------------- T-Revision


@given(seeds)
@quick
def test_reweighting_takes_its_weights_as_constants(seed):
    logits, target, matrix = draw(seed)
    logits.requires_grad_(True)
    ImportanceReweighting(matrix)(logits, target).sum().backward()
    p = logits.detach().softmax(1)
    rows = torch.arange(len(p))
    weights = p[rows, target] / (p @ torch.from_numpy(matrix))[rows, target]
    one_hot = torch.nn.functional.one_hot(target, p.shape[1])
    torch.testing.assert_close(logits.grad, weights[:, None] * (p - one_hot))


@given(seeds)
@quick
def test_the_gradient_for_the_correction_is_that_of_finite_differences(seed):
    """The official code has none at all in one version, and a multiple of it in the other."""
    logits, target, matrix = draw(seed)
    criterion = ImportanceReweighting(matrix).revise()
    criterion(logits, target).sum().backward()
    found = criterion.correction.grad.clone()
    step = 1e-6
    for k in range(len(matrix)):
        for j in range(len(matrix)):
            values = []
            for sign in (1, -1):
                with torch.no_grad():
                    criterion.correction.zero_()
                    criterion.correction[k, j] = sign * step
                    values.append(float(criterion(logits, target).sum()))
            expected = (values[0] - values[1]) / (2 * step)
            assert float(found[k, j]) == pytest.approx(expected, rel=1e-4, abs=1e-6)


def test_a_revision_lets_derivatives_go_through_the_weights():
    logits, target, matrix = draw(0, n=5)
    logits.requires_grad_(True)
    assert torch.autograd.gradcheck(
        lambda z: ImportanceReweighting(matrix).revise()(z, target), logits
    )


def test_reweighting_is_validated_by_the_likelihood_of_the_given_labels():
    logits, target, matrix = draw(1)
    validated = ImportanceReweighting(matrix).for_validation()(logits, target)
    torch.testing.assert_close(validated, ForwardCorrection(matrix)(logits, target))


# --------------------------------------------------------------------------------------- L_DMI


def joint_of(logits, target, n_classes):
    one_hot = torch.nn.functional.one_hot(target, n_classes).double()
    return one_hot.T @ logits.softmax(1) / len(logits)


def all_classes(seed):
    """Logits and codes in which every class occurs."""
    logits, target, matrix = draw(seed, n=30)
    n_classes = len(matrix)
    target[:n_classes] = torch.arange(n_classes)
    logits = logits + 2 * torch.nn.functional.one_hot(target, n_classes)
    return logits, target, n_classes


@given(seeds)
@quick
def test_information_is_minus_the_log_of_the_determinant(seed):
    logits, target, n_classes = all_classes(seed)
    determinant = np.linalg.det(joint_of(logits, target, n_classes).numpy())
    found = float(DeterminantMutualInformation()(logits, target))
    assert found == pytest.approx(-np.log(abs(determinant)), rel=1e-3, abs=1e-3)


@given(seeds)
@quick
def test_information_does_not_know_which_column_is_which(seed):
    logits, target, n_classes = all_classes(seed)
    order = torch.from_numpy(np.random.default_rng(seed).permutation(n_classes))
    criterion = DeterminantMutualInformation()
    expected = criterion(logits, target)
    torch.testing.assert_close(criterion(logits[:, order], target), expected)
    torch.testing.assert_close(criterion(logits, order[target]), expected)


def test_noise_only_adds_a_constant_to_the_information():
    """With the noise matrix T exactly: -log|det(T.T U)| = -log|det U| - log|det T|."""
    logits, target, _ = draw(3, n=40, n_classes=3)
    logits = logits + 3 * torch.nn.functional.one_hot(target, 3)
    matrix = np.array([[0.75, 0.25, 0], [0, 0.5, 0.5], [0.25, 0, 0.75]])
    # Each row four times, with labels in the proportions of the matrix.
    repeated = logits.repeat_interleave(4, dim=0)
    noisy = torch.cat(
        [torch.from_numpy(np.repeat(np.arange(3), (4 * matrix[t]).astype(int))) for t in target]
    )
    criterion = DeterminantMutualInformation()
    difference = float(criterion(repeated, noisy) - criterion(logits, target))
    assert difference == pytest.approx(-np.log(abs(np.linalg.det(matrix))), abs=1e-3)


@pytest.mark.parametrize(
    ("logits", "target"),
    [
        (torch.zeros(6, 3), torch.tensor([0, 0, 1, 1, 2, 2])),  # the determinant is zero
        (torch.zeros(1, 3), torch.tensor([1])),
        (torch.randn(8, 50), torch.arange(8)),  # most classes are missing
        (torch.full((4, 2), 1e4), torch.tensor([0, 1, 0, 1])),
    ],
)
def test_information_of_degenerate_batches_is_finite(logits, target):
    logits = logits.requires_grad_(True)
    loss = DeterminantMutualInformation()(logits, target)
    loss.backward()
    assert loss.isfinite()
    assert logits.grad.isfinite().all()


def test_a_row_of_weight_two_is_like_two_rows_for_the_information():
    logits, target, _ = all_classes(5)
    criterion = DeterminantMutualInformation()
    weights = torch.ones(len(logits))
    weights[3], weights[4] = 2, 0
    copied = torch.cat([torch.arange(4), torch.arange(5, len(logits)), torch.tensor([3])])
    expected = criterion(logits[copied], target[copied])
    torch.testing.assert_close(criterion(logits, target, weights), expected)


def test_gradient_of_the_information():
    logits, target, _ = all_classes(6)
    logits.requires_grad_(True)
    assert torch.autograd.gradcheck(lambda z: DeterminantMutualInformation()(z, target), logits)


# -------------------------------------------------------------------------------------- PENCIL


@given(seeds, st.floats(0, 2), st.floats(0, 5))
@quick
def test_learned_labels_stay_on_the_simplex(seed, compatibility, label_lr):
    logits, target, _ = draw(seed, concentration=20)
    n_classes = logits.shape[1]
    criterion = LabelDistributionLearning(
        target, n_classes, compatibility=compatibility, label_lr=label_lr
    )
    for _ in range(5):
        losses = criterion(logits, target, torch.arange(len(target)))
        assert losses.isfinite().all()
    learned = criterion.label_distributions()
    assert (learned >= 0).all()
    torch.testing.assert_close(learned.sum(dim=1), torch.ones(len(target)))


@given(seeds)
@quick
def test_labels_move_down_the_gradient_of_the_loss(seed):
    logits, target, _ = draw(seed)
    n, n_classes = logits.shape
    options = {"compatibility": 0.3, "entropy": 0.2, "confidence": 2.0}
    criterion = LabelDistributionLearning(target, n_classes, label_lr=0.7, **options)
    own = criterion.label_logits.double().clone().requires_grad_(True)
    log_p, log_d = logits.log_softmax(1), own.log_softmax(1)
    p = log_p.exp()
    loss = (p * (log_p - log_d)).sum(1) - 0.2 * (p * log_p).sum(1)
    loss = loss - 0.3 * log_d[torch.arange(n), target]
    torch.testing.assert_close(
        criterion(logits, target, torch.arange(n)), loss.detach(), rtol=1e-4, atol=1e-5
    )
    (gradient,) = torch.autograd.grad(loss.sum(), own)
    expected = (own - 0.7 * gradient).detach()
    torch.testing.assert_close(criterion.label_logits.double(), expected, rtol=1e-4, atol=1e-5)


def test_labels_settle_between_the_prediction_and_the_given_one():
    logits = torch.tensor([[0.0, 3.0, 1.0]])
    criterion = LabelDistributionLearning(
        torch.tensor([0]), 3, compatibility=0.5, confidence=1.0, label_lr=0.5
    )
    for _ in range(300):
        criterion(logits, torch.tensor([0]), torch.tensor([0]))
    expected = (logits.softmax(1) + 0.5 * torch.tensor([[1.0, 0.0, 0.0]])) / 1.5
    torch.testing.assert_close(criterion.label_distributions(), expected, atol=1e-4, rtol=0)


def test_labels_rest_in_evaluation_and_when_frozen():
    logits, target, _ = draw(2)
    criterion = LabelDistributionLearning(target, logits.shape[1])
    rows = torch.arange(len(target))
    before = criterion.label_logits.clone()
    criterion.eval()(logits, target, rows)
    criterion.train().freeze()(logits, target, rows)
    assert torch.equal(criterion.label_logits, before)


def test_a_batch_without_weight_has_no_information_to_lose():
    logits = torch.zeros(3, 2, requires_grad=True)
    loss = DeterminantMutualInformation()(logits, torch.tensor([0, 1, 0]), torch.zeros(3))
    loss.backward()
    assert float(loss) == 0
    assert logits.grad.isfinite().all()


def test_information_of_logits_that_are_nan_is_nan():
    logits = torch.full((4, 2), torch.nan)
    assert DeterminantMutualInformation()(logits, torch.tensor([0, 1, 0, 1])).isnan()
