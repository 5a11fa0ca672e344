"""Bar charts of the accuracy benchmark's results."""

from __future__ import annotations

from pathlib import Path

from _figures import LABELS, NOISYFIT

OURS_COLOR, PEER_COLOR = "#0072B2", "#E69F00"  # told apart by the colour-blind, too


def picture(
    figures: dict[str, dict[str, float | None]], path: Path, label: str, start: float, goal: float
) -> None:
    """A panel for each kind of noise, of bars that begin at ``start``; a line marks the goal."""
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    methods = list(next(iter(figures.values())))
    values = [value for row in figures.values() for value in row.values() if value is not None]
    room = 0.16 * (goal - start)  # for the figures beside the bars
    limits = (min(start, *values), max(goal, *values) + room)
    columns = 4
    n_rows = -(-len(figures) // columns)
    figure = Figure(figsize=(12, 0.8 + n_rows * (0.5 + 0.27 * len(methods))), layout="constrained")
    axes = figure.subplots(n_rows, columns, squeeze=False).flatten()
    for place, (axis, (kind, row)) in enumerate(zip(axes, figures.items(), strict=False)):
        for line, method in enumerate(methods):
            value = row[method]
            if value is None:
                continue
            color = OURS_COLOR if method in NOISYFIT else PEER_COLOR
            axis.barh(line, value - start, left=start, color=color, height=0.75)
            end = max(value, start) + 0.1 * room
            box = {"facecolor": "white", "edgecolor": "none", "pad": 0.6}
            axis.text(end, line, f"{value:.2f}", va="center", fontsize=8, bbox=box)
        axis.axvline(start, color="black", linewidth=0.8)
        axis.axvline(goal, color="black", linewidth=0.8, linestyle=":")
        axis.set(xlim=limits, ylim=(len(methods) - 0.4, -0.6))
        axis.set_title(kind, fontsize=10)
        axis.tick_params(labelsize=8)
        labels = [LABELS[method] for method in methods] if place % columns == 0 else []
        axis.set_yticks(range(len(labels)), labels)
        axis.tick_params(axis="y", length=0)
        axis.spines[["top", "right", "left"]].set_visible(False)
    for axis in axes[len(figures) :]:
        axis.set_visible(False)
    figure.supxlabel(label, fontsize=10)
    handles = [Patch(color=OURS_COLOR, label="noisyfit"), Patch(color=PEER_COLOR, label="others")]
    figure.legend(handles=handles, loc="outside upper right", ncols=2, frameon=False, fontsize=9)
    figure.savefig(path, dpi=130)
