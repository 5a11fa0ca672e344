"""Stochastic greedy selection: exact where the sample is everything, otherwise near it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from references import naive_greedy, naive_total, quick, random_points, seeds

from noisyfit.selection import facility_location, stochastic_medoids


@quick
@given(seeds, st.integers(1, 30), st.floats(0.01, 0.9))
def test_chooses_k_and_tells_gains(seed, k, epsilon):
    points = random_points(seed, 30)
    indices, gains = stochastic_medoids(points, k, epsilon=epsilon, random_state=seed)
    assert len(set(indices)) == k
    assert (gains >= 0).all()
    assert gains.sum() == pytest.approx(facility_location(points, indices))


@quick
@given(seeds, st.integers(1, 30))
def test_samples_of_everything_are_greedy(seed, k):
    points = random_points(seed, 30, 3)  # on a line, totals are often equal
    indices, _ = stochastic_medoids(points, k, epsilon=np.exp(-k), random_state=seed)
    assert naive_total(points, indices) == pytest.approx(
        naive_total(points, naive_greedy(points, k)), abs=1e-9
    )


@quick
@given(seeds, st.sampled_from([5, 20]))
def test_never_worse_than_random(seed, k):
    points = random_points(seed, 100, 3)
    rng = np.random.default_rng(seed)
    random = [naive_total(points, rng.permutation(100)[:k]) for _ in range(5)]
    indices, _ = stochastic_medoids(points, k, random_state=seed)
    assert naive_total(points, indices) < np.mean(random)


def test_smaller_epsilon_comes_nearer_to_greedy():
    points = random_points(0, 300, 5)
    totals = [
        np.mean(
            [
                naive_total(points, stochastic_medoids(points, 30, epsilon=e, random_state=s)[0])
                for s in range(5)
            ]
        )
        for e in (0.9, 0.3, 0.01)
    ]
    assert totals[0] > totals[1] > totals[2]


def test_randomness_is_the_callers():
    points = random_points(0, 50)
    before = np.random.get_state()[1].copy()  # noqa: NPY002 - to see that it is left alone
    first, again = (stochastic_medoids(points, 10, random_state=3)[0] for _ in range(2))
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


def test_rows_of_zero_weight_come_last():
    indices, gains = stochastic_medoids(
        random_points(0, 6), 6, sample_weight=[1, 0, 1, 1, 0, 1], random_state=0
    )
    assert set(indices[:4]) == {0, 2, 3, 5}
    np.testing.assert_array_equal(indices[4:], [1, 4])
    np.testing.assert_array_equal(gains[4:], 0)


@pytest.mark.parametrize("epsilon", [0.0, 1.0, float("nan")])
def test_epsilon_is_checked(epsilon):
    with pytest.raises(ValueError, match="epsilon must lie between 0 and 1"):
        stochastic_medoids(np.eye(3), 1, epsilon=epsilon)
