"""Everything that noisyfit does on a device, on the CPU and on a pretended GPU.

Prints one line of JSON per scenario: whether the results were the same to the last bit, and what a
GPU would have been waited for while batches were computed. Run by tests/test_gpu.py::

    python tests/pretended_gpu/scenarios.py [--without-float64] [part of a name]
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import traceback
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.naive_bayes import GaussianNB
from skorch.callbacks import Callback
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from pretended_gpu.device import NAME, PretendedDevice, PretendedTensor, set_up
from stress.fits import FITS, images, outcome, table, words

import noisyfit
from noisyfit import (
    CRUSTClassifier,
    DMClassifier,
    GradientMedoidSampler,
    GradientMedoidSelector,
    RobustLossClassifier,
    _precision,
)
from noisyfit.estimators import ForwardClassifier, medoids
from noisyfit.estimators.base import network as estimators
from noisyfit.losses import CRITERION_NAMES, resolve_criterion
from noisyfit.selection import (
    SELECTION_METHODS,
    feature_gradients,
    last_layer_gradients,
    logit_gradients,
    module_gradients,
    select_coreset,
)
from noisyfit.storage import arrays
from noisyfit.training import settings
from noisyfit.training.network import PlannedNet
from noisyfit.training.plan import PlannedBatches

SMALL: dict[str, Any] = {
    "module__hidden": (8,),
    "max_epochs": 3,
    "batch_size": 32,
    "random_state": 0,
}
Scenario = Callable[[str], Any]
SCENARIOS: dict[str, Scenario] = {}


def scenario(function: Scenario) -> Scenario:
    """Add one under the words of its name."""
    SCENARIOS[function.__name__.replace("_", " ")] = function
    return function


def fit_of(name: str) -> Scenario:
    """Do a fit of the stress tests, shorter."""

    def fit(device: str) -> Any:
        make, data = FITS[name]
        X, y = data()
        return outcome(make().set_params(device=device, max_epochs=3).fit(X, y), X)

    return fit


# Autocast can't be pretended: what it does is decided by torch's kernels for the device.
SCENARIOS.update({name: fit_of(name) for name in FITS if "float16" not in name})


@scenario
def words_mixed(device: str) -> Any:
    """Mixup of sparse rows."""
    X, y = words()
    return outcome(CRUSTClassifier(**SMALL, device=device, mixup=1.0, cross_fit=2).fit(X, y), X)


@scenario
def images_mixed(device: str) -> Any:
    """Mixup of images that are bytes."""
    X, y = images()
    parameters = {**SMALL, "module__channels": (4,)}
    del parameters["module__hidden"]
    return outcome(
        CRUSTClassifier(**parameters, device=device, mixup=1.0, cross_fit=2).fit(X, y), X
    )


@scenario
def memory_map(device: str) -> Any:
    """Features that stay on the disk, of the network's type and of another."""
    X, y = table()
    results = []
    for dtype in (np.float32, np.float64):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "rows.npy"
            np.save(path, X.astype(dtype))
            mapped = np.load(path, mmap_mode="r")
            fitted = DMClassifier(**SMALL, device=device).fit(mapped, y)
            results.append(outcome(fitted, mapped))
    return results


class Items(torch.utils.data.Dataset):
    """Items one by one."""

    def __len__(self) -> int:
        return 240

    def __getitem__(self, number: int) -> tuple[np.ndarray, int]:
        X, y = table()
        return X[number], int(y[number])


@scenario
def dataset(device: str) -> Any:
    """A torch data set."""
    return outcome(DMClassifier(**SMALL, device=device).fit(Items()), Items())


@scenario
def loader_workers(device: str) -> Any:
    """Items are fetched by them; rows that lie on the device need none, and draw no seeds."""
    options = {**SMALL, "device": device, "iterator_train__num_workers": 1}
    X, y = table()
    DMClassifier(**options).fit(X, y)
    return outcome(DMClassifier(**options).fit(Items()), Items())


class Named(nn.Module):
    """Takes two parts of a row by name."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.last = nn.Embedding(5, 4), nn.Linear(10, 3)

    def forward(self, numbers: Tensor, word: Tensor) -> Tensor:
        """Logits."""
        return self.last(torch.cat([numbers, self.words(word)], dim=1))


@scenario
def named_arrays(device: str) -> Any:
    """A dict of arrays and a module of the user's."""
    X, y = table()
    rows = {"numbers": X, "word": np.arange(len(X)) % 5}
    parameters = {**SMALL, "module": Named}
    del parameters["module__hidden"]
    return outcome(CRUSTClassifier(**parameters, device=device, cross_fit=2).fit(rows, y), rows)


@scenario
def named_arrays_and_a_map(device: str) -> Any:
    """One of the arrays is on the disk, and workers fetch them."""
    X, y = table()
    with tempfile.TemporaryDirectory() as folder:
        np.save(Path(folder) / "numbers.npy", X)
        numbers = np.load(Path(folder) / "numbers.npy", mmap_mode="r")
        rows = {"numbers": numbers, "word": np.arange(len(X)) % 5}
        options = {**SMALL, "module": Named, "iterator_train__num_workers": 1}
        del options["module__hidden"]
        return outcome(DMClassifier(**options, device=device).fit(rows, y), rows)


@scenario
def piece_by_piece(device: str) -> Any:
    """partial_fit."""
    X, y = table()
    classifier = DMClassifier(**SMALL, device=device)
    for part in np.array_split(np.arange(len(X)), 3):
        classifier.partial_fit(X[part], y[part], classes=np.arange(3))
    return classifier.predict_proba(X).tobytes()


@scenario
def warm_start(device: str) -> Any:
    """A second fit goes on."""
    X, y = table()
    classifier = DMClassifier(**SMALL, device=device, warm_start=True).fit(X, y)
    return outcome(classifier.fit(X, y), X)


class _Stop(Exception):
    pass


class Stopping(Callback):
    """Breaks off after two epochs, once."""

    broken = False

    def on_epoch_begin(self, net: Any, **kwargs: Any) -> None:
        """Raise."""
        if len(net.history) == 3 and not Stopping.broken:
            Stopping.broken = True
            raise _Stop


def broken_off(classifier: Any) -> Any:
    """What comes of a fit that goes on where it was broken off."""
    X, y = table()
    Stopping.broken = False
    with tempfile.TemporaryDirectory() as folder:
        classifier.set_params(max_epochs=5, checkpoint=folder, callbacks=[("stop", Stopping())])
        try:
            classifier.fit(X, y)
        except _Stop:
            return outcome(classifier.fit(X, y), X)
    raise AssertionError("the fit was not broken off")


@scenario
def checkpoint(device: str) -> Any:
    """A fit that is broken off and goes on."""
    return broken_off(CRUSTClassifier(**SMALL, cross_fit=2, device=device))


@scenario
def checkpoint_of_what_was_recorded(device: str) -> Any:
    """Tensors of a callback, and of a criterion, go on where the network is."""
    return broken_off(RobustLossClassifier("elr", **SMALL, device=device))


@scenario
def warm_start_by_a_matrix(device: str) -> Any:
    """A second fit goes on with another criterion, which holds a matrix."""
    X, y = table()
    classifier = ForwardClassifier(**SMALL, device=device, warm_start=True, cross_fit=2).fit(X, y)
    return outcome(classifier.fit(X, y), X)


@scenario
def saved_and_loaded(device: str) -> Any:
    """A file written from the device is read on the CPU."""
    X, y = table()
    fitted = CRUSTClassifier(**SMALL, cross_fit=2, device=device).fit(X, y)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "fitted.noisyfit"
        noisyfit.save(fitted, path)
        return noisyfit.load(path, device="cpu").predict_proba(X).tobytes()


@scenario
def losses(device: str) -> Any:
    """Every criterion and its gradients."""
    generator = torch.Generator().manual_seed(0)
    given = torch.randn(64, 5, generator=generator) * 3
    codes = torch.randint(5, (64,), generator=generator).to(device)
    found = []
    for name in sorted(CRITERION_NAMES):
        logits = given.clone().to(device).requires_grad_()
        values = resolve_criterion(name).to(device)(logits, codes)
        values.sum().backward()
        assert logits.grad is not None
        found += [values.detach().cpu().numpy().tobytes(), logits.grad.cpu().numpy().tobytes()]
    return found


@scenario
def selection(device: str) -> Any:
    """Every way to select, on tensors of the device."""
    rng = np.random.RandomState(0)
    dirichlet = rng.dirichlet(np.full(4, 0.4), 120).astype(np.float32)
    probabilities = torch.from_numpy(dirichlet).to(device)
    codes = rng.randint(4, size=120)
    hidden = torch.from_numpy(rng.randn(120, 6).astype(np.float32)).to(device)
    found = []
    for gradients in (
        logit_gradients(probabilities, codes),
        feature_gradients(probabilities, codes, torch.eye(4, 6).to(device)),
        last_layer_gradients(probabilities, codes, hidden),
    ):
        for method in SELECTION_METHODS:
            if method == "partitioned" and not isinstance(gradients, Tensor):
                continue  # it takes points only
            coreset = select_coreset(
                gradients,
                fraction=None if method == "all" else 0.3,
                method=method,
                groups=codes,
                random_state=0,
            )
            found += [coreset.indices.tolist(), coreset.weights.tolist()]
    return found


@scenario
def selectors(device: str) -> Any:
    """The transformer and the sampler."""
    X, y = table()
    found = []
    for classifier in (None, GaussianNB()):
        for make in (GradientMedoidSelector, GradientMedoidSampler):
            options = {"trim": None if classifier is None else "auto", "estimator": classifier}
            fitted = make(fraction=0.2, device=device, random_state=0, **options).fit(X, y)
            found += [fitted.medoid_indices_.tolist(), fitted.weights_.tolist()]
    return found


@scenario
def gradients_of_a_module(device: str) -> Any:
    """Gradients by a hook, of a network on the device."""
    X, y = table()
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(6, 4), nn.ReLU(), nn.Linear(4, 3)).to(device)
    found = module_gradients(module, torch.from_numpy(X), y)
    return [part.cpu().numpy().tobytes() for part in (found.left, found.right)]


def run(do: Scenario, *, has_float64: bool) -> dict[str, Any]:
    """Do it on both, and compare."""
    expected = do("cpu")
    device = PretendedDevice(has_float64=has_float64)

    def watching(function: Any) -> Any:
        def watched(self: Any, *args: Any, **kwargs: Any) -> Any:
            told = function.__name__ == "notify" and not args[0].startswith("on_batch")
            with nullcontext() if told else device.watched():
                return function(self, *args, **kwargs)

        return watched

    watched = [
        (PlannedNet, "train_step"),
        (PlannedNet, "validation_step"),
        (PlannedNet, "notify"),
        (PlannedBatches, "__getitem__"),
    ]
    real = [getattr(kind, name) for kind, name in watched]
    for (kind, name), function in zip(watched, real, strict=True):
        setattr(kind, name, watching(function))
    try:
        with device:
            found = do(f"{NAME}:0")
    except Exception:
        return {"failed": traceback.format_exc()}
    finally:
        for (kind, name), function in zip(watched, real, strict=True):
            setattr(kind, name, function)
    # What goes there by `moved` a real GPU is not waited for.
    waits = [wait for wait in device.waits if not wait.startswith("training/rows/base.py moved")]
    return {"same": found == expected, "waits": sorted(set(waits))}


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--without-float64", action="store_true")
    parser.add_argument("part", nargs="?", default="")
    options = parser.parse_args()
    torch.set_num_threads(1)
    set_up()
    # What refuses devices and tensors that it doesn't know.
    for module in (estimators, medoids):
        module.validate_device = torch.device
    for module in (_precision, settings):
        module.has_float64 = lambda device: not options.without_float64
    arrays._TENSORS = *arrays._TENSORS, PretendedTensor
    for name, do in SCENARIOS.items():
        if options.part in name and not (options.without_float64 and "float64" in name):
            result = run(do, has_float64=not options.without_float64)
            print(json.dumps({"name": name, **result}), flush=True)


if __name__ == "__main__":
    main()
