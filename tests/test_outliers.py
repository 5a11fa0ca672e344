"""Medoids with outliers: the rows that medoids cover worst are left out."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from references import random_points, seeds

from noisyfit.selection import euclidean_distances, select_coreset

few = settings(max_examples=25, deadline=None)


def trimmed_total(distances, medoids, n_kept):
    """What is minimised: the distances to medoids, without the largest."""
    return np.sort(distances[:, medoids].min(axis=1))[:n_kept].sum()


@few
@given(seeds, st.integers(1, 10), st.floats(0.01, 0.7), st.sampled_from(["greedy", "k_medoids"]))
def test_those_covered_worst_are_left_out(seed, k, outliers, method):
    points = random_points(seed, 60, 3)
    coreset = select_coreset(points, k=k, outliers=outliers, method=method)
    n_kept = 60 - int(outliers * 60)
    assert len(coreset.indices) == k
    covered = coreset.assignment >= 0
    assert covered.sum() == n_kept == coreset.weights.sum()
    assert covered[coreset.indices].all()
    distances = euclidean_distances(points)
    nearest = distances[:, coreset.indices].min(axis=1)
    assert nearest[covered].max() <= nearest[~covered].min(initial=np.inf) + 1e-9
    assert coreset.total_distance == pytest.approx(nearest[covered].sum(), abs=1e-6)
    # No worse than choosing among all rows and then leaving out the worst.
    once = select_coreset(points, k=k, method=method).indices
    assert coreset.total_distance <= trimmed_total(distances, once, n_kept) + 1e-6


def test_far_rows_do_not_draw_medoids():
    rng = np.random.default_rng(0)
    inliers = np.concatenate([rng.normal(m, 0.1, size=(30, 2)) for m in (0, 3)])
    far = rng.normal(0, 100, size=(6, 2))
    points = np.concatenate([inliers, far])
    plain = select_coreset(points, k=4)
    robust = select_coreset(points, k=4, outliers=0.1)
    assert (plain.indices >= 60).any()
    assert (robust.indices < 60).all()
    np.testing.assert_array_equal(np.flatnonzero(robust.assignment < 0), np.arange(60, 66))


def test_each_group_has_outliers_of_its_own():
    points = random_points(1, 90, 2)
    groups = np.repeat([0, 1, 2], [20, 30, 40])
    coreset = select_coreset(points, fraction=0.25, groups=groups, outliers=0.1)
    np.testing.assert_array_equal(np.bincount(groups[coreset.assignment < 0]), [2, 3, 4])
    np.testing.assert_array_equal(np.bincount(groups[coreset.indices]), [4, 7, 9])


def test_weights_count():
    """A heavy row is worth covering, however far it is; but the number left out is one of rows."""
    points = np.array([[0.0], [1.0], [2.0], [50.0], [100.0]])
    weights = np.array([1.0, 1.0, 1.0, 1.0, 9.0])
    coreset = select_coreset(points, k=2, outliers=0.2, sample_weight=weights)
    np.testing.assert_array_equal(coreset.assignment < 0, [False, False, False, True, False])
    assert coreset.weights.sum() == 12


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"k": 3, "outliers": 1.0}, r"outliers must lie in \[0, 1\), got 1.0"),
        ({"k": 3, "outliers": -0.1}, r"outliers must lie in \[0, 1\), got -0.1"),
        ({"k": 3, "outliers": float("nan")}, "outliers must lie in"),
        ({"method": "all", "outliers": 0.1}, 'method="all" takes every candidate'),
        ({"k": 9, "outliers": 0.2}, "k must lie between 1 and the number of rows n=8"),
    ],
)
def test_errors_say_what_is_wrong(options, message):
    with pytest.raises(ValueError, match=message):
        select_coreset(np.arange(10.0)[:, None], **options)
