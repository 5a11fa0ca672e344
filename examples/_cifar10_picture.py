"""Purity and recall of the coresets on CIFAR-10 over the epochs: a panel for each noise."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from _results import Line
from _shared import require

# The colours of purity_over_epochs.png, where it shows the same selections.
COLORS = {"crust": "#009E73", "crust paper": "#D55E00", "crust official code": "#CC79A7"}
LABELS = {"crust": "crust (noisyfit's defaults)"}
MEASURES = {"purity": "-", "recall": (0, (4, 2))}
REFERENCE = {"color": "black", "linewidth": 0.8, "linestyle": (0, (1, 2))}
TITLES = {
    "sym20": "20 % symmetric",
    "sym50": "50 % symmetric",
    "sym80": "80 % symmetric",
    "asym40": "40 % asymmetric",
}


def picture(lines: Sequence[Line], path: Path) -> bool:
    """Save the picture; False where nothing of CRUST's table is there to draw."""
    runs = [
        line
        for line in lines
        if line["table"] == "crust" and line["method"] in COLORS and "coreset_purity" in line
    ]
    if not runs:
        return False
    require("matplotlib")
    from matplotlib.figure import Figure

    # Two panels side by side can still be read on a phone.
    figure = Figure(figsize=(8.2, 8.4), layout="constrained")
    axes = figure.subplots(2, 2, sharex=True, sharey=True)
    n_epochs = max(len(run["coreset_purity"]) for run in runs)
    for axis, (noise, title) in zip(axes.flat, TITLES.items(), strict=True):
        here = [run for run in runs if run["noise"] == noise]
        for method, color in COLORS.items():
            of_method = [run for run in here if run["method"] == method]
            for measure, style in MEASURES.items():
                if of_method:
                    _draw(axis, [run[f"coreset_{measure}"] for run in of_method], color, style)
        if here:
            axis.axhline(1 - np.mean([run["share_wrong"] for run in here]), **REFERENCE)
        else:
            middle = {"transform": axis.transAxes, "ha": "center", "va": "center"}
            axis.text(0.5, 0.5, "not measured yet", color="0.35", **middle)
        _dress(axis, title, n_epochs)
    for axis in axes[1]:
        axis.set_xlabel("epoch")
    for axis in axes[:, 0]:
        axis.set_ylabel("share")
    _add_legend(figure, [method for method in COLORS if any(r["method"] == method for r in runs)])
    seeds = len({run["seed"] for run in runs})
    figure.suptitle(
        "CIFAR-10: how clean the coresets are, and how many of the right labels\n"
        f"they find, {'1 seed' if seeds == 1 else f'mean of up to {seeds} seeds'}",
        fontsize=11,
    )
    figure.savefig(path, dpi=130)
    return True


def _draw(axis: Any, columns: list[list[float | None]], color: str, style: Any) -> None:
    """The mean over the seeds as a line, on a band from the lowest to the highest of them."""
    epochs = np.arange(1, max(map(len, columns)) + 1)
    values = np.full((len(columns), len(epochs)), np.nan)  # a warm-up has no coreset
    for row, column in zip(values, columns, strict=True):
        row[: len(column)] = [np.nan if value is None else value for value in column]
    known = ~np.isnan(values).all(axis=0)
    epochs, values = epochs[known], values[:, known]
    lowest, highest = np.nanmin(values, axis=0), np.nanmax(values, axis=0)
    axis.fill_between(epochs, lowest, highest, color=color, alpha=0.18, linewidth=0)
    width = 1.9 if style == "-" else 1.4
    axis.plot(epochs, np.nanmean(values, axis=0), color=color, linewidth=width, linestyle=style)


def _dress(axis: Any, title: str, n_epochs: int) -> None:
    axis.set_title(title, fontsize=11)
    axis.set(xlim=(1, max(2, n_epochs)), ylim=(0, 1.03))
    axis.set_yticks(np.linspace(0, 1, 6))
    axis.grid(axis="y", color="0.9", linewidth=0.6)
    axis.spines[["top", "right"]].set_visible(False)


def _add_legend(figure: Any, methods: list[str]) -> None:
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], color=COLORS[method], linewidth=2, label=LABELS.get(method, method))
        for method in methods
    ]
    meanings = {
        "purity": "purity: right labels in the coreset",
        "recall": "recall: right labels that are found",
    }
    for measure, style in MEASURES.items():
        look = {"color": "black", "linewidth": 1.4, "linestyle": style}
        handles.append(Line2D([], [], label=meanings[measure], **look))
    handles.append(Line2D([], [], label="right labels among all rows", **REFERENCE))
    figure.legend(handles=handles, loc="outside lower center", ncols=2, frameon=False, fontsize=9)
