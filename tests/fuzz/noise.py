"""Properties of the functions that corrupt labels, estimate noise and rank rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from fuzz.arrays import features
from fuzz.checks import check_by_design, check_probabilities, nothing_changed
from fuzz.estimators import FITTED, REFUSED, plain
from fuzz.labels import Weights, labels, weights
from fuzz.mixtures import one_odd
from hypothesis import strategies as st

from noisyfit.noise import (
    NoiseEstimate,
    anchor_noise,
    asymmetric_noise,
    believed_labels,
    corrupt_labels,
    estimate_noise,
    find_label_issues,
    instance_dependent_noise,
    label_quality,
    pairwise_noise,
    symmetric_noise,
    transition_matrix,
)
from noisyfit.noise.estimate import ESTIMATION_METHODS
from noisyfit.noise.quality import QUALITY_METHODS

INJECTIONS = st.integers(2, 16).flatmap(
    lambda n: one_odd(
        {
            "labels": labels(n, odd=False),
            "features": features(odd=False),
            "rate": [0.0, 0.2, 0.5, 0.99],
            "kind": ["symmetric", "pairwise", "asymmetric", "instance_dependent"],
            "through": ["function", "corrupt_labels"],
            "per_class": [False, False, True],
            "mapping": [None],
            "rate_std": [0.1, 0.0, 1.0],
            "random_state": [0, 1, 2**32],
        },
        {
            "labels": labels(n, odd=True),
            "features": features(odd=True),
            "rate": [1, 1.0, -0.1, np.nan, np.inf, "a", None, True, 1e-300],
            "kind": ["x", None],
            "mapping": [{}, {0: 1}, {0: 0}, {0: 17}, {"ant": "bee"}, {0: 1, 1: 0}, {0: [1]}, 3],
            "rate_std": [2, -1, np.nan, "a", None],
            "random_state": [None, np.random.SeedSequence, -1, "a", 1.5, True],
        },
    )
)


def inject(case: dict[str, Any], X: Any, y: Any) -> Any:
    kind, rate, state = case["kind"], case["rate"], {"random_state": case["random_state"]}
    if case["through"] == "corrupt_labels":
        options = {"per_class": case["per_class"], "mapping": case["mapping"]}
        return corrupt_labels(y, rate, kind, X=X, **options, **state)
    if kind == "asymmetric":
        return asymmetric_noise(y, rate, case["mapping"], **state)
    if kind == "instance_dependent":
        return instance_dependent_noise(X, y, rate, rate_std=case["rate_std"], **state)
    function = symmetric_noise if kind == "symmetric" else pairwise_noise
    return function(y, rate, per_class=case["per_class"], **state)


def check_injection(case: dict[str, Any]) -> str:
    y = case["labels"].build()
    table = case["features"]
    X = type(table)(**{**vars(table), "n_rows": case["labels"].n_rows}).build()
    with nothing_changed(X, y):
        try:
            noisy, changed = inject(case, X, y)
        except Exception as error:
            check_by_design(error)
            return REFUSED
    given = plain(y)
    assert noisy.shape == changed.shape == given.shape
    assert changed.dtype == bool
    np.testing.assert_array_equal(noisy != given, changed)
    assert set(noisy.tolist()) <= set(given.tolist())
    if not case["per_class"] and case["kind"] != "asymmetric":
        assert changed.sum() == round(case["rate"] * len(given))
    return FITTED


PROBABILITIES = one_odd(
    {
        "n_rows": st.integers(1, 16),
        "n_classes": [2, 3, 4, 5],
        "seed": st.integers(0, 2**16),
        "sharpness": [0.0, 1.0, 5.0, 100.0, 1e4],
        "dtype": ["float64", "float64", "float32", "float16"],
        "problem": [None, None, "list"],
        "names": ["codes"],
        "weights": weights(16, odd=False),
    },
    {
        "n_classes": [1, 0],
        "dtype": ["object", "U8", "complex64"],
        "problem": ["NaN", "negative", "logits", "one column less", "1-D"],
        "names": ["strings", "floats", "too large", "short"],
        "weights": weights(16, odd=True),
    },
    share=5,
)


def build_probabilities(case: dict[str, Any]) -> tuple[Any, np.ndarray, Any]:
    """Probabilities, the codes or labels to go with them, and weights."""
    rng = np.random.RandomState(case["seed"])
    shape = (case["n_rows"], case["n_classes"])
    codes = rng.randint(0, max(case["n_classes"], 1), case["n_rows"])
    logits = rng.randn(*shape) * case["sharpness"]
    if case["n_classes"]:
        logits -= logits.max(axis=1, keepdims=True)
    p = np.exp(logits)
    p /= p.sum(axis=1, keepdims=True)
    problem = case["problem"]
    if problem == "logits":
        p = logits - 1
    elif problem == "one column less":
        p = p[:, :-1]
    elif problem == "1-D":
        p = p.ravel()
    elif problem is not None and p.size and problem != "list":
        p.flat[0] = {"NaN": np.nan, "negative": -0.5}[problem]
    probabilities: Any = p.astype(case["dtype"])
    if problem == "list":
        probabilities = probabilities.tolist()
    y = {
        "codes": codes,
        "strings": np.array(list("abcde"))[codes],
        "floats": codes.astype(float),
        "too large": codes + 2,
        "short": codes[:-1],
    }[case["names"]]
    return probabilities, y, Weights(case["n_rows"], case["weights"].kind).build()


ESTIMATES = one_odd(
    {
        "given": PROBABILITIES,
        "method": ESTIMATION_METHODS,
        "anchors": [None, None, None, (0.3, "auto"), (1.0, 0.0), (0.01, 10)],
    },
    {
        "method": ["x", None, 3],
        "anchors": [(0, "auto"), (0.3, "x"), (2, 0), (np.nan, 0), (0.3, -1), (0.3, None), ("a", 0)],
    },
    share=5,
)


def check_estimate(case: dict[str, Any]) -> str:
    probabilities, y, weight = build_probabilities(case["given"])
    with nothing_changed(probabilities, y, weight):
        try:
            if case["anchors"] is None:
                noise = estimate_noise(
                    probabilities, y, method=case["method"], sample_weight=weight
                )
            else:
                top, shrinkage = case["anchors"]
                noise = anchor_noise(
                    probabilities, y, top=top, shrinkage=shrinkage, sample_weight=weight
                )
        except Exception as error:
            check_by_design(error)
            return REFUSED
    check_estimate_is_consistent(noise, np.shape(probabilities)[1])
    return FITTED


def check_estimate_is_consistent(noise: NoiseEstimate, n_classes: int) -> None:
    assert 0 <= noise.rate <= 1
    check_probabilities(noise.transition_matrix, n_classes, n_classes)
    check_probabilities(noise.prior[None], 1, n_classes)
    assert noise.clean_share.shape == (n_classes,)
    assert np.isfinite(noise.clean_share).all()
    assert ((noise.clean_share >= 0) & (noise.clean_share <= 1 + 1e-9)).all()


QUALITIES = one_odd(
    {
        "given": PROBABILITIES,
        "method": QUALITY_METHODS,
        "classes": [None, None, list("abcde")],
        "n_issues": ["auto", "auto", 0, 1, 0.5],
        "noise": [None, "estimated"],
    },
    {
        "method": ["x", None],
        "classes": [list("edcba"), ["a", "a"], 3, []],
        "n_issues": [99, -1, 2.0, "x", None, True],
        "noise": ["of two classes", 0.2],
    },
    share=5,
)


def check_quality(case: dict[str, Any]) -> str:
    probabilities, y, _ = build_probabilities(case["given"])
    classes, n_rows = case["classes"], case["given"]["n_rows"]
    if classes == list("abcde"):
        classes = classes[: case["given"]["n_classes"]]
        if case["given"]["names"] == "codes":
            y = np.array(list("abcde"))[y]
    noise: Any = case["noise"]
    if noise == "of two classes":
        noise = NoiseEstimate(0.15, np.eye(2), np.full(2, 0.5), np.ones(2))
    with nothing_changed(probabilities, y):
        try:
            quality = label_quality(probabilities, y, case["method"], classes=classes)
            if noise == "estimated":
                codes = y if classes is None else np.array([classes.index(label) for label in y])
                noise = estimate_noise(probabilities, codes)
            issues = find_label_issues(
                probabilities,
                y,
                classes=classes,
                n_issues=case["n_issues"],
                method=case["method"],
                noise=noise,
            )
            believed = None
            if isinstance(noise, NoiseEstimate):
                believed = believed_labels(probabilities, y, noise, classes=classes)
        except Exception as error:
            check_by_design(error)
            return REFUSED
    assert quality.shape == (n_rows,)
    assert np.isfinite(quality).all()
    assert ((quality >= 0) & (quality <= 1)).all()
    assert len(set(issues.tolist())) == len(issues) <= n_rows
    assert (np.diff(quality[issues]) >= 0).all()
    assert believed is None or believed.shape == (n_rows,)
    return FITTED


MATRICES = st.integers(1, 16).flatmap(
    lambda n: one_odd(
        {"true": labels(n, odd=False), "given": labels(n, odd=False), "classes": [None]},
        {"given": labels(n, odd=True), "classes": [[0, 1, 2, 3, 4], [0, 0], [], "a"]},
    )
)


def check_transition_matrix(case: dict[str, Any]) -> str:
    true, given = case["true"].build(), case["given"].build()
    with nothing_changed(true, given):
        try:
            matrix = transition_matrix(true, given, case["classes"])
        except Exception as error:
            check_by_design(error)
            return REFUSED
    check_probabilities(matrix, len(matrix), len(matrix))
    return FITTED
