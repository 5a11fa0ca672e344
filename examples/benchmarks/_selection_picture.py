"""Seconds of a selection by number of rows, for every method, with the labels on the lines."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from _pictures import OURS_COLOR, PEER_COLOR
from _selection_peers import METHODS, Method
from sklearn.isotonic import isotonic_regression

FLOOR_COLOR = "black"
TEXT_COLOR = "#8a5a00"  # the peers' colour, dark enough to read
STYLES = ("-", "--", "-.", (0, (1, 1)), (0, (5, 1, 1, 1, 1, 1)))
MARKERS = "osD^vPX*<>"
GAP = 0.055  # between labels, as a share of the height


def picture(results: Mapping[Any, Mapping[str, Any]], path: Path) -> bool:
    """Save a panel for each share of medoids; False where there is no line to draw."""
    from matplotlib.figure import Figure

    lines = _lines(results)
    if not lines:
        return False
    shares = sorted({share for share, _ in lines})
    values = [seconds for points in lines.values() for _, seconds in points]
    sizes = [n for points in lines.values() for n, _ in points]
    figure = Figure(figsize=(0.4 + 6.6 * len(shares), 5.6), layout="constrained")
    axes = figure.subplots(1, len(shares), squeeze=False, sharey=True)[0]
    for axis, share in zip(axes, shares, strict=True):
        axis.set(xscale="log", yscale="log")
        axis.set_xlim(min(sizes) / 1.15, max(sizes) * 1.15)
        axis.set_ylim(min(values) / 1.6, max(values) * 5)  # room for labels of steep lines
        here = {name: points for (of, name), points in lines.items() if of == share}
        for name, points in here.items():
            axis.plot(*zip(*points, strict=True), **_look(name, METHODS[name]))
        _label(axis, here)
        axis.set_title(f"k = {share:.0%} of the rows", fontsize=10)
        axis.set_xticks(sorted(set(sizes)), [f"{n:,}" for n in sorted(set(sizes))])
        axis.yaxis.set_major_formatter(lambda seconds, _: f"{seconds:g}")
        axis.minorticks_off()
        axis.tick_params(labelsize=8)
        axis.grid(axis="y", color="0.9", linewidth=0.6)
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel("seconds", fontsize=10)
    figure.supxlabel("rows of one class", fontsize=10)
    figure.savefig(path, dpi=130)
    return True


def _lines(
    results: Mapping[Any, Mapping[str, Any]],
) -> dict[tuple[float, str], list[tuple[int, float]]]:
    """Points (rows, seconds) of every share and method, in one class of the first data there is."""
    cases = [case for case in results if case.classes == 1 and case.device == "cpu"]
    lines: dict[tuple[float, str], list[tuple[int, float]]] = {}
    for case in sorted(case for case in cases if case.data == cases[0].data):
        for name in METHODS:
            found = results[case].get(name)
            if found is not None and found.seconds is not None and METHODS[name].drawn:
                lines.setdefault((case.share, name), []).append((case.rows, found.seconds))
    return lines


def _color(method: Method) -> str:
    if method is METHODS["distance_pass"]:
        return FLOOR_COLOR
    return OURS_COLOR if method.ours else PEER_COLOR


def _look(name: str, method: Method) -> dict[str, Any]:
    """Colour says whose method it is, the marker and the dashes say which."""
    same = [n for n, other in METHODS.items() if other.drawn and _color(other) == _color(method)]
    place = same.index(name)
    main = name == "greedy"
    return {
        "color": _color(method),
        "linestyle": ":" if name == "distance_pass" else STYLES[place % len(STYLES)],
        "marker": MARKERS[place % len(MARKERS)],
        "markersize": 5 if main else 4,
        "linewidth": 2.6 if main else 1.3,
        "zorder": 4 if main else 3,
    }


def _label(axis: Any, lines: Mapping[str, list[tuple[int, float]]]) -> None:
    """Names to the right of the panel, in the order of the lines, none over another."""
    low, high = np.log(axis.get_ylim())
    ends = {
        name: (_carried_on(points, axis.get_xlim()[1]) - low) / (high - low)
        for name, points in lines.items()
    }
    names = sorted(ends, key=ends.__getitem__)
    # As near to where the lines would leave the panel as labels that keep their distance can be.
    apart = GAP * np.arange(len(names))
    heights = isotonic_regression(
        np.array([ends[name] for name in names]) - apart, y_min=0, y_max=1 - apart[-1]
    )
    for name, height in zip(names, heights + apart, strict=True):
        color = _color(METHODS[name])
        leader = {"color": color, "linewidth": 0.5, "alpha": 0.7, "relpos": (0, 0.5)}
        axis.annotate(
            METHODS[name].label,
            xy=lines[name][-1],
            xytext=(1.04, height),
            textcoords="axes fraction",
            va="center",
            fontsize=8,
            color=TEXT_COLOR if color == PEER_COLOR else color,
            fontweight="bold" if name == "greedy" else "normal",
            arrowprops={"arrowstyle": "-", "shrinkA": 1, "shrinkB": 3, **leader},
        )


def _carried_on(points: list[tuple[int, float]], n: float) -> float:
    """Logarithm of the seconds that the last stretch of a line would lead to."""
    (n0, seconds0), (n1, seconds1) = (points[-2:] * 2)[:2]
    if n0 == n1:
        return math.log(seconds1)
    slope = math.log(seconds1 / seconds0) / math.log(n1 / n0)
    return math.log(seconds1) + slope * math.log(n / n1)
