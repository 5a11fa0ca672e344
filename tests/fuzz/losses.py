"""Properties of criteria and of emphasis densities: finite losses, derivatives and weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from fuzz.checks import check_by_design, nothing_changed
from fuzz.estimators import FITTED, REFUSED
from fuzz.mixtures import one_odd
from hypothesis import strategies as st

from noisyfit.losses import (
    CRITERION_NAMES,
    BackwardCorrection,
    DerivativeManipulation,
    DeterminantMutualInformation,
    EarlyLearningRegularization,
    ForwardCorrection,
    ImportanceReweighting,
    LabelDistributionLearning,
    emphasis_of,
    resolve_criterion,
)
from noisyfit.weighting import (
    EMPHASIS_NAMES,
    emphasis_for_noise,
    normalize_weights,
    resolve_emphasis,
)

NUMBERS = [0.0, 0.3, 0.5, 0.9, 1.0]
ODD_NUMBERS = [2.0, 12.0, -1.0, 1e-300, 1e6, 1e300, np.nan, np.inf, "a", None, True]
OPTIONS: dict[str, list[str]] = {
    "gce": ["q", "truncation"],
    "sce": ["alpha", "beta", "log_zero"],
    "focal": ["gamma"],
    "rce": ["log_zero"],
    "label_smoothing": ["smoothing"],
    "bootstrap_soft": ["weight"],
    "bootstrap_hard": ["weight"],
    "squared": ["label_weight", "label_value"],
    "nce_rce": ["alpha", "beta"],
    "elr": ["strength", "momentum"],
    "dm": ["mode", "variance", "normalize"],
    "pencil": ["compatibility", "entropy", "label_lr", "confidence"],
}
OTHERS = ("elr", "dm", "l_dmi", "forward", "backward", "reweighting", "pencil")
MATRICES = {
    "symmetric": lambda c: np.full((c, c), 0.3 / c) + 0.7 * np.eye(c),
    "identity": lambda c: np.eye(c),
    "uniform": lambda c: np.full((c, c), 1 / c),
}
NO_MATRICES = {
    "NaN": lambda c: np.full((c, c), np.nan),
    "too small": lambda c: np.eye(max(c - 1, 0)),
    "strings": lambda c: [["a"] * c] * c,
    "ragged": lambda c: [[1.0], [0.5, 0.5]],
}
LOGITS = one_odd(
    {
        "n_rows": st.integers(1, 8),
        "n_classes": [2, 3, 5],
        "seed": st.integers(0, 2**16),
        "scale": [0.0, 1.0, 10.0, 1e3, 1e30],
        "dtype": ["float32", "float64", "float16"],
        "target": ["codes", "codes", "int8", "soft"],
        "weights": [None, "ones", "some zero"],
        "reduction": ["none", "mean", "sum"],
        "matrix": ["symmetric", "identity", "uniform"],
        "name": [*CRITERION_NAMES, *OTHERS],
        "options": st.lists(st.tuples(st.integers(0, 3), st.sampled_from(NUMBERS)), max_size=2),
    },
    {
        "n_classes": [1],
        "dtype": ["int64", "bool", "complex64"],
        "target": ["too large", "floats", "short", "numpy", "bool"],
        "weights": ["zero", "short", "numpy"],
        "reduction": ["x", None],
        "matrix": NO_MATRICES,
        "name": ["x", None],
        "options": st.tuples(st.integers(0, 3), st.sampled_from(ODD_NUMBERS)).map(lambda o: [o]),
    },
)


def criterion_of(case: dict[str, Any]) -> Any:
    name, reduction = case["name"], {"reduction": case["reduction"]}
    known = OPTIONS.get(name, [])
    options = {known[place]: value for place, value in case["options"] if place < len(known)}
    n_classes = case["n_classes"]
    if name == "elr":
        return EarlyLearningRegularization(8, n_classes, **options, **reduction)
    if name == "dm":
        return DerivativeManipulation(**options, **reduction)
    if name == "l_dmi":
        return DeterminantMutualInformation()
    if name == "pencil":
        codes = torch.arange(8) % n_classes
        return LabelDistributionLearning(codes, n_classes, **options, **reduction)
    corrections = {
        "forward": ForwardCorrection,
        "backward": BackwardCorrection,
        "reweighting": ImportanceReweighting,
    }
    if name in corrections:
        return corrections[name]((MATRICES | NO_MATRICES)[case["matrix"]](n_classes), **reduction)
    return resolve_criterion(name, **options)


def batch_of(case: dict[str, Any]) -> tuple[Any, Any, Any]:
    """Logits, targets and weights."""
    n_rows, n_classes = case["n_rows"], case["n_classes"]
    generator = torch.Generator().manual_seed(case["seed"])
    logits = torch.randn(n_rows, n_classes, generator=generator) * case["scale"]
    logits = logits.clamp(-1e30, 1e30).to(getattr(torch, case["dtype"]))
    codes = torch.randint(0, n_classes, (n_rows,), generator=generator)
    soft = torch.rand(n_rows, n_classes, generator=generator) + 1e-3
    target = {
        "codes": codes,
        "soft": soft / soft.sum(1, keepdim=True),
        "int8": codes.to(torch.int8),
        "too large": codes + n_classes,
        "floats": codes.float(),
        "short": codes[:-1],
        "numpy": codes.numpy(),
        "bool": codes > 0,
    }[case["target"]]
    ones = torch.ones(n_rows)
    weights = {
        None: None,
        "ones": ones,
        "some zero": (torch.arange(n_rows) % 2).float(),
        "zero": 0 * ones,
        "short": ones[:-1],
        "numpy": ones.numpy(),
    }[case["weights"]]
    return logits, target, weights


def check_criterion(case: dict[str, Any]) -> str:
    logits, target, weights = batch_of(case)
    if logits.is_floating_point():
        logits.requires_grad_(True)
    with nothing_changed(target, weights):
        try:
            criterion = criterion_of(case)
            rows = (torch.arange(len(logits)),) if getattr(criterion, "needs_rows", False) else ()
            loss = criterion(logits, target, *rows, weights)
        except Exception as error:
            check_by_design(error)
            return REFUSED
        if not loss.isfinite().all():
            assert not logits.isfinite().all() or case["scale"] >= 1e30 or odd_options(case), loss
            return FITTED
        loss.sum().backward()
    reduced = case["reduction"] in ("mean", "sum") and case["name"] in OTHERS
    scalar = reduced or case["name"] == "l_dmi"
    assert loss.shape == (() if scalar else (case["n_rows"],))
    assert logits.grad is not None
    assert logits.grad.isfinite().all() or odd_options(case)
    return FITTED


def odd_options(case: dict[str, Any]) -> bool:
    """Whether numbers so large were asked for that nothing can stay finite."""
    return any(isinstance(value, float) and abs(value) >= 1e6 for _, value in case["options"])


DENSITIES = one_odd(
    {
        "name": EMPHASIS_NAMES,
        "mode": [None],
        "variance": [None],
        "normalize": ["integral", "batch", None],
        "probabilities": st.lists(st.sampled_from([0.0, 1e-30, 0.3, 0.5, 1.0]), min_size=1),
        "dtype": ["float32", "float64"],
    },
    {
        "name": ["x", None, 3],
        "mode": [*NUMBERS, *ODD_NUMBERS],
        "variance": [*NUMBERS, *ODD_NUMBERS, 700.0, -12.0],
        "normalize": ["x"],
    },
    share=2,
)


def check_density(case: dict[str, Any]) -> str:
    p = torch.tensor(case["probabilities"], dtype=getattr(torch, case["dtype"]))
    with nothing_changed(p):
        try:
            emphasis = resolve_emphasis(case["name"], case["mode"], case["variance"])
            weights = emphasis.weight(p)
            normalized = normalize_weights(weights, emphasis, case["normalize"])
        except Exception as error:
            check_by_design(error)
            return REFUSED
    assert weights.shape == normalized.shape == p.shape
    assert weights.isfinite().all()
    assert (weights >= 0).all()
    assert normalized.isfinite().all()
    return FITTED


EMPHASES = one_odd(
    {"criterion": CRITERION_NAMES, "rate": NUMBERS[:-1]},
    {"criterion": ["x", None, 3], "rate": ODD_NUMBERS},
)


def check_emphases_of(case: dict[str, Any]) -> str:
    outcome = FITTED
    try:
        emphasis = emphasis_of(resolve_criterion(case["criterion"]))
        assert emphasis.weight(torch.tensor([0.2, 0.7])).isfinite().all()
    except Exception as error:
        check_by_design(error)
        outcome = REFUSED
    try:
        assert 0 <= emphasis_for_noise(case["rate"]).mode <= 1
    except Exception as error:
        check_by_design(error)
        outcome = REFUSED
    return outcome
