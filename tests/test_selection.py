"""Medoids and coresets against slow, obvious references, and by their invariants."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from references import (
    BUDGETS,
    naive_distances,
    naive_total,
    quick,
    random_points,
    seeds,
)

from noisyfit.selection import (
    SELECTION_METHODS,
    assign_to_medoids,
    central_medoids,
    cluster_weights,
    distance_bound,
    euclidean_distances,
    facility_location,
    feature_gradients,
    gradient_norms,
    greedy_medoids,
    logit_gradients,
    select_coreset,
    total_distance,
)

# Distances


@quick
@given(seeds, st.sampled_from([1, 100, 1000, 2**30]))
def test_distances_are_exact_whatever_the_block(seed, memory_budget):
    points = random_points(seed) + 1e6  # far from the origin, to punish cancellation
    distances = euclidean_distances(points, memory_budget=memory_budget)
    np.testing.assert_allclose(distances, naive_distances(points), rtol=1e-7, atol=1e-9)
    assert (np.diag(distances) == 0).all()


@quick
@given(seeds)
def test_distances_between_two_sets(seed):
    points, others = random_points(seed, 7, 3), random_points(seed + 1, 5, 3)
    for budget in BUDGETS:
        distances = euclidean_distances(points, others, memory_budget=budget)
        np.testing.assert_allclose(distances, naive_distances(points, others), atol=1e-9)


@pytest.mark.parametrize("offset", [0.0, 1.0, 1000.0])
def test_near_points_keep_their_distance_in_float32(offset):
    # Two tight clusters, as of a confident network: float32 norms alone would lose all digits.
    rng = np.random.default_rng(0)
    centre = np.repeat([[0.0], [1.0]], 20, axis=0)
    points = (offset + centre + 1e-3 * rng.normal(size=(40, 8))).astype(np.float32)
    distances = euclidean_distances(points)
    assert distances.dtype == np.float32
    np.testing.assert_allclose(distances, naive_distances(points), rtol=1e-3)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_copies_are_at_distance_zero(dtype):
    points = np.repeat(random_points(0, 30, 7), 2, axis=0).astype(dtype)
    distances = euclidean_distances(points)
    same = np.arange(60)[:, None] // 2 == np.arange(60) // 2
    np.testing.assert_array_equal(distances == 0, same)


def test_too_large_for_squares():
    with pytest.raises(ValueError, match="too large"):
        euclidean_distances(np.array([[1e30], [-1e30]], dtype=np.float32))


# The objective


@quick
@given(seeds, st.integers(1, 8), st.sampled_from(BUDGETS))
def test_assignment_is_to_the_nearest_medoid(seed, k, budget):
    points = random_points(seed, 20)
    medoids = np.random.default_rng(seed).choice(20, k, replace=False)
    assignment, distance = assign_to_medoids(points, medoids, memory_budget=budget)
    expected = naive_distances(points, points[medoids])
    np.testing.assert_array_equal(assignment, expected.argmin(axis=1))
    np.testing.assert_allclose(distance, expected.min(axis=1), atol=1e-9)
    np.testing.assert_array_equal(assignment[medoids], np.arange(k))
    np.testing.assert_array_equal(
        cluster_weights(assignment, k), np.bincount(assignment, minlength=k)
    )


def test_ties_go_to_the_lowest_position_and_copies_to_the_first():
    points = np.array([[0.0], [2.0], [1.0], [2.0]])
    assignment, distance = assign_to_medoids(points, [3, 1, 0])
    np.testing.assert_array_equal(assignment, [2, 0, 0, 0])
    np.testing.assert_array_equal(distance, [0, 0, 1, 0])


def test_medoids_too_near_to_tell_apart_keep_their_places():
    points = np.array([[3.0], [3.0 + 1e-12], [0.0], [1.0]])
    assignment, _ = assign_to_medoids(points, [1, 0])
    np.testing.assert_array_equal(assignment[[1, 0]], [0, 1])


@quick
@given(seeds)
def test_facility_location_by_its_definition(seed):
    points = random_points(seed, 12)
    weights = np.random.default_rng(seed).random(12)
    medoids = [3, 7, 1]
    total = naive_total(points, medoids, weights)
    assert total_distance(points, medoids, weights) == pytest.approx(total)
    assert facility_location(points, medoids, weights, bound=50.0) == pytest.approx(
        50 * weights.sum() - total
    )
    assert distance_bound(points, weights) >= naive_distances(points).max()


def test_zero_weight_does_not_count_for_the_bound():
    points = np.array([[0.0], [4.0], [1000.0]])
    assert distance_bound(points, [1, 1, 0]) == pytest.approx(4)


def test_cluster_weights_add_sample_weights_and_skip_unassigned_rows():
    weights = cluster_weights([0, 2, 0, -1], 4, sample_weight=[1, 2, 3, 100])
    np.testing.assert_array_equal(weights, [4, 0, 2, 0])
    assert weights.dtype == np.float64


# Central


@quick
@given(seeds, st.sampled_from(BUDGETS))
def test_central_takes_the_smallest_sums(seed, budget):
    points = random_points(seed, 25, 3)
    weights = np.random.default_rng(seed).random(25)
    expected = np.argsort(naive_distances(points) @ weights)[:9]
    found = central_medoids(points, 9, sample_weight=weights, memory_budget=budget)
    np.testing.assert_array_equal(found, expected)


def test_central_breaks_ties_by_index():
    # On a line every point between the two in the middle has the same sum, up to rounding.
    points = np.array([[0.3], [-7.1], [0.1], [9.7], [0.2], [0.25]])
    np.testing.assert_array_equal(central_medoids(points, 2), [4, 5])
    np.testing.assert_array_equal(central_medoids(points[::-1].copy(), 2), [0, 1])


def test_central_does_not_cover_and_greedy_does():
    rng = np.random.default_rng(0)
    points = np.concatenate(
        [rng.normal(0, 0.1, (20, 2)), rng.normal(5, 0.1, (15, 2)), [[50.0, 50.0]]]
    )
    greedy, central = greedy_medoids(points, 3).indices, central_medoids(points, 3)
    assert 35 in greedy  # the outlier, for its own cluster
    assert (central < 20).all()  # all in the larger cluster
    assert total_distance(points, central) > 10 * total_distance(points, greedy)


# Proxies


def test_logit_gradients_are_those_of_autograd():
    logits = torch.randn(9, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    features = torch.randn(9, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    labels = torch.arange(9) % 4
    logits.requires_grad_()
    torch.nn.functional.cross_entropy(logits, labels, reduction="sum").backward()
    probabilities = logits.softmax(dim=1).detach()
    torch.testing.assert_close(logit_gradients(probabilities, labels), logits.grad)

    layer = torch.nn.Linear(3, 4).double()
    features.requires_grad_()
    outputs = layer(features)
    torch.nn.functional.cross_entropy(outputs, labels, reduction="sum").backward()
    found = feature_gradients(outputs.softmax(dim=1).detach(), labels, layer.weight)
    torch.testing.assert_close(found, features.grad)
    torch.testing.assert_close(gradient_norms(found), features.grad.norm(dim=1))


def test_proxies_return_what_they_were_given():
    probabilities = np.full((2, 4), 0.25, dtype=np.float32)
    before = probabilities.copy()
    gradients = logit_gradients(probabilities, [0, 3])
    assert isinstance(gradients, np.ndarray)
    assert gradients.dtype == np.float32
    np.testing.assert_array_equal(probabilities, before)
    assert isinstance(logit_gradients(torch.tensor(probabilities), [0, 3]), torch.Tensor)
    assert feature_gradients(probabilities, [0, 3], np.ones((4, 2))).dtype == np.float32


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: logit_gradients(np.array([[2.0, 1.0]]), [0]), "softmax"),
        (lambda: logit_gradients(np.array([[1.5, -0.5]]), [0]), "softmax"),
        (lambda: logit_gradients(np.eye(2), [0]), "labels must have shape"),
        (lambda: logit_gradients(np.eye(2), [0, 2]), "below the number of columns 2"),
        (lambda: logit_gradients(np.eye(2), [0, -1]), "labels must not be negative"),
        (lambda: logit_gradients(np.eye(2), ["a", "b"]), "integer codes"),
        (lambda: feature_gradients(np.eye(2), [0, 1], np.eye(3)), "one row per class"),
    ],
)
def test_proxies_explain_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# Input


@pytest.mark.parametrize(
    "convert",
    [
        torch.tensor,
        lambda x: torch.tensor(x).requires_grad_(),
        lambda x: x.astype(np.float32),
        lambda x: x.astype(">f8"),
        lambda x: np.asfortranarray(x)[:, ::-1],
        lambda x: torch.tensor(x).bfloat16(),
        lambda x: (1000 * x).astype(np.int64),
        list,
    ],
)
def test_input_kinds(convert):
    points = random_points(5, 12, 3).round(2)
    expected = greedy_medoids(points, 3).indices
    assert greedy_medoids(convert(points), 3).indices.tolist() == expected.tolist()


@pytest.mark.filterwarnings("error")
def test_read_only_input():
    points = random_points(5, 12, 3)
    points.flags.writeable = False
    select_coreset(points, k=3)


def test_input_is_left_alone():
    points = torch.tensor(random_points(5, 12, 3))
    before = points.clone()
    select_coreset(points, k=3, groups=np.arange(12) % 2)
    euclidean_distances(points, points)
    assert torch.equal(points, before)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("budget", BUDGETS)
def test_gpu_gives_the_same(budget):
    points = random_points(0, 200, 8)
    expected = greedy_medoids(points, 80).indices
    on_gpu = greedy_medoids(torch.tensor(points, device="cuda"), 80, memory_budget=budget)
    np.testing.assert_array_equal(on_gpu.indices, expected)
    groups = np.arange(200) % 3
    for method in SELECTION_METHODS:
        size = {} if method == "all" else {"fraction": 0.3}
        a = select_coreset(points, method=method, groups=groups, random_state=0, **size)
        b = select_coreset(
            torch.tensor(points, device="cuda"),
            method=method,
            groups=torch.tensor(groups, device="cuda"),
            random_state=0,
            **size,
        )
        np.testing.assert_array_equal(a.indices, b.indices)
        np.testing.assert_array_equal(a.assignment, b.assignment)


GOOD = np.arange(8.0).reshape(4, 2)


@pytest.mark.parametrize("select", [greedy_medoids, central_medoids])
@pytest.mark.parametrize(
    ("points", "k", "keywords", "message"),
    [
        (np.array([[np.nan], [1.0]]), 1, {}, "points must be finite"),
        (np.array([[np.inf], [1.0]]), 1, {}, "points must be finite"),
        (np.arange(3.0), 1, {}, "2 dimension"),
        (np.empty((0, 2)), 1, {}, "must not be empty"),
        (np.empty((2, 0)), 1, {}, "must not be empty"),
        (np.array([["a"]]), 1, {}, "numeric"),
        (GOOD * 1j, 1, {}, "numeric"),
        (GOOD, 0, {}, "k must lie between 1 .* k=0"),
        (GOOD, 5, {}, "n=4, got k=5"),
        (GOOD, 1, {"sample_weight": [1, 1]}, r"shape \(4,\), got \(2,\)"),
        (GOOD, 1, {"sample_weight": [1, 1, 1, -1]}, "must not be negative"),
        (GOOD, 1, {"sample_weight": [0, 0, 0, 0]}, "zero everywhere"),
        (GOOD, 1, {"sample_weight": [1, 1, 1, np.nan]}, "sample_weight must be finite"),
        (GOOD, 1, {"memory_budget": 0}, "memory_budget must be a positive"),
    ],
)
def test_selectors_explain_errors(select, points, k, keywords, message):
    with pytest.raises(ValueError, match=message):
        select(points, k, **keywords)


@pytest.mark.parametrize("k", [True, "2"])
def test_k_must_be_an_integer(k):
    with pytest.raises(TypeError, match="k must be an integer"):
        greedy_medoids(GOOD, k)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: assign_to_medoids(GOOD, []), "non-empty"),
        (lambda: assign_to_medoids(GOOD, [0.5]), "row indices"),
        (lambda: assign_to_medoids(GOOD, [4]), "indices of the 4 rows"),
        (lambda: assign_to_medoids(GOOD, [-1]), "indices of the 4 rows"),
        (lambda: cluster_weights([0, 2], 2), "between -1"),
        (lambda: cluster_weights([0, -2], 2), "between -1"),
        (lambda: cluster_weights([0.0], 2), "assignment must be integers"),
        (lambda: euclidean_distances(GOOD, np.ones((2, 3))), "2 columns of points, got 3"),
    ],
)
def test_objective_explains_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# Coresets


@quick
@given(
    seeds,
    st.sampled_from(["greedy", "k_medoids", "stochastic", "central", "columns", "random"]),
    st.sampled_from([{"k": 12}, {"fraction": 0.3}, {"fraction": 1.0}]),
)
def test_coreset_represents_its_candidates_group_by_group(seed, method, size):
    rng = np.random.default_rng(seed)
    points = random_points(seed, 40, 3)
    groups = rng.choice([0, 2, 5], 40)
    candidates = rng.random(40) < 0.8
    weights = rng.integers(0, 3, 40).astype(float)
    coreset = select_coreset(
        points,
        method=method,
        groups=groups,
        candidates=candidates,
        sample_weight=weights,
        random_state=seed,
        **size,
    )
    allowed = candidates & (weights > 0)
    np.testing.assert_array_equal(coreset.assignment >= 0, allowed)
    assert len(set(coreset.indices)) == len(coreset.indices)
    assert allowed[coreset.indices].all()
    assert (np.diff(groups[coreset.indices]) >= 0).all()
    total = 0.0
    for group in np.unique(groups[allowed]):
        rows = np.flatnonzero(allowed & (groups == group))
        own = groups[coreset.indices] == group
        assert coreset.weights[own].sum() == weights[rows].sum()
        nearest = naive_distances(points[rows], points[coreset.indices[own]])
        expected = np.flatnonzero(own)[nearest.argmin(axis=1)]
        np.testing.assert_array_equal(coreset.assignment[rows], expected)
        total += weights[rows] @ nearest.min(axis=1)
        if "fraction" in size:
            assert own.sum() == max(1, round(size["fraction"] * len(rows)))
    if "k" in size:
        assert len(coreset.indices) == 12
    assert coreset.total_distance == pytest.approx(total, abs=1e-9)
    np.testing.assert_allclose(
        coreset.weights,
        [weights[coreset.assignment == j].sum() for j in range(len(coreset.indices))],
    )


def test_coreset_of_a_group_is_the_selection_in_it():
    points = random_points(0, 30, 3)
    groups = np.arange(30) % 2
    for method, select in (
        ("greedy", lambda x: greedy_medoids(x, 5).indices),
        ("central", lambda x: central_medoids(x, 5)),
    ):
        coreset = select_coreset(points, k=10, groups=groups, method=method)
        expected = [2 * select(points[::2]), 2 * select(points[1::2]) + 1]
        np.testing.assert_array_equal(coreset.indices, np.concatenate(expected))
    gains = select_coreset(points, k=10, groups=groups).gains
    np.testing.assert_allclose(gains[:5], greedy_medoids(points[::2], 5).gains)
    assert select_coreset(points, k=10, method="central").gains is None


def test_every_candidate():
    points = np.zeros((5, 2))
    coreset = select_coreset(
        points,
        method="all",
        groups=[1, 0, 1, 0, 0],
        candidates=np.array([True, True, True, False, True]),
        sample_weight=[1, 2, 3, 4, 0],
    )
    np.testing.assert_array_equal(coreset.indices, [1, 0, 2])
    np.testing.assert_array_equal(coreset.weights, [2, 1, 3])
    np.testing.assert_array_equal(coreset.assignment, [1, 0, 2, -1, -1])
    assert coreset.gains is None
    assert coreset.total_distance == 0


@pytest.mark.parametrize(
    ("counts", "k", "expected"),
    [
        ([50, 30, 20], 10, [5, 3, 2]),
        ([5, 3, 1], 4, [2, 1, 1]),
        ([97, 1, 1, 1], 5, [2, 1, 1, 1]),
        ([60, 60, 1, 1, 1], 8, [3, 2, 1, 1, 1]),
        ([1, 1, 1], 3, [1, 1, 1]),
        ([4, 4], 3, [2, 1]),
    ],
)
def test_k_is_shared_by_largest_remainders(counts, k, expected):
    groups = np.repeat(np.arange(len(counts)), counts)
    coreset = select_coreset(
        np.arange(len(groups))[:, None], k=k, groups=groups, method="random", random_state=0
    )
    np.testing.assert_array_equal(np.bincount(groups[coreset.indices]), expected)


@quick
@given(st.lists(st.integers(1, 30), min_size=1, max_size=6), st.data())
def test_shares_of_k_fit(counts, data):
    k = data.draw(st.integers(len(counts), sum(counts)))
    groups = np.repeat(np.arange(len(counts)), counts)
    coreset = select_coreset(
        np.arange(len(groups))[:, None], k=k, groups=groups, method="random", random_state=0
    )
    sizes = np.bincount(groups[coreset.indices], minlength=len(counts))
    assert sizes.sum() == k
    assert (sizes >= 1).all()
    exact = k * np.array(counts) / sum(counts)
    if (exact >= 1).all():
        assert (abs(sizes - exact) < 1).all()


def test_randomness_is_the_callers():
    points = random_points(0, 30, 2)

    def choose(random_state):
        return select_coreset(points, k=5, method="random", random_state=random_state).indices

    before = np.random.get_state()[1].copy()  # noqa: NPY002 - to see that it is left alone
    np.testing.assert_array_equal(choose(1), choose(1))
    assert set(choose(1)) != set(choose(2))
    np.testing.assert_array_equal(
        choose(np.random.default_rng(3)), choose(np.random.default_rng(3))
    )
    generator = np.random.RandomState(3)
    assert set(choose(generator)) != set(choose(generator))
    np.testing.assert_array_equal(before, np.random.get_state()[1])  # noqa: NPY002


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({}, "exactly one of k and fraction"),
        ({"k": 2, "fraction": 0.5}, "exactly one of k and fraction"),
        ({"k": 2, "method": "all"}, "leave out k=2"),
        ({"fraction": 0.5, "method": "all"}, "fraction=0.5"),
        ({"k": 0}, "got k=0"),
        ({"k": 5}, "n=4, got k=5"),
        ({"k": 3, "candidates": np.array([True, True, False, False])}, "n=2, got k=3"),
        ({"k": 1, "groups": [0, 1, 1, 1]}, "non-empty groups, 2"),
        ({"fraction": 0.0}, r"fraction must lie in \(0, 1\]"),
        ({"fraction": 1.1}, r"fraction must lie in \(0, 1\]"),
        ({"fraction": float("nan")}, r"fraction must lie in \(0, 1\]"),
        ({"k": 1, "method": "lazy"}, "method must be one of .*'greedy'.* got 'lazy'"),
        ({"k": 1, "groups": [0, 1]}, r"groups must have shape \(4,\)"),
        ({"k": 1, "groups": [0, 1, 1, -1]}, "groups must not be negative"),
        ({"k": 1, "groups": [0.0, 1, 1, 0]}, "integer codes"),
        ({"k": 1, "candidates": [1, 1, 0, 0]}, "boolean mask"),
        ({"k": 1, "candidates": np.zeros(4, dtype=bool)}, "at least one row"),
        ({"k": 1, "sample_weight": [0, 0, 0, 0]}, "zero everywhere"),
        ({"k": 1, "sample_weight": [0, 0, 0, -1]}, "negative"),
    ],
)
def test_select_coreset_explains_errors(keywords, message):
    with pytest.raises(ValueError, match=message):
        select_coreset(GOOD, **keywords)
