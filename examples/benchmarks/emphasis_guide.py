"""Which emphasis mode and variance for which noise? A picture from real runs.

`DMClassifier("dm")` at a grid of modes and variances, beside cross entropy and `DMClassifier()`,
which finds its own, on three data sets of the folder that NOISYFIT_DATA names: letter (a table of
26 classes), 20 newsgroups (text, 256 columns) and magic (a table of two classes). Test accuracy of
the final epoch. A run goes on where an earlier one was stopped; `--redo` measures "auto" anew.

    python examples/benchmarks/emphasis_guide.py            (about 15 minutes; docs/emphasis.png)
"""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parent))
from _data import cases, given_labels, load
from _results import DOCS, Line, append_result, open_results, rewrite_results
from _shared import Progress, format_table, require, use_one_thread

from noisyfit import DMClassifier

SETS = {
    "letter": "letter (26 classes)",
    "newsgroups": "20 newsgroups",
    "magic": "magic (2 classes)",
}
KINDS = ["clean", "sym .2", "sym .4 (two classes)", "sym .5", "sym .8", "asym .4"]
MODES = [0.0, 0.25, 0.5, 0.75]
VARIANCES = [2.0, 6.0, 12.0, 24.0]


def settings() -> Iterator[tuple[str, dict[str, Any]]]:
    """Names of the fits with the parameters of DMClassifier."""
    yield "cross entropy", {"emphasis": "cce", "normalize": None}
    for mode, variance in itertools.product(MODES, VARIANCES):
        yield f"{mode} {variance}", {"emphasis": "dm", "mode": mode, "variance": variance}
    yield "auto", {"emphasis": "auto"}


def measure(args: argparse.Namespace) -> list[Line]:
    """Measure what the file of results lacks; returns all lines."""
    lines = open_results(args.results)
    if args.redo:
        lines = [line for line in lines if line["fit"] != "auto"]
        rewrite_results(args.results, lines)
    there = {(line["set"], line["kind"], line["fit"]) for line in lines}
    wanted = [case for case in cases() if case.set in args.sets and case.kind in KINDS]
    todo = [
        (case, name, options)
        for case in wanted
        for name, options in settings()
        if (case.set, case.kind, name) not in there
    ]
    with Progress(args.epochs * len(todo)) as progress:
        data = None
        for case, name, options in todo:
            progress.describe(f"{case.set}, {case.kind}, {name}")
            if data is None or data.name != case.set:
                data = load(case.set, 0, args.rows)
            given, _ = given_labels(data, case, 0)
            classifier = DMClassifier(**options, max_epochs=args.epochs, random_state=0)
            accuracy = classifier.fit(data.X, given).score(data.X_test, data.y_test)
            line = {"set": case.set, "kind": case.kind, "fit": name, "accuracy": float(accuracy)}
            if name == "auto":
                emphasis = classifier.emphasis_
                line |= {"mode": float(emphasis.mode), "variance": float(emphasis.variance)}
            append_result(args.results, line)
            lines.append(line)
            progress.bar.update(args.epochs)
    return lines


def draw(lines: list[Line], path: Path) -> None:
    """One heat map per data set and noise; a circle is where "auto" ended."""
    import matplotlib.pyplot as plt

    sets = [name for name in SETS if any(line["set"] == name for line in lines)]
    panels = {
        name: [k for k in KINDS if any((x["set"], x["kind"]) == (name, k) for x in lines)]
        for name in sets
    }
    columns = max(map(len, panels.values()))
    figure, axes = plt.subplots(
        len(sets), columns, figsize=(2.5 * columns, 2.7 * len(sets)), layout="constrained"
    )
    for row, name in zip(np.atleast_2d(axes), sets, strict=True):
        for axis, kind in itertools.zip_longest(row, panels[name]):
            if kind is None:
                axis.set_visible(False)
                continue
            found = {x["fit"]: x for x in lines if (x["set"], x["kind"]) == (name, kind)}
            grid = np.array(
                [[100 * found[f"{mode} {v}"]["accuracy"] for mode in MODES] for v in VARIANCES]
            )
            plain = 100 * found["cross entropy"]["accuracy"]
            axis.imshow(grid - plain, cmap="RdBu", vmin=-20, vmax=20, origin="lower", aspect="auto")
            for i, j in np.ndindex(grid.shape):
                weight = "bold" if grid[i, j] == grid.max() else "normal"
                axis.text(
                    j, i, f"{grid[i, j]:.0f}", ha="center", va="center", size=8, weight=weight
                )
            if "auto" in found:
                auto = found["auto"]
                x = np.interp(auto["mode"], MODES, range(len(MODES)))
                y = np.interp(auto["variance"], VARIANCES, range(len(VARIANCES)))
                axis.plot(x, y, "o", mfc="none", mec="black", ms=16, mew=1.5, clip_on=False)
            title = f"{SETS[name]}\n{kind.removesuffix(' (two classes)')}: CE {plain:.0f}"
            if "auto" in found:
                title += f", auto {100 * found['auto']['accuracy']:.0f}"
            axis.set_title(title, size=8)
            axis.set_xticks(range(len(MODES)), [f"{mode:g}" for mode in MODES], size=8)
            axis.set_yticks(range(len(VARIANCES)), [f"{v:g}" for v in VARIANCES], size=8)
        row[0].set_ylabel("variance")
    figure.supxlabel("emphasis mode")
    figure.suptitle(
        "Test accuracy (%) by mode and variance; blue: above cross entropy, red: below;\n"
        'bold: the best of the grid; circle: where "auto" ended',
        size=10,
    )
    figure.savefig(path, dpi=130)


def table(lines: list[Line]) -> str:
    """Cross entropy, the published default, the best of the grid and auto, case by case."""
    rows = []
    for name, kind in dict.fromkeys((line["set"], line["kind"]) for line in lines):
        found = {x["fit"]: x for x in lines if (x["set"], x["kind"]) == (name, kind)}
        grid = [fit for fit in found if fit not in ("cross entropy", "auto")]
        best = max(grid, key=lambda fit: found[fit]["accuracy"])
        auto = found.get("auto")
        rows.append(
            [
                name,
                kind,
                found["cross entropy"]["accuracy"],
                found["0.5 12.0"]["accuracy"],
                found[best]["accuracy"],
                best,
                auto and auto["accuracy"],
                auto and f"{auto['mode']:.2f} {auto['variance']:.1f}",
            ]
        )
    headers = ["data set", "noise", "CE", "0.5 12", "best", "mode variance", "auto", "ended at"]
    return format_table(headers, rows)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sets", nargs="+", choices=list(SETS), default=list(SETS))
    parser.add_argument("--rows", type=int, default=3000, help="training rows (3000)")
    parser.add_argument("--epochs", type=int, default=40, help="epochs (40)")
    parser.add_argument("--redo", action="store_true", help='measure "auto" anew')
    parser.add_argument("--results", type=Path, default=DOCS / "results" / "emphasis.jsonl")
    parser.add_argument("--picture", type=Path, default=DOCS / "emphasis.png")
    args = parser.parse_args()
    require("matplotlib", "tqdm")
    use_one_thread()
    lines = measure(args)
    print(table(lines))
    draw(lines, args.picture)


if __name__ == "__main__":
    main()
