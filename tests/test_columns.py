"""Greedy column subset selection against projections from scratch, and by its invariants."""

from __future__ import annotations

from itertools import combinations
from unittest import mock

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from references import quick, random_points, seeds

import noisyfit.selection.columns as columns_module
from noisyfit.selection import logit_gradients
from noisyfit.selection.columns import _represent, column_subset

kinds = st.sampled_from(["normal", "grid", "low rank", "wide", "graded"])


def rows_of_a_kind(kind, seed):
    rng = np.random.default_rng(seed)
    n, d = rng.integers(1, 26), rng.integers(1, 7)
    if kind == "grid":  # ties, copies and rows of zeros
        return rng.integers(-1, 2, size=(n, d)).astype(float)
    if kind == "low rank":
        return random_points(seed, n, 2) @ rng.normal(size=(2, d))
    if kind == "wide":
        return rng.normal(size=(n, 40))
    if kind == "graded":  # near-copies, and directions that matter little
        return rng.normal(size=(n, 1)) @ np.ones((1, d)) + rng.normal(size=(n, d)) * 10.0 ** -(
            np.arange(d)
        )
    return random_points(seed, n, d)


def naive_residual(points, chosen):
    """All rows less their projection on the span of the chosen ones, from scratch."""
    basis, _ = np.linalg.qr(points[list(chosen)].T)
    residual = points - points @ basis @ basis.T
    return residual - residual @ basis @ basis.T  # again, because once leaves rounding


def naive_columns(points, k, weights=None):
    """Residuals and all scores anew in every step; again from the start when nothing is left."""
    weights = np.ones(len(points)) if weights is None else weights
    norms = np.linalg.norm(points, axis=1)
    chosen, gains, here = [], [], []
    while len(chosen) < k:
        residual = naive_residual(points, here) if here else points
        lengths = np.linalg.norm(residual, axis=1)
        open_ = (lengths > 1e-8 * norms) & (weights > 0)
        open_[chosen] = False
        if not open_.any() and not here:
            zeros = [i for i in np.flatnonzero(weights) if i not in chosen]
            rest = zeros + np.flatnonzero(weights == 0).tolist()
            chosen, gains = chosen + rest, gains + [0.0] * len(rest)
            break
        if not open_.any():
            here = []
            continue
        directions = residual[open_] / lengths[open_, None]
        scores = weights @ (residual @ directions.T) ** 2
        best = np.flatnonzero(scores >= scores.max() * (1 - 1e-10))[0]
        here.append(int(np.flatnonzero(open_)[best]))
        chosen.append(here[-1])
        gains.append(scores[best])
    return np.array(chosen[:k]), np.array(gains[:k])


@quick
@given(seeds, kinds, st.floats(0, 1), st.booleans())
def test_choice_is_that_of_projections_from_scratch(seed, kind, share, weighted):
    points = rows_of_a_kind(kind, seed)
    n = len(points)
    k = max(1, round(share * n))
    weights = None
    if weighted:
        weights = np.random.default_rng(seed).choice([0, 0.5, 1, 3], n)
        weights[0] = 1
    indices, gains = column_subset(points, k, sample_weight=weights)
    expected, expected_gains = naive_columns(points, k, weights)
    np.testing.assert_array_equal(indices, expected)
    np.testing.assert_allclose(gains, expected_gains, rtol=1e-8)
    assert indices.dtype == np.int64
    assert gains.dtype == np.float64
    assert len(set(indices.tolist())) == k


@quick
@given(seeds, st.integers(1, 5))
def test_gains_are_what_projections_explain(seed, rank):
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(20, rank)) @ rng.normal(size=(rank, 7))
    weights = rng.uniform(0.1, 5, 20)
    indices, gains = column_subset(points, rank, sample_weight=weights)
    whole = weights @ (points**2).sum(axis=1)
    for j in range(1, rank + 1):
        coefficients = np.linalg.lstsq(points[indices[:j]].T, points.T, rcond=None)[0]
        residual = points - coefficients.T @ points[indices[:j]]
        left = weights @ (residual**2).sum(axis=1)
        assert gains[:j].sum() == pytest.approx(whole - left, rel=1e-9)
    assert left <= 1e-20 * whole


@quick
@given(seeds, st.integers(1, 5))
def test_starts_again_when_nothing_is_left(seed, rank):
    """Every start explains all again, with rows not chosen before."""
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(4 * rank, rank)) @ rng.normal(size=(rank, 7))
    indices, gains = column_subset(points, 4 * rank)
    np.testing.assert_array_equal(np.sort(indices), np.arange(4 * rank))
    np.testing.assert_allclose(gains.reshape(4, rank).sum(axis=1), (points**2).sum())


def test_gradients_in_single_precision_have_the_rank_of_exact_ones():
    """Logit gradients sum to zero, up to rounding only: the rank is one less than the classes."""
    rng = np.random.default_rng(0)
    probabilities = torch.softmax(torch.from_numpy(4 * rng.normal(size=(300, 6))).float(), dim=1)
    gradients = logit_gradients(probabilities, rng.integers(6, size=300))
    _, gains = column_subset(gradients, 15)
    whole = float(gradients.double().square().sum())
    np.testing.assert_allclose(gains.reshape(3, 5).sum(axis=1), whole, rtol=1e-6)


def test_copies_wait_until_nothing_is_left():
    points = np.repeat(random_points(1, 5, 5), 2, axis=0) * np.array([1.0, 0.3] * 5)[:, None]
    for dtype in (np.float64, np.float32):
        indices, gains = column_subset(points.astype(dtype), 10)
        assert set(indices[:5]) == set(range(0, 10, 2))
        np.testing.assert_array_equal(indices[5:], indices[:5] + 1)
        np.testing.assert_allclose(gains[5:], gains[:5], rtol=1e-5)


def test_rows_of_zeros_and_of_zero_weight_come_last():
    points = random_points(3, 12, 4)
    points[[2, 5, 7]] = 0
    weights = np.ones(12)
    weights[[1, 5, 9]] = 0
    indices, gains = column_subset(points, 12, sample_weight=weights)
    useful = np.array([0, 3, 4, 6, 8, 10, 11])
    expected = column_subset(points[useful], 7)
    np.testing.assert_array_equal(indices, [*useful[expected.indices], 2, 7, 1, 5, 9])
    np.testing.assert_allclose(gains, [*expected.gains, 0, 0, 0, 0, 0])
    few = column_subset(points, 3, sample_weight=weights)
    np.testing.assert_array_equal(few.indices, indices[:3])

    indices, gains = column_subset(np.zeros((4, 2)), 3)
    assert indices.tolist() == [0, 1, 2]
    assert gains.tolist() == [0, 0, 0]


def test_equal_rows_and_one_row():
    indices, gains = column_subset(np.full((6, 3), 0.3), 6)
    np.testing.assert_array_equal(indices, np.arange(6))
    np.testing.assert_allclose(gains, 6 * 3 * 0.09)  # each explains all
    indices, gains = column_subset(np.array([[3.0, -4.0]]), 1)
    assert indices.tolist() == [0]
    assert gains.tolist() == pytest.approx([25])


@quick
@given(seeds, kinds)
def test_smaller_selections_begin_larger_ones(seed, kind):
    points = rows_of_a_kind(kind, seed)
    whole = column_subset(points, len(points))
    for k in range(1, len(points)):
        few = column_subset(points, k)
        np.testing.assert_array_equal(few.indices, whole.indices[:k])
        np.testing.assert_array_equal(few.gains, whole.gains[:k])


@quick
@given(seeds, st.sampled_from([1e-200, 1e-6, 0.7, 1e6, 1e150]))
def test_scaling_all_rows_keeps_the_choice(seed, scale):
    points = random_points(seed, 25)
    plain, scaled = column_subset(points, 25), column_subset(points * scale, 25)
    np.testing.assert_array_equal(scaled.indices, plain.indices)
    np.testing.assert_allclose(scaled.gains, plain.gains * scale * scale, rtol=1e-9)


@quick
@given(seeds)
def test_only_the_direction_of_candidates_counts(seed):
    """A row may be made short, if its weight makes up for it in the objective."""
    points = random_points(seed, 25)
    factors = np.random.default_rng(seed).uniform(1e-3, 1, 25)
    plain = column_subset(points, 25)
    short = column_subset(points * factors[:, None], 25, sample_weight=factors**-2.0)
    np.testing.assert_array_equal(short.indices, plain.indices)
    np.testing.assert_allclose(short.gains, plain.gains, rtol=1e-8)


@quick
@given(seeds)
def test_permuting_rows_permutes_the_choice(seed):
    points = random_points(seed, 30, 5)
    order = np.random.default_rng(seed).permutation(30)
    # Four rows of five: when one direction is left, all rows point there and are equally good.
    plain, permuted = column_subset(points, 4), column_subset(points[order], 4)
    np.testing.assert_array_equal(order[permuted.indices], plain.indices)
    np.testing.assert_allclose(permuted.gains, plain.gains, rtol=1e-8)
    last = column_subset(points, 5).indices[-1]
    assert last == min(set(range(30)) - set(plain.indices))


@quick
@given(seeds)
def test_an_integer_weight_stands_for_copies(seed):
    points = random_points(seed, 15, 5)
    counts = np.random.default_rng(seed).integers(1, 4, 15)
    copies = np.repeat(np.arange(15), counts)
    weighted = column_subset(points, 5, sample_weight=counts)
    copied = column_subset(points[copies], 5)
    np.testing.assert_array_equal(weighted.indices, copies[copied.indices])
    np.testing.assert_allclose(weighted.gains, copied.gains, rtol=1e-9)


@quick
@given(seeds, st.integers(1, 3), st.booleans())
def test_greedy_keeps_its_promise(seed, k, weighted):
    """What the proof of Altschuler et al. says of every step, against the best k rows."""
    points = random_points(seed, 8, 5)
    weights = np.random.default_rng(seed).uniform(0.1, 5, 8) if weighted else np.ones(8)
    whole = weights @ (points**2).sum(axis=1)

    def explained(rows):
        return whole - weights @ (naive_residual(points, rows) ** 2).sum(axis=1)

    best = max(combinations(range(8), k), key=explained)
    unit = points[list(best)] / np.linalg.norm(points[list(best)], axis=1, keepdims=True)
    least = np.linalg.svd(unit, compute_uv=False)[-1] ** 2
    gains = column_subset(points, 5, sample_weight=weights).gains
    for before, gain in zip(np.cumsum(gains) - gains, gains, strict=True):
        gap = max(explained(best) - before, 0)
        assert gain >= least * gap**2 / (4 * k * explained(best)) - 1e-9 * whole
    enough = 16 * k / (0.5 * least)
    assert gains[: int(np.ceil(enough))].sum() >= 0.5 * explained(best)


def test_scores_may_rise():
    """Why there is no lazy evaluation: a row explains more after another than it would alone."""
    points = np.array([[-3.0, -1, 1], [-1, 0, -1], [0, -3, 1], [1, 0, -3]])
    indices, gains = column_subset(points, 2)
    assert indices.tolist() == [0, 1]
    alone = points @ points[1] / np.linalg.norm(points[1])
    assert gains[1] > 1.4 * (alone**2).sum()


@pytest.mark.parametrize("kind", ["near-copies", "one long row"])
def test_numbers_are_computed_anew_before_they_cancel(kind):
    """Else updated denominators, or numerators, would be noise."""
    rng = np.random.default_rng(0)
    if kind == "near-copies":
        points = rng.normal(size=12) + 1e-4 * rng.normal(size=(24, 12)) * 0.5 ** np.arange(12)
    else:
        points = rng.normal(size=(24, 12))
        points[5] *= 1e7
    expected, _ = naive_columns(points, 10)
    np.testing.assert_array_equal(column_subset(points, 10).indices, expected)
    with mock.patch.object(columns_module, "_CANCELLED", 0.0):
        assert column_subset(points, 10).indices.tolist() != expected.tolist()


# ---------------------------------------------------------------------------------------- sketches


def gradients_and_features(seed=0, n=60, d=6, h=30):
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet(np.full(d, 0.3), size=n)
    return logit_gradients(probabilities, rng.integers(d, size=n)), rng.normal(size=(n, h)) + 0.5


def outer_products(gradients, features):
    return np.array([np.outer(g, f).ravel() for g, f in zip(gradients, features, strict=True)])


@pytest.mark.parametrize("sketch_size", [None, 180, 10**6])
def test_short_outer_products_are_not_sketched(sketch_size):
    gradients, features = gradients_and_features()
    found = column_subset(gradients, 60, features=features, sketch_size=sketch_size)
    expected = column_subset(outer_products(gradients, features), 60)
    np.testing.assert_array_equal(found.indices, expected.indices)
    np.testing.assert_allclose(found.gains, expected.gains, rtol=1e-9)


def test_short_gradients_are_not_sketched():
    gradients, _ = gradients_and_features()
    expected = column_subset(gradients, 60)
    for sketch_size in (6, 7):
        found = column_subset(gradients, 60, sketch_size=sketch_size)
        np.testing.assert_array_equal(found.indices, expected.indices)
        np.testing.assert_array_equal(found.gains, expected.gains)


@pytest.mark.parametrize("with_features", [False, True])
def test_inner_products_of_sketches_are_right_in_expectation(with_features):
    gradients, features = gradients_and_features(n=10, d=8, h=8)
    kernel = gradients @ gradients.T
    factors = [torch.from_numpy(gradients)]
    if with_features:
        kernel = kernel * (features @ features.T)
        factors.append(torch.from_numpy(features))
    random = np.random.default_rng(0)
    products = []
    for _ in range(3000):
        sketch, scale = _represent(factors, 7, random)
        assert sketch.shape == (10, 7)
        products.append((sketch @ sketch.T).numpy() * scale**2)
    error = np.std(products, axis=0) / 3000**0.5
    assert (np.abs(np.mean(products, axis=0) - kernel) < 5 * error).all()
    assert error.max() < 0.05 * kernel.max()  # so that a wrong scale would show


@pytest.mark.parametrize("with_features", [False, True])
def test_larger_sketches_choose_nearly_as_well(with_features):
    gradients, features = gradients_and_features(1, n=80, d=10, h=60)
    features *= 0.9 ** np.arange(60)
    if with_features:
        matrix = outer_products(gradients, features)
        rows, keywords = gradients, {"features": features}
    else:
        matrix = features @ np.random.default_rng(0).normal(size=(60, 400))
        rows, keywords = matrix, {}

    def left(indices):
        return (naive_residual(matrix, indices) ** 2).sum() / (matrix**2).sum()

    def left_by_sketches(size):
        found = [
            column_subset(rows, 20, sketch_size=size, random_state=seed, **keywords).indices
            for seed in range(10)
        ]
        return np.mean([left(indices) for indices in found])

    exact = left(column_subset(matrix, 20).indices)
    random = np.random.default_rng(0)
    at_random = np.mean([left(random.choice(80, 20, replace=False)) for _ in range(20)])
    small, large = left_by_sketches(20), left_by_sketches(300)
    assert large < small
    assert large - exact < 0.3 * (at_random - exact)


def test_gains_of_sketches_are_estimates():
    gradients, features = gradients_and_features(2, n=100, d=10, h=100)
    exact = column_subset(gradients, 20, features=features, sketch_size=1000).gains
    for seed in range(5):
        found = column_subset(gradients, 20, features=features, random_state=seed).gains
        assert found.sum() == pytest.approx(exact.sum(), rel=0.2)
        assert found.tolist() != exact.tolist()


def test_sketches_depend_on_random_state_only():
    gradients, features = gradients_and_features(3, n=100, d=10, h=100)

    def choose(random_state):
        return column_subset(
            gradients, 50, features=features, sketch_size=40, random_state=random_state
        ).indices.tolist()

    assert choose(0) == choose(0) == choose(np.random.RandomState(0))
    assert choose(np.random.default_rng(0)) == choose(np.random.default_rng(0))
    assert choose(0) != choose(1)
    generator = np.random.default_rng(0)
    assert choose(generator) != choose(generator)


@pytest.mark.parametrize("random_state", [None, 0])
def test_global_generators_are_left_alone(random_state):
    points = random_points(0, 30, 20)
    np.random.seed(0)  # noqa: NPY002
    before, before_torch = np.random.get_state(), torch.get_rng_state()  # noqa: NPY002
    found = column_subset(points, 10, sketch_size=12, random_state=random_state)
    after = np.random.get_state()  # noqa: NPY002
    np.testing.assert_array_equal(before[1], after[1])
    assert before[2:] == after[2:]
    assert torch.equal(before_torch, torch.get_rng_state())
    # With None no seed decides what is drawn.
    again = column_subset(points, 10, sketch_size=12, random_state=random_state)
    assert (found.gains.tolist() == again.gains.tolist()) == (random_state == 0)


# ------------------------------------------------------------------------------------------ inputs


def test_kinds_of_input():
    points = random_points(0, 20, 4)
    expected = column_subset(points, 20)
    read_only = points.copy()
    read_only.flags.writeable = False
    for same in (torch.from_numpy(points).requires_grad_(), read_only, np.asfortranarray(points)):
        found = column_subset(same, 20)
        np.testing.assert_array_equal(found.indices, expected.indices)
        assert isinstance(found.indices, np.ndarray)
    single = column_subset(points.astype(np.float32), 20)
    np.testing.assert_array_equal(single.indices, expected.indices)
    np.testing.assert_allclose(single.gains, expected.gains, rtol=1e-5)

    tensor = torch.from_numpy(points.copy())
    column_subset(tensor, 20, features=tensor)
    np.testing.assert_array_equal(tensor.numpy(), points)


@pytest.mark.parametrize(
    ("rows", "keywords", "message"),
    [
        (np.ones(4), {}, "gradients must have 2 dimension"),
        (np.ones((4, 0)), {}, r"gradients must not be empty, got shape \(4, 0\)"),
        (np.ones((0, 2)), {}, "gradients must not be empty"),
        (np.array([[1.0], [np.nan]]), {}, "gradients must be finite"),
        (np.full((4, 1), 1e200), {}, "gradients are too large for squares"),
        (np.ones((4, 2)), {"k": 5}, "k must lie between 1 and the number of rows n=4, got k=5"),
        (np.ones((4, 2)), {"k": 0}, "k must lie between 1"),
        (np.ones((4, 2)), {"features": np.ones((3, 2))}, "features must have the 4 rows"),
        (np.ones((4, 2)), {"features": np.full((4, 2), np.inf)}, "features must be finite"),
        (np.ones((4, 2)), {"features": np.ones((4, 0))}, "features must not be empty"),
        (np.ones((4, 2)), {"sketch_size": 0}, "sketch_size must be a positive integer"),
        (np.ones((4, 2)), {"sketch_size": 1.5}, "sketch_size must be a positive integer .* 1.5"),
        (np.ones((4, 2)), {"sample_weight": [1, 1]}, "sample_weight must have shape"),
        (np.ones((4, 2)), {"random_state": "x"}, "random_state must be None"),
    ],
)
def test_errors_are_explained(rows, keywords, message):
    with pytest.raises(ValueError, match=message):
        column_subset(rows, **{"k": 1, **keywords})


def test_k_must_be_an_integer():
    with pytest.raises(TypeError, match="k must be an integer"):
        column_subset(np.ones((4, 2)), 0.5)
