"""Criteria, emphases and callbacks that are none, or go with nothing else given."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from bad_input.estimators import Maker, X, dm, for_networks, of, robust_loss, y
from bad_input.outcomes import EITHER, assert_fit_fails
from skorch.callbacks import EarlyStopping
from torch import nn

from noisyfit.losses import CrossEntropy

BAD_CRITERIA: dict[str, tuple[Any, str]] = {
    "mean": (lambda z, t: nn.functional.cross_entropy(z, t), "criterion.*per row"),
    "mean module": (nn.CrossEntropyLoss(), "criterion.*reduction='none'"),
    "class": (nn.CrossEntropyLoss, "criterion.*reduction='none'"),
    "column": (lambda z, t: z.sum(1, keepdim=True), "criterion.*per row"),
    "logits": (lambda z, t: z, "criterion.*per row"),
    "some rows": (lambda z, t: z.sum(1)[:1], "criterion.*per row"),
    "None": (lambda z, t: None, "criterion.*per row"),
    "float": (lambda z, t: 1.0, "criterion.*per row"),
    "numpy": (lambda z, t: np.ones(len(z)), "criterion.*per row"),
    "detached": (lambda z, t: z.sum(1).detach(), "criterion.*grad"),
    "NaN": (lambda z, t: z.sum(1) * np.nan, "loss became nan"),
    "one argument": (lambda z: z.sum(1), "criterion|argument"),
}


@of(("CRUSTClassifier", "RobustLossClassifier"))
@pytest.mark.parametrize("problem", BAD_CRITERIA)
def test_bad_criteria(make: Maker, problem: str) -> None:
    criterion, match = BAD_CRITERIA[problem]
    assert_fit_fails(make(criterion=criterion), X, y, f"(?s){match}", EITHER)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"criterion": "gce", "criterion__q": 3.0}, "criterion__q=3.0.*q must be in"),
        ({"criterion": "gce", "criterion__p": 3.0}, "criterion='gce'.*criterion__p=3.0"),
        ({"criterion": "elr", "criterion__momentum": 1.0}, "criterion__momentum=1.0.*momentum"),
        ({"criterion": "elr", "criterion__n_rows": 3}, "row must have entries from 0 to 2"),
        ({"criterion": CrossEntropy(), "criterion__q": 1.0}, "criterion__q can't be applied"),
        ({"criterion": "hinge"}, "'criterion' parameter"),
    ],
    ids=range(6),
)
def test_options_that_do_not_go_with_their_criterion(options: dict[str, Any], match: str) -> None:
    assert_fit_fails(robust_loss(**options), X, y, f"(?s){match}", EITHER)


BAD_EMPHASES: dict[str, tuple[Any, str]] = {
    "shape": (lambda p: p[:1], r"emphasis.*one weight per probability"),
    "scalar": (lambda p: p.mean(), r"emphasis.*one weight per probability"),
    "negative": (lambda p: -p, "emphasis.*non-negative"),
    "NaN": (lambda p: p * np.nan, "emphasis.*finite.*got nan"),
    "infinite": (lambda p: 1 / (0 * p), "emphasis.*finite.*got inf"),
    "None": (lambda p: None, "emphasis.*torch tensor, got None"),
    "number": (lambda p: 1.0, r"emphasis.*torch tensor, got 1\.0"),
    "numpy": (lambda p: p.numpy(), "emphasis.*torch tensor"),
    "class": (dict, "emphasis must be"),
}


@pytest.mark.parametrize("normalize", ["integral", "batch", None])
@pytest.mark.parametrize("problem", BAD_EMPHASES)
def test_bad_emphases(problem: str, normalize: str | None) -> None:
    emphasis, match = BAD_EMPHASES[problem]
    estimator = dm(emphasis=emphasis, normalize=normalize)
    assert_fit_fails(estimator, X, y, f"(?s){match}", EITHER)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"emphasis": "cce", "mode": 0.3}, "mode=0.3.*emphasis='cce' has no mode"),
        ({"emphasis": "exponential", "mode": 0.3}, "mode=0.3.*has no mode"),
        ({"emphasis": "mae", "variance": 3.0}, "variance=3.0.*has no variance"),
        ({"emphasis": lambda p: p, "variance": 3.0}, "variance=3.0"),
        ({"variance": 1e6}, "smaller variance"),
        ({"variance": -12.0}, "variance must be non-negative unless mode=0"),
        ({"emphasis": "normal", "variance": -1.0}, r"variance must be in \[0, inf\)"),
        ({"emphasis": lambda p: 0 * p}, "integral.*normalize"),
    ],
    ids=range(8),
)
def test_emphases_that_do_not_go_with_their_parameters(options: dict[str, Any], match: str) -> None:
    assert_fit_fails(dm(**options), X, y, f"(?s){match}")


BAD_CALLBACKS: dict[str, tuple[Any, str]] = {
    "number": ([3], "callbacks"),
    "name only": (["EarlyStopping"], "callbacks"),
    "validation missing": ([EarlyStopping()], "validation_fraction"),
}


@for_networks
@pytest.mark.parametrize("problem", BAD_CALLBACKS)
def test_bad_callbacks(make: Maker, problem: str) -> None:
    callbacks, match = BAD_CALLBACKS[problem]
    estimator = make(callbacks=callbacks, validation_fraction=None)
    assert_fit_fails(estimator, X, y, match, EITHER)
