"""The summary above the rows: how many labels are wrong, and which are mistaken for which.

Everything is built as a tree of elements, so whatever a class is called, its name is text.
"""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree.ElementTree import Element, SubElement, tostring

import numpy as np

from .judgement import Judgement
from .pictures import matrix_picture, quality_histogram

MOST_PAIRS = 8


def summary_html(judgement: Judgement, names: Sequence[str], n_listed: int, automatic: bool) -> str:
    """The summary as HTML.

    Parameters
    ----------
    judgement : Judgement
        What is believed about all rows.
    names : sequence of str
        The classes as text.
    n_listed : int
        How many rows the page lists.
    automatic : bool
        Whether that number follows from the estimated noise rate.

    Returns
    -------
    str
        HTML in which every name is escaped.
    """
    n = len(judgement.given)
    disbelieved = judgement.given != judgement.believed
    n_wrong = round(judgement.noise_rate * n)
    # The automatic number has limits, so it need not be twice the estimate.
    twice = automatic and n_listed == round(2 * judgement.noise_rate * n)
    root = Element("div", {"class": "summary"})
    figures = SubElement(root, "dl", {"class": "figures"})
    for figure, meaning in (
        (
            f"{100 * judgement.noise_rate:.1f} %",
            f"about {n_wrong:,} of {n:,} labels are wrong "
            "(an estimate over all rows; not every one can be named)",
        ),
        (f"{int(disbelieved.sum()):,}", "rows whose label the classifier would change"),
        (
            f"{n_listed:,}",
            "rows listed below, the most suspicious first"
            + (": twice the estimate, so many will be right" if twice else ""),
        ),
    ):
        entry = SubElement(figures, "div")
        SubElement(entry, "dt").text = meaning
        SubElement(entry, "dd").text = figure
    pictures = SubElement(root, "div", {"class": "pictures"})
    _add_figure(
        pictures,
        quality_histogram(judgement.quality, disbelieved),
        [("other", "another label is believed"), ("same", "the given label is believed")],
        "How far the labels are trusted",
    )
    matrix = matrix_picture(judgement.transition_matrix, names)
    if matrix is not None:
        title = "How often a true label is given as another (%)"
        _add_figure(pictures, matrix, [("right", "right"), ("wrong", "wrong")], title)
    _add_pairs(pictures, judgement, names)
    # ElementTree leaves control characters as they are; a page can't show them anyway.
    return tostring(root, encoding="unicode", method="html")


def _add_figure(
    parent: Element, picture: Element, legend: Sequence[tuple[str, str]], title: str
) -> None:
    figure = SubElement(parent, "figure")
    caption = SubElement(figure, "figcaption")
    SubElement(caption, "strong").text = title
    for kind, meaning in legend:
        entry = SubElement(caption, "span", {"class": f"key {kind}"})
        entry.text = meaning
    scroll = SubElement(figure, "div", {"class": "scroll"})
    scroll.append(picture)


def _add_pairs(parent: Element, judgement: Judgement, names: Sequence[str]) -> None:
    """The most frequent mistakes; a click lists their rows."""
    n_classes = len(names)
    wrong = judgement.given != judgement.believed
    if not wrong.any():
        return
    pairs = judgement.given[wrong] * n_classes + judgement.believed[wrong]
    kinds, counts = np.unique(pairs, return_counts=True)
    order = np.argsort(-counts, kind="stable")[:MOST_PAIRS]
    figure = SubElement(parent, "figure", {"class": "pairs"})
    caption = SubElement(figure, "figcaption")
    SubElement(caption, "strong").text = "Most frequent mistakes"
    SubElement(caption, "span").text = "given → believed; choose one to list its rows"
    listing = SubElement(figure, "ol")
    for i in order:
        given, believed = divmod(int(kinds[i]), n_classes)
        button = SubElement(
            SubElement(listing, "li"),
            "button",
            {"type": "button", "data-given": str(given), "data-believed": str(believed)},
        )
        button.set("title", f"{names[given]} → {names[believed]}")
        SubElement(button, "bdi").text = names[given]
        SubElement(button, "span", {"class": "arrow"}).text = "→"
        SubElement(button, "bdi").text = names[believed]
        SubElement(button, "span", {"class": "count"}).text = f"{counts[i]:,}"
