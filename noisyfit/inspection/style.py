"""One look for all displays, and the axes to draw them in.

The colours are Okabe and Ito's, which the colour-blind tell apart. No two things differ by colour
alone: markers, line styles or hatches differ as well. Styles are given to each artist, so that
matplotlib's global settings stay as they are.
"""

from __future__ import annotations

from typing import Any

import numpy as np

BLUE, ORANGE, GREEN = "#0072B2", "#D55E00", "#009E73"
PURPLE, GREY, BLACK = "#CC79A7", "#8C8C8C", "#000000"

RIGHT_BARS = {"color": BLUE, "edgecolor": "white", "linewidth": 0.5}
WRONG_BARS = {"color": ORANGE, "edgecolor": "white", "linewidth": 0.5, "hatch": "////"}
UNKNOWN_BARS = {"color": GREY, "edgecolor": "white", "linewidth": 0.5}

# Points of width that two columns of a legend need.
WIDE_ENOUGH = 300
# Of several curves in the same axes.
LINE_LOOKS = (
    {"color": BLUE, "linestyle": "-"},
    {"color": ORANGE, "linestyle": "--"},
    {"color": GREEN, "linestyle": "-."},
    {"color": PURPLE, "linestyle": (0, (1, 1))},
    {"color": BLACK, "linestyle": (0, (5, 1, 1, 1, 1, 1))},
    {"color": "#56B4E9", "linestyle": (0, (8, 2))},
    {"color": "#E69F00", "linestyle": "-"},
)


def open_axes(
    ax: Any, figsize: tuple[float, float] | None = None, layout: str = "constrained"
) -> tuple[Any, Any]:
    """Figure and axes to draw in: those given, or new ones."""
    try:
        from matplotlib.axes import Axes
    except ImportError as error:
        raise ImportError(
            "Displays draw with matplotlib, which is not installed: pip install matplotlib"
        ) from error
    if ax is None:
        from matplotlib import pyplot

        return pyplot.subplots(figsize=figsize, layout=layout)
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


def legend_above_data(ax: Any, **options: Any) -> None:
    """A legend at the top of the axes, whose upper limit is raised until nothing lies behind it."""
    columns = 2 if _width_in_points(ax) > WIDE_ENOUGH else 1
    common = {"loc": "upper left", "ncols": columns, "frameon": False, "borderaxespad": 0.2}
    common |= {"columnspacing": 1.0, "alignment": "left"}
    common |= {"fontsize": _legend_font(ax), "title_fontsize": _legend_font(ax)}
    legend = ax.legend(**common, **options)
    share = legend.get_window_extent().height / ax.get_window_extent().height
    bottom, top = ax.get_ylim()
    ax.set_ylim(bottom, bottom + (top - bottom) / (1 - min(share + 0.02, 0.6)))


def _width_in_points(ax: Any) -> float:
    return ax.get_window_extent().width * 72 / ax.figure.dpi


def _legend_font(ax: Any) -> float:
    """Size in points: smaller in narrow axes, so that a legend leaves room for the data."""
    return float(np.clip(_width_in_points(ax) / 26, 6.0, 8.5))


def dress_shares_over_epochs(ax: Any, epochs: np.ndarray, ylabel: str) -> None:
    """Axes for shares in [0, 1] over epochs, with room for the first and the last marker."""
    first, last = min(1, epochs[0]), max(2, epochs[-1])
    room = 0.02 * (last - first)
    ax.set(xlabel="epoch", xlim=(first - room, last + room))
    ax.xaxis.get_major_locator().set_params(integer=True)
    ax.set(ylabel=ylabel, ylim=(0, 1.03), yticks=np.linspace(0, 1, 6))
    clear_lines(ax)
    legend_above_data(ax)
