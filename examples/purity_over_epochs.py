"""Purity of the coreset over the epochs
=====================================

How clean is CRUST's coreset, and how many of the clean rows does it find? Epoch by epoch.

Figure 1(a) of the CRUST paper shows the share of right labels in subsets of 30 %, 50 % and 70 %,
selected at 50 % symmetric noise, over the epochs. This draws such a figure for small data sets:
the published algorithm among predicted and among given classes, the official code's selection, and
what noisyfit does. Every selector trains a network of its own on what it selects, so a bad choice
leads to the next one. The network and its training are noisyfit's defaults for all.

purity: share of right labels in the subset; recall: share of the rightly labelled rows that are in
it. The subset is what an epoch trains on under its given label. Results are stored, and a run goes
on where an earlier one was stopped.

About 7 minutes, saved as docs/purity_over_epochs.png; with `--report` the table and the picture
from stored results::

    python examples/purity_over_epochs.py
    python examples/purity_over_epochs.py --report

`--data fashion_mnist` takes 8,000 rows of Fashion-MNIST from the folder that NOISYFIT_DATA names.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np
from skorch.callbacks import Callback

sys.path.insert(0, str(Path(__file__).resolve().parent / "benchmarks"))
from _purity_picture import COLORS, picture
from _results import DOCS, Line, append_result, open_results, read_results
from _shared import (
    Progress,
    format_table,
    load_digits_split,
    load_fashion_mnist_split,
    require,
    stop,
    use_one_thread,
)

from noisyfit import CRUSTClassifier
from noisyfit.noise import symmetric_noise

RATE = 0.5
EPOCHS = 40
WARMUP = 5
FRACTIONS = (0.3, 0.5, 0.7)
OWN_SIZE = "CRUSTClassifier()"
SELECTORS = tuple(COLORS)
DATA_SETS = {"digits": "digits", "fashion_mnist": "Fashion-MNIST"}
FASHION_MNIST_ROWS = 8000
TINY_EPOCHS = 8


class SubsetRecorder(Callback):
    """Notes what each epoch trains on, once the warm-up on all rows is over.

    Rows that train under another label than the given one, as `pseudo_label` has it, don't count.
    """

    def __init__(self, given: np.ndarray, wrong: np.ndarray) -> None:
        self.given = given
        self.wrong = wrong
        self.subsets: list[dict[str, float]] = []

    def on_epoch_begin(self, net: Any, **kwargs: Any) -> None:
        """Look at the plan that the epoch is going to follow."""
        plan = net.plan_
        if plan.phase != "coreset":
            return
        under_given_label = plan.targets == self.given[plan.rows]
        right = ~self.wrong[plan.rows[under_given_label]]
        subset = {
            "epoch": len(net.history),
            "size": len(right) / len(self.given),
            "purity": np.mean(right),
            "weighted_purity": np.average(right, weights=plan.weights[under_given_label]),
            "recall": np.sum(right) / np.sum(~self.wrong),
        }
        self.subsets.append({name: round(float(value), 5) for name, value in subset.items()})


def make_classifier(selector: str, fraction: float | None, **network: Any) -> CRUSTClassifier:
    """A selector of SELECTORS, all with the default network, optimizer and learning rate."""
    if selector == OWN_SIZE:
        return CRUSTClassifier(**network)
    assert fraction is not None
    training = {
        "lr": 1e-3,
        "lr_schedule": "cosine",
        "optimizer": "adam",
        "batch_size": "auto",
        "warmup_epochs": WARMUP,
        "criterion": "ce",
        "pseudo_label": None,
        **network,
    }
    if selector == "coreset w/preds (the paper)":
        return CRUSTClassifier.paper(fraction=fraction, **training)
    if selector == "coreset w/label":
        return CRUSTClassifier.paper(fraction=fraction, group_by="given", **training)
    if selector == "official code":
        return CRUSTClassifier.official_code(fraction=fraction, **training)
    if selector == "smallest gradient norm":
        return CRUSTClassifier(trim=1 - fraction, selection="all", cross_fit=None, **training)
    return CRUSTClassifier(trim=None, selection="random", fraction=fraction, **training)


def load(name: str, seed: int, tiny: bool) -> tuple[Any, Any, np.ndarray, np.ndarray]:
    """X_train, X_test, y_train and y_test of a data set of DATA_SETS."""
    if name == "fashion_mnist":
        split = load_fashion_mnist_split(FASHION_MNIST_ROWS, seed)
        if split is None:
            stop("--data fashion_mnist is read from the folder that NOISYFIT_DATA names; set it.")
        return split
    X, X_test, y, y_test = load_digits_split(seed)
    return (X[:300], X_test, y[:300], y_test) if tiny else (X, X_test, y, y_test)


def cases(n_seeds: int) -> list[tuple[int, str, float | None]]:
    """Seed, selector and fraction of every fit; a selector of its own size has no fraction."""
    return [
        (seed, selector, fraction)
        for seed in range(n_seeds)
        for selector in SELECTORS
        for fraction in ((None,) if selector == OWN_SIZE else FRACTIONS)
    ]


def measure(args: argparse.Namespace) -> None:
    """Make the fits that the file of results lacks."""
    network: dict[str, Any] = {"max_epochs": EPOCHS}
    if args.tiny:
        network = {"max_epochs": TINY_EPOCHS, "module__hidden": (16,)}
    there = {
        (line["data"], line["seed"], line["selector"], line["fraction"])
        for line in open_results(args.results)
    }
    todo = [case for case in cases(args.seeds) if (args.data, *case) not in there]
    with Progress(network["max_epochs"] * len(todo)) as progress:
        for seed, selector, fraction in todo:
            size = "" if fraction is None else f" {fraction:.0%}"
            progress.describe(f"seed {seed}, {selector}{size}")
            X, X_test, y, y_test = load(args.data, seed, args.tiny)
            given, wrong = symmetric_noise(y, RATE, random_state=seed)
            recorder = SubsetRecorder(given, wrong)
            classifier = make_classifier(
                selector,
                fraction,
                callbacks=[*progress.callbacks, recorder],
                random_state=seed,
                **network,
            )
            accuracy = classifier.fit(X, given).score(X_test, y_test)
            columns = {
                name: [subset[name] for subset in recorder.subsets] for name in recorder.subsets[0]
            }
            if classifier.weights != "cluster":
                del columns["weighted_purity"]  # all weights are equal
            line = {"data": args.data, "seed": seed, "selector": selector, "fraction": fraction}
            clean_share = float(np.mean(~wrong))
            append_result(
                args.results,
                {**line, "accuracy": float(accuracy), "clean_share": clean_share, **columns},
            )


def averages(lines: list[Line]) -> dict[tuple[str, float | None], dict[str, Any]]:
    """Means over the seeds, by selector and fraction; epochs make an array."""
    found: dict[tuple[str, float | None], dict[str, Any]] = {}
    for selector, fraction in dict.fromkeys(case[1:] for case in cases(1)):
        runs = [x for x in lines if (x["selector"], x["fraction"]) == (selector, fraction)]
        if runs:
            names = [name for name in runs[0] if name not in ("data", "selector", "fraction")]
            found[selector, fraction] = {
                name: np.mean([run[name] for run in runs], axis=0) for name in names
            }
    return found


def table(means: dict[tuple[str, float | None], dict[str, Any]]) -> str:
    """Figures of the last epoch, and the purity of the first selection."""
    rows = []
    for (selector, fraction), figures in sorted(
        means.items(), key=lambda item: (item[0][1] or 1, SELECTORS.index(item[0][0]))
    ):
        weighted = figures.get("weighted_purity")
        asked = f"{fraction:.0%}" if fraction else f"its own: {figures['size'][-1]:.0%}"
        rows.append(
            [
                asked,
                selector,
                float(figures["purity"][0]),
                float(figures["purity"][-1]),
                None if weighted is None else float(weighted[-1]),
                float(figures["recall"][-1]),
                float(figures["accuracy"]),
            ]
        )
    headers = ["subset", "selector", "purity at first", "purity at last", "by weight", "recall"]
    return format_table([*headers, "test accuracy"], rows, markdown=True)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", choices=list(DATA_SETS), default="digits", help="data (digits)")
    parser.add_argument("--seeds", type=int, default=3, help="mean of so many (3)")
    parser.add_argument("--report", action="store_true", help="don't train: show what is stored")
    parser.add_argument(
        "--results", type=Path, default=DOCS / "results" / "purity_over_epochs.jsonl"
    )
    parser.add_argument("--output", type=Path, help="where the picture goes (docs/)")
    parser.add_argument("--tiny", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.seeds < 1:
        parser.error(f"--seeds must be at least 1, got {args.seeds}")
    if args.output is None:
        suffix = "" if args.data == "digits" else f"_{args.data}"
        args.output = DOCS / f"purity_over_epochs{suffix}.png"
    if not args.output.absolute().parent.is_dir():
        parser.error(f"--output {args.output}: its folder does not exist")
    return args


def main() -> None:
    args = parse_arguments()
    require("matplotlib", "tqdm")
    if not args.report:
        use_one_thread()
        measure(args)
    lines = [
        line
        for line in read_results(args.results)
        if line["data"] == args.data and line["seed"] < args.seeds
    ]
    if not lines:
        stop(f"{args.results} has no results for {args.data}; run without --report first.")
    means = averages(lines)
    n_seeds = len({line["seed"] for line in lines})
    seeds = "1 seed" if n_seeds == 1 else f"mean of {n_seeds} seeds"
    what = f"{DATA_SETS[args.data]}, {RATE:.0%} symmetric noise, {seeds}"
    print(f"{what}\n")
    print(table(means))
    print(
        "\nsubset: share of the rows; purity: share of right labels in it at the first selection"
        "\nand in the last epoch; by weight: the same, each medoid counted as often as its cluster"
        "\nhas rows; recall: share of all rightly labelled rows that are in it, last epoch."
    )
    picture(means, args.output, what)
    print(f"\nPicture saved as {args.output}")


if __name__ == "__main__":
    main()
