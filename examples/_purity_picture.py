"""Purity and recall of subsets over the epochs: a column of panels for each size of subset."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

# Okabe and Ito's colours, told apart by the colour-blind; the order is that of the legend.
COLORS = {
    "coreset w/preds (the paper)": "#D55E00",
    "coreset w/label": "#E69F00",
    "official code": "#CC79A7",
    "smallest gradient norm": "#0072B2",
    "random": "#8C8C8C",
    "CRUSTClassifier()": "#009E73",
}
LIMIT = {"color": "black", "linewidth": 0.8, "linestyle": (0, (1, 2))}
DASHES = (0, (4, 2))

Means = Mapping[tuple[str, float | None], Mapping[str, Any]]


def greatest_possible(measure: str, fraction: float, clean_share: float) -> float:
    """Purity or recall of a subset of that size that misses as few right labels as it can."""
    whole = fraction if measure == "purity" else clean_share
    return min(fraction, clean_share) / whole


def picture(means: Means, path: Path, what: str) -> None:
    """Save two rows of panels, purity above recall.

    The selector that chooses its own size (fraction None) is drawn where that of the others is
    nearest to it.
    """
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    fractions = sorted({fraction for _, fraction in means if fraction is not None})
    own_size = next((f["size"][-1] for (_, share), f in means.items() if share is None), None)
    nearest = None if own_size is None else min(fractions, key=lambda f: abs(f - own_size))
    clean_share = float(next(iter(means.values()))["clean_share"])
    figure = Figure(figsize=(0.6 + 3.6 * len(fractions), 7.2), layout="constrained")
    axes = figure.subplots(2, len(fractions), squeeze=False, sharex=True, sharey=True)
    for line, measure in enumerate(("purity", "recall")):
        for axis, fraction in zip(axes[line], fractions, strict=True):
            for (selector, share), figures in means.items():
                if share == fraction or (share is None and fraction == nearest):
                    _draw(axis, COLORS[selector], figures, measure, bold=share is None)
            limit = greatest_possible(measure, fraction, clean_share)
            axis.axhline(limit, **LIMIT)
            _dress(axis, means)
    for axis, fraction in zip(axes[0], fractions, strict=True):
        axis.set_title(f"subsets of {fraction:.0%}", fontsize=11)
    axes[0, 0].set_ylabel("purity: share of the subset\nwith right labels")
    axes[1, 0].set_ylabel("recall: share of the rightly labelled\nrows that are in the subset")
    for axis in axes[1]:
        axis.set_xlabel("epoch")

    labels = {
        selector: selector if share else f"{selector}, size its own: {own_size:.0%}"
        for selector, share in means
    }
    handles = [
        Line2D([], [], color=COLORS[selector], linewidth=2, label=label)
        for selector, label in labels.items()
    ]
    own = {"color": "black", "linewidth": 1.2, "linestyle": DASHES}
    handles.append(Line2D([], [], label="purity with cluster weights", **own))
    handles.append(Line2D([], [], label="greatest possible", **LIMIT))
    figure.legend(handles=handles, loc="outside lower center", ncols=4, frameon=False, fontsize=9)
    seen = "How clean the selected subsets are, and how many of the right labels they find"
    figure.suptitle(f"{seen}\n{what}", fontsize=11)
    figure.savefig(path, dpi=130)


def _draw(axis: Any, color: str, figures: Mapping[str, Any], measure: str, *, bold: bool) -> None:
    epochs, order = figures["epoch"], 4 if bold else 3
    axis.plot(epochs, figures[measure], color=color, linewidth=2.4 if bold else 1.7, zorder=order)
    if measure == "purity" and "weighted_purity" in figures:
        dashed = {"color": color, "linewidth": 1.2, "linestyle": DASHES}
        axis.plot(epochs, figures["weighted_purity"], zorder=order, **dashed)


def _dress(axis: Any, means: Means) -> None:
    starts = [figures["epoch"][0] for figures in means.values()]
    ends = [figures["epoch"][-1] for figures in means.values()]
    warmup = max(starts)
    axis.set(xlim=(1, max(ends)), ylim=(0, 1.03))
    axis.axvspan(1, warmup, color="0.94", zorder=0)
    axis.text(
        np.mean([1, warmup]),
        0.03,
        "warm-up: all rows",
        rotation=90,
        ha="center",
        va="bottom",
        fontsize=8,
        color="0.35",
    )
    axis.set_yticks(np.linspace(0, 1, 6))
    axis.grid(axis="y", color="0.9", linewidth=0.6)
    axis.spines[["top", "right"]].set_visible(False)
