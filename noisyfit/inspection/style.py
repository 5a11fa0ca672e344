"""One look for all displays, and the axes to draw them in.

The colours are Okabe and Ito's, which the colour-blind tell apart. No two things differ by colour
alone: markers, line styles or hatches differ as well. Styles are given to each artist, so that
matplotlib's global settings stay as they are.
"""

from __future__ import annotations

from typing import Any

BLUE, ORANGE, GREEN = "#0072B2", "#D55E00", "#009E73"
PURPLE, GREY, BLACK = "#CC79A7", "#8C8C8C", "#000000"

RIGHT_BARS = {"color": BLUE, "edgecolor": "white", "linewidth": 0.5}
WRONG_BARS = {"color": ORANGE, "edgecolor": "white", "linewidth": 0.5, "hatch": "////"}
UNKNOWN_BARS = {"color": GREY, "edgecolor": "white", "linewidth": 0.5}

# Of several curves in the same axes.
LINE_LOOKS = (
    {"color": BLUE, "linestyle": "-"},
    {"color": ORANGE, "linestyle": "--"},
    {"color": GREEN, "linestyle": "-."},
    {"color": PURPLE, "linestyle": (0, (1, 1))},
    {"color": BLACK, "linestyle": (0, (5, 1, 1, 1, 1, 1))},
)


def open_axes(ax: Any, figsize: tuple[float, float] | None = None) -> tuple[Any, Any]:
    """Figure and axes to draw in: those given, or new ones."""
    try:
        from matplotlib.axes import Axes
    except ImportError as error:
        raise ImportError(
            "Displays draw with matplotlib, which is not installed: pip install matplotlib"
        ) from error
    if ax is None:
        from matplotlib import pyplot

        return pyplot.subplots(figsize=figsize, layout="constrained")
    if not isinstance(ax, Axes):
        raise TypeError(
            f"ax must be a matplotlib Axes, got {type(ax).__name__}; of several axes pass one, "
            "axes[0] say."
        )
    return ax.figure, ax


def clear_lines(ax: Any) -> None:
    """A light grid behind the data, and no frame where there are no ticks."""
    ax.grid(color="0.9", linewidth=0.7)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)


def small_legend(ax: Any, **options: Any) -> None:
    """A legend where it hides least, whose ground lets nothing show through."""
    ax.legend(**{"loc": "best", "fontsize": "small", "framealpha": 0.9, **options})
