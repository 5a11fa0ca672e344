"""The papers' tables on CIFAR-10
==============================

CRUST's table (ResNet-32, 120 epochs) and DM's (ResNet-56), and the human labels of CIFAR-10N.

Final accuracy on the test images, never that of the best epoch; no method is told the noise rate.
Symmetric noise replaces exactly that share of the labels by any of the nine others; asymmetric
noise takes trucks for automobiles, birds for airplanes, deer for horses, and cats and dogs for each
other. Images are shifted by up to four pixels and mirrored, on the device. SGD with momentum .9 and
weight decay 5e-4, batches of 128, learning rate .1, a tenth of it after 80 and again after 100 of
120 epochs; methods of other papers have their papers' own schedules.

Every fit keeps checkpoints, and a run goes on where it was stopped; with `--minutes 9` it stops by
itself in time. `--jobs 4` has four fits share a card::

    python examples/cifar10.py --table crust --device cuda --seeds 5
    python examples/cifar10.py --table dm --device cuda --seeds 5
    python examples/cifar10.py --table cifar10n --device cuda --seeds 5
    python examples/cifar10.py --report
"""

from __future__ import annotations

import argparse
import platform
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from skorch.callbacks import Callback

sys.path.insert(0, str(Path(__file__).resolve().parent / "benchmarks"))
from _cifar10 import HUMAN, PUBLISHED, USERS, given_labels, load_cifar10
from _resnet import CifarResNet
from _results import DOCS, Line, append_result, open_results, read_results, write_page
from _shared import format_table, stop, use_one_thread

import noisyfit
from noisyfit import (
    CRUSTClassifier,
    DMClassifier,
    ForwardClassifier,
    LDMIClassifier,
    RobustLossClassifier,
    TRevisionClassifier,
)
from noisyfit.augmentation import RandomCropAndFlip
from noisyfit.callbacks import CoresetScoring

EPOCHS = 120
TINY = {"n_train": 500, "n_test": 200, "epochs": 2, "depth": 8}


def _dm(strength: float, beta: float) -> Callable[..., Any]:
    """DM with the paper's lambda and beta."""

    def make(**training: Any) -> Any:
        return DMClassifier("dm", mode=strength / (1 + strength), variance=beta, **training)

    return make


def _robust(criterion: str) -> Callable[..., Any]:
    return lambda **training: RobustLossClassifier(criterion, **training)


def _paper(kind: Any, *phases: str) -> Callable[..., Any]:
    """The settings of a method's own paper; ``phases`` are its other numbers of epochs."""

    def make(**training: Any) -> Any:
        network = {
            k: v for k, v in training.items() if k not in ("lr", "lr_schedule", "max_epochs")
        }
        classifier = kind.paper(**network)
        if training["max_epochs"] < EPOCHS:  # a trial
            epochs = dict.fromkeys(("max_epochs", *phases), training["max_epochs"])
            classifier.set_params(lr_schedule="constant", **epochs)
        return classifier

    return make


METHODS: dict[str, Callable[..., Any]] = {
    "cross entropy": _robust("ce"),
    "gce": _robust("gce"),
    "sce": _robust("sce"),
    "forward": _paper(ForwardClassifier, "estimation_epochs"),
    "t_revision": _paper(TRevisionClassifier, "estimation_epochs", "revision_epochs"),
    "l_dmi": _paper(LDMIClassifier, "pretraining_epochs"),
    "dm": DMClassifier,
    "dm (0.5, 12)": _dm(0.5, 12.0),
    "dm (1, 16)": _dm(1.0, 16.0),
    "crust": CRUSTClassifier,
    "crust paper": CRUSTClassifier.paper,
    "crust official code": CRUSTClassifier.official_code,
}
SYNTHETIC = ("sym20", "sym50", "sym80", "asym40")
#: Depth of the network, noises and methods.
TABLES: dict[str, tuple[int, tuple[str, ...], tuple[str, ...]]] = {
    "crust": (
        32,
        SYNTHETIC,
        tuple(name for name in METHODS if name not in ("dm (0.5, 12)", "dm (1, 16)")),
    ),
    "dm": (56, ("sym40",), ("cross entropy", "dm (0.5, 12)", "dm (1, 16)", "dm", "crust")),
    "cifar10n": (32, HUMAN, ("cross entropy", "gce", "sce", "dm", "crust")),
}
TITLES = {
    "crust": "CRUST's table: ResNet-32",
    "dm": "DM's table: ResNet-56, 40 % symmetric noise",
    "cifar10n": "The human labels of CIFAR-10N: ResNet-32",
}


@dataclass(frozen=True)
class Cell:
    """One fit."""

    table: str
    method: str
    noise: str
    seed: int

    @property
    def key(self) -> str:
        """A name for folders."""
        letters = (c if c.isalnum() else "-" for c in f"{self.table} {self.method} {self.noise}")
        return f"{''.join(letters)}-{self.seed}"


class OutOfTime(Exception):
    """The run has to stop; its checkpoints are written."""


class Deadline(Callback):
    """Stops before the first epoch that begins too late.

    The moment is private: it is no part of what tells a fit from others.
    """

    _at = float("inf")

    @classmethod
    def of(cls, at: float) -> Deadline:
        """One that stops then."""
        made = cls()
        made._at = at
        return made

    def on_epoch_begin(self, net: Any, **kwargs: Any) -> None:
        """Look at the clock."""
        if time.time() > self._at:
            raise OutOfTime


class PlanningClock(Callback):
    """Records how long it took, between two epochs, to say what the next one trains on."""

    def on_train_begin(self, net: Any, X: Any = None, y: Any = None, **kwargs: Any) -> None:
        """Begin to count."""
        self._last = time.perf_counter()

    def on_epoch_begin(self, net: Any, **kwargs: Any) -> None:
        """Note the time since the last epoch."""
        net.history.record("planning", time.perf_counter() - self._last)

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Begin to count again."""
        self._last = time.perf_counter()


def fit_cell(cell: Cell, options: argparse.Namespace, deadline: float) -> Line:
    """Fit, and say all there is to say about it."""
    depth, _, _ = TABLES[cell.table]
    (X, y), (X_test, y_test) = load_cifar10(options.data, 1 if options.tiny else 5)
    epochs = options.epochs
    if options.tiny:
        X, y = X[: TINY["n_train"]], y[: TINY["n_train"]]
        X_test, y_test = X_test[: TINY["n_test"]], y_test[: TINY["n_test"]]
        depth, epochs = TINY["depth"], TINY["epochs"]
    given = given_labels(cell.noise, y, options.data, cell.seed)
    classifier = METHODS[cell.method](
        module=CifarResNet,
        module__depth=depth,
        max_epochs=epochs,
        lr=0.1,
        lr_schedule={round(epochs * 2 / 3): 0.1, round(epochs * 5 / 6): 0.1},
        optimizer="sgd",
        batch_size=128,
        train_transform=RandomCropAndFlip(padding=4),
        device=options.device,
        autocast=options.autocast,
        random_state=cell.seed,
    )
    callbacks: list[Any] = [("clock", PlanningClock()), ("deadline", Deadline.of(deadline))]
    if isinstance(classifier, CRUSTClassifier):
        if options.tiny:
            classifier.set_params(cross_fit=2, warmup_epochs=1, screening_epochs=1)
        callbacks.append(("coreset", CoresetScoring(y, given, np.arange(10))))
    classifier.set_params(callbacks=callbacks, checkpoint=Path(options.checkpoints) / cell.key)
    start = time.perf_counter()
    classifier.fit(X, given)
    seconds = time.perf_counter() - start
    history = classifier.history_
    columns = ("train_loss", "dur", "planning", "coreset_purity", "coreset_recall")
    return {
        **asdict(cell),
        "accuracy": float(classifier.score(X_test, y_test)),
        "share_wrong": float(np.mean(given != y)),
        "noise_rate": float(classifier.noise_rate_),
        "wall_seconds_of_the_last_process": round(seconds, 2),
        "training_seconds": round(sum(record["dur"] for record in history), 2),
        "planning_seconds": round(sum(record.get("planning", 0.0) for record in history), 2),
        "epochs": len(history),
        "max_epochs": classifier.max_epochs,
        "depth": depth,
        "n_train": len(y),
        "tiny": options.tiny,
        "autocast": options.autocast,
        "device": device_name(options.device),
        "torch": torch.__version__,
        "noisyfit": noisyfit.__version__,
        **{
            name: [
                None if (v := record.get(name)) is None else round(float(v), 5)
                for record in history
            ]
            for name in columns
            if any(name in record for record in history)
        },
    }


def rounded(value: float | None) -> float | None:
    """Five digits are enough."""
    return None if value is None else round(float(value), 5)


def device_name(device: str) -> str:
    """Name of the card or the processor."""
    if torch.device(device).type == "cuda":
        return torch.cuda.get_device_name(device)
    return platform.processor() or platform.machine()


def cells(options: argparse.Namespace) -> list[Cell]:
    """All fits of a table that are asked for, seed by seed."""
    _, noises, methods = TABLES[options.table]
    return [
        Cell(options.table, method, noise, seed)
        for seed in range(options.seeds)
        for noise in noises
        if not options.noises or noise in options.noises
        for method in methods
        if not options.methods or method in options.methods
    ]


def measure_one(cell: Cell, options: argparse.Namespace, deadline: float) -> bool:
    """Fit and write the result; False when time has run out."""
    if time.time() > deadline:
        return False
    try:
        line = fit_cell(cell, options, deadline)
    except OutOfTime:
        return False
    append_result(options.results, line)
    print(f"{cell.noise:8s} {cell.method:20s} seed {cell.seed}: {line['accuracy']:.4f}", flush=True)
    return True


def measure(options: argparse.Namespace) -> None:
    """Make the fits that the file of results lacks."""
    deadline = time.time() + 60 * options.minutes
    there = {
        (line["table"], line["method"], line["noise"], line["seed"])
        for line in open_results(options.results)
        if line["tiny"] == options.tiny
    }
    todo = [c for c in cells(options) if (c.table, c.method, c.noise, c.seed) not in there]
    if options.jobs == 1:
        done = [measure_one(cell, options, deadline) for cell in todo]
    else:
        from joblib import Parallel, delayed

        done = Parallel(n_jobs=options.jobs)(
            delayed(measure_one)(cell, options, deadline) for cell in todo
        )
    n_left = len(todo) - sum(done)
    print(f"{sum(done)} fits done, {n_left} left" + (": run it again" if n_left else ""))


def report(lines: list[Line]) -> str:
    """The tables, each cell with what is published, what users got, and ours."""
    texts = []
    for table, (depth, noises, methods) in TABLES.items():
        runs = [line for line in lines if line["table"] == table]
        rows = [[method, *(_entry(table, method, n, runs) for n in noises)] for method in methods]
        devices = sorted({f"{line['device']}, torch {line['torch']}" for line in runs})
        texts.append(
            f"## {TITLES[table]}\n\n{format_table(['method', *noises], rows, markdown=True)}\n\n"
            f"Network of {depth} layers; measured on: {'; '.join(devices) or 'nothing yet'}."
        )
    return "\n\n".join(texts)


def _entry(table: str, method: str, noise: str, runs: list[Line]) -> str:
    found = [100 * x["accuracy"] for x in runs if (x["method"], x["noise"]) == (method, noise)]
    ours = "not measured yet"
    if found:
        spread = f" ± {np.std(found, ddof=1):.1f}" if len(found) > 1 else ""
        ours = f"**{np.mean(found):.1f}{spread}** ({len(found)} seed{'s' * (len(found) > 1)})"
    published = PUBLISHED.get((table, method, noise))
    users = USERS.get((table, method, noise))
    pieces = [
        ours,
        *([f"published {published}"] if published else []),
        *([f"users {users}"] if users else []),
    ]
    return "; ".join(pieces)


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--table", choices=TABLES, default="crust")
    parser.add_argument("--methods", nargs="+", choices=METHODS, help="some of the table's methods")
    parser.add_argument("--noises", nargs="+", help="some of the table's noises")
    parser.add_argument("--seeds", type=int, default=1, help="how many, from 0 on")
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--data", help="folder of CIFAR-10; default: that of NOISYFIT_DATA")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--autocast", choices=["bfloat16", "float16"])
    parser.add_argument("--jobs", type=int, default=1, help="fits side by side")
    parser.add_argument("--minutes", type=float, default=1e6, help="stop after so many")
    parser.add_argument("--results", type=Path, default=DOCS / "results" / "cifar10.jsonl")
    parser.add_argument("--checkpoints", default="cifar10-checkpoints")
    parser.add_argument("--output", type=Path, default=DOCS / "cifar10.md")
    parser.add_argument("--report", action="store_true", help="write the page from the results")
    # 500 images, two epochs and a very small network: for the tests.
    parser.add_argument("--tiny", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.report:
        lines = [line for line in read_results(options.results) if not line["tiny"]]
        write_page(options.output, "cifar10.py", "CIFAR-10", report(lines), folder="examples")
        print(f"{options.output} written from {len(lines)} results")
        return
    noises = TABLES[options.table][1]
    for noise in options.noises or ():
        if noise not in noises:
            stop(f"--noises of --table {options.table} are {', '.join(noises)}; got {noise}.")
    if options.tiny:
        use_one_thread()
    measure(options)


if __name__ == "__main__":
    main()
