"""Exact greedy facility location against brute force, and by its invariants."""

from __future__ import annotations

from contextlib import contextmanager
from itertools import combinations
from unittest import mock

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from references import (
    BUDGETS,
    naive_distances,
    naive_greedy,
    naive_total,
    quick,
    random_points,
    seeds,
)

import noisyfit.selection.greedy as greedy_module
from noisyfit.selection import (
    assign_to_medoids,
    central_medoids,
    distance_bound,
    facility_location,
    greedy_medoids,
    total_distance,
)
from noisyfit.selection.greedy import Group, cover_greedily


@contextmanager
def engine(name):
    """Choose by whole rows alone, by near pairs from the start, or by one and then the other."""
    few, share = {"rows": (0, 0.0), "pairs": (2**18, 1.0), "both": (0, 0.2)}[name]
    with (
        mock.patch.object(greedy_module, "_FEW_PAIRS", few),
        mock.patch.object(greedy_module, "_NEAR_SHARE", share),
    ):
        yield


engines = st.sampled_from(["rows", "pairs", "both"])


@quick
@given(seeds, st.floats(0, 1), st.booleans(), engines, st.sampled_from(BUDGETS))
def test_greedy_is_brute_force_greedy(seed, share, weighted, name, budget):
    points = random_points(seed, np.random.default_rng(seed).integers(2, 100))
    n = len(points)
    k = max(1, round(share * n))
    weights = np.random.default_rng(seed).uniform(0.1, 5, n) if weighted else None
    with engine(name):
        result = greedy_medoids(points, k, sample_weight=weights, memory_budget=budget)
    np.testing.assert_array_equal(result.indices, naive_greedy(points, k, weights))


@quick
@given(seeds, st.integers(1, 60), engines)
def test_ties_cost_nothing(seed, k, name):
    """On a grid, where many gains are equal and many points are copies."""
    points = np.random.default_rng(seed).integers(0, 4, size=(60, 2)).astype(float)
    with engine(name):
        indices, gains = greedy_medoids(points, k)
    reference = naive_total(points, naive_greedy(points, k))
    assert naive_total(points, indices) == pytest.approx(reference, abs=1e-9)
    assert len(set(indices)) == k
    assert (np.diff(gains) <= 1e-9 * gains[0]).all()


@quick
@given(seeds, st.integers(1, 40), st.integers(0, 20), engines)
def test_start_is_kept_and_extended(seed, n_start, n_more, name):
    points = random_points(seed, 60)
    start = np.random.default_rng(seed).permutation(60)[:n_start]
    with engine(name):
        indices, gains = greedy_medoids(points, n_start + n_more, start=start)
    np.testing.assert_array_equal(indices, naive_greedy(points, n_start + n_more, start=start))
    assert gains.sum() == pytest.approx(facility_location(points, indices))


@quick
@given(seeds, st.integers(1, 30), engines)
def test_a_selection_can_be_gone_on_with(seed, k, name):
    points = random_points(seed, 60)
    with engine(name):
        whole = greedy_medoids(points, 40)
        again = greedy_medoids(points, 40, start=whole.indices[:k])
    np.testing.assert_array_equal(again.indices, whole.indices)
    np.testing.assert_allclose(again.gains, whole.gains, atol=1e-9)


def test_start_may_be_a_row_that_does_not_count():
    points = np.array([[0.0], [1.0], [5.0], [6.0]])
    indices, _ = greedy_medoids(points, 2, start=[2], sample_weight=[1, 1, 0, 0])
    np.testing.assert_array_equal(indices, [2, 0])


@quick
@given(seeds, st.floats(0, 1), engines)
def test_stops_where_gains_are_too_small(seed, height, name):
    points = random_points(seed, 60)
    whole = greedy_medoids(points, 60)
    least = float(whole.gains[1] * height**4)
    expected = 1 + np.count_nonzero(whole.gains[1:] >= least)
    with engine(name):
        found = greedy_medoids(points, minimum_gain=least)
        fewer = greedy_medoids(points, 10, minimum_gain=least)
    # Equality with a gain is up to rounding.
    assert abs(len(found.indices) - expected) <= np.isclose(whole.gains, least).sum()
    np.testing.assert_array_equal(found.indices, whole.indices[: len(found.indices)])
    np.testing.assert_array_equal(fewer.indices, found.indices[:10])


def test_k_as_a_share():
    points = random_points(0, 40)
    for share, k in ((0.25, 10), (0.001, 1), (1.0, 40)):
        np.testing.assert_array_equal(
            greedy_medoids(points, share).indices, greedy_medoids(points, k).indices
        )


@quick
@given(seeds, st.integers(1, 4), engines)
def test_groups_finished_together_are_as_if_alone(seed, n_groups, name):
    rng = np.random.default_rng(seed)
    parts = [random_points(seed + g, int(rng.integers(1, 80)), 3) for g in range(n_groups)]
    sizes = [int(rng.integers(1, len(part) + 1)) for part in parts]
    tensors = [torch.from_numpy(part) for part in parts]
    with engine(name):
        found = cover_greedily(
            Group(part, torch.ones(len(part), dtype=part.dtype), k)
            for part, k in zip(tensors, sizes, strict=True)
        )
        for part, k, medoids in zip(parts, sizes, found, strict=True):
            alone = greedy_medoids(part, k)
            np.testing.assert_array_equal(medoids.indices, alone.indices)
            np.testing.assert_allclose(medoids.gains, alone.gains, atol=1e-9)
            assignment, distance = assign_to_medoids(part, medoids.indices)
            np.testing.assert_array_equal(medoids.assignment, assignment)
            np.testing.assert_allclose(medoids.distance, distance, atol=1e-6)


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({}, "give k, or minimum_gain"),
        ({"k": 2.0}, "k=2.0 is a float and so a share"),
        ({"k": 0.0}, "must lie in"),
        ({"k": 5}, "k must lie between 1 and the number of rows n=4"),
        ({"k": 2, "minimum_gain": -1.0}, "minimum_gain must not be negative, got -1"),
        ({"minimum_gain": float("nan")}, "minimum_gain must not be negative, got nan"),
        ({"k": 1, "start": [0, 1]}, "start names 2 rows, more than the k=1"),
        ({"k": 3, "start": [0, 0]}, "start must not name a row twice"),
        ({"k": 3, "start": [4]}, "start must be indices of the 4 rows, got 4 to 4"),
        ({"k": 3, "start": [0.5]}, "start must be a vector of row indices, got dtype float64"),
    ],
)
def test_greedy_explains_errors(keywords, message):
    with pytest.raises(ValueError, match=message):
        greedy_medoids(np.arange(4.0)[:, None], **keywords)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("k", [30, 150])
def test_engines_agree(dtype, k):
    points = random_points(0, 300, 8).astype(dtype)
    kept, free = (greedy_medoids(points, k, memory_budget=budget) for budget in BUDGETS)
    assert total_distance(points, free.indices) == pytest.approx(
        total_distance(points, kept.indices), rel=1e-4 if dtype == np.float32 else 1e-12
    )
    reference = naive_total(points, naive_greedy(points, k))
    assert naive_total(points, kept.indices) == pytest.approx(reference, rel=1e-4)


@quick
@given(seeds, st.sampled_from(BUDGETS))
def test_gains(seed, budget):
    points = random_points(seed)
    n = len(points)
    weights = np.random.default_rng(seed).random(n) + 0.1
    indices, gains = greedy_medoids(points, n, sample_weight=weights, memory_budget=budget)
    assert sorted(indices) == list(range(n))  # no medoid twice
    assert (gains >= 0).all()
    assert (np.diff(gains) <= 1e-9 * gains[0]).all()
    objective = [facility_location(points, indices[: j + 1], weights) for j in range(n)]
    np.testing.assert_allclose(np.cumsum(gains), objective, rtol=1e-9)
    assert objective[-1] == pytest.approx(distance_bound(points, weights) * weights.sum())


@quick
@given(seeds, st.integers(1, 20))
def test_smaller_selections_begin_larger_ones(seed, k):
    points = random_points(seed, 20)
    few, all_ = greedy_medoids(points, k), greedy_medoids(points, 20)
    np.testing.assert_array_equal(few.indices, all_.indices[:k])
    np.testing.assert_allclose(few.gains, all_.gains[:k])


@quick
@given(seeds, st.integers(2, 8), st.data())
def test_greedy_keeps_its_promise(seed, n, data):
    """Nemhauser, Wolsey and Fisher: at least 1 - 1/e of the best objective."""
    points = random_points(seed, n)
    k = data.draw(st.integers(1, n))
    bound = naive_distances(points).max()
    best = max(n * bound - naive_total(points, subset) for subset in combinations(range(n), k))
    found = facility_location(points, greedy_medoids(points, k).indices, bound=bound)
    assert found >= (1 - 1 / np.e) * best - 1e-9


@quick
@given(seeds)
def test_permuting_rows_permutes_the_choice(seed):
    points = random_points(seed, 30)
    weights = np.random.default_rng(seed).uniform(0.5, 2, 30)  # weights leave no ties
    order = np.random.default_rng(seed).permutation(30)
    for select in (lambda *a, **b: greedy_medoids(*a, **b).indices, central_medoids):
        expected = select(points, 8, sample_weight=weights)
        found = select(points[order], 8, sample_weight=weights[order])
        np.testing.assert_array_equal(order[found], expected)


@quick
@given(seeds, st.floats(1e-6, 1e6), st.floats(-100, 100))
def test_scaling_and_moving_the_points_keeps_the_choice(seed, scale, offset):
    points = random_points(seed, 25)
    np.testing.assert_array_equal(
        greedy_medoids(points * scale, 6).indices, greedy_medoids(points, 6).indices
    )
    np.testing.assert_array_equal(
        greedy_medoids(points + offset, 6).indices, greedy_medoids(points, 6).indices
    )


@quick
@given(seeds, st.sampled_from(BUDGETS))
def test_an_integer_weight_stands_for_copies(seed, budget):
    points = random_points(seed, 15)
    counts = np.random.default_rng(seed).integers(1, 4, 15)
    copies = np.repeat(np.arange(15), counts)
    weighted = greedy_medoids(points, 6, sample_weight=counts, memory_budget=budget)
    copied = greedy_medoids(points[copies], 6, memory_budget=budget)
    np.testing.assert_allclose(weighted.gains, copied.gains, rtol=1e-9, atol=1e-9)
    first = central_medoids(points[copies], 1)
    np.testing.assert_array_equal(central_medoids(points, 1, sample_weight=counts), copies[first])


@pytest.mark.parametrize("select", [lambda *a, **b: greedy_medoids(*a, **b)[0], central_medoids])
def test_rows_of_zero_weight_count_for_nothing_and_come_last(select):
    points = random_points(3, 20)
    weights = np.ones(20)
    weights[[2, 5, 11]] = 0
    present = np.flatnonzero(weights)
    expected = present[select(points[present], 17)]
    np.testing.assert_array_equal(select(points, 20, sample_weight=weights), [*expected, 2, 5, 11])
    np.testing.assert_array_equal(select(points, 4, sample_weight=weights), expected[:4])


@pytest.mark.parametrize("budget", BUDGETS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_copies_and_equal_points(dtype, budget):
    equal = np.full((6, 3), 0.3, dtype=dtype)
    indices, gains = greedy_medoids(equal, 6, memory_budget=budget)
    np.testing.assert_array_equal(indices, np.arange(6))
    np.testing.assert_allclose(gains, 0, atol=1e-6)

    pairs = np.repeat(random_points(1, 10, 3), 2, axis=0).astype(dtype)
    indices, gains = greedy_medoids(pairs, 20, memory_budget=budget)
    assert set(indices[:10]) == set(
        range(0, 20, 2)
    )  # one of each, the lower index, before any twice
    np.testing.assert_array_equal(gains[10:], 0)


def test_one_row():
    indices, gains = greedy_medoids(np.array([[5.0, 1.0]]), 1)
    assert indices.tolist() == [0]
    assert gains.tolist() == [0.0]
    assert central_medoids(np.array([[5.0, 1.0]]), 1).tolist() == [0]


def test_float32_reaches_the_objective_of_float64():
    for points in (random_points(0, 400, 16), random_points(0, 400, 16) * [1] + 50):
        double = greedy_medoids(points, 200).indices
        single = greedy_medoids(points.astype(np.float32), 200).indices
        assert naive_total(points, single) == pytest.approx(naive_total(points, double), rel=1e-4)
