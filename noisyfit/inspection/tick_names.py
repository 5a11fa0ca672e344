"""Names of classes at the edges of an image, none of which overlap."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

LONGEST_NAME = 24
FONT, SMALL_FONT = 10.0, 8.0
# Of the axes, what is left when the names, labels and a scale have been given room.
LEFT_AFTER_LAYOUT = 0.8


@dataclass(frozen=True)
class CellSize:
    """Size in points of a cell of an image with square cells."""

    width: float
    height: float

    @classmethod
    def of(cls, ax: Any, n_rows: int, n_columns: int) -> CellSize:
        """What cells will measure, about: the layout is not made before the figure is drawn."""
        box = ax.get_window_extent()
        scale = 72.0 / ax.figure.dpi * LEFT_AFTER_LAYOUT
        side = min(box.width * scale / n_columns, box.height * scale / n_rows)
        return cls(side, side)


def name_ticks(ax: Any, names: list[str], cells: CellSize, rotation: float | str = "auto") -> None:
    """Name columns and rows; only every so many of them where all would not fit."""
    shown = [
        name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 1] + "…" for name in names
    ]
    size = FONT if len(names) <= 12 else SMALL_FONT
    longest = max(len(name) for name in shown) * 0.6 * size
    if rotation == "auto":
        rotation = 0.0 if longest <= 0.9 * cells.width or longest <= 2 * size else 45.0
    step = max(1, int(-(-1.3 * size // cells.height)))
    across = step
    if rotation == 0:
        across = max(step, int(-(-longest // (0.9 * cells.width))))
    leaning = {"rotation": rotation}
    if rotation:
        leaning |= {"ha": "right", "va": "top", "rotation_mode": "anchor"}
    ax.set_xticks(range(0, len(names), across), shown[::across], fontsize=size, **leaning)
    ax.set_yticks(range(0, len(names), step), shown[::step], fontsize=size)
