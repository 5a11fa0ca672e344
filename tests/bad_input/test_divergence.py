"""Training that diverges: noticed in the epoch in which it happens, with advice."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
import torch
from bad_input.estimators import Maker, X, crust, for_incremental, for_networks, make, pencil, y
from bad_input.outcomes import assert_fit_fails, assert_predicts, assert_unfitted
from sklearn.exceptions import NotFittedError
from torch import nn

import noisyfit.training.coreset as coreset_phases
from noisyfit.training.divergence import DivergenceError
from noisyfit.training.network import PlannedNet

ADVICE = r"training diverged\. Lower lr.*scale the features, or clip gradients"

# Every phase in which a network of an estimator trains, as the plan of its epochs names it.
PHASES: list[tuple[str, str, dict[str, Any]]] = [
    ("CRUSTClassifier", "screening", {"cross_fit": 2}),
    ("CRUSTClassifier", "warm-up", {"cross_fit": None, "warmup_epochs": 2}),
    ("CRUSTClassifier", "coreset", {}),
    ("DMClassifier", "train", {}),
    ("ForwardClassifier", "screening", {"cross_fit": 2}),
    ("ForwardClassifier", "estimation", {"cross_fit": None, "estimation_epochs": 2}),
    ("ForwardClassifier", "correction", {}),
    ("TRevisionClassifier", "screening", {"cross_fit": 2}),
    ("TRevisionClassifier", "estimation", {"estimation_epochs": 2}),
    ("TRevisionClassifier", "reweighting", {}),
    ("TRevisionClassifier", "revision", {"revision_epochs": 2}),
    ("LDMIClassifier", "pre-training", {"pretraining_epochs": 2}),
    ("LDMIClassifier", "information", {}),
    ("PENCILClassifier", "cross entropy", {"warmup_epochs": 2}),
    ("PENCILClassifier", "label correction", {"max_epochs": 2}),
    ("PENCILClassifier", "fine-tuning", {"finetuning_epochs": 2}),
    ("CoTeachingClassifier", "screening", {"cross_fit": 2}),
    ("CoTeachingClassifier", "estimation", {"estimation_epochs": 2}),
    ("CoTeachingClassifier", "co-teaching", {}),
    ("RobustLossClassifier", "warm-up", {"warmup_epochs": 2, "max_epochs": 3}),
    ("RobustLossClassifier", "train", {}),
]


def fill(net: Any, value: float) -> None:
    with torch.no_grad():
        for weight in net.module_.parameters():
            weight.fill_(value)


class Sabotage:
    """Spoils the weights of a network in the second epoch of a phase, or in its only one."""

    def __init__(self, phase: str, when: str, value: float) -> None:
        self.phase, self.when, self.value = phase, when, value
        self.epoch: int | None = None
        self.n_seen = 0

    def run_single_epoch(self, run: Any, net: Any, iterator: Any, **options: Any) -> None:
        step = options["step_fn"]
        hit = options["training"] and net.plan_.phase == self.phase and self.epoch is None
        self.n_seen += hit
        if hit and self.n_seen == 2:
            self.epoch, n_batches, done = len(net.history), len(iterator), 0

            def spoiling(batch: Any, **fit_options: Any) -> Any:
                nonlocal done
                done += 1
                if self.when == "before a step":
                    fill(net, self.value)
                result = step(batch, **fit_options)
                if self.when == "after the last step" and done == n_batches:
                    fill(net, self.value)
                return result

            options["step_fn"] = spoiling
        run(net, iterator, **options)


@pytest.fixture
def spoil(monkeypatch: pytest.MonkeyPatch) -> Any:
    run = PlannedNet.run_single_epoch

    def install(phase: str, when: str, value: float) -> Sabotage:
        sabotage = Sabotage(phase, when, value)
        monkeypatch.setattr(
            PlannedNet,
            "run_single_epoch",
            lambda net, *args, **options: sabotage.run_single_epoch(run, net, *args, **options),
        )
        return sabotage

    return install


def message_of(column: str, options: dict[str, Any], dtype: str) -> str:
    estimator = make(column, **options, dtype=dtype, validation_fraction=None)
    with pytest.raises(DivergenceError, match=f"(?s){ADVICE}") as caught:
        estimator.fit(X[:24], y[:24])
    assert_unfitted(estimator)
    return str(caught.value)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("when", ["before a step", "after the last step"])
@pytest.mark.parametrize(("column", "phase", "options"), PHASES)
def test_weights_that_are_nan_are_noticed_in_that_epoch_of_every_phase(
    column: str, phase: str, options: dict[str, Any], when: str, dtype: str, spoil: Any
) -> None:
    sabotage = spoil(phase, when, np.nan)
    message = message_of(column, options, dtype)
    assert sabotage.epoch is not None, "the phase had no second epoch"
    assert f"in epoch {sabotage.epoch} ({phase})" in message
    assert message.startswith("The train loss" if when == "before a step" else "The weights")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("column", "phase", "options"), PHASES)
def test_logits_that_are_infinite_are_noticed_before_they_are_used(
    column: str, phase: str, options: dict[str, Any], dtype: str, spoil: Any
) -> None:
    """Of weights that are finite, that is in the next epoch at the latest."""
    sabotage = spoil(phase, "after the last step", 1e30 if dtype == "float32" else 1e250)
    message = message_of(column, {**options, "module": Products}, dtype)
    assert sabotage.epoch is not None
    found = re.search(r"in epoch (\d+) \(", message)
    assert found is not None
    # A phase of the same network, or one that follows with another network, may find it out.
    assert int(found[1]) in (1, sabotage.epoch, sabotage.epoch + 1)


class Products(nn.Module):
    """Logits that overflow where weights are large."""

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__()
        self.first = nn.Linear(in_features, 4)
        self.second = nn.Linear(4, out_features)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.second(self.first(features).square())
        return logits


def test_predictions_that_are_nan_are_noticed_before_rows_are_selected_by_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        coreset_phases,
        "predict_labeled",
        lambda module, data, index, **options: np.full((len(index), 2), np.nan),
    )
    for options in ({"cross_fit": None, "warmup_epochs": 2, "max_epochs": 4}, {"max_epochs": 3}):
        estimator = crust(**options)
        epoch = 2 if options.get("warmup_epochs") else 1
        match = rf"selected by are not finite in epoch {epoch} \(selection\).*{ADVICE}"
        assert_fit_fails(estimator, X, y, match, DivergenceError)


def test_labels_that_diverge_are_noticed() -> None:
    """PENCIL learns labels too, and its last phase does not look at their logits."""
    estimator = pencil(label_lr=1e300, max_epochs=2)
    assert_fit_fails(estimator, X, y, "label correction.*diverged", DivergenceError)


class Masked(nn.Module):
    """Has a buffer that is infinite on purpose, as the masks of transformers are."""

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__()
        self.linear = nn.Linear(in_features, out_features)
        self.register_buffer("mask", torch.tensor([0.0, -torch.inf]))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.linear(features)
        return logits + self.mask.softmax(0)


@for_networks
def test_buffers_may_be_infinite(make: Maker) -> None:
    assert_predicts(make(module=Masked).fit(X, y), X)


@for_networks
@pytest.mark.parametrize(
    "options",
    [
        {"lr": 1e30},
        {"lr": 1e300},
        {"lr": 1e38, "optimizer": "sgd", "module__batch_norm": False},
        # One step only: nothing but the weights themselves shows what has happened.
        {"lr": 1e38, "optimizer": "sgd", "max_epochs": 1, "batch_size": -1},
        {"lr": 1e300, "max_epochs": 1, "batch_size": -1},
    ],
    ids=["adam", "beyond float32", "sgd", "one step of sgd", "one step of adam"],
)
def test_training_that_diverges(make: Maker, options: dict[str, Any]) -> None:
    assert_fit_fails(make(**options), X, y, f"(?s){ADVICE}", DivergenceError)


@for_networks
def test_divergence_while_going_on_leaves_no_broken_network(make: Maker) -> None:
    """The weights were changed in place: the earlier ones come back, or the net is gone."""
    estimator = make(warm_start=True)
    check_going_on(estimator, estimator.fit)


@for_incremental
def test_divergence_in_a_later_instalment_leaves_no_broken_network(make: Maker) -> None:
    estimator = make()
    check_going_on(estimator, estimator.partial_fit)


def check_going_on(estimator: Any, train: Any) -> None:
    train(X, y)
    estimator.set_params(lr=1e30)
    with pytest.raises(DivergenceError, match="diverged"):
        train(X, y)
    try:
        assert_predicts(estimator, X)
    except NotFittedError:
        assert_unfitted(estimator)
