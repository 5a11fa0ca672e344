"""apply_review: what was decided about rows, applied to labels and rows."""

from __future__ import annotations

import csv
import io

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
from hypothesis import example, given, settings
from hypothesis import strategies as st

from noisyfit.noise import apply_review
from noisyfit.noise.label_text import label_texts, protect, unprotect

HEADER = "row,given_label,decision,new_label\n"
ANIMALS = np.array(["cat", "cat", "dog", "eel", "dog"])
REVIEW = "0,cat,keep,\n1,cat,relabel,dog\n3,eel,drop,\n4,dog,,\n"


def review_csv(rows, y, decisions, new_labels, index=None):
    """The CSV that the page of a LabelReport exports, written independently of it."""
    text = dict(zip(y.tolist(), (protect(t) for t in texts_of(y)), strict=True))
    file = io.StringIO(newline="")
    file.write("\ufeff")
    writer = csv.writer(file, lineterminator="\r\n", quoting=csv.QUOTE_MINIMAL)
    writer.writerow(["row", "index", "given_label", "decision", "new_label"])
    for row, decision, new in zip(rows, decisions, new_labels, strict=True):
        name = "" if index is None else protect(str(index[row]))
        label = text[new] if decision == "relabel" else ""
        writer.writerow([row, name, text[y.tolist()[row]], decision, label])
    return file.getvalue()


def texts_of(y):
    return [label_texts(np.array([label], dtype=y.dtype))[0] for label in y.tolist()]


def test_decisions_are_applied():
    X = np.arange(10).reshape(5, 2)
    result = apply_review(io.StringIO(HEADER + REVIEW), ANIMALS, X)
    assert result.y.tolist() == ["cat", "dog", "dog", "dog"]
    assert result.X[:, 0].tolist() == [0, 2, 4, 8]
    assert result.kept.tolist() == [True, True, True, False, True]
    assert result.relabelled.tolist() == [False, True, False, False, False]
    assert result.reviewed.tolist() == [True, True, False, True, False]
    assert ANIMALS.tolist() == ["cat", "cat", "dog", "eel", "dog"]  # left as it was


def test_where_the_review_comes_from_makes_no_difference(tmp_path):
    text = HEADER + REVIEW
    path = tmp_path / "review.csv"
    path.write_text(text, encoding="utf-8-sig")
    frame = pd.read_csv(io.StringIO(text))
    sources = [
        path,
        str(path),
        io.StringIO(text),
        io.BytesIO(text.encode()),
        frame,
        pl.read_csv(io.BytesIO(text.encode())),
        io.StringIO(text.replace(",", ";")),
        io.StringIO(text.replace("\n", "\r\n") + "\r\n"),
    ]
    for source in sources:
        assert apply_review(source, ANIMALS).y.tolist() == ["cat", "dog", "dog", "dog"]


@pytest.mark.parametrize(
    ("labels", "to"),
    [
        (np.array([3, 1, 3], dtype=np.int8), 1),
        (np.array([-1, 1, 1]), -1),
        (np.array([True, False, True]), False),
        (np.array(["1", "01", "1"]), "01"),
        (np.array([0.5, -2.0, 0.1], dtype=np.float32), -2.0),
        (np.array([b"a", b"b", b"a"]), b"b"),
        (np.array(["2020-01-01", "2021-01-01", "2020-01-01"], dtype="M8[D]"), None),
        (np.array(["", "=x", "'=x"], dtype=object), "=x"),
        (np.array(["=x", "'=x", "''=x"], dtype=object), "'=x"),
        (np.array(["a\rb", "a\nb", "a\r\nb"], dtype=object), "a\nb"),
    ],
    ids=str,
)
def test_labels_come_back_as_they_were(labels, to):
    to = labels[1] if to is None else to
    text = dict(zip(labels.tolist(), map(protect, texts_of(labels)), strict=True))
    target = labels[labels == to][0]
    review = pd.DataFrame(
        {
            "row": [0],
            "given_label": [text[labels[0].item() if hasattr(labels[0], "item") else labels[0]]],
            "decision": ["relabel"],
            "new_label": [text[labels[labels == to].tolist()[0]]],
        }
    )
    result = apply_review(
        io.BytesIO(review.to_csv(index=False, quoting=csv.QUOTE_ALL).encode()), labels
    )
    assert result.y.dtype == labels.dtype
    assert result.y[0] == target
    assert type(result.y[0]) is type(target)
    assert result.y[1:].tolist() == labels[1:].tolist()


def test_what_a_spreadsheet_rewrites_is_understood():
    # numbers with a decimal point, TRUE in capitals, row numbers as floats
    table = pd.DataFrame(
        {
            "row": [0.0, 1.0],
            "given_label": [1, 0],
            "decision": ["Relabel ", None],
            "new_label": [0.0, np.nan],
        }
    )
    assert apply_review(table, [1, 0, 1]).y.tolist() == [0, 0, 1]
    saved = io.StringIO(HEADER + "0,TRUE,RELABEL,FALSE\n")
    assert apply_review(saved, [True, False]).y.tolist() == [False, False]
    saved = io.StringIO(HEADER + "0,1.0,relabel,0.0\n")
    assert apply_review(saved, [1, 0]).y.tolist() == [0, 0]


def test_containers_and_their_index_are_kept():
    frame = pd.DataFrame({"a": range(5)}, index=list("vwxyz"))
    series = pd.Series(ANIMALS, index=frame.index, name="animal", dtype="category")
    result = apply_review(io.StringIO(HEADER + REVIEW), series, frame)
    assert list(result.X.index) == list(result.y.index) == list("vwxz")
    assert result.y.name == "animal"
    assert result.y.dtype == series.dtype
    assert result.y.tolist() == ["cat", "dog", "dog", "dog"]

    result = apply_review(
        io.StringIO(HEADER + REVIEW), pl.Series("animal", ANIMALS), pl.DataFrame({"a": range(5)})
    )
    assert result.y.to_list() == ["cat", "dog", "dog", "dog"]
    assert result.y.name == "animal"
    assert result.X["a"].to_list() == [0, 1, 2, 4]

    sparse = apply_review(io.StringIO(HEADER + REVIEW), ANIMALS, sp.csr_array(np.eye(5))).X
    assert sparse.shape == (4, 5)
    kept = apply_review(io.StringIO(HEADER + REVIEW), ANIMALS, list("abcde")).X
    assert kept == ["a", "b", "c", "e"]


def test_missing_labels_stay_where_nobody_reviewed_them():
    labels = pd.Series([1.0, np.nan, 0.0])
    result = apply_review(io.StringIO(HEADER + "0,1.0,relabel,0.0\n"), labels)
    assert result.y.isna().tolist() == [False, True, False]
    assert result.y[0] == 0
    with pytest.raises(ValueError, match="y has a missing label there"):
        apply_review(io.StringIO(HEADER + "1,1.0,keep,\n"), labels)
    with pytest.raises(ValueError, match="missing labels only"):
        apply_review(io.StringIO(HEADER), [None, None])


def test_new_labels_that_do_not_occur_have_to_be_allowed():
    review = HEADER + "0,cat,relabel,crocodile\n"
    with pytest.raises(ValueError, match="'crocodile' is none of the labels"):
        apply_review(io.StringIO(review), ANIMALS)
    result = apply_review(io.StringIO(review), ANIMALS, classes=["cat", "crocodile", "dog", "eel"])
    assert result.y[0] == "crocodile"
    categories = pd.Categorical(ANIMALS, categories=["cat", "crocodile", "dog", "eel"])
    assert apply_review(io.StringIO(review), pd.Series(categories)).y[0] == "crocodile"


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("0,dog,keep,\n", "row 0 was given the label 'dog' .* y has .*'cat'.* there"),
        ("5,cat,keep,\n", "row 5 does not exist, y has the rows 0 to 4"),
        ("-1,cat,keep,\n", "row -1 does not exist"),
        ("x,cat,keep,\n", "row must be a row's position from 0, got 'x'"),
        ("0.5,cat,keep,\n", "row must be a row's position"),
        ("nan,cat,keep,\n", "row must be a row's position"),
        ("0,cat,delete,\n", "decision must be one of .*got 'delete'"),
        ("0,cat,relabel,\n", "'relabel' needs a new_label"),
        ("0,cat,keep,dog\n", "the decision is 'keep', yet there is a new label, 'dog'"),
        ("0,cat,drop,\n0,cat,drop,\n", "entry 2: row 0 is in the review twice, with the same"),
        ("0,cat,drop,\n0,cat,keep,\n", "row 0 is in the review twice, with different"),
        ("0,cat,drop\n", "entry 1: 3 cells under 4 columns"),
    ],
)
def test_a_wrong_review_is_refused(lines, message):
    with pytest.raises(ValueError, match=message):
        apply_review(io.StringIO(HEADER + lines), ANIMALS)


def test_other_things_are_refused():
    with pytest.raises(ValueError, match="has no column 'given_label', 'new_label'"):
        apply_review(pd.DataFrame({"row": [0], "decision": ["keep"]}), ANIMALS)
    with pytest.raises(ValueError, match="review is empty"):
        apply_review(io.StringIO(""), ANIMALS)
    with pytest.raises(ValueError, match="not encoded in UTF-8"):
        apply_review(io.BytesIO("row,né".encode("latin-1")), ANIMALS)
    with pytest.raises(TypeError, match="got list"):
        apply_review([1, 2], ANIMALS)
    with pytest.raises(FileNotFoundError):
        apply_review("no such review.csv", ANIMALS)
    with pytest.raises(ValueError, match="X has 3 rows but y has 5 labels"):
        apply_review(io.StringIO(HEADER), ANIMALS, np.zeros((3, 1)))
    with pytest.raises(ValueError, match="one label for each row"):
        apply_review(io.StringIO(HEADER), np.zeros((2, 2)))


def test_an_index_that_differs_is_refused():
    review = "row,index,given_label,decision,new_label\n1,'=b,cat,drop,\n"
    for index in (["a", "=b", "c", "d", "e"], ["a", "b", "c", "d", "e"]):
        labels = pd.Series(ANIMALS, index=index)
        if index[1] == "=b":
            assert len(apply_review(io.StringIO(review), labels).y) == 4
        else:
            with pytest.raises(ValueError, match=r"row 1 had the index \"'=b\" .* has 'b' now"):
                apply_review(io.StringIO(review), labels)
    assert len(apply_review(io.StringIO(review), ANIMALS).y) == 4  # nothing to compare with


# A NUL ends strings in numpy; halves of surrogate pairs are refused when a report is made.
UNICODE = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0")
    | st.sampled_from("=+-@'\",;\t\r\n 1eé"),
    max_size=6,
)
LABELS = (
    st.lists(UNICODE, min_size=1, max_size=8).map(lambda x: np.array(x, dtype=object))
    | st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=8).map(np.array)
    | st.lists(st.booleans(), min_size=1, max_size=8).map(np.array)
    | st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=8).map(
        np.array
    )
)


@settings(max_examples=150, deadline=None)
@given(LABELS, st.data())
def test_a_review_of_any_labels_is_read_back(y, data):
    rows = data.draw(st.permutations(range(len(y))))[: data.draw(st.integers(0, len(y)))]
    decisions = [data.draw(st.sampled_from(["keep", "relabel", "drop"])) for _ in rows]
    new = [data.draw(st.sampled_from(y.tolist())) for _ in rows]
    expected, kept = y.copy(), np.ones(len(y), dtype=bool)
    for row, decision, label in zip(rows, decisions, new, strict=True):
        if decision == "relabel":
            expected[row] = label
        kept[row] = decision != "drop"
    text = review_csv(rows, y, decisions, new)
    for source in (io.StringIO(text, newline=""), io.BytesIO(text.encode())):
        result = apply_review(source, y)
        assert result.y.tolist() == expected[kept].tolist()
        assert [type(label) for label in result.y.tolist()] == [
            type(label) for label in expected[kept].tolist()
        ]
        assert result.kept.tolist() == kept.tolist()


@given(UNICODE)
@example("'=x")
@example("\u3000=x")
def test_protected_text_is_no_formula(text):
    assert unprotect(protect(text)) == text or protect(text) == text
    if protect(text) == text:
        assert not text.startswith("'")
        starts_a_formula = text.strip()[:1] in ("=", "+", "@") or text.startswith(("\t", "\r"))
        assert not starts_a_formula
