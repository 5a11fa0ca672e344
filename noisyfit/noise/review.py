"""What people decided about suspicious rows, applied to labels and rows."""

from __future__ import annotations

import csv
import io
import math
import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from noisyfit._compat import take_rows

from .label_text import LabelReader, is_missing, unprotect
from .validation import IntArray, encode_labels, sorted_classes

DECISIONS = ("keep", "relabel", "drop")
REQUIRED = ("row", "given_label", "decision", "new_label")

Table = dict[str, list[Any]]


@dataclass(frozen=True, eq=False)
class ReviewedData:
    """Rows and labels after a review.

    Attributes
    ----------
    X : same container as the X given, or None
        The rows that were not dropped; None if no X was given.
    y : ndarray or Series of shape (n_kept,)
        Their labels, corrected, of the type they had. A pandas or polars Series stays one.
    kept : ndarray of shape (n,), bool
        False for the rows dropped.
    relabelled : ndarray of shape (n,), bool
        True for the rows whose label was changed.
    reviewed : ndarray of shape (n,), bool
        True for the rows that somebody decided about.
    """

    X: Any
    y: Any
    kept: NDArray[np.bool_]
    relabelled: NDArray[np.bool_]
    reviewed: NDArray[np.bool_]


def apply_review(
    review: Any, y: Any, X: Any = None, *, classes: ArrayLike | None = None
) -> ReviewedData:
    r"""Correct labels and drop rows as a review says.

    Parameters
    ----------
    review : path, text or binary file, or DataFrame
        The decisions that a `noisyfit.inspection.LabelReport` exported, or a table like it, with
        the columns ``row`` (position of the row in ``y``, from 0), ``given_label``, ``decision``
        ("keep", "relabel", "drop", or nothing: not decided yet) and ``new_label`` (needed where
        the decision is "relabel"). Where there is a column ``index``, and ``y`` or ``X`` is from
        pandas, it is compared with their index.
    y : array-like of shape (n,)
        The labels that were reviewed, in the same order. Missing ones are allowed in rows that
        the review does not name.
    X : array-like of n rows, default=None
        The rows: an array, sparse matrix, DataFrame, or list.
    classes : array-like, default=None
        Labels that ``new_label`` may hold. None: those that occur in ``y``, and the categories if
        it is a pandas categorical.

    Returns
    -------
    ReviewedData
        The rows that remain, their labels, and masks over all rows.

    Raises
    ------
    ValueError
        If the review is of other data (its given labels or its index are not those of ``y``),
        names a row twice or one that does not exist, holds an unknown decision or label, or has
        columns missing.
    TypeError
        If ``review`` is of another type.

    Examples
    --------
    >>> import io
    >>> from noisyfit.noise import apply_review
    >>> review = io.StringIO(
    ...     "row,given_label,decision,new_label\n1,cat,relabel,dog\n2,dog,drop,\n"
    ... )
    >>> result = apply_review(review, ["cat", "cat", "dog", "dog"])
    >>> result.y
    array(['cat', 'dog', 'dog'], dtype='<U3')
    >>> result.kept
    array([ True,  True, False,  True])
    """
    table = _read(review)
    labels, known, codes = _encode(y, classes)
    n = len(labels)
    if X is not None and _n_rows(X) != n:
        raise ValueError(f"X has {_n_rows(X)} rows but y has {n} labels.")
    reader = LabelReader(known)
    index = next((data.index for data in (y, X) if hasattr(data, "iloc")), None)
    new_codes = codes.copy()
    decisions: dict[int, str] = {}
    for line in range(len(table["row"])):
        decision = _decision(table["decision"][line], line)
        if decision == "":
            continue
        row = _row(table["row"][line], n, line)
        if row in decisions:
            same = "the same decision" if decisions[row] == decision else "different decisions"
            raise ValueError(f"{_at(line)}: row {row} is in the review twice, with {same}.")
        decisions[row] = decision
        _check_same_data(table, line, row, reader, codes, index)
        new_codes[row] = _new_code(table["new_label"][line], decision, line, reader, codes[row])
    kept, reviewed = np.ones(n, dtype=bool), np.zeros(n, dtype=bool)
    for row, decision in decisions.items():
        reviewed[row] = True
        kept[row] = decision != "drop"
    relabelled = new_codes != codes
    rows = np.flatnonzero(kept)
    return ReviewedData(
        X=None if X is None else take_rows(X, rows),
        y=take_rows(_with_labels(y, labels, known, new_codes, np.flatnonzero(relabelled)), rows),
        kept=kept,
        relabelled=relabelled,
        reviewed=reviewed,
    )


# --------------------------------------------------------------------------- reading the review


def _read(review: Any) -> Table:
    """The columns of a review; errors name what is missing."""
    if isinstance(review, str | os.PathLike):
        with open(review, "rb") as file:
            table = _parse(file.read())
    elif hasattr(review, "read"):
        table = _parse(review.read())
    elif hasattr(review, "columns") and hasattr(review, "__getitem__"):
        table = {str(name): list(review[name]) for name in review.columns}
    else:
        raise TypeError(
            "review must be the path of a CSV file, an open file or a DataFrame, "
            f"got {type(review).__name__}."
        )
    missing = [name for name in REQUIRED if name not in table]
    if missing:
        raise ValueError(
            f"review has no column {', '.join(map(repr, missing))}; it needs {REQUIRED}, "
            f"and has {tuple(table)[:20]}."
        )
    return table


def _parse(content: str | bytes) -> Table:
    if isinstance(content, bytes):
        try:
            content = content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise ValueError(
                f"review is not encoded in UTF-8 ({error.reason} at byte {error.start}); a "
                'spreadsheet saves it so as "CSV UTF-8".'
            ) from error
    content = content.removeprefix("\ufeff")
    first = content.split("\n", 1)[0]
    # Spreadsheets in some languages save with semicolons, and others with tabs.
    delimiter = max(",;\t", key=first.count)
    lines = [
        line for line in csv.reader(io.StringIO(content, newline=""), delimiter=delimiter) if line
    ]
    if not lines:
        raise ValueError("review is empty; it needs a header line and a line for each decision.")
    header = [name.strip() for name in lines[0]]
    for number, line in enumerate(lines[1:]):
        if len(line) != len(header):
            raise ValueError(f"{_at(number)}: {len(line)} cells under {len(header)} columns.")
    return {name: [line[i] for line in lines[1:]] for i, name in enumerate(header)}


def _at(line: int) -> str:
    """Where in the review something is; a person counts from one."""
    return f"review, entry {line + 1}"


def _decision(cell: Any, line: int) -> str:
    decision = "" if is_missing(cell) else str(cell).strip().lower()
    if decision and decision not in DECISIONS:
        raise ValueError(
            f"{_at(line)}: decision must be one of {DECISIONS}, or empty where there is none, "
            f"got {cell!r}."
        )
    return decision


def _row(cell: Any, n: int, line: int) -> int:
    try:
        number = float(cell)  # a file that went through a spreadsheet may hold "3.0"
    except (TypeError, ValueError):
        number = math.nan
    if isinstance(cell, bool) or not number.is_integer():
        raise ValueError(f"{_at(line)}: row must be a row's position from 0, got {cell!r}.")
    row = int(number)
    if not 0 <= row < n:
        raise ValueError(f"{_at(line)}: row {row} does not exist, y has the rows 0 to {n - 1}.")
    return row


def _check_same_data(
    table: Table, line: int, row: int, reader: LabelReader, codes: IntArray, index: Any
) -> None:
    given = table["given_label"][line]
    if codes[row] < 0 or reader.code_of(given) != codes[row]:
        there = "a missing label" if codes[row] < 0 else repr(reader.classes[codes[row]])
        raise ValueError(
            f"{_at(line)}: row {row} was given the label {given!r} when it was reviewed, but y "
            f"has {there} there; pass the labels that were reviewed, in the same order."
        )
    name = table["index"][line] if "index" in table else None
    if index is None or is_missing(name) or name == "":
        return
    if not _same_name(name, index[row]):
        raise ValueError(
            f"{_at(line)}: row {row} had the index {name!r} when it was reviewed, but has "
            f"{index[row]!r} now; pass the data that were reviewed, in the same order."
        )


def _same_name(cell: Any, name: Any) -> bool:
    if str(cell) == str(name) or unprotect(str(cell)) == str(name):
        return True
    try:
        return float(cell) == float(name)
    except (TypeError, ValueError):
        return False


def _new_code(cell: Any, decision: str, line: int, reader: LabelReader, given: int) -> int:
    if decision != "relabel":
        named = not is_missing(cell) and cell != ""
        if decision == "keep" and named and reader.code_of(cell) != given:
            raise ValueError(
                f"{_at(line)}: the decision is 'keep', yet there is a new label, {cell!r}."
            )
        return given
    code = reader.code_of(cell)
    if code is None:
        some = reader.classes.tolist()[:20]
        if is_missing(cell) or cell == "":
            raise ValueError(f"{_at(line)}: 'relabel' needs a new_label, one of {some}.")
        raise ValueError(
            f"{_at(line)}: new_label {cell!r} is none of the labels {some}; to allow labels that "
            "do not occur in y, name all of them in classes."
        )
    return code


# --------------------------------------------------------------------------- labels in and out


def _encode(y: Any, classes: ArrayLike | None) -> tuple[NDArray[Any], NDArray[Any], IntArray]:
    """Labels as an array, the classes, and codes with -1 for missing labels."""
    labels = np.asarray(y)
    if labels.ndim != 1 or labels.size == 0:
        raise ValueError(f"y must hold one label for each row, got shape {labels.shape}.")
    if labels.dtype.kind in "iubUS":
        there = np.ones(len(labels), dtype=bool)
    else:
        there = np.array([not is_missing(label) for label in labels])
    if not there.any():
        raise ValueError("y holds missing labels only.")
    if classes is None:
        categories = getattr(getattr(y, "dtype", None), "categories", None)
        classes = sorted_classes(labels[there])[0] if categories is None else categories
    known, present = encode_labels(labels[there], classes)
    codes = np.full(len(labels), -1, dtype=np.intp)
    codes[there] = present
    return labels, known, codes


def _with_labels(
    y: Any, labels: NDArray[Any], known: NDArray[Any], codes: IntArray, rows: IntArray
) -> Any:
    """The labels with those of some rows replaced, in the container they came in."""
    new = known[codes[rows]]
    if hasattr(y, "iloc"):
        corrected = y.copy()
        if len(rows):
            corrected.iloc[rows] = new
        return corrected
    if type(y).__module__.split(".")[0] == "polars":
        values = y.to_list()
        for row, label in zip(rows.tolist(), new.tolist(), strict=True):
            values[row] = label
        return type(y)(y.name, values, dtype=y.dtype)
    corrected = labels.astype(_holding(labels.dtype, known.dtype))
    corrected[rows] = new
    return corrected


def _holding(own: np.dtype[Any], other: np.dtype[Any]) -> np.dtype[Any]:
    """A type for labels: the one they have, or a longer string if a new label needs it."""
    return np.result_type(own, other) if own.kind == other.kind and own.kind in "US" else own


def _n_rows(X: Iterable[Any]) -> int:
    shape = getattr(X, "shape", None)
    return shape[0] if shape is not None else len(X)  # type: ignore[arg-type]
