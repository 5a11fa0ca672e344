r"""One table over all methods for networks, from the results of the accuracy benchmark.

Writes the generated part of docs/which_method.md: mean test accuracy by kind of noise, share of the
oracle gap closed, how far label quality ranks wrong labels (AUROC), time beside a plain loop, and
what has to be known. Only data sets and noises that every method was measured on count. Measure
with

    python examples/benchmarks/accuracy.py --seeds 1 --methods forward t_revision l_dmi pencil \
        co_teaching_estimated nce_rce

and write the page with

    python examples/benchmarks/which_method.py --report
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[0]))
from _figures import Results, Run, accuracy, by_run, gap_closed, kinds_of, mean
from _results import DOCS, read_results, write_page
from _shared import format_table

NOTHING = "nothing"
# Method of the benchmark: how to write it, and what has to be known.
ROWS: dict[str, tuple[str, str]] = {
    "cross_entropy": ('`RobustLossClassifier("ce")`, plain', NOTHING),
    "crust": ("`CRUSTClassifier()`", NOTHING),
    "co_teaching_estimated": ("`CoTeachingClassifier()`", NOTHING),
    "co_teaching": ("`CoTeachingClassifier(rate)`", "noise rate"),
    "pencil": ("`PENCILClassifier()`", NOTHING),
    "t_revision": ("`TRevisionClassifier()`", NOTHING),
    "forward": ("`ForwardClassifier()`", NOTHING),
    "l_dmi": ("`LDMIClassifier()`", NOTHING),
    "elr": ('`RobustLossClassifier("elr")`', NOTHING),
    "dm": ("`DMClassifier()`", NOTHING),
    "dm_paper": ('`DMClassifier("dm")`', "mode, variance"),
    "gce": ('`RobustLossClassifier("gce")`', NOTHING),
    "sce": ('`RobustLossClassifier("sce")`', NOTHING),
    "nce_rce": ('`RobustLossClassifier("nce_rce")`', NOTHING),
    "crust_paper": ("CRUST, the paper's selection", "size of the coreset"),
    "oracle": ("oracle: plain, right labels only", "which labels are right"),
}


def shared_runs(results: Results) -> list[Run]:
    """Runs that every method was measured on, seed 0."""
    return [run for run, lines in results.items() if run.seed == 0 and set(ROWS) <= set(lines)]


def cost(results: Results, runs: Sequence[Run], method: str) -> float:
    """Median time on the CPU of a fit, divided by that of plain cross entropy."""
    return median(
        results[run][method]["cpu_seconds"] / results[run]["cross_entropy"]["cpu_seconds"]
        for run in runs
    )


def auroc(results: Results, runs: Sequence[Run], method: str) -> float | None:
    """Mean AUROC over the runs that have wrong labels; the oracle was told which they are."""
    values = [results[run][method]["auroc"] for run in runs if run.kind != "clean"]
    return None if None in values else mean(values)


def page(results: Results) -> str:
    """Tables of all methods, the best first."""
    runs = shared_runs(results)
    if not runs:
        raise SystemExit("There is no data set that every method was measured on yet.")
    noisy = [run for run in runs if run.kind != "clean"]
    kinds = {kind: part for kind, part in kinds_of(runs).items() if kind != "all"}
    order = sorted(ROWS, key=lambda method: -gap_closed(results, noisy, method))
    table: list[list[Any]] = []
    for method in order:
        written, needed = ROWS[method]
        by_kind = [mean(accuracy(results, run, method) for run in part) for part in kinds.values()]
        closed = gap_closed(results, noisy, method)
        ranked = auroc(results, noisy, method)
        table.append(
            [
                written,
                *by_kind,
                f"{closed:.2f}",
                None if ranked is None else f"{ranked:.2f}",
                f"{cost(results, runs, method):.1f}",
                needed,
            ]
        )
    headers = [
        "method",
        *(f"{kind} ({len(part)})" for kind, part in kinds.items()),
        "gap closed",
        "AUROC",
        "time",
        "to be known",
    ]
    sets = ", ".join(dict.fromkeys(run.set for run in runs))
    return "\n\n".join(
        [
            f"Mean test accuracy over the data sets of each kind of noise (their number in "
            f"brackets), seed 0, last epoch of 40, the same network for all: {sets}. *Gap closed*: "
            "share of the gap between plain cross entropy and the oracle, over all noisy cases. "
            "*AUROC*: how well the label quality tells right labels from wrong ones. *Time*: on "
            "the CPU, plain cross entropy being 1. The losses, and Co-teaching at the true rate, "
            "were trained by plain loops in batches of 128, SCE with log_zero=-4 as in its paper's "
            "text; all else by the estimators with their defaults.",
            format_table(headers, table, markdown=True),
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--results", type=Path, default=DOCS / "results" / "accuracy.jsonl")
    parser.add_argument("--output", type=Path, default=DOCS / "which_method.md")
    parser.add_argument("--report", action="store_true", help="write the page, not only print it")
    args = parser.parse_args()
    results = by_run(read_results(args.results), None)
    text = page(results)
    print(text)
    if args.report:
        write_page(args.output, "which_method.py", "Which method when", text)


if __name__ == "__main__":
    main()
