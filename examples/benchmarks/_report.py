"""The page on the accuracy benchmark's results, with its tables and pictures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from _data import CHOSEN_ON
from _figures import (
    LABELS,
    MAIN,
    OURS,
    PEERS,
    SPARSE,
    TREES,
    Comparison,
    Results,
    Run,
    accuracy,
    by_run,
    comparisons,
    gap_closed,
    kinds_of,
    mean,
    mean_auroc,
    measured,
    per_kind,
)
from _pictures import picture
from _results import write_page
from _shared import format_table

# --------------------------------------------------------------------------------------- tables


def table(headers: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    return format_table(headers, rows, markdown=True) + "\n"


def short(value: float | None, form: str = ".2f") -> str | None:
    return None if value is None else format(value, form)


def kinds_table(figures: dict[str, dict[str, Any]], runs: Sequence[Run]) -> str:
    """Kinds of noise down, methods across."""
    methods = list(next(iter(figures.values())))
    parts = kinds_of(runs)
    rows = [
        [kind, len({run[:2] for run in parts[kind]}), *(short(row[method]) for method in methods)]
        for kind, row in figures.items()
    ]
    return table(["noise", "cases", *(LABELS[method] for method in methods)], rows)


def gap_section(results: Results, found: Sequence[Comparison]) -> list[str]:
    parts = []
    for comparison in found:
        if not {"cross_entropy", "oracle"} <= set(comparison.methods):
            continue
        methods = [m for m in comparison.methods if m not in ("cross_entropy", "oracle")]
        noisy = [run for run in comparison.runs if run.kind != "clean"]
        groups = {
            "All sets": noisy,
            "Held back (but see docs/method.md: a few decisions looked at some of these)": [
                run for run in noisy if run.set not in CHOSEN_ON
            ],
            f"Chosen on ({', '.join(sorted(CHOSEN_ON))})": [
                run for run in noisy if run.set in CHOSEN_ON
            ],
        }
        parts.append(comparison.note)
        for title, runs in groups.items():
            if runs and methods:
                parts += [
                    f"**{title}**",
                    kinds_table(per_kind(results, runs, methods, gap_closed), runs),
                ]
    return parts


def with_auroc(results: Results, comparison: Comparison) -> tuple[list[str], list[Run]]:
    """Methods that rate labels, and the runs in which each of them did."""
    methods = [
        method
        for method in comparison.methods
        if any(results[run][method]["auroc"] is not None for run in comparison.runs)
    ]
    runs = [
        run
        for run in comparison.runs
        if all(results[run][method]["auroc"] is not None for method in methods)
    ]
    return methods, runs if methods else []


def auroc_section(results: Results, found: Sequence[Comparison]) -> list[str]:
    parts = []
    for comparison in found:
        methods, runs = with_auroc(results, comparison)
        if runs:
            figures = per_kind(results, runs, methods, mean_auroc)
            parts += [comparison.note, kinds_table(figures, runs)]
    return parts


def accuracy_table(results: Results, methods: Sequence[str]) -> str:
    """Mean over the seeds of each case; a method's own seeds where it has fewer."""
    rows = []
    for case in dict.fromkeys(run[:2] for run in results):
        runs = [run for run in results if run[:2] == case]
        values = [
            mean(accuracy(results, run, method) for run in runs if method in results[run])
            for method in methods
        ]
        if any(value is not None for value in values):
            rows.append([*case, *values])
    return table(["data set", "noise", *(LABELS[method] for method in methods)], rows)


def clean_table(results: Results, methods: Sequence[str]) -> str:
    """What a method loses where no label is wrong, in points of accuracy."""
    rows = []
    for method in methods:
        differences: dict[str, list[float]] = {}
        for run, lines in results.items():
            if run.kind == "clean" and {method, "cross_entropy"} <= set(lines):
                difference = accuracy(results, run, method) - accuracy(
                    results, run, "cross_entropy"
                )
                differences.setdefault(run.set, []).append(100 * difference)
        means = {name: sum(values) / len(values) for name, values in differences.items()}
        if means and method not in ("cross_entropy", "oracle"):
            worst = min(means, key=means.__getitem__)
            rows.append(
                [
                    LABELS[method],
                    len(means),
                    short(mean(means.values()), "+.2f"),
                    short(means[worst], "+.2f"),
                    worst,
                ]
            )
    return table(["method", "sets", "mean difference", "worst", "on"], rows) if rows else ""


def paired(results: Results, runs: Iterable[Run], ours: str, peer: str) -> float | None:
    """Mean difference in points over the cases; a case's over the seeds that both have."""
    by_case: dict[tuple[str, str], list[float]] = {}
    for run in runs:
        if {ours, peer} <= set(results[run]):
            difference = accuracy(results, run, ours) - accuracy(results, run, peer)
            by_case.setdefault(run[:2], []).append(100 * difference)
    return mean(sum(values) / len(values) for values in by_case.values())


def strongest(
    results: Results, runs: Sequence[Run], ours: str, peers: Sequence[str]
) -> tuple[float, str] | None:
    """The least of our differences to the peers, and to which peer."""
    differences = [(paired(results, runs, ours, peer), peer) for peer in peers]
    return min(((d, peer) for d, peer in differences if d is not None), default=None)


def peers_section(results: Results) -> list[str]:
    """For each set our difference to its best peer, over its cases and in its worst case."""
    peers = measured(results, PEERS)
    parts = []
    for ours in measured(results, OURS):
        rows, least = [], []
        for name in dict.fromkeys(run.set for run in results):
            runs = [run for run in results if run.set == name]
            overall = strongest(results, runs, ours, peers)
            if overall is None:
                continue
            by_kind = []
            for kind in dict.fromkeys(run.kind for run in runs):
                found = strongest(results, [r for r in runs if r.kind == kind], ours, peers)
                if found is not None:
                    by_kind.append((*found, kind))
            worst = min(by_kind)
            least.append((overall[0], worst[0]))
            rows.append(
                [
                    name,
                    "chosen on" if name in CHOSEN_ON else "held back",
                    short(overall[0], "+.2f"),
                    LABELS[overall[1]],
                    short(worst[0], "+.2f"),
                    LABELS[worst[1]],
                    worst[2],
                ]
            )
        if rows:
            parts += [
                f"**{LABELS[ours]}**: least difference of a set "
                f"{min(pair[0] for pair in least):+.2f}, of a case "
                f"{min(pair[1] for pair in least):+.2f} points.",
                table(
                    [
                        "data set",
                        "",
                        "mean of its cases",
                        "best peer",
                        "worst case",
                        "best peer",
                        "noise",
                    ],
                    rows,
                ),
            ]
    return parts or ["No results of noisyfit's estimators yet."]


def cost_table(results: Results, methods: Sequence[str], base: str) -> str:
    """Median over the runs of a fit's time, divided by that of the base method."""
    rows = []
    for method in methods:
        ratios = [
            [lines[method][unit] / lines[base][unit] for unit in ("seconds", "cpu_seconds")]
            for lines in results.values()
            if {method, base} <= set(lines)
        ]
        if ratios:
            columns = zip(*ratios, strict=True)
            rows.append([LABELS[method], len(ratios), *(short(median(c)) for c in columns)])
    headers = ["method", "runs", "time on the wall", "time on the CPU"]
    return table(headers, rows) if rows else ""


# ----------------------------------------------------------------------------------------- page


def setting(lines: Sequence[dict[str, Any]]) -> str:
    """What the results were measured with."""
    versions = Counter(f"{k} {v}" for line in lines for k, v in line["versions"].items())
    dates = sorted({line["date"] for line in lines})
    return (
        f"{len(lines)} fits, {dates[0]} to {dates[-1]}; "
        f"at most {lines[0]['rows']} training rows, "
        f"{lines[0]['epochs']} epochs, the final epoch's accuracy on the test rows; one CPU "
        f"thread; {', '.join(sorted(versions))}."
    )


def page(lines: Sequence[dict[str, Any]], folder: Path, methods: Sequence[str] | None) -> str:
    """The report as Markdown; saves its pictures in the folder."""
    results = by_run(lines, methods)
    main = measured(results, MAIN)
    found = comparisons(results, main)
    gaps = gap_section(results, found)
    parts = [setting(lines), "## Share of the oracle gap closed"]
    parts.append(
        "The gap is between cross entropy on all rows (0) and on the rows with right labels (1); "
        "gains and gaps are summed over cases and seeds before dividing. Only runs that every "
        "method of a table has are in it. Co-teaching is told the true rate of wrong labels; "
        "no other method is told anything."
    )
    if gaps:
        noisy = [run for run in found[0].runs if run.kind != "clean"]
        compared = [m for m in found[0].methods if m not in ("cross_entropy", "oracle")]
        if noisy and compared:
            figures = per_kind(results, noisy, compared, gap_closed)
            picture(figures, folder / "accuracy_gap.png", "share of the oracle gap closed", 0, 1)
            parts.append("![Share of the oracle gap closed](accuracy_gap.png)")
    parts += gaps
    parts += ["## Finding wrong labels", "Mean AUROC of the label quality, right against wrong."]
    if found:
        rating, runs = with_auroc(results, found[0])
        if runs:
            figures = per_kind(results, runs, rating, mean_auroc)
            label = "mean AUROC of the label quality (0.5 is chance)"
            picture(figures, folder / "accuracy_auroc.png", label, 0.5, 1)
            parts.append("![Mean AUROC of the label quality](accuracy_auroc.png)")
    parts += auroc_section(results, found)
    parts += ["## Clean labels", "Points of accuracy above (+) or below (-) cross entropy."]
    parts.append(clean_table(results, main))
    parts += [
        "## Against the best peer",
        "Points of accuracy above (+) or below (-) the best of "
        f"{', '.join(LABELS[peer] for peer in measured(results, PEERS))}, over the seeds that both "
        "have.",
        *peers_section(results),
    ]
    parts += ["## Cost", "Median over the runs of a fit's time, cross entropy's being 1."]
    parts.append(cost_table(results, main, "cross_entropy"))
    for title, family, base in (
        ("Trees (HistGradientBoosting)", TREES, "trees"),
        ("Sparse TF-IDF", SPARSE, "sparse_logistic"),
    ):
        there = measured(results, family)
        if there:
            parts += [f"## {title}", "Accuracy.", accuracy_table(results, there)]
            parts += [
                f"Time of a fit, that of {LABELS[base]} being 1.",
                cost_table(results, there, base),
            ]
    parts += ["## Accuracy of every case", "Mean over the seeds.", accuracy_table(results, main)]
    return "\n\n".join(part.strip() for part in parts if part)


def report(lines: Sequence[dict[str, Any]], output: Path, methods: Sequence[str] | None) -> None:
    """Print the report and write it between the marks of the output page, pictures beside it."""
    if not lines:
        raise SystemExit("There are no results of these rows and epochs yet.")
    output.parent.mkdir(parents=True, exist_ok=True)
    text = page(lines, output.parent, methods)
    print(text)
    write_page(output, "accuracy.py", "Accuracy", text)
