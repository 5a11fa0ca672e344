"""Time and memory of selecting medoids, beside other libraries and a pass over all distances.

The rows are gradients as a half-trained network of ten classes has them at the input of its last
layer (or standard normal numbers), 64 columns in float32, of one class or of ten. ``--sizes`` are
rows of a class; with 5000 among them a whole epoch of CIFAR-10 is measured too: ten classes of that
size, half of each chosen, by noisyfit in one call and by the others class after class.

Each measurement has a process of its own: it makes the gradients, warms the method up on 300 rows
(imports and compilation do not count) and then times a single selection. Memory is the peak above
what the process held before. Methods that need the whole matrix are not run where it takes more
than 16 GB. Nothing else should run on the machine meanwhile; the load is noted.

Each result is one line of JSON, appended as soon as it is there. A run goes on where an earlier one
was stopped; only what the file lacks is measured. ``--report`` makes tables and a picture of it.

    python examples/benchmarks/selection.py
    python examples/benchmarks/selection.py --redo greedy greedy_128mb
    python examples/benchmarks/selection.py --report
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[0]))
from _command_line import chosen_methods, count
from _results import (
    DOCS,
    Line,
    append_result,
    open_results,
    read_results,
    rewrite_results,
)
from _selection_measure import MEASURED, N_CLASSES, limit_threads, setting_of
from _selection_peers import METHODS
from _shared import require

MEASUREMENT = Path(__file__).resolve().with_name("_selection_measure.py")
EPOCH, EPOCH_SHARE = (N_CLASSES, 5000), 0.5

# ------------------------------------------------------------------------------ all measurements


def measure_apart(line: Line, limit: int) -> Line:
    """Complete a line by a measurement in a new process; a failure, too, is a result."""
    finished = subprocess.run(
        [sys.executable, str(MEASUREMENT), json.dumps([line, limit])],
        env=limit_threads(line["threads"]),
        capture_output=True,
        text=True,
        check=False,
    )
    if finished.returncode == 0:
        return json.loads(finished.stdout.splitlines()[-1])
    if finished.returncode == -signal.SIGINT:
        raise KeyboardInterrupt
    if finished.returncode == -getattr(signal, "SIGALRM", 0):
        outcome = f"over {limit} s"
    else:
        last_words = finished.stderr.strip().splitlines()[-1:] or [f"exit {finished.returncode}"]
        outcome = f"failed: {last_words[0]}"
    return {**line, "outcome": outcome, "date": date.today().isoformat()}


def wanted(args: argparse.Namespace, methods: list[str]) -> Iterator[Line]:
    """Beginnings of the result lines: case by case, the methods in turn."""
    classes, rows = (3, 60) if args.tiny else EPOCH
    for data in args.data:
        cases = [(1, n, share) for n in args.sizes for share in args.shares]
        if rows in args.sizes and EPOCH_SHARE in args.shares:
            cases.append((classes, rows, EPOCH_SHARE))
        for n_classes, n, share in cases:
            for repeat in range(args.repeats):
                for name in methods:
                    method = METHODS[name]
                    if method.too_large(n) or (method.reference and (repeat or n_classes > 1)):
                        continue
                    if args.device == "cpu" or method.on_device:
                        yield {
                            "data": data,
                            "classes": n_classes,
                            "rows": n,
                            "share": share,
                            "threads": args.threads,
                            "device": args.device,
                            "method": name,
                            "repeat": repeat,
                        }


def run(args: argparse.Namespace, methods: list[str]) -> None:
    """Measure what the file lacks."""
    from tqdm import tqdm

    lines = open_results(args.results)
    if args.redo:
        again = {setting_of(line) for line in wanted(args, args.redo)}
        lines = [line for line in lines if setting_of(line) not in again]
        rewrite_results(args.results, lines)
    there = {(*setting_of(line), line["repeat"]) for line in lines}
    # What took too long or failed once is not tried again.
    hopeless = {setting_of(line) for line in lines if line["outcome"] != MEASURED}
    todo = [
        line for line in wanted(args, methods) if (*setting_of(line), line["repeat"]) not in there
    ]
    measured = 0
    with tqdm(total=len(todo), unit="run", ncols=None if sys.stderr.isatty() else 100) as bar:
        for line in todo:
            bar.set_description(f"{line['method']}, {line['classes']} x {line['rows']}")
            if setting_of(line) not in hopeless:
                result = measure_apart(line, args.limit)
                append_result(args.results, result)
                measured += 1
                if result["outcome"] != MEASURED:
                    hopeless.add(setting_of(line))
                    bar.write(f"{line['method']}: {result['outcome']}", file=sys.stderr)
            bar.update()
    print(f"{args.results}: {measured} results new, {len(there)} were there.", file=sys.stderr)


# --------------------------------------------------------------------------------- command line


def fraction(text: str) -> float:
    """A share in (0, 1)."""
    number = float(text)
    if not 0 < number < 1:
        raise argparse.ArgumentTypeError(f"{number} is no share between 0 and 1")
    return number


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--sizes", nargs="+", type=count, metavar="ROWS", help="1000 5000 10000 30000 100000")
    add("--shares", nargs="+", type=fraction, default=[0.1, 0.5], help="k / rows (0.1 0.5)")
    add("--data", nargs="+", choices=["network", "gauss"], default=["network"], help="(network)")
    methods = {"nargs": "+", "choices": list(METHODS), "metavar": "METHOD"}
    add("--methods", **methods, help=f"(all that are installed); of {', '.join(METHODS)}")
    add("--redo", **methods, help="measure these methods anew; if stopped, go on with --methods")
    add("--repeats", type=count, default=3, help="measurements of each kind (3)")
    add("--threads", type=count, default=2, help="threads of every library (2)")
    add("--limit", type=count, default=900, help="seconds that a selection may take (900)")
    add("--device", default="cpu", help="cpu, or cuda for the methods that can use it (cpu)")
    add(
        "--results",
        type=Path,
        default=DOCS / "results" / "selection.jsonl",
        help="file of the results (docs/results/selection.jsonl)",
    )
    add("--report", action="store_true", help="print and write the tables")
    add(
        "--output",
        type=Path,
        default=DOCS / "selection.md",
        help="page that --report writes, the picture beside it (docs/selection.md)",
    )
    add("--tiny", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    args.sizes = args.sizes or ([60] if args.tiny else [1000, 5000, 10000, 30000, 100000])
    return args


def main() -> None:
    args = parse()
    if args.report:
        require("matplotlib")
        from _selection_page import report

        report(read_results(args.results), args.threads, args.output)
        return
    require("tqdm")
    run(args, chosen_methods(METHODS, args.methods or args.redo))


if __name__ == "__main__":
    main()
