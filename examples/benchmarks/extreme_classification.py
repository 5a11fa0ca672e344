"""A thousand classes with few clean rows each: accuracy, time and memory of a fit.

Each class is a prototype in 64 dimensions with Gaussian rows around it, and some of the labels are
replaced by those of any other class. The CRUST paper's authors expect the clean rows of a class to
cluster in gradient space however many classes there are, as long as each has a few of them; cross
entropy, which has a thousand ways to memorise a wrong label, is the method to beat, and the oracle
is cross entropy trained on the rows with right labels only. Squared loss, with which the paper's
theory works, is that of the outputs, rescaled for many classes; what it finds about the noise
means little, since its outputs are no logits.

Each method has a process of its own. Seconds and memory are those of the fit; memory is the peak
above what the process held before. ``--scale`` measures CRUST on more rows of the same classes, in
few epochs, and selection alone: time and memory should grow in proportion.

    python examples/benchmarks/extreme_classification.py
    python examples/benchmarks/extreme_classification.py --scale
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[0]))
from _command_line import count
from _extreme_measure import METHODS, SELECTIONS
from _results import Line
from _selection_measure import limit_threads
from _shared import format_table, stop

MEASUREMENT = Path(__file__).resolve().with_name("_extreme_measure.py")
FEW_EPOCHS = {"max_epochs": 2, "screening_epochs": 1, "warmup_epochs": 1}


def measure_apart(line: Line) -> Line:
    """Complete a line by a measurement in a new process."""
    rows = line["classes"] * line["rows_per_class"]
    print(f"{line['method']}, {line['classes']} classes, {rows} rows ...", file=sys.stderr)
    finished = subprocess.run(
        [sys.executable, str(MEASUREMENT), json.dumps(line)],
        env=limit_threads(line["threads"]),
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if finished.returncode:
        stop(f"The measurement of {line['method']} failed, see above.")
    return json.loads(finished.stdout.splitlines()[-1])


def compare_methods(args: argparse.Namespace, common: Line) -> None:
    """One table of all methods."""
    table = []
    for method in args.methods:
        found = measure_apart({**common, "method": method, "rows_per_class": args.rows_per_class})
        table.append(
            [method, found["accuracy"], found["purity"], found["noise_rate"], *_costs(found)]
        )
    rows = args.classes * args.rows_per_class
    print(f"{args.classes} classes, {rows} rows, {args.noise:.0%} of the labels wrong\n")
    headers = ["method", "accuracy", "purity", "noise found", "seconds", "peak MB"]
    print(format_table(headers, table, markdown=True))


def measure_scale(args: argparse.Namespace, common: Line) -> None:
    """One table of rising numbers of rows, for the fit and for selection alone."""
    fit = {**common, "method": "CRUST", "network": {**FEW_EPOCHS, **common["network"]}}
    kinds = [("fit, few epochs", fit), *((name, {**common, "method": name}) for name in SELECTIONS)]
    table = []
    for name, line in kinds:
        for rows in args.sizes:
            each = max(1, rows // args.classes)
            found = measure_apart({**line, "rows_per_class": each})
            table.append([name, each * args.classes, *_costs(found)])
    print(f"{args.classes} classes, {args.noise:.0%} of the labels wrong\n")
    headers = ["what", "rows", "seconds", "peak MB"]
    print(format_table(headers, table, markdown=True))


def _costs(found: Line) -> list[Any]:
    seconds, megabytes = found["seconds"], found["megabytes"]
    shown = f"{seconds:.1f}" if seconds >= 10 else f"{seconds:.2f}"
    return [shown, None if megabytes is None else f"{megabytes:.0f}"]


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--classes", type=count, help="classes (1000)")
    add("--rows-per-class", type=count, help="training rows of each class (30)")
    add("--noise", type=float, default=0.3, help="share of wrong labels (0.3)")
    add("--spread", type=float, default=1.0, help="of rows around prototypes of spread 1 (1.0)")
    add("--methods", nargs="+", choices=METHODS, metavar="METHOD", default=list(METHODS))
    add("--scale", action="store_true", help="measure how time and memory grow with the rows")
    add("--sizes", nargs="+", type=count, metavar="ROWS", help="for --scale: 25000 50000 100000")
    add("--threads", type=count, default=1, help="threads of every library (1)")
    add("--tiny", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    args.classes = args.classes or (280 if args.tiny else 1000)
    args.rows_per_class = args.rows_per_class or (4 if args.tiny else 30)
    args.sizes = args.sizes or ([560, 1120] if args.tiny else [25_000, 50_000, 100_000])
    return args


def main() -> None:
    args = parse()
    network: dict[str, Any] = {}
    if args.tiny:
        network = {"max_epochs": 2, "module__hidden": [16]}
    common = {
        "classes": args.classes,
        "noise": args.noise,
        "spread": args.spread,
        "threads": args.threads,
        "network": network,
    }
    (measure_scale if args.scale else compare_methods)(args, common)


if __name__ == "__main__":
    main()
