"""Swapping medoids: never worse, until no swap helps, against brute force."""

from __future__ import annotations

from unittest import mock

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from references import naive_distances, naive_total, quick, random_points, seeds

import noisyfit.selection.swap as swap_module
from noisyfit.selection import greedy_medoids, swap_medoids

listed = st.sampled_from([0.0, 1.0])  # share of pairs up to which they are listed: never, always


def best_swap(points, medoids, weights):
    """By how much the best of all swaps changes the total distance."""
    distances = naive_distances(points)
    before = weights @ distances[medoids].min(axis=0)
    after = [
        weights @ distances[[*np.delete(medoids, place), row]].min(axis=0)
        for place in range(len(medoids))
        for row in range(len(points))
    ]
    return min(after) - before


@quick
@example(seed=127494, k=1, share=0.0, weighted=True)
@given(seeds, st.integers(1, 12), listed, st.booleans())
def test_no_swap_is_left(seed, k, share, weighted):
    rng = np.random.default_rng(seed)
    points = random_points(seed, 30)
    weights = rng.integers(0, 4, 30) + (np.arange(30) == 0) if weighted else np.ones(30)
    start = rng.permutation(30)[:k]
    with mock.patch.object(swap_module, "_LISTED_SHARE", share):
        result = swap_medoids(points, start, sample_weight=weights)
    assert len(set(result.indices)) == k
    assert result.total_distance == pytest.approx(naive_total(points, result.indices, weights))
    assert result.total_distance <= naive_total(points, start, weights) * (1 + 1e-12)
    assert best_swap(points, result.indices, weights) > -1e-9


@pytest.mark.parametrize("k", [20, 200])
def test_beats_greedy(k):
    points = np.random.default_rng(0).random((400, 2)).astype(np.float32)
    start = greedy_medoids(points, k).indices
    result = swap_medoids(points, start)
    assert result.n_swaps > 0
    # Two per cent at least on this data; a swap module that does nothing stays at 1.
    assert result.total_distance < 0.98 * naive_total(points, start)
    changed = result.indices != start
    assert 0 < changed.sum() <= result.n_swaps  # the others keep their places


def test_the_matrix_need_not_fit():
    points = random_points(0, 200, 3)
    start = np.arange(50)
    kept, free = (swap_medoids(points, start, memory_budget=budget) for budget in (2**30, 2**12))
    assert best_swap(points, free.indices, np.ones(200)) > -1e-9
    assert free.total_distance == pytest.approx(kept.total_distance, rel=0.02)


def test_nothing_to_swap():
    points = random_points(0, 10)
    np.testing.assert_array_equal(swap_medoids(points, np.arange(10)).indices, np.arange(10))
    equal = swap_medoids(np.zeros((5, 2)), [3, 1])
    np.testing.assert_array_equal(equal.indices, [3, 1])
    assert equal.n_swaps == 0


def test_one_medoid_is_the_most_central_point():
    points = random_points(2, 25)
    total = naive_distances(points).sum(axis=0)
    assert swap_medoids(points, [7]).indices == [total.argmin()]


@pytest.mark.parametrize(
    ("medoids", "keywords", "message"),
    [
        ([0, 0], {}, "medoids must not name a row twice"),
        ([4], {}, "medoids must be indices of the 4 rows"),
        ([], {}, "medoids must be a non-empty vector"),
        ([0], {"max_passes": 0}, "max_passes must be at least 1, got 0"),
    ],
)
def test_swap_explains_errors(medoids, keywords, message):
    with pytest.raises(ValueError, match=message):
        swap_medoids(np.arange(4.0)[:, None], np.array(medoids, dtype=int), **keywords)


@quick
@given(seeds, st.booleans())
def test_every_pass_begins_with_the_two_nearest_medoids(seed, ties):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(20, 150))
    points = rng.integers(0, 5, (n, 2)).astype(float) if ties else rng.normal(size=(n, 3))
    medoids = rng.choice(n, int(rng.integers(2, n // 2 + 1)), replace=False)
    distances = naive_distances(points)
    swap_listed = swap_module._swap_listed

    def checked(state):
        expected = np.sort(distances[:, state.medoids], axis=1)[:, :2].T
        np.testing.assert_allclose(state.distance, expected, atol=1e-7)
        return swap_listed(state)

    with (
        mock.patch.object(swap_module, "_LISTED_SHARE", 1.0),
        mock.patch.object(swap_module, "_swap_listed", checked),
    ):
        swap_medoids(points, medoids)


@pytest.mark.parametrize("listed", [True, False])
def test_points_that_coincide_are_not_swapped_for_ever(listed):
    """Rounding can make it seem worthwhile to swap a medoid for its copy, and back again."""
    rng = np.random.RandomState(3)
    points = (rng.randn(14, 3) * (rng.rand(14, 3) < 0.3)).astype(np.float16)
    n_assignments = 0
    assign = swap_module._Assignment.assign

    def counted(state, rows=None):
        nonlocal n_assignments
        n_assignments += 1
        assert n_assignments < 1000, "swapping does not end"
        assign(state, rows)

    share = 1.0 if listed else -1.0
    with (
        mock.patch.object(swap_module._Assignment, "assign", counted),
        mock.patch.object(swap_module, "_LISTED_SHARE", share),
    ):
        result = swap_medoids(points, greedy_medoids(points, 2).indices)
    assert len(set(result.indices)) == 2
