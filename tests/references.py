"""Slow, obvious references for the selection functions, and points to try them on."""

from __future__ import annotations

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st

ONE_ROW = 1  # a memory budget in which blocks hold one row, so the matrix-free engine runs
BUDGETS = (2**30, ONE_ROW)

seeds = st.integers(0, 2**31)
quick = settings(deadline=None, max_examples=20)


def random_points(seed, n=None, d=None, clustered=True):
    """Points without ties; n and d random unless given, in clusters of different width."""
    rng = np.random.default_rng(seed)
    n = rng.integers(2, 40) if n is None else n
    d = rng.integers(1, 6) if d is None else d
    centres = 3 * rng.normal(size=(4, d))
    return centres[rng.integers(4, size=n)] * clustered + rng.normal(size=(n, d))


def naive_distances(points, others=None):
    points = np.asarray(points, dtype=np.float64)
    others = points if others is None else np.asarray(others, dtype=np.float64)
    return np.sqrt(((points[:, None] - others[None]) ** 2).sum(axis=2))


def naive_greedy(points, k, weights=None, start=()):
    """Facility location, all gains anew in every step."""
    distances = naive_distances(points)
    weights = np.ones(len(points)) if weights is None else weights
    totals = weights @ distances
    chosen = list(start) or [int(np.flatnonzero(totals <= totals.min() * (1 + 1e-12))[0])]
    scale = None
    while len(chosen) < k:
        nearest = distances[chosen].min(axis=0)
        gains = weights @ np.maximum(nearest[:, None] - distances, 0)
        gains[chosen] = -np.inf
        scale = gains.max() if scale is None else scale
        chosen.append(int(np.flatnonzero(gains >= gains.max() - 1e-12 * scale)[0]))
    return np.array(chosen)


def naive_total(points, medoids, weights=None):
    nearest = naive_distances(points)[list(medoids)].min(axis=0)
    return float(nearest.sum() if weights is None else weights @ nearest)
