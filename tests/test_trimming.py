"""Trimming by norm against a slow reference, and a weight against copies."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from noisyfit.selection import keep_smallest

quick = settings(deadline=None, max_examples=50)


def naive_keep(norms, shares, groups, minimum):
    """Unweighted: sort each group, count, add the ties."""
    kept = np.zeros(len(norms), dtype=bool)
    for group in set(groups):
        rows = [i for i in range(len(norms)) if groups[i] == group]
        count = max(min(minimum, len(rows)), round(shares[group] * len(rows)))
        if count:
            cut = sorted(norms[i] for i in rows)[count - 1]
            for i in rows:
                kept[i] = norms[i] <= cut
    return kept


@st.composite
def rows(draw):
    """Norms (many of them tied), group codes, shares and a minimum."""
    norms = draw(st.lists(st.integers(0, 6) | st.floats(0, 6), min_size=1, max_size=30))
    groups = draw(st.lists(st.integers(0, 3), min_size=len(norms), max_size=len(norms)))
    shares = draw(st.lists(st.floats(0, 1), min_size=4, max_size=4))
    return np.array(norms, dtype=float), np.array(groups), np.array(shares), draw(st.integers(0, 6))


@quick
@given(rows())
def test_keeps_what_the_reference_keeps(case):
    norms, groups, shares, minimum = case
    kept = keep_smallest(norms, shares, groups, minimum=minimum)
    assert kept.dtype == bool
    np.testing.assert_array_equal(kept, naive_keep(norms, shares, groups, minimum))


@quick
@given(rows(), st.data())
def test_an_integer_weight_is_that_many_copies(case, data):
    norms, groups, shares, minimum = case
    n = len(norms)
    counts = np.array(data.draw(st.lists(st.integers(0, 4), min_size=n, max_size=n)))
    if not counts.any():
        counts[0] = 1
    copies = np.repeat(np.arange(n), counts)
    weighted = keep_smallest(norms, shares, groups, sample_weight=counts, minimum=minimum)
    copied = keep_smallest(norms[copies], shares, groups[copies], minimum=minimum)
    np.testing.assert_array_equal(weighted[copies], copied)
    assert not weighted[counts == 0].any()


@quick
@given(rows(), st.data())
def test_fractional_weights_keep_the_lightest_prefix_that_reaches_the_target(case, data):
    norms, _, shares, minimum = case
    n = len(norms)
    weights = np.array(data.draw(st.lists(st.floats(0.01, 3), min_size=n, max_size=n)))
    share = float(shares[0])
    kept = keep_smallest(norms, share, sample_weight=weights, minimum=minimum)
    target = min(weights.sum(), max(minimum, np.rint(share * weights.sum())))
    assert weights[kept].sum() >= target * (1 - 1e-9)
    if kept.any():
        below = norms < norms[kept].max()  # without the last value and its ties it is too little
        assert weights[below].sum() < target
        assert norms[kept].max() < norms[~kept].min(initial=np.inf)


@pytest.mark.parametrize(
    ("share", "minimum", "expected"),
    [
        (0.5, 4, 5),
        (0.0, 4, 4),
        (0.0, 0, 0),
        (1.0, 4, 10),
        (0.26, 0, 3),
        (0.0, 99, 10),
        (0.04, 0, 0),
    ],
)
def test_number_kept(share, minimum, expected):
    norms = np.random.default_rng(0).permutation(10)
    kept = keep_smallest(norms, share, minimum=minimum)
    np.testing.assert_array_equal(kept, norms < expected)


def test_one_share_per_group_and_groups_without_rows():
    norms = np.arange(12.0)
    groups = np.repeat([0, 2], 6)
    kept = keep_smallest(norms, [0.5, 0.1, 1.0], groups, minimum=1)
    np.testing.assert_array_equal(np.flatnonzero(kept), [0, 1, 2, 6, 7, 8, 9, 10, 11])


def test_many_groups_and_tensors():
    # Codes beyond 16 bits take another path.
    groups = np.array([70_000, 3, 70_000, 3])
    norms = torch.tensor([1.0, 2.0, 3.0, 4.0])
    kept = keep_smallest(norms, 0.5, torch.tensor(groups), minimum=1)
    np.testing.assert_array_equal(kept, [True, True, False, False])


def test_permuting_rows_permutes_the_mask():
    rng = np.random.default_rng(0)
    norms, groups, weights = rng.random(50).round(1), rng.integers(3, size=50), rng.random(50)
    order = rng.permutation(50)
    kept = keep_smallest(norms, 0.4, groups, sample_weight=weights)
    again = keep_smallest(norms[order], 0.4, groups[order], sample_weight=weights[order])
    np.testing.assert_array_equal(kept[order], again)


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"norms": np.ones((2, 2))}, "1 dimension"),
        ({"norms": np.array([])}, "must not be empty"),
        ({"norms": np.array([1.0, np.nan])}, "norms must be finite"),
        ({"share": 1.5}, r"share must lie in \[0, 1\]"),
        ({"share": -0.1}, r"share must lie in \[0, 1\]"),
        ({"share": np.nan}, r"share must lie in \[0, 1\]"),
        ({"share": [0.5]}, "each of the 2 group codes"),
        ({"share": [[0.5, 0.5]]}, "each of the 2 group codes"),
        ({"groups": [0]}, r"groups must have shape \(2,\)"),
        ({"groups": [0, -1]}, "groups must not be negative"),
        ({"groups": [0.0, 1.0]}, "integer codes"),
        ({"minimum": -1}, "minimum must not be negative"),
        ({"sample_weight": [1.0, -1.0]}, "sample_weight must not be negative"),
        ({"sample_weight": [0.0, 0.0]}, "zero everywhere"),
        ({"sample_weight": [1.0]}, r"sample_weight must have shape \(2,\)"),
    ],
)
def test_explains_errors(keywords, message):
    good = {"norms": np.array([1.0, 2.0]), "share": [0.5, 0.5], "groups": [0, 1]}
    with pytest.raises(ValueError, match=message):
        keep_smallest(**(good | keywords))
