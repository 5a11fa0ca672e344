"""What a GPU computes is what the CPU computes, and nothing waits for it between two batches.

Skipped where there is no GPU. That labels are looked at once and not in every batch is tested
everywhere.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from stress.fits import FITS, table

from noisyfit import CRUSTClassifier, DMClassifier, RobustLossClassifier
from noisyfit.losses import CRITERION_NAMES, resolve_criterion
from noisyfit.losses.checks import check_indices, check_soft_target, values_are_known
from noisyfit.training.network import PlannedNet
from noisyfit.training.recording import ProbabilityRecorder

needs_a_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")


@needs_a_gpu
@pytest.mark.parametrize("name", sorted(CRITERION_NAMES))
def test_losses_and_gradients_on_a_gpu_are_those_of_the_cpu(name: str) -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(64, 5, generator=generator) * 3
    codes = torch.randint(5, (64,), generator=generator)
    found = []
    for device in ("cpu", "cuda"):
        own = logits.to(device).requires_grad_()
        losses = resolve_criterion(name).to(device)(own, codes.to(device))
        losses.sum().backward()
        assert own.grad is not None
        found.append((losses.detach().cpu(), own.grad.cpu()))
    for on_cpu, on_gpu in zip(*found, strict=True):
        torch.testing.assert_close(on_gpu, on_cpu, rtol=1e-4, atol=1e-5)


@needs_a_gpu
@pytest.mark.parametrize("name", [name for name in FITS if "float16" not in name])
def test_a_fit_on_a_gpu_is_close_to_that_on_the_cpu(name: str) -> None:
    make, data = FITS[name]
    X, y = data()
    on_cpu = make().fit(X, y)
    on_gpu = make().set_params(device="cuda").fit(X, y)
    if "dropout" in name or "images" in name:  # drawn by the device's own generator
        assert abs(on_gpu.score(X, y) - on_cpu.score(X, y)) < 0.15
        return
    assert np.mean(on_gpu.predict(X) == on_cpu.predict(X)) > 0.95
    difference = np.abs(on_gpu.predict_proba(X) - on_cpu.predict_proba(X))
    assert difference.mean() < 0.02
    if hasattr(on_cpu, "coreset_indices_"):
        common = np.intersect1d(on_gpu.coreset_indices_, on_cpu.coreset_indices_)
        assert len(common) > 0.9 * len(on_cpu.coreset_indices_)


@needs_a_gpu
@pytest.mark.parametrize(
    "estimator",
    [
        RobustLossClassifier("ce"),
        RobustLossClassifier("elr"),
        RobustLossClassifier("sce"),
        DMClassifier(),
        CRUSTClassifier(cross_fit=2),
    ],
    ids=repr,
)
def test_no_batch_waits_for_the_gpu(estimator: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    real = PlannedNet.train_step

    def watched(self: PlannedNet, *args: Any, **kwargs: Any) -> Any:
        torch.cuda.set_sync_debug_mode("error")
        try:
            return real(self, *args, **kwargs)
        finally:
            torch.cuda.set_sync_debug_mode("default")

    monkeypatch.setattr(PlannedNet, "train_step", watched)
    X, y = table()
    estimator.set_params(device="cuda", max_epochs=2, module__hidden=(8,)).fit(X, y)


@pytest.mark.parametrize(
    "estimator",
    [RobustLossClassifier("elr"), RobustLossClassifier("gce"), CRUSTClassifier(cross_fit=2)],
    ids=repr,
)
def test_training_does_not_look_at_the_values_of_its_labels(
    estimator: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Codes(torch.Tensor):
        """Says when it is compared."""

        def __lt__(self, other: Any) -> Any:
            raise AssertionError("the labels of a batch were looked at")

        __ge__ = __lt__

    real = PlannedNet.get_loss

    def watched(self: PlannedNet, y_pred: Any, y_true: Any, *args: Any, **kwargs: Any) -> Any:
        y_true.labels = y_true.labels.as_subclass(Codes)
        return real(self, y_pred, y_true, *args, **kwargs)

    monkeypatch.setattr(PlannedNet, "get_loss", watched)
    X, y = table()
    estimator.set_params(max_epochs=2, module__hidden=(8,)).fit(X, y)


def test_labels_are_looked_at_everywhere_else() -> None:
    codes, logits = torch.tensor([0, 7]), torch.zeros(2, 3)
    with values_are_known(8):
        assert check_indices("target", codes, 2, 3) is codes
        assert check_indices("row", codes, 2, 8) is codes
        assert check_soft_target(logits, logits) is logits
        with pytest.raises(ValueError, match="row must have entries from 0 to 6, got 7"):
            check_indices("row", codes, 2, 7)
    with pytest.raises(ValueError, match="from 0 to 2, got 7"):
        check_indices("target", codes, 2, 3)
    with pytest.raises(ValueError, match="sum 1"):
        check_soft_target(logits, logits)


def test_what_was_recorded_stays_where_the_network_is() -> None:
    recorder = ProbabilityRecorder(3, 2).initialize()
    rows = torch.tensor([2, 0])
    recorder.on_batch_end(None, rows=rows, training=True, y_pred=torch.zeros(2, 2))
    assert isinstance(recorder.total_, torch.Tensor)
    assert recorder.total_.tolist() == [[0.5, 0.5], [0, 0], [0.5, 0.5]]
    assert recorder.mean(lambda unseen: np.array([[1.0, 0.0]])).tolist() == [
        [0.5, 0.5],
        [1.0, 0.0],
        [0.5, 0.5],
    ]
