"""The papers' tables on CIFAR-10
==============================

CRUST's table (ResNet-32, 120 epochs) and DM's (ResNet-56), and the human labels of CIFAR-10N.

Final accuracy on the test images, never that of the best epoch; no method is told the noise rate.
Symmetric noise replaces exactly that share of the labels by any of the nine others; asymmetric
noise takes trucks for automobiles, birds for airplanes, deer for horses, and cats and dogs for each
other. Images are shifted by up to four pixels and mirrored, on the device. SGD with momentum .9 and
weight decay 5e-4, batches of 128, learning rate .1, a tenth of it after 80 and again after 100 of
120 epochs; methods of other papers have their papers' own schedules and sizes of batches.

Every fit keeps checkpoints, and a run goes on where it was stopped or killed; with `--minutes 8` it
stops by itself, an epoch late at most. `--jobs 4` has four fits share a card; their times then say
little, so the table of times leaves them out. The checkpoints of a fit (up to 60 megabytes) are
removed once its result is written::

    python examples/cifar10.py --table crust --device cuda --seeds 5
    python examples/cifar10.py --table dm --device cuda --seeds 5
    python examples/cifar10.py --table cifar10n --device cuda --seeds 5
    python examples/cifar10.py --report

Results with other `--epochs` or another `--autocast` are kept apart; the report is of those that it
is asked for, as by `--report --autocast bfloat16`.
"""

from __future__ import annotations

import argparse
import math
import platform
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parent / "benchmarks"))
from _cifar10 import given_labels, load_cifar10
from _cifar10_clock import Deadline, OutOfTime, PlanningClock, Stopwatch, times_of
from _cifar10_picture import picture
from _cifar10_report import report
from _cifar10_tables import EPOCHS, TABLES
from _resnet import CifarResNet
from _results import DOCS, Line, append_result, open_results, read_results, write_page
from _shared import stop, use_one_thread

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
        own = ("batch_size", "lr", "lr_schedule", "max_epochs", "optimizer")
        classifier = kind.paper(**{k: v for k, v in training.items() if k not in own})
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


@dataclass(frozen=True)
class Cell:
    """One fit."""

    table: str
    method: str
    noise: str
    seed: int


@dataclass(frozen=True)
class Setting:
    """What may not differ between the results of one report."""

    tiny: bool
    epochs: int
    autocast: str | None

    @classmethod
    def of(cls, options: argparse.Namespace) -> Setting:
        """That of a run."""
        return cls(options.tiny, options.epochs, options.autocast)

    def holds_for(self, line: Line) -> bool:
        """Whether a result was measured in it."""
        asked = (line["tiny"], line["asked_epochs"], line["autocast"])
        return asked == (self.tiny, self.epochs, self.autocast)


@dataclass(frozen=True)
class Place:
    """Where the checkpoints of a fit and its times are kept."""

    parent: Path
    name: str

    @classmethod
    def of(cls, cell: Cell, options: argparse.Namespace) -> Place:
        """The place of a cell; no two fits share one."""
        setting = Setting.of(options)
        words = [cell.table, cell.method, cell.noise, str(cell.seed)]
        words += ["tiny"] * setting.tiny + [setting.autocast] * bool(setting.autocast)
        # These change results by rounding only: they share a table, but no checkpoints.
        words += ["channels last"] * options.channels_last
        words += [f"compiled {options.compile}"] * bool(options.compile)
        words += [f"{setting.epochs} epochs"] * (setting.epochs != EPOCHS)
        letters = (c if c.isalnum() else "-" for c in " ".join(words))
        return cls(Path(options.checkpoints), "".join(letters))

    @property
    def folder(self) -> Path:
        """The folder of the checkpoints."""
        return self.parent / self.name

    @property
    def times(self) -> Path:
        """The file of the times."""
        return self.parent / f"{self.name}.jsonl"

    def clear(self) -> None:
        """Remove both."""
        if self.folder.is_dir():
            shutil.rmtree(self.folder)
        for file in self.parent.glob(f"{self.times.name}*"):  # a killed process leaves others
            file.unlink()


def fit_cell(cell: Cell, options: argparse.Namespace, deadline: float, n_jobs: int) -> Line:
    """Fit, and say all there is to say about it."""
    place = Place.of(cell, options)
    depth, _, _ = TABLES[cell.table]
    (X, y), (X_test, y_test) = load_cifar10(options.data, 1 if options.tiny else 5)
    epochs = options.epochs
    if options.tiny:
        X, y = X[: TINY["n_train"]], y[: TINY["n_train"]]
        X_test, y_test = X_test[: TINY["n_test"]], y_test[: TINY["n_test"]]
        depth, epochs = TINY["depth"], TINY["epochs"]
    given = given_labels(cell.noise, y, options.data, cell.seed)
    about = {"jobs": n_jobs, "device": device_name(options.device), "torch": torch.__version__}
    stopwatch = Stopwatch.of(place.times, place.folder, **about)
    stops = Deadline.of(deadline, place.folder)
    classifier = METHODS[cell.method](
        module=CifarResNet,
        module__depth=depth,
        max_epochs=epochs,
        lr=0.1,
        lr_schedule={round(epochs * 2 / 3): 0.1, round(epochs * 5 / 6): 0.1},
        optimizer="sgd",
        batch_size=128,
        train_transform=stops.watched(RandomCropAndFlip(padding=4)),
        device=options.device,
        autocast=options.autocast,
        memory_format="channels_last" if options.channels_last else None,
        compile=options.compile or False,
        checkpoint=place.folder,
        random_state=cell.seed,
    )
    callbacks = [PlanningClock.of(place.folder), stopwatch, stops]
    if isinstance(classifier, CRUSTClassifier):
        if options.tiny:
            classifier.set_params(cross_fit=2, warmup_epochs=1, screening_epochs=1)
        callbacks.append(CoresetScoring(y, given, np.arange(10)))
    classifier.set_params(callbacks=callbacks)
    try:
        classifier.fit(X, given)
    finally:
        pieces = stopwatch.write()
    history = classifier.history_
    columns = ("train_loss", "dur", "planning", "checkpoint", "coreset_purity", "coreset_recall")
    return {
        **asdict(cell),
        "accuracy": float(classifier.score(X_test, y_test)),
        "share_wrong": float(np.mean(given != y)),
        "noise_rate": float(classifier.noise_rate_),
        **times_of(pieces, history),
        "epochs": len(history),
        "asked_epochs": options.epochs,
        "max_epochs": classifier.max_epochs,
        "depth": depth,
        "n_train": len(y),
        "tiny": options.tiny,
        "autocast": options.autocast,
        "channels_last": options.channels_last,
        "compile": options.compile,
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


def measure_one(cell: Cell, options: argparse.Namespace, deadline: float, n_jobs: int) -> bool:
    """Fit and write the result; False when time has run out."""
    if time.time() > deadline:
        return False
    try:
        line = fit_cell(cell, options, deadline, n_jobs)
    except OutOfTime:
        return False
    append_result(options.results, line)
    Place.of(cell, options).clear()
    print(f"{cell.noise:8s} {cell.method:20s} seed {cell.seed}: {line['accuracy']:.4f}", flush=True)
    return True


def measure(options: argparse.Namespace) -> None:
    """Make the fits that the file of results lacks."""
    deadline = time.time() + 60 * options.minutes
    setting = Setting.of(options)
    there = {
        Cell(line["table"], line["method"], line["noise"], line["seed"])
        for line in open_results(options.results)
        if setting.holds_for(line)
    }
    todo = [cell for cell in cells(options) if cell not in there]
    for cell in set(cells(options)) - set(todo):
        Place.of(cell, options).clear()  # of a process that was killed before it did so
    if todo:  # what is missing is to be found out before processes begin to work
        (_, y), _ = load_cifar10(options.data, 1 if options.tiny else 5)
        for noise in {cell.noise for cell in todo}:
            given_labels(noise, y, options.data, 0)
    n_jobs = max(1, min(options.jobs, len(todo)))
    if n_jobs == 1:
        done = [measure_one(cell, options, deadline, 1) for cell in todo]
    else:
        from joblib import Parallel, delayed

        done = Parallel(n_jobs=n_jobs)(
            delayed(measure_one)(cell, options, deadline, n_jobs) for cell in todo
        )
    n_left = len(todo) - sum(done)
    print(f"{sum(done)} fits done, {n_left} left" + (": run it again" if n_left else ""))


def write_report(options: argparse.Namespace) -> None:
    """Write the page, and beside it the picture if there is something to draw."""
    setting = Setting.of(options)
    lines = [line for line in read_results(options.results) if setting.holds_for(line)]
    path = options.output.with_name(f"{options.output.stem}_purity.png")
    drawn = path.name if picture(lines, path) else None
    write_page(options.output, "cifar10.py", "CIFAR-10", report(lines, drawn), folder="examples")
    print(f"{options.output} written from {len(lines)} results")


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--table", choices=TABLES, default="crust")
    parser.add_argument(
        "--methods", nargs="+", metavar="METHOD", help=f"some of the table's: {', '.join(METHODS)}"
    )
    noises = dict.fromkeys(noise for _, noises, _ in TABLES.values() for noise in noises)
    parser.add_argument(
        "--noises", nargs="+", metavar="NOISE", help=f"some of the table's: {', '.join(noises)}"
    )
    parser.add_argument("--seeds", type=int, default=1, help="how many, from 0 on")
    parser.add_argument("--epochs", type=int, default=EPOCHS, help=f"{EPOCHS}, as in the papers")
    parser.add_argument("--data", help="folder of CIFAR-10; default: that of NOISYFIT_DATA")
    parser.add_argument(
        "--device",
        default="cuda" if torch.cuda.is_available() else "cpu",
        help="default: the GPU, if there is one",
    )
    parser.add_argument("--autocast", choices=["bfloat16", "float16"], help="default: float32")
    parser.add_argument("--channels-last", action="store_true", help="memory_format of the fits")
    parser.add_argument(
        "--compile",
        choices=["default", "reduce-overhead", "max-autotune", "max-autotune-no-cudagraphs"],
        help='have torch compile training steps; "reduce-overhead" is by CUDA graphs',
    )
    parser.add_argument("--jobs", type=int, default=1, help="fits side by side")
    parser.add_argument("--minutes", type=float, default=math.inf, help="stop after so many")
    parser.add_argument(
        "--results",
        type=Path,
        default=DOCS / "results" / "cifar10.jsonl",
        help="file that results are added to",
    )
    parser.add_argument(
        "--checkpoints", default="cifar10-checkpoints", help="folder of unfinished fits"
    )
    parser.add_argument("--output", type=Path, default=DOCS / "cifar10.md", help="the page")
    parser.add_argument("--report", action="store_true", help="write the page from the results")
    # 500 images, two epochs and a very small network: for the tests.
    parser.add_argument("--tiny", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    for name in ("seeds", "epochs", "jobs"):
        if getattr(options, name) < 1:
            parser.error(f"--{name} must be at least 1, got {getattr(options, name)}")
    if not options.minutes >= 0:
        parser.error(f"--minutes must be at least 0, got {options.minutes}")
    if options.report:
        if not options.output.absolute().parent.is_dir():
            parser.error(f"--output {options.output}: its folder does not exist")
        write_report(options)
        return
    _, noises, methods = TABLES[options.table]
    for name, some in (("noises", noises), ("methods", methods)):
        for asked in getattr(options, name) or ():
            if asked not in some:
                stop(f"--{name} of --table {options.table} are {', '.join(some)}; got {asked}.")
    try:
        device = torch.device(options.device)
    except RuntimeError:
        parser.error(f"--device must be cpu, cuda, cuda:1 or the like, got {options.device}")
    if device.type == "cuda" and not torch.cuda.is_available():
        stop(f"--device {device}: there is no GPU that torch {torch.__version__} can use.")
    if options.tiny:
        use_one_thread()
    measure(options)


if __name__ == "__main__":
    main()
