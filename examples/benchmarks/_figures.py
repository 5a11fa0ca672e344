"""What the accuracy benchmark's results amount to: who is compared on what, and the figures.

A *run* is a data set with a kind of noise and a seed. The share of the *oracle gap* that a method
closes is (its accuracy - cross entropy's) / (oracle's - cross entropy's), with sums over the runs
above and below the line.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from _data import cases
from _peers import METHODS, OTHERS

LABELS = {
    "cross_entropy": "cross entropy",
    "oracle": "oracle",
    "elr": "ELR",
    "gce": "GCE",
    "sce": "SCE",
    "co_teaching": "Co-teaching (true rate)",
    "crust": "CRUST",
    "dm": "DM",
    "crust_paper": "CRUST (paper)",
    "dm_paper": "DM (paper)",
    "nce_rce": "NCE + RCE",
    "forward": "Forward",
    "t_revision": "T-Revision",
    "l_dmi": "L_DMI",
    "pencil": "PENCIL",
    "co_teaching_estimated": "Co-teaching",
    "logistic_regression": "logistic regression",
    "cleanlab_logistic": "CleanLearning(logistic regression)",
    "trees": "trees",
    "trees_oracle": "trees, oracle",
    "cleanlab_trees": "CleanLearning(trees)",
    "coreset_trees": "Coreset(trees)",
    "sparse_logistic": "logistic regression",
    "cleanlab_sparse_logistic": "CleanLearning(logistic regression)",
    "coreset_sparse_logistic": "Coreset(logistic regression)",
    "sparse_cross_entropy": "cross entropy",
    "sparse_crust": "CRUST",
    "cleanlab": "CleanLearning(network)",
}
OURS = ("crust", "dm")
NOISYFIT = (*OURS, "crust_paper", "dm_paper")
PEERS = ("gce", "sce", "elr", "co_teaching", "cleanlab")
TREES = tuple(name for name in METHODS if "trees" in name)
SPARSE = tuple(name for name in METHODS if "sparse" in name)
# Those of which everything is told; noisyfit's come first. The others have a page of their own.
MAIN = sorted(
    set(METHODS) - {*TREES, *SPARSE, *OTHERS, "nce_rce"},
    key=lambda m: (m not in OURS, list(METHODS).index(m)),
)
KINDS = [
    "clean",
    "sym .2",
    "sym .4 (two classes)",
    "sym .5",
    "sym .8",
    "asym .4",
    "instance .4",
    "real",
]


class Run(NamedTuple):
    """A data set with a kind of noise and a seed."""

    set: str
    kind: str
    seed: int


# What was measured: a line of the results file for each run and method.
Results = dict[Run, dict[str, dict[str, Any]]]


def by_run(lines: Iterable[dict[str, Any]], methods: Sequence[str] | None) -> Results:
    """Results in the order of the benchmark; the last line of a run and method counts."""
    found: Results = {}
    for line in lines:
        if methods is None or line["method"] in methods:
            run = Run(line["set"], line["kind"], line["seed"])
            found.setdefault(run, {})[line["method"]] = line
    order = [(case.set, case.kind) for case in cases()]
    return dict(sorted(found.items(), key=lambda item: (order.index(item[0][:2]), item[0].seed)))


def measured(results: Results, methods: Iterable[str]) -> list[str]:
    """Those of the methods that have any result."""
    there = {method for lines in results.values() for method in lines}
    return [method for method in methods if method in there]


# -------------------------------------------------------------------------------- what is compared


class Comparison(NamedTuple):
    """Methods, the runs that all of them have, and a line on what is missing."""

    methods: list[str]
    runs: list[Run]
    note: str


def comparisons(results: Results, methods: Sequence[str]) -> list[Comparison]:
    """One comparison for each choice of seeds that some method was measured with.

    A method measured with fewer seeds than others would leave only those to all; it is compared
    in a table of its seeds instead. One that has less than half of the runs waits.
    """
    methods = measured(results, methods)
    seeds_of = {
        method: frozenset(run.seed for run, lines in results.items() if method in lines)
        for method in methods
    }
    found = []
    for seeds in sorted(set(seeds_of.values()), key=lambda s: (-len(s), sorted(s))):
        runs = [run for run in results if run.seed in seeds]
        having = {
            method: sum(method in results[run] for run in runs)
            for method in methods
            if seeds_of[method] >= seeds
        }
        compared = [method for method, n in having.items() if 2 * n >= max(having.values())]
        shared = [run for run in runs if all(method in results[run] for method in compared)]
        note = f"Seeds {', '.join(map(str, sorted(seeds)))}; {len(shared)} of {len(runs)} runs"
        lacking = [f"{LABELS[m]} {len(runs) - n}" for m, n in having.items() if n < len(runs)]
        note += f" (missing: {', '.join(lacking)})" if lacking else ""
        waiting = [LABELS[method] for method in having if method not in compared]
        note += f"; too little measured of {', '.join(waiting)}" if waiting else ""
        found.append(Comparison(compared, shared, note + "."))
    return found


# -------------------------------------------------------------------------------------- figures


def accuracy(results: Results, run: Run, method: str) -> float:
    """Accuracy on the test rows."""
    return results[run][method]["accuracy"]


def gap_closed(results: Results, runs: Sequence[Run], method: str) -> float | None:
    """Pooled share of the oracle gap; None where there is no gap."""
    plain = sum(accuracy(results, run, "cross_entropy") for run in runs)
    gap = sum(accuracy(results, run, "oracle") for run in runs) - plain
    return (sum(accuracy(results, run, method) for run in runs) - plain) / gap if gap > 0 else None


def mean(values: Iterable[float]) -> float | None:
    """Arithmetic mean; None of nothing."""
    values = list(values)
    return sum(values) / len(values) if values else None


def mean_auroc(results: Results, runs: Sequence[Run], method: str) -> float | None:
    """Mean AUROC of telling right labels from wrong ones."""
    return mean(results[run][method]["auroc"] for run in runs)


def kinds_of(runs: Sequence[Run]) -> dict[str, list[Run]]:
    """Runs by kind of noise, and all of them."""
    split = {kind: [run for run in runs if run.kind == kind] for kind in KINDS}
    return {kind: part for kind, part in {**split, "all": list(runs)}.items() if part}


def per_kind(
    results: Results, runs: Sequence[Run], methods: Sequence[str], figure: Any
) -> dict[str, dict[str, float | None]]:
    """``figure(results, runs, method)`` for each kind of noise and method."""
    return {
        kind: {method: figure(results, part, method) for method in methods}
        for kind, part in kinds_of(runs).items()
    }
