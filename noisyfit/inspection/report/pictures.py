"""The summary's pictures as SVG, in colours that the page's style sheet decides."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from xml.etree.ElementTree import Element, SubElement

import numpy as np
from numpy.typing import NDArray

N_BINS = 20
MOST_CLASSES = 40  # a larger matrix can't be read
MOST_NUMBERS = 12
LONGEST_NAME = 14


def quality_histogram(quality: NDArray[np.float64], disbelieved: NDArray[np.bool_]) -> Element:
    """How many labels are trusted how far; those not believed in another colour.

    Parameters
    ----------
    quality : ndarray of shape (n,)
        Trust in each label, in [0, 1].
    disbelieved : ndarray of shape (n,), bool
        Where another label is believed.

    Returns
    -------
    Element
        The picture.
    """
    width, height, bottom, left, right = 360, 190, 34, 26, 10
    picture = _picture(width, height, "Histogram of the trust in the given labels")
    edges = np.linspace(0, 1, N_BINS + 1)
    other = np.histogram(quality[disbelieved], edges)[0]
    same = np.histogram(quality[~disbelieved], edges)[0]
    # Square roots: a few wrong labels stay visible beside thousands of right ones.
    heights = np.sqrt(np.vstack([other, other + same]))
    scale = (height - bottom - 14) / max(heights.max(), 1)
    step = (width - left - right) / N_BINS
    for i in range(N_BINS):
        x = left + i * step
        low, high = heights[:, i] * scale
        for kind, count, base, top in (
            ("other", other[i], 0.0, low),
            ("same", same[i], low, high),
        ):
            if count:
                bar = _rectangle(picture, x + 1, height - bottom - top, step - 2, top - base, kind)
                said = "another label is believed" if kind == "other" else "the label is believed"
                _title(bar, f"{count:,} rows, {edges[i]:.2f} to {edges[i + 1]:.2f}: {said}")
    y = height - bottom + 14
    _text(picture, left, y, "0: surely wrong", "start")
    _text(picture, width - right, y, "1: trusted", "end")
    _text(picture, (left + width - right) / 2, y + 15, "trust in the label", "middle")
    _turned(picture, (height - bottom) / 2, "rows (square-root scale)")
    return picture


def matrix_picture(matrix: NDArray[np.float64], names: Sequence[str]) -> Element | None:
    """The estimated noise matrix, a square for each pair of classes.

    Parameters
    ----------
    matrix : ndarray of shape (C, C)
        P(given = column | true = row).
    names : sequence of str
        The classes.

    Returns
    -------
    Element or None
        The picture; None for more classes than can be told apart.
    """
    n = len(matrix)
    if n > MOST_CLASSES:
        return None
    cell = min(64.0, 300 / n)
    short = [
        name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 1] + "…" for name in names
    ]
    widest = max(map(_width, short))
    # Names that are wider than a column are written at a slant.
    slanted = widest > cell - 4
    left = 34 + widest
    # At a slant of 50 degrees: the sine and the cosine, and the height of the letters.
    top = 26 + (0.77 * widest + 4 if slanted else 12)
    right = 0.65 * widest + 8 if slanted else 8
    size = cell * n
    picture = _picture(left + size + right, top + size + 8, "Estimated noise matrix")
    _text(picture, left + size / 2, 12, "given label", "middle")
    _turned(picture, top + size / 2, "true label")
    for i, name in enumerate(short):
        middle = (i + 0.5) * cell
        if cell >= 9:
            _title(_text(picture, left - 6, top + middle + 4, name, "end"), names[i])
            column = _text(picture, 0, 0, name, "start" if slanted else "middle")
            turn = " rotate(-50)" if slanted else ""
            column.set("transform", f"translate({left + middle:.1f} {top - 6:.1f}){turn}")
            _title(column, names[i])
        for j in range(n):
            share = float(matrix[i, j])
            kind = "right" if i == j else "wrong"
            x, y = left + j * cell, top + i * cell
            square = _rectangle(picture, x + 0.5, y + 0.5, cell - 1, cell - 1, f"cell {kind}")
            # Faint shares of wrong labels matter more than differences between high ones.
            square.set("fill-opacity", f"{np.sqrt(share):.3f}")
            _title(square, f"true {names[i]}, given {names[j]}: {100 * share:.1f} %")
            if n <= MOST_NUMBERS and share >= 0.005:
                number = _text(
                    picture, x + cell / 2, y + cell / 2 + 4, f"{100 * share:.0f}", "middle"
                )
                number.set("class", "number strong" if share > 0.35 else "number")
    return picture


def _picture(width: float, height: float, label: str) -> Element:
    return Element(
        "svg",
        {
            "viewBox": f"0 0 {width:.0f} {height:.0f}",
            "width": f"{width:.0f}",
            "height": f"{height:.0f}",
            "role": "img",
            "aria-label": label,
        },
    )


def _rectangle(
    parent: Element, x: float, y: float, width: float, height: float, kind: str
) -> Element:
    numbers = {"x": x, "y": y, "width": width, "height": height}
    attributes = {name: f"{value:.1f}" for name, value in numbers.items()}
    return SubElement(parent, "rect", {**attributes, "class": kind})


def _text(parent: Element, x: float, y: float, content: str, anchor: str) -> Element:
    attributes = {"x": f"{x:.1f}", "y": f"{y:.1f}", "text-anchor": anchor}
    text = SubElement(parent, "text", attributes)
    text.text = content
    return text


def _turned(parent: Element, middle: float, content: str) -> None:
    """The name of the vertical axis, at the left edge."""
    text = _text(parent, 0, 0, content, "middle")
    text.set("transform", f"translate(12 {middle:.1f}) rotate(-90)")


def _width(text: str) -> float:
    """About how wide a text is at 11 px, in px, in a font with wide letters."""
    return sum(
        11.5
        if unicodedata.east_asian_width(character) in "WF"
        else 9.4
        if character in "mwMW<>=+~%@&…—"
        else 8.2
        if character.isupper()
        else 7.0
        for character in text
    )


def _title(parent: Element, content: str) -> None:
    SubElement(parent, "title").text = content
