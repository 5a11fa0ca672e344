"""Properties of the functions that choose rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from fuzz.arrays import Features, features
from fuzz.checks import check_by_design, check_indices, nothing_changed
from fuzz.estimators import FITTED, REFUSED
from fuzz.labels import Weights, weights
from fuzz.mixtures import maybe, one_odd
from hypothesis import strategies as st

from noisyfit.selection import (
    SELECTION_METHODS,
    assign_to_medoids,
    central_medoids,
    column_subset,
    euclidean_distances,
    gradient_norms,
    greedy_medoids,
    keep_smallest,
    logit_gradients,
    partitioned_medoids,
    select_coreset,
    stochastic_medoids,
    swap_medoids,
    total_distance,
)

SIZES = [0, -1, 100, 1.5, "a", None, True]
SHARES = [1, 0, -0.5, 1.1, "a", np.nan, None]
MASKS = {
    "half": lambda n: np.arange(n) % 2 == 0,
    "tensor": lambda n: torch.arange(n) > 0,
}
NO_MASKS = {
    "none": lambda n: np.zeros(n, bool),
    "short": lambda n: np.ones(max(n - 1, 0), bool),
    "numbers": lambda n: np.ones(n),
}
GROUPS = {
    "two": lambda n: np.arange(n) % 2,
    "tensor": lambda n: torch.arange(n) // 3,
    "far apart": lambda n: np.arange(n) % 2 * 10**6,
}
NO_GROUPS = {
    "one each": lambda n: np.arange(n),
    "negative": lambda n: np.arange(n) - 1,
    "fractions": lambda n: np.arange(n) / 2,
    "strings": lambda n: ["a"] * n,
    "column": lambda n: np.zeros((n, 1), int),
    "huge": lambda n: np.full(n, 2**62),
}


def built(table: dict[str, Any], name: str | None, n_rows: int) -> Any:
    return None if name is None else table[name](n_rows)


CORESETS = one_odd(
    {
        "points": features(odd=False),
        "method": SELECTION_METHODS,
        "size": [{"fraction": 0.5}, {"fraction": 0.1}, {"k": 2}, {"k": np.int64(3)}],
        "groups": maybe(GROUPS),
        "candidates": maybe(MASKS),
        "outliers": [0.0, 0.0, 0.3, 0.9],
        "weights": weights(16, odd=False),
        "random_state": [0, 7],
    },
    {
        "points": features(odd=True),
        "method": ["x", None],
        "size": [{"k": k} for k in SIZES]
        + [{"fraction": share} for share in SHARES]
        + [{"k": 2, "fraction": 0.5}, {}],
        "groups": NO_GROUPS,
        "candidates": NO_MASKS,
        "outliers": [1.0, -0.1, "a", np.nan, None],
        "weights": weights(16, odd=True),
        "random_state": ["a", -1, 1.5],
    },
)


def check_select_coreset(case: dict[str, Any]) -> str:
    points, method, size = case["points"].build(), case["method"], case["size"]
    n_rows = case["points"].n_rows
    weight = Weights(n_rows, case["weights"].kind).build()
    groups = built(GROUPS | NO_GROUPS, case["groups"], n_rows)
    candidates = built(MASKS | NO_MASKS, case["candidates"], n_rows)
    if method == "all" and "a" not in size.values():
        size, case["outliers"] = {}, 0.0
    with nothing_changed(points, weight, groups, candidates):
        try:
            coreset = select_coreset(
                points,
                method=method,
                groups=groups,
                candidates=candidates,
                outliers=case["outliers"],
                sample_weight=weight,
                random_state=case["random_state"],
                **size,
            )
        except Exception as error:
            check_by_design(error)
            return REFUSED
    check_indices(coreset.indices, n_rows)
    n_medoids = len(coreset.indices)
    assert 1 <= n_medoids <= n_rows
    assert coreset.assignment.shape == (n_rows,)
    assert set(coreset.assignment.tolist()) <= set(range(-1, n_medoids))
    assert coreset.weights.shape == (n_medoids,)
    assert (coreset.weights >= 0).all()
    own = np.ones(n_rows) if weight is None else np.asarray(weight, dtype=float)
    totals = own[coreset.assignment >= 0].sum()
    np.testing.assert_allclose(coreset.weights.sum(), totals, rtol=1e-9)
    assert coreset.total_distance >= 0
    assert coreset.gains is None or np.isfinite(coreset.gains).all()
    return FITTED


MEDOID_FUNCTIONS = {
    "greedy": greedy_medoids,
    "stochastic": stochastic_medoids,
    "partitioned": partitioned_medoids,
    "central": central_medoids,
    "columns": column_subset,
}
MEDOIDS = one_odd(
    {
        "function": sorted(MEDOID_FUNCTIONS),
        "points": features(odd=False),
        "k": [1, 2, 3, np.int32(1)],
        "weights": weights(16, odd=False),
    },
    {
        "points": features(odd=True),
        "k": [0.5, 0.1, *SIZES, *SHARES],
        "weights": weights(16, odd=True),
    },
)
RANDOM = (stochastic_medoids, partitioned_medoids, column_subset)


def check_medoid_functions(case: dict[str, Any]) -> str:
    points, n_rows = case["points"].build(), case["points"].n_rows
    weight = Weights(n_rows, case["weights"].kind).build()
    with nothing_changed(points, weight):
        try:
            function = MEDOID_FUNCTIONS[case["function"]]
            seed = {"random_state": 0} if function in RANDOM else {}
            found = function(points, case["k"], sample_weight=weight, **seed)
        except Exception as error:
            check_by_design(error)
            return REFUSED
        indices = found if isinstance(found, np.ndarray) else found.indices
        check_indices(indices, n_rows)
        assert len(indices) >= 1
        position, distance = assign_to_medoids(points, indices)
        assert position.shape == distance.shape == (n_rows,)
        assert (distance >= 0).all()
        swapped = swap_medoids(points, indices, sample_weight=weight)
        check_indices(swapped.indices, n_rows)
        before = total_distance(points, indices, weight)
        after = total_distance(points, swapped.indices, weight)
        assert after <= before * (1 + 1e-5) or not np.isfinite(before)
        distances = euclidean_distances(points)
        assert distances.shape == (n_rows, n_rows)
        assert (np.diag(distances) == 0).all()
        assert np.isfinite(distances).all()
    return FITTED


def a_vector(given: Features) -> Features:
    return Features(given.n_rows, (), given.seed, given.draw, given.dtype, given.container)


TRIMMING = one_odd(
    {
        "norms": features(odd=False).map(a_vector),
        "share": [0.5, 0.0, 1.0, 0.3, 1],
        "groups": maybe(GROUPS),
        "weights": weights(16, odd=False),
        "minimum": [4, 4, 0, 1.5, 100, np.inf],
    },
    {
        "norms": features(odd=True),
        "share": [*SHARES, "one each"],
        "groups": NO_GROUPS,
        "weights": weights(16, odd=True),
        "minimum": [-1, np.nan, "a", None],
    },
)


def check_trimming(case: dict[str, Any]) -> str:
    norms, n_rows = case["norms"].build(), case["norms"].n_rows
    weight = Weights(n_rows, case["weights"].kind).build()
    groups = built(GROUPS | NO_GROUPS, case["groups"], n_rows)
    share = np.full(3, 0.5) if case["share"] == "one each" else case["share"]
    with nothing_changed(norms, weight, groups):
        try:
            kept = keep_smallest(
                norms, share, groups, sample_weight=weight, minimum=case["minimum"]
            )
        except Exception as error:
            check_by_design(error)
            return REFUSED
    assert kept.shape == (n_rows,)
    assert kept.dtype == bool
    values = np.asarray(norms, dtype=float)
    if groups is None and weight is None and kept.any() and not kept.all():
        assert values[kept].max() <= values[~kept].min()
    return FITTED


GRADIENTS = one_odd(
    {
        "scores": features(odd=False),
        "seed": st.integers(0, 99),
        "labels": ["right"],
        "from_logits": [True, False],
        "softmax": [True],
    },
    {
        "scores": features(odd=True),
        "labels": ["too large", "floats", "short", "strings"],
        "softmax": [False],
    },
)


def check_gradients(case: dict[str, Any]) -> str:
    scores, n_rows = case["scores"].build(), case["scores"].n_rows
    if case["softmax"] and isinstance(scores, np.ndarray) and scores.dtype.kind == "f":
        with np.errstate(all="ignore"):
            scores = torch.from_numpy(scores.astype(np.float64)).softmax(-1).numpy()
    width = case["scores"].row_shape[-1] if case["scores"].row_shape else 2
    codes = np.random.RandomState(case["seed"]).randint(0, max(int(width), 1), n_rows)
    labels = {
        "right": codes,
        "too large": codes + 3,
        "floats": codes + 0.5,
        "short": codes[:-1],
        "strings": codes.astype(str),
    }[case["labels"]]
    with nothing_changed(scores, labels):
        try:
            gradients = logit_gradients(scores, labels, from_logits=case["from_logits"])
            norms = gradient_norms(gradients)
        except Exception as error:
            check_by_design(error)
            return REFUSED
    assert tuple(gradients.shape) == (n_rows, width)
    assert np.isfinite(np.asarray(gradients)).all()
    assert (np.asarray(norms) >= 0).all()
    return FITTED
