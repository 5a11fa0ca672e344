"""What a GPU computes is what the CPU computes, and nothing waits for it between two batches.

The tests on a GPU are skipped where there is none. Everywhere, all that noisyfit does on a device
is done on a pretended one, whose tensors the CPU computes with.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from stress.fits import FITS, table, words
from torch.utils import backend_registration

from noisyfit import CRUSTClassifier, DMClassifier, RobustLossClassifier
from noisyfit.estimators.base.validation import check_dtype, validate_device
from noisyfit.losses import CRITERION_NAMES, resolve_criterion
from noisyfit.losses.checks import check_indices, check_soft_target, values_are_known
from noisyfit.selection import SELECTION_METHODS, select_coreset
from noisyfit.training.network import PlannedNet
from noisyfit.training.plan import PlannedBatches
from noisyfit.training.recording import ProbabilityRecorder
from noisyfit.training.rows import NamedRows

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
    def watched(function: Any) -> Any:
        def call(self: Any, *args: Any, **kwargs: Any) -> Any:
            torch.cuda.set_sync_debug_mode("error")
            try:
                return function(self, *args, **kwargs)
            finally:
                torch.cuda.set_sync_debug_mode("default")

        return call

    for kind, name in ((PlannedNet, "train_step"), (PlannedBatches, "__getitem__")):
        monkeypatch.setattr(kind, name, watched(getattr(kind, name)))
    X, y = table()
    estimator.set_params(device="cuda", max_epochs=2, module__hidden=(8,)).fit(X, y)


@needs_a_gpu
@pytest.mark.parametrize("options", [{"num_workers": 1}, {"pin_memory": True}], ids=str)
@pytest.mark.parametrize("data", [table, words], ids=["dense", "sparse"])
def test_options_of_a_loader_change_nothing_on_a_gpu(data: Any, options: dict[str, Any]) -> None:
    X, y = data()
    small = {"device": "cuda", "max_epochs": 2, "module__hidden": (8,), "random_state": 0}
    plain = RobustLossClassifier("ce", **small).fit(X, y)
    prefixed = {f"iterator_train__{name}": value for name, value in options.items()}
    other = RobustLossClassifier("ce", **small, **prefixed).fit(X, y)
    np.testing.assert_allclose(other.predict_proba(X), plain.predict_proba(X), atol=1e-3)


@needs_a_gpu
def test_a_fit_on_a_gpu_leaves_its_generator_as_it_was() -> None:
    X, y = table()
    before = torch.cuda.get_rng_state()
    drawn = [
        DMClassifier(device="cuda", max_epochs=2, module__dropout=0.5, random_state=0)
        .fit(X, y)
        .predict_proba(X)
        for _ in range(2)
    ]
    np.testing.assert_allclose(drawn[0], drawn[1], atol=1e-4)
    assert torch.equal(torch.cuda.get_rng_state(), before)


@needs_a_gpu
@pytest.mark.parametrize("method", [name for name in SELECTION_METHODS if name != "all"])
def test_a_selection_on_a_gpu_is_that_of_the_cpu(method: str) -> None:
    points = torch.from_numpy(np.random.RandomState(0).randn(300, 8))
    groups = np.arange(300) % 3
    options = {"fraction": 0.2, "method": method, "groups": groups, "random_state": 0}
    on_cpu, on_gpu = (select_coreset(points.to(place), **options) for place in ("cpu", "cuda"))
    np.testing.assert_array_equal(on_gpu.indices, on_cpu.indices)
    np.testing.assert_allclose(on_gpu.weights, on_cpu.weights)


@needs_a_gpu
@pytest.mark.parametrize("mode", ["default", "reduce-overhead"])
@pytest.mark.parametrize("name", ["crust", "dm", "co-teaching"])
def test_a_compiled_fit_on_a_gpu_is_close_to_a_plain_one(name: str, mode: str) -> None:
    make, data = FITS[name]
    X, y = data()
    plain = make().set_params(device="cuda").fit(X, y)
    compiled = make().set_params(device="cuda", compile=mode).fit(X, y)
    difference = np.abs(compiled.predict_proba(X) - plain.predict_proba(X))
    assert difference.mean() < 0.02


@needs_a_gpu
def test_images_in_half_precision_with_channels_last_are_close_to_plain_ones() -> None:
    make, data = FITS["crust, images"]
    X, y = data()
    plain = make().set_params(device="cuda").fit(X, y)
    other = make().set_params(device="cuda", memory_format="channels_last", autocast="bfloat16")
    assert abs(other.fit(X, y).score(X, y) - plain.score(X, y)) < 0.15


@pytest.mark.skipif(
    not hasattr(backend_registration, "_setup_privateuseone_for_python_backend"),
    reason="this torch knows no devices made in Python",
)
@pytest.mark.parametrize("options", [[], ["--without-float64"]], ids=["a GPU", "one of Apple's"])
def test_what_is_done_on_a_pretended_gpu_is_what_the_cpu_does(options: list[str]) -> None:
    command = Path(__file__).parent / "pretended_gpu" / "scenarios.py"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(command), *options],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    results = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(results) > 25
    for result in results:
        assert "failed" not in result, f"{result['name']}: {result['failed']}"
        assert result["same"], f"{result['name']} gives something else than on the CPU"
        if options and result["name"] == "l-dmi":
            continue  # its determinants need float64, so its batches go to the CPU
        assert not result["waits"], f"{result['name']} has a GPU waited for: {result['waits']}"


@pytest.mark.parametrize("device", ["cuda", "cuda:1", torch.device("cuda", 1), "mps"])
def test_devices_that_are_there_are_taken(device: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert validate_device(device) == torch.device(device)


@pytest.mark.parametrize(
    ("device", "message"),
    [
        ("cuda:2", r"device='cuda:2' is not available: torch sees 2 CUDA devices"),
        ("mps", r"device='mps' is not available here. Use device='cpu'"),
        ("meta", r"device='meta' is not supported: use 'cpu', 'cuda' or 'mps'"),
        ("gpu", r"device='gpu' is not a device"),
    ],
)
def test_devices_that_are_not_there_are_refused(
    device: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    X, y = table()
    with pytest.raises(ValueError, match=message):
        DMClassifier(device=device).fit(X, y)


def test_float64_is_refused_where_the_device_has_none() -> None:
    with pytest.raises(ValueError, match=r"dtype='float64' does not exist on device='mps'"):
        check_dtype("float64", torch.device("mps"))
    check_dtype("float32", torch.device("mps"))
    check_dtype("float64", torch.device("cuda"))


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


def test_named_arrays_have_one_place(tmp_path: Path) -> None:
    X, _ = table()
    np.save(tmp_path / "rows.npy", X)
    mapped = np.load(tmp_path / "rows.npy", mmap_mode="r")
    device = torch.device("meta")
    beside_a_map = NamedRows({"mapped": mapped, "other": X}, device)
    assert beside_a_map.index_device.type == "cpu"
    assert beside_a_map.parts["other"].index_device.type == "cpu"  # for workers to fetch from
    assert beside_a_map.take(torch.arange(3))["other"].device == device
    assert NamedRows({"one": X, "other": X}, device).index_device == device


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
