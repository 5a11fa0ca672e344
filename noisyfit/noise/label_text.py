"""Labels as text and back, so that a review in a CSV file can name them.

A spreadsheet takes a cell such as ``=1+1`` for a formula. Reviews are opened in spreadsheets, so
text that could be one is written with an apostrophe before it, which reading takes away again.
"""

from __future__ import annotations

import re
from typing import Any

from numpy.typing import NDArray

# The apostrophe itself is in the list, so that taking one away is never wrong. Negative numbers
# stay as they are. `template/csv.js` of the label report follows the same rule.
FORMULA = re.compile(r"\s*[=+\-@]|[\t\r\n']")
NUMBER = re.compile(r"-?\d+(\.\d+)?(e[+-]?\d+)?", re.IGNORECASE)


def protect(text: str) -> str:
    """The text of a cell that no spreadsheet takes for a formula.

    Parameters
    ----------
    text : str
        Any text.

    Returns
    -------
    str
        The text, with an apostrophe before it if it could be taken for a formula.

    Examples
    --------
    >>> protect("=1+1"), protect("-1"), protect("cat")
    ("'=1+1", '-1', 'cat')
    """
    return "'" + text if FORMULA.match(text) and not NUMBER.fullmatch(text) else text


def unprotect(text: str) -> str:
    """Undo `protect`.

    Parameters
    ----------
    text : str
        A cell's text.

    Returns
    -------
    str
        The text that was protected.
    """
    return text[1:] if text.startswith("'") else text


def is_missing(value: Any) -> bool:
    """Whether a label or a cell is None, NaN, NaT or pandas' NA."""
    try:
        return value is None or bool(value != value)
    except TypeError:  # pandas.NA has no truth value
        return True
    except ValueError:  # nor has an array, which a cell of a DataFrame may hold
        return False


def label_texts(classes: NDArray[Any]) -> list[str]:
    """Each class as text.

    Parameters
    ----------
    classes : ndarray of shape (C,)
        Distinct labels of any type.

    Returns
    -------
    list of str
        Distinct texts.

    Raises
    ------
    ValueError
        If two classes have the same text, or a text is no valid Unicode and so can't be saved.
    """
    if classes.dtype.kind in "mM":
        texts = [str(label) for label in classes]
    else:
        texts = [str(label) for label in classes.tolist()]
    if len(set(texts)) < len(texts):
        raise ValueError(
            f"Two classes have the same text, so a review can't tell them apart: {texts[:20]!r}."
        )
    for text in texts:
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise ValueError(
                f"The label {text!r} holds half of a surrogate pair, which no file can hold."
            ) from error
    return texts


class LabelReader:
    """Finds the class that a cell of a review names.

    Parameters
    ----------
    classes : ndarray of shape (C,)
        Distinct labels of any type.
    """

    def __init__(self, classes: NDArray[Any]) -> None:
        self.classes = classes
        self._by_text = {text: code for code, text in enumerate(label_texts(classes))}
        # Python's 1 == 1.0 == True is what a table read by pandas needs here.
        self._by_value = {label: code for code, label in enumerate(classes.tolist())}
        self._kind = classes.dtype.kind

    def code_of(self, cell: Any) -> int | None:
        """The position of the class that a cell names, None if there is no such class."""
        if is_missing(cell):
            cell = ""
        if not isinstance(cell, str):
            code = self._by_text.get(str(cell))
            return self._by_value.get(cell) if code is None else code
        for text in (unprotect(cell), cell):
            if text in self._by_text:
                return self._by_text[text]
        return self._by_value.get(self._rewritten(cell))

    def _rewritten(self, cell: str) -> Any:
        """What a spreadsheet may have written otherwise: TRUE for True, 1.0 for 1."""
        if self._kind == "b":
            return {"true": True, "false": False}.get(cell.lower())
        if self._kind in "iuf":
            try:
                return float(cell)
            except ValueError:
                return None
        return None
