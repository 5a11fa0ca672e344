"""The page on the selection benchmark's results, and what they mean for larger data."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from _results import Line, write_page
from _selection_measure import MEASURED, N_COLUMNS, case_of
from _selection_peers import GIGABYTE, METHODS, Method
from _shared import format_table

OURS, FLOOR, EXACT = "greedy", "distance_pass", "brute_force"
DATA = {
    "network": "gradients of a half-trained network",
    "gauss": "standard normal numbers",
}
MEGABYTE = 10**6


class Summary(NamedTuple):
    """The repeats of one method in one case."""

    seconds: float | None = None
    least: float | None = None
    most: float | None = None
    small_seconds: float | None = None
    peak_bytes: float | None = None
    total_distance: float | None = None
    note: str = ""  # why nothing was measured


def summary(lines: Sequence[Line]) -> Summary:
    """Medians of the repeats, the largest peak; a note where one of them was given up."""
    given_up = [line["outcome"] for line in lines if line["outcome"] != MEASURED]
    if given_up:
        return Summary(note=given_up[0])
    seconds = [line["seconds"] for line in lines]
    totals = [line["total_distance"] for line in lines if line["total_distance"] is not None]
    peaks = [line["peak_bytes"] for line in lines if line["peak_bytes"] is not None]
    return Summary(
        median(seconds),
        min(seconds),
        max(seconds),
        median(line["small_seconds"] for line in lines),
        max(peaks, default=None),
        median(totals) if totals else None,
    )


class Case(NamedTuple):
    """What the methods are compared on, in the order of `case_of`."""

    data: str
    classes: int
    rows: int
    share: float
    threads: int
    device: str

    @property
    def title(self) -> str:
        what = "one class" if self.classes == 1 else f"{self.classes} classes"
        where = "" if self.device == "cpu" else f", on {self.device}"
        return f"{what} of {self.rows:,} rows, k = {self.share:.0%}{where}, {DATA[self.data]}"


Results = dict[Case, dict[str, Summary]]


def by_case(lines: Iterable[Line], threads: int) -> Results:
    """Summaries, from the simplest case to the largest."""
    repeats: dict[Case, dict[str, list[Line]]] = {}
    for line in lines:
        if line["method"] in METHODS and line["threads"] == threads:
            of_case = repeats.setdefault(Case(*case_of(line)), {})
            of_case.setdefault(line["method"], []).append(line)
    order = sorted(repeats, key=lambda c: (c.device != "cpu", list(DATA).index(c.data), c))
    return {case: {name: summary(found) for name, found in repeats[case].items()} for case in order}


# --------------------------------------------------------------------------------------- tables


def digits(value: float | None, n: int = 3) -> str | None:
    """A number with so many significant digits, never in powers of ten."""
    if value is None:
        return None
    if value == 0:
        return "0"
    rounded = float(f"{value:.{n}g}")
    places = max(0, n - 1 - int(f"{rounded:e}".partition("e")[2]))
    return f"{rounded:.{places}f}"


def ratio(value: float | None, base: float | None) -> float | None:
    return None if value is None or not base else value / base


def table(headers: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    return format_table(headers, rows, markdown=True)


def without_result(method: Method, case: Case) -> str | None:
    """Why a method was not measured; None where it does not belong in the table."""
    if method.reference or case.device != "cpu":
        return None
    return method.too_large(case.rows) or method.lacks() or "not measured"


def case_table(case: Case, found: dict[str, Summary]) -> str:
    """The methods of one case."""
    ours, floor = found.get(OURS, Summary()), found.get(FLOOR, Summary())
    rows = []
    for name, method in METHODS.items():
        reason = None if name in found else without_result(method, case)
        if name not in found and reason is None:
            continue
        this = found.get(name, Summary(note=reason or ""))
        # The reference says what greedy is; what it costs is of no interest.
        timed = Summary() if method.reference else this
        quality = ratio(this.total_distance, ours.total_distance)
        spread = None if timed.seconds is None else f"{digits(this.least)} to {digits(this.most)}"
        rows.append(
            [
                method.label,
                digits(timed.seconds),
                spread,
                digits(ratio(timed.seconds, floor.seconds)),
                digits(ratio(timed.seconds, ours.seconds)),
                None if timed.peak_bytes is None else f"{timed.peak_bytes / MEGABYTE:.0f}",
                None if quality is None else f"{quality:.4f}",
                this.note,
            ]
        )
    headers = ["method", "seconds", "least to most", "/ pass", "/ ours", "peak MB", "distance", ""]
    if not any(row[-1] for row in rows):
        headers, rows = headers[:-1], [row[:-1] for row in rows]
    return table(headers, rows)


def setting(lines: Sequence[Line], threads: int) -> str:
    """What the results were measured with."""
    measured = [line for line in lines if line["outcome"] == MEASURED]
    if not measured:
        return "Nothing was measured."
    versions = sorted({f"{k} {v}" for line in measured for k, v in line["versions"].items()})
    dates = sorted({line["date"] for line in measured})
    machines = sorted({line["machine"] for line in measured})
    loads = [line["load"] for line in measured]
    return (
        f"{len(measured)} measurements, {dates[0]} to {dates[-1]}, on {'; '.join(machines)}; "
        f"{threads} threads; load average before a measurement {median(loads):.1f} in the median, "
        f"{max(loads):.1f} at most; {', '.join(versions)}."
    )


def compiled_anew(results: Results) -> str:
    """Say which methods take long for hardly any rows, whatever was warmed up."""
    slow: dict[str, float] = {}
    for found in results.values():
        for name, this in found.items():
            if (this.small_seconds or 0) > 0.3:
                slow[name] = max(slow.get(name, 0), this.small_seconds or 0)
    if not slow:
        return ""
    names = ", ".join(f"{METHODS[name].label} up to {digits(s, 2)} s" for name, s in slow.items())
    why = "apricot compiles its loops in every fit, which is part of its cost in every class."
    return f"With only 300 rows a second call still took: {names}. {why * ('apricot' in slow)}"


# ------------------------------------------------------------------------------------- larger data


class LargerData(NamedTuple):
    """A data set by its size."""

    name: str
    rows: int
    classes: int


LARGER = (
    LargerData("Clothing1M", 1_000_000, 14),
    LargerData("WebVision", 2_400_000, 1_000),
    LargerData("ImageNet-21k", 14_000_000, 21_841),
)
MACHINES = 16


def measured_in_one_class(
    results: Results, method: str, share: float, gpu: bool
) -> dict[int, Summary]:
    """Rows of a class to what was measured with the gradients of a network."""
    return {
        case.rows: found[method]
        for case, found in results.items()
        if (case.data, case.classes, case.share) == ("network", 1, share)
        and (case.device != "cpu") == gpu
        and method in found
        and found[method].seconds is not None
    }


def nearest_size(measured: dict[int, Summary], rows: int) -> int:
    """The measured number of rows that is nearest by ratio."""
    return min(measured, key=lambda n: max(n / rows, rows / n))


def by_class(measured: dict[int, Summary], data: LargerData, machines: int) -> float | None:
    """Seconds of exact greedy on classes of equal size, dealt out to machines."""
    if not measured:
        return None
    rows = round(data.rows / data.classes)
    base = nearest_size(measured, rows)
    seconds = measured[base].seconds or 0.0
    return -(-data.classes // machines) * seconds * (rows / base) ** 2


def by_row(measured: dict[int, Summary], data: LargerData, machines: int) -> float | None:
    """Seconds of partitioned selection, in proportion to the rows."""
    if not measured:
        return None
    base = max(measured)
    return (measured[base].seconds or 0.0) / base * data.rows / machines


def duration(seconds: float | None) -> str:
    """Seconds in the unit that suits them."""
    if seconds is None:
        return "not measured"
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 1.5 * length:
            return f"{digits(seconds / length, 2)} {unit}"
    return f"{digits(seconds, 2)} s"


def gigabytes(n_bytes: float | None) -> str:
    return "not measured" if n_bytes is None else f"{digits(n_bytes / GIGABYTE, 2)} GB"


def peak_of_a_class(measured: dict[int, Summary], rows: int) -> float | None:
    """Bytes above the input; in proportion to the rows beyond what was measured."""
    if not measured:
        return None
    base = nearest_size(measured, rows)
    peak = measured[base].peak_bytes
    return None if peak is None else peak * max(1.0, rows / base)


def constants_table(results: Results, shares: Sequence[float]) -> str:
    rows = []
    for share in shares:
        for name, gpu in ((OURS, False), (OURS, True), ("partitioned", False)):
            for n, found in measured_in_one_class(results, name, share, gpu).items():
                seconds = found.seconds or 0.0
                rows.append(
                    [
                        METHODS[name].label + (", GPU" if gpu else ""),
                        f"{share:.0%}",
                        f"{n:,}",
                        digits(1e9 * seconds / n**2),
                        digits(1e6 * seconds / n),
                        None if found.peak_bytes is None else round(found.peak_bytes / MEGABYTE),
                    ]
                )
    headers = ["measured", "k", "rows", "ns per pair", "µs per row", "peak MB above input"]
    return table(headers, rows)


def larger_table(results: Results, shares: Sequence[float]) -> str:
    rows = []
    for data in LARGER:
        n = round(data.rows / data.classes)
        for share in shares:
            exact = measured_in_one_class(results, OURS, share, gpu=False)
            on_gpu = measured_in_one_class(results, OURS, share, gpu=True)
            parts = measured_in_one_class(results, "partitioned", share, gpu=False)
            rows.append(
                [
                    f"{data.name} ({data.classes:,} x {n:,})",
                    f"{share:.0%}",
                    duration(by_class(exact, data, 1)),
                    duration(by_class(on_gpu, data, 1)),
                    duration(by_class(exact, data, MACHINES)),
                    duration(by_row(parts, data, 1)),
                    duration(by_row(parts, data, MACHINES)),
                    gigabytes(4 * N_COLUMNS * data.rows),
                    gigabytes(peak_of_a_class(exact, n)),
                    gigabytes(4 * n * n),
                ]
            )
    headers = [
        "data set (classes x rows)",
        "k",
        "greedy, here",
        "greedy, one GPU",
        f"greedy, {MACHINES} machines",
        "partitioned, here",
        f"partitioned, {MACHINES} machines",
        "gradients",
        "greedy's memory above them",
        "matrix of a class",
    ]
    return table(headers, rows)


def larger_section(results: Results) -> list[str]:
    """Time and memory of one selection from larger data, calculated."""
    cases = [c for c in results if (c.data, c.classes) == ("network", 1) and OURS in results[c]]
    shares = sorted({case.share for case in cases})
    if not any(measured_in_one_class(results, OURS, s, gpu) for s in shares for gpu in (0, 1)):
        return ["Nothing was measured to calculate from."]
    return [
        "**Measured** are these constants, in one class of network gradients with "
        f"{N_COLUMNS} columns:",
        constants_table(results, shares),
        "Everything in the next table is **calculated** from them; none of these data sets was "
        "selected from. Classes are taken to be of equal size (uneven ones cost more: the time "
        "goes with the sum of their squares), with gradients of as many columns. Exact greedy: "
        "the seconds of the measured size nearest to a class, times the square of the ratio of "
        "their rows, times the number of classes. Partitioned: the seconds per row of the largest "
        f"measured size. {MACHINES} machines: machines like this one that are dealt whole classes "
        f"(so 14 classes gain no more than a factor of 14), or a {MACHINES}th of the rows; "
        "communication is not measured and counts as nothing. Memory: gradients in float32, all "
        "of them; the peak above them at the measured size, in proportion to the rows for larger "
        "classes; and, for comparison, the matrix that the other libraries would need for one "
        "class.",
        larger_table(results, shares),
    ]


# ----------------------------------------------------------------------------------------- page


def page(lines: Sequence[Line], threads: int, folder: Path) -> str:
    """The report as Markdown; saves its picture in the folder."""
    from _selection_picture import picture

    results = by_case(lines, threads)
    used = [line for line in lines if line["threads"] == threads]
    parts = [
        setting(used, threads),
        "Seconds are the median of the repeats, distances included, imports and compilation not. "
        "`/ pass`: over the time of one pass over all distances, of which nothing is kept; what "
        "looks at every pair of rows takes at least half of that. `/ ours`: over the time of "
        "noisyfit's exact greedy. Peak MB: memory above that of the gradients and the libraries, "
        "the most of the repeats. `distance`: total distance of the rows to their nearest medoid, "
        "over that of noisyfit's exact greedy (in float64; 1 is equal, less is better).",
        compiled_anew(results),
    ]
    if picture(results, folder / "selection.png"):
        parts.append("![Seconds of a selection by number of rows](selection.png)")
    for case, found in results.items():
        parts += [f"## {case.title[0].upper()}{case.title[1:]}", case_table(case, found)]
    parts += ["## Carried to larger data", *larger_section(results)]
    return "\n\n".join(part for part in parts if part)


def report(lines: Sequence[Line], threads: int, output: Path) -> None:
    """Print the report and write it between the marks of the output page, the picture beside it."""
    if not any(line["threads"] == threads for line in lines):
        raise SystemExit(f"There are no results with {threads} threads yet.")
    output.parent.mkdir(parents=True, exist_ok=True)
    text = page(lines, threads, output.parent)
    print(text)
    write_page(output, "selection.py", "Cost of selecting medoids", text)
