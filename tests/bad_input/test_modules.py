"""Modules and optimizers that can't be trained with, and what is said of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from bad_input.estimators import Maker, X, for_networks, y
from bad_input.outcomes import EITHER, assert_fit_fails, assert_predicts
from torch import nn


class Body(nn.Module):
    """A linear layer whose output a subclass spoils."""

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__()
        self.linear = nn.Linear(in_features, out_features)

    def forward(self, features: torch.Tensor) -> Any:
        return self.spoil(self.linear(features))

    def spoil(self, logits: torch.Tensor) -> Any:
        return logits


def spoiled(change: Callable[[torch.Tensor], Any]) -> type[Body]:
    return type("Spoiled", (Body,), {"spoil": lambda self, logits: change(logits)})


class NeedsWidth(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()


class WithoutWeights(nn.Module):
    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return features[:, :2]


BAD_MODULES: dict[str, tuple[Any, str]] = {
    "function giving None": (lambda: None, "module must make a torch.nn.Module, got NoneType"),
    "built-in function": (print, "module"),
    "built-in class": (dict, "module"),
    "missing argument": (NeedsWidth, "module='NeedsWidth'.*width.*module__<name>"),
    "one output": (spoiled(lambda z: z[:, :1]), r"module.*2 classes"),
    "three outputs": (nn.Linear(4, 3), r"module.*2 classes"),
    "1-D output": (spoiled(lambda z: z[:, 0]), "module.*2 classes"),
    "3-D output": (spoiled(lambda z: z[:, :, None]), "module.*2 classes"),
    "one row only": (spoiled(lambda z: z[:1]), "module.*row"),
    "mean over rows": (spoiled(lambda z: z.mean(0, keepdim=True)), "module.*row"),
    "numpy array": (spoiled(lambda z: z.detach().numpy()), "module.*tensor"),
    "None": (spoiled(lambda z: None), "module.*tensor"),
    "list": (spoiled(lambda z: [z]), "module.*tensor"),
    "dict": (spoiled(lambda z: {"scores": z}), "module.*tensor"),
    "empty tuple": (spoiled(lambda z: ()), "module.*tensor"),
    "integers": (spoiled(lambda z: z.long()), "module.*float"),
    "detached": (spoiled(lambda z: z.detach()), "module.*grad"),
    "NaN": (spoiled(lambda z: z * np.nan), "module|diverged"),
    "without weights": (WithoutWeights, "module.*parameters"),
    "no forward": (nn.Module, "module"),
    "other input size": (nn.Linear(3, 2), r"module.*\(\d+, 4\)"),
    "image module on columns": (nn.Conv2d(1, 2, 3), r"module.*\(\d+, 4\)"),
}


@for_networks
@pytest.mark.parametrize("problem", BAD_MODULES)
def test_bad_modules(make: Maker, problem: str) -> None:
    module, match = BAD_MODULES[problem]
    assert_fit_fails(make(module=module), X, y, f"(?s){match}", EITHER)


@for_networks
def test_options_for_an_instance(make: Maker) -> None:
    estimator = make(module=nn.Linear(4, 2), module__bias=False)
    assert_fit_fails(estimator, X, y, "instance of Linear.*module__bias.*pass the class")


@for_networks
def test_modules_that_give_more_than_logits(make: Maker) -> None:
    assert_predicts(make(module=spoiled(lambda z: (z, "features"))).fit(X, y), X)


BAD_OPTIMIZERS: dict[str, Any] = {
    "dict": dict,
    "module": nn.Linear,
    "function giving None": lambda parameters, lr: None,
    "base class": torch.optim.Optimizer,
    "schedule": torch.optim.lr_scheduler.StepLR,
}


@for_networks
@pytest.mark.parametrize("problem", BAD_OPTIMIZERS)
def test_bad_optimizers(make: Maker, problem: str) -> None:
    assert_fit_fails(make(optimizer=BAD_OPTIMIZERS[problem]), X, y, "optimizer", EITHER)
