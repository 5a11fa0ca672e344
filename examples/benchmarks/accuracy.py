"""Accuracy on data sets with clean, made and real label noise, beside other methods.

Every network has two hidden layers of 256 with batch normalisation and trains for the same epochs
(Adam 1e-3 with a cosine schedule, weight decay 1e-4); the accuracy is that of the final epoch on
the test rows, and no method is told the noise rate but Co-teaching. Needs the data sets in the
folder that NOISYFIT_DATA names.

Each result is one line of JSON, appended as soon as it is there. A run goes on where an earlier one
was stopped; only what the file lacks is measured. ``--report`` makes tables and pictures of it.

    python examples/benchmarks/accuracy.py --methods crust cross_entropy oracle
    python examples/benchmarks/accuracy.py --redo crust
    python examples/benchmarks/accuracy.py --report
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Iterable, Iterator
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

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
from _shared import Progress, require, use_one_thread

KEY = ("set", "noise", "rate", "seed", "method", "rows", "epochs")


def key_of(line: Line) -> tuple[Any, ...]:
    """What makes a result another one."""
    return tuple(line[name] for name in KEY)


# ------------------------------------------------------------------------------------ measuring


def wanted(args: argparse.Namespace, methods: Iterable[str]) -> Iterator[tuple[Any, Line]]:
    """Cases with the beginning of their result lines: seed by seed, case by case."""
    from _data import cases
    from _peers import METHODS

    for seed in range(args.seeds):
        for case in cases():
            if args.sets and case.set not in args.sets:
                continue
            if args.noise and not {case.kind, case.noise} & set(args.noise):
                continue
            for method in methods:
                if METHODS[method].applies(case, seed):
                    rate = None if math.isnan(case.rate) else case.rate
                    yield (
                        case,
                        {
                            "set": case.set,
                            "noise": case.noise,
                            "rate": rate,
                            "kind": case.kind,
                            "seed": seed,
                            "method": method,
                            "rows": args.rows,
                            "epochs": args.epochs,
                        },
                    )


def measure(data: Any, case: Any, line: Line, hidden: tuple[int, ...]) -> Line:
    """Fit one method; returns its line."""
    import numpy as np
    from _data import given_labels
    from _peers import METHODS, Task
    from sklearn.metrics import roc_auc_score

    method = METHODS[line["method"]]
    given, wrong = given_labels(data, case, line["seed"])
    X, X_test = data.texts_sparse if method.sparse else (data.X, data.X_test)
    given = given.astype(np.int64)
    task = Task(
        X,
        X_test,
        given,
        wrong,
        data.n_classes,
        line["seed"],
        line["epochs"],
        hidden,
        components=data.texts_sparse is not None,
    )
    start, start_cpu = time.perf_counter(), time.process_time()
    fit = method.fit(task)
    seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - start_cpu
    auroc = None
    if wrong.any() and not wrong.all():
        quality = fit.quality()
        auroc = None if quality is None else float(roc_auc_score(~wrong, quality))
    return {
        **line,
        "n_rows": len(given),
        "accuracy": float(np.mean(fit.predict() == data.y_test)),
        "auroc": auroc,
        "seconds": round(seconds, 3),
        "cpu_seconds": round(cpu_seconds, 3),
        "versions": {name: version(name) for name in packages_of(line["method"])},
        "date": date.today().isoformat(),
    }


def packages_of(method: str) -> list[str]:
    """Packages whose version a result may depend on."""
    return ["noisyfit", "torch", "scikit-learn", *["cleanlab"] * ("cleanlab" in method)]


def run(args: argparse.Namespace, methods: list[str], hidden: tuple[int, ...]) -> None:
    """Measure what the file lacks."""
    from _data import load
    from _loops import warm_up

    warm_up()
    lines = open_results(args.results)
    if args.redo:
        again = {key_of(line) for _, line in wanted(args, args.redo)}
        lines = [line for line in lines if key_of(line) not in again]
        rewrite_results(args.results, lines)
    there = {key_of(line) for line in lines}
    todo = [pair for pair in wanted(args, methods) if key_of(pair[1]) not in there]
    loaded, data = None, None
    with Progress(args.epochs * len(todo)) as progress:
        for case, line in todo:
            progress.describe(f"{case.set}, {case.kind}, {line['method']}")
            if loaded != (case.set, line["seed"]):
                loaded, data = (case.set, line["seed"]), load(case.set, line["seed"], args.rows)
            append_result(args.results, measure(data, case, line, hidden))
            progress.bar.update(args.epochs)
    print(f"{args.results}: {len(todo)} results new, {len(there)} were there.", file=sys.stderr)


# --------------------------------------------------------------------------------- command line


def parse() -> argparse.Namespace:
    """Read the command line."""
    from _data import SETS, cases
    from _peers import METHODS

    noises = sorted({case.kind for case in cases()} | {case.noise for case in cases()})
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )

    def several(option: str, choices: Iterable[str], text: str) -> None:
        parser.add_argument(
            option,
            nargs="+",
            choices=list(choices),
            metavar=option[2].upper(),
            help=f"{text}; of {', '.join(choices)}",
        )

    several("--sets", SETS, "data sets (all)")
    several("--noise", noises, "kinds of noise (all)")
    several("--methods", METHODS, "methods (all that are installed)")
    several("--redo", METHODS, "measure these methods anew; if stopped, go on with --methods")
    parser.add_argument("--seeds", type=count, default=2, help="seeds 0, 1, ... (2)")
    parser.add_argument("--rows", type=count, default=8000, help="training rows at most (8000)")
    parser.add_argument("--epochs", type=count, default=40, help="epochs of every network (40)")
    parser.add_argument(
        "--results",
        type=Path,
        default=DOCS / "results" / "accuracy.jsonl",
        help="file of the results (docs/results/accuracy.jsonl)",
    )
    parser.add_argument("--report", action="store_true", help="print and write the tables")
    parser.add_argument(
        "--output",
        type=Path,
        default=DOCS / "accuracy.md",
        help="page that --report writes, pictures beside it (docs/accuracy.md)",
    )
    parser.add_argument("--tiny", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    args = parse()
    require("tqdm")
    use_one_thread()
    if args.report:
        from _report import report

        lines = read_results(args.results)
        report(
            [line for line in lines if (line["rows"], line["epochs"]) == (args.rows, args.epochs)],
            args.output,
            args.methods,
        )
        return
    from _peers import METHODS

    methods = chosen_methods(METHODS, args.methods or args.redo)
    run(args, methods, (16,) if args.tiny else (256, 256))


if __name__ == "__main__":
    main()
