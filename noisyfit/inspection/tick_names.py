"""Names of classes at the edges of an image, none of which overlap."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

SHORTEST_NAME, LONGEST_NAME = 10, 24
SHARE_OF_SIDE = 0.5
FONT, SMALL_FONT = 10.0, 8.0
# Of the axes, what is left when the names, labels and a scale have been given room.
LEFT_AFTER_LAYOUT = 0.8
ROUND_STEPS = (1, 2, 5, 10, 20, 25, 50, 100, 200, 250, 500, 1000)


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
    size = FONT if len(names) <= 12 and cells.height > 1.3 * FONT else SMALL_FONT
    # Names may take this share of the side of the image, and a name says little below ten letters.
    room = int(SHARE_OF_SIDE * cells.height * len(names) / (0.6 * size))
    limit = min(max(room, SHORTEST_NAME), LONGEST_NAME)
    shown = [name if len(name) <= limit else name[: limit - 1] + "…" for name in names]
    longest = max(len(name) for name in shown) * 0.6 * size
    if rotation == "auto":
        rotation = 0.0 if longest <= 0.9 * cells.width or longest <= 2 * size else 45.0
    step = across = round_step(1.3 * size / cells.height)
    if rotation == 0:
        across = max(step, round_step(longest / (0.9 * cells.width)))
    leaning = {"rotation": rotation}
    if rotation:
        leaning |= {"ha": "right", "va": "top", "rotation_mode": "anchor"}
    ax.set_xticks(range(0, len(names), across), shown[::across], fontsize=size, **leaning)
    ax.set_yticks(range(0, len(names), step), shown[::step], fontsize=size)


def round_step(at_least: float) -> int:
    """The next number by which people count."""
    return next((step for step in ROUND_STEPS if step >= at_least), int(at_least) + 1)
