"""``python -m noisyfit report``: from a table in a file to a page, or to one clear line."""

from __future__ import annotations

import json
import re
import runpy
import sys

import numpy as np
import pandas as pd
import pytest

from noisyfit.command_line import classifier, main
from noisyfit.command_line.columns import Columns, prepared, sort_columns
from noisyfit.command_line.errors import CommandError
from noisyfit.command_line.progress import progress_bar
from noisyfit.command_line.table import check_columns, labels_of, read_table
from noisyfit.noise import apply_review

WORDS = {
    "sport": "match goal team win coach league cup race",
    "food": "soup bread salt oven cook dish apple bake",
}


@pytest.fixture(scope="module")
def tables():
    rng = np.random.default_rng(0)
    n = 160
    true = np.arange(n) % 2
    kind = np.array(["food", "sport"])[true]
    numbers = pd.DataFrame(
        {
            "size": true + rng.normal(0, 0.2, n),
            "colour": np.where(rng.random(n) < 0.9, np.array(["red", "blue"])[true], "grey"),
            "count": np.arange(n),
            "nothing": np.full(n, np.nan),
        }
    )
    words = [" ".join(rng.choice(WORDS[k].split(), 6)) for k in kind]
    wrong = np.zeros(n, dtype=bool)
    wrong[[3, 8, 21, 40, 77, 90, 111, 142]] = True
    given = np.where(wrong, 1 - true, true)
    return {
        "numbers": numbers.assign(kind=np.array(["food", "sport"])[given]),
        "text": pd.DataFrame({"text": words, "stars": given + 1}),
        "wrong": wrong,
    }


def run(capsys, *arguments):
    """Exit status, what was printed, and what was said on standard error."""
    status = main([str(argument) for argument in arguments])
    printed = capsys.readouterr()
    return status, printed.out, printed.err


def data_of(path):
    block = re.search(r"<script type=\"application/json\"[^>]*>(.*?)</script>", path.read_text())
    return json.loads(block[1])


def test_a_table_becomes_a_page(tables, tmp_path, capsys):
    source, page = tmp_path / "data.csv", tmp_path / "page.html"
    tables["numbers"].to_csv(source, sep=";", index=False)
    status, printed, said = run(
        capsys, "report", source, "--label", "kind", "-o", page, "--rows", 10
    )
    assert status == 0
    assert re.match(r".*page.html: about \d+\.\d % of 160 labels look wrong; 10 rows", printed)
    assert "160 rows, 2 classes; columns: 1 numeric, 1 categorical." in said
    assert "column 'count' is not learned from: counts the rows." in said
    assert "column 'nothing' is not learned from: empty." in said
    assert f"{classifier.N_FITS}/{classifier.N_FITS}" in said  # the bar counts every fit
    data = data_of(page)
    assert set(np.flatnonzero(tables["wrong"])) <= set(data["rows"])
    assert data["title"] == "data.csv"
    assert data["contents"]["names"] == ["size", "colour", "count", "nothing"]
    assert data["index"] is None

    again = tmp_path / "again.html"
    run(capsys, "report", source, "--label", "kind", "-o", again, "--rows", "10")
    assert again.read_bytes() == page.read_bytes()  # the same seed, the same page


def test_text_with_missing_labels_and_names(tables, tmp_path, capsys):
    source, page = tmp_path / "data.parquet", tmp_path / "page.html"
    table = tables["text"].assign(
        name=[f"n{i}" for i in range(160)], stars=tables["text"]["stars"].astype("Int64")
    )
    table.loc[[0, 5], "stars"] = pd.NA
    table.to_parquet(source)
    status, _, said = run(
        capsys, "report", source, "--label", "stars", "--index", "name", "-o", page,
        "--rows", "12", "--title", "Reviews",
    )  # fmt: skip
    assert status == 0
    assert "2 of 160 rows have no label; they are left out." in said
    assert "158 rows, 2 classes; columns: 1 text." in said
    data = data_of(page)
    assert data["title"] == "Reviews"
    assert set(np.flatnonzero(tables["wrong"])) <= set(data["rows"])  # positions in the file
    assert data["index"] == [f"n{row}" for row in data["rows"]]
    assert data["contents"]["texts"] == [table["text"][row] for row in data["rows"]]
    assert data["classes"] == ["1", "2"]

    # what is decided on the page fits the table as pandas reads it
    review = pd.DataFrame(
        {
            "row": data["rows"],
            "given_label": [data["classes"][code] for code in data["given"]],
            "decision": "relabel",
            "new_label": [data["classes"][1 - code] for code in data["given"]],
        }
    )
    read = pd.read_parquet(source)
    result = apply_review(review, read["stars"], read)
    assert result.relabelled[data["rows"]].all()
    assert result.y.dtype == "Int64"


def test_output_is_replaced_only_when_told(tables, tmp_path, capsys):
    source, page = tmp_path / "data.csv", tmp_path / "page.html"
    tables["text"].to_csv(source, index=False)
    page.write_text("precious")
    arguments = ["report", source, "--label", "stars", "-o", page]
    status, _, said = run(capsys, *arguments)
    assert status == 1
    assert "page.html exists; name another file or add --overwrite" in said
    assert page.read_text() == "precious"
    assert run(capsys, *arguments, "--overwrite")[0] == 0
    assert page.read_text().startswith("<!DOCTYPE html>")


@pytest.mark.parametrize(
    ("content", "arguments", "message"),
    [
        ("a,kind\n1,x\n2,y\n", ["--label", "Kinds"], r"no column 'Kinds'; did you mean 'kind'\?"),
        ("a,kind\n1,x\n2,y\n", ["--label", "zzz"], r"no column 'zzz'; it has a, kind\."),
        ("a,kind\n1,x\n2,y\n", ["--label", "kind", "--text", "b"], "--text: .* no column 'b'"),
        ("a,kind\n1,x\n2,y\n", ["--label", "kind", "--index", "b"], "--index: .* no column 'b'"),
        ("a,kind\n1,x\n2,x\n", ["--label", "kind"], "every row of the column 'kind' is 'x'"),
        ("a,kind\n1,x\n2,y\n", ["--label", "kind"], "each of the 2 rows has a label of its own"),
        ("a,kind\n1,\n2,\n", ["--label", "kind"], "the column 'kind' is empty"),
        ("kind\nx\ny\nx\n", ["--label", "kind"], "no column to learn from beside the label"),
        ("a,kind\n,x\n,y\n,x\n", ["--label", "kind"], r"all are ignored: a \(empty\)"),
        ("a,kind\n", ["--label", "kind"], "has no rows"),
        ("", ["--label", "kind"], "can't be read as a table: No columns"),
        ('a,kind\n"1,x\n2,y\n', ["--label", "kind"], "can't be read as a table"),
        ("a,kind\n1,2,3,4\n1,2\n1,2,3,4,5\n", ["--label", "kind"], "can't be read as a table"),
        ("a,kind\né,x\n", ["--label", "kind", "--encoding", "ascii"], "is not encoded in ascii"),
        ("a,kind\n1,x\n", ["--label", "kind", "--encoding", "zzz"], "knows no encoding 'zzz'"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(content, arguments, message, tmp_path, capsys):
    source = tmp_path / "data.csv"
    source.write_text(content, encoding="utf-8")
    status, printed, said = run(capsys, "report", source, *arguments, "-o", tmp_path / "r.html")
    assert status == 1
    assert printed == ""
    assert re.search(message, said.splitlines()[-1])
    assert said.startswith("noisyfit: ")
    assert list(tmp_path.iterdir()) == [source]


def test_files_that_are_not_there_or_no_tables(tmp_path, capsys):
    def message(source, output=tmp_path / "r.html"):
        status, _, said = run(capsys, "report", source, "--label", "kind", "-o", output)
        assert status == 1
        return said

    assert "there is no file" in message(tmp_path / "missing.csv")
    assert "is a folder; name a CSV" in message(tmp_path)
    (tmp_path / "data.xlsx").touch()
    assert "is no CSV or Parquet file" in message(tmp_path / "data.xlsx")
    (tmp_path / "data.parquet").write_text("no table")
    assert "can't be read as a table" in message(tmp_path / "data.parquet")
    assert "the folder" in message(tmp_path / "missing.csv", tmp_path / "no" / "r.html")
    assert "is a folder; name a file" in message(tmp_path / "missing.csv", tmp_path)


def test_wrong_options_end_with_two(capsys):
    for arguments in ([], ["report"], ["report", "a.csv", "--label", "b", "--rows", "0"]):
        with pytest.raises(SystemExit) as stopped:
            main(arguments)
        assert stopped.value.code == 2
    assert "0 is not positive" in capsys.readouterr().err


def test_an_interruption_leaves_nothing(tables, tmp_path, capsys, monkeypatch):
    source = tmp_path / "data.csv"
    tables["text"].to_csv(source, index=False)

    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(classifier.Counted, "fit", interrupted)
    status, _, said = run(capsys, "report", source, "--label", "stars", "-o", tmp_path / "r.html")
    assert status == 130
    assert said.endswith("noisyfit: interrupted, nothing was written.\n")
    assert list(tmp_path.iterdir()) == [source]


def test_missing_packages_are_named(tables, tmp_path, capsys, monkeypatch):
    source = tmp_path / "data.csv"
    tables["text"].to_csv(source, index=False)
    monkeypatch.setitem(sys.modules, "tqdm", None)
    with progress_bar(2, "counting") as step:
        step()
        step()
    assert capsys.readouterr().err == "counting: 1 of 2\ncounting: 2 of 2\n"
    monkeypatch.setitem(sys.modules, "pandas", None)
    status, _, said = run(capsys, "report", source, "--label", "stars", "-o", tmp_path / "r.html")
    assert status == 1
    assert "reading tables needs pandas: pip install 'noisyfit[report]'" in said


def test_it_runs_as_a_module(capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["noisyfit", "report", "--help"])
    with pytest.raises(SystemExit) as stopped:
        runpy.run_module("noisyfit", run_name="__main__")
    assert stopped.value.code == 0
    printed = capsys.readouterr().out
    assert "usage: python -m noisyfit report" in printed
    assert "apply_review" in printed


def test_what_each_column_is():
    n = 40
    frame = pd.DataFrame(
        {
            "number": np.linspace(0, 1, n),
            "flag": np.arange(n) % 2 == 0,
            "date": pd.date_range("2020-01-01", periods=n),
            "word": ["a", "b"] * (n // 2),
            "review": [f"we liked it {i} times" for i in range(n)],
            "phrase": ["a long and winding name", "another long name"] * (n // 2),
            "code": [f"x{i}" for i in range(n)],
            "zone": pd.date_range("2020-01-01", periods=n, tz="UTC"),
            "gap": [None] * n,
            "row": np.arange(5, 5 + n),
            "secret": np.arange(n) % 3,
        }
    )
    columns = sort_columns(frame, text=["word"], drop=["secret"])
    assert columns.numeric == ["number", "flag", "date"]
    assert columns.text == ["word", "review"]
    assert columns.categorical == ["phrase"]
    assert columns.ignored == {
        "code": "nearly every row has a value of its own",
        "zone": "dates with a time zone",
        "gap": "empty",
        "row": "counts the rows",
        "secret": "dropped by --drop",
    }
    ready = prepared(frame, columns)
    assert list(ready.columns) == columns.used
    assert ready["date"].diff()[1:].tolist() == [86400.0] * (n - 1)
    assert ready["flag"].tolist()[:2] == [1.0, 0.0]


@pytest.mark.parametrize(
    ("kinds", "n_classes", "judge"),
    [
        ({"numeric": ["a"]}, 20, "HistGradientBoostingClassifier"),
        ({"numeric": ["a"]}, 21, "RandomForestClassifier"),
        ({"text": ["a"], "numeric": ["b"]}, 21, "LogisticRegression"),
        ({"text": ["a"], "categorical": ["b"]}, 2, "LogisticRegression"),
        ({"text": ["a", "b"]}, 2, "MultinomialNB"),
    ],
)
def test_what_judges_a_table(kinds, n_classes, judge):
    columns = Columns(**kinds)
    chosen = classifier.classifier_for(columns, np.arange(n_classes), 0, lambda: None)
    assert type(chosen.estimator.estimator[-1]).__name__ == judge


def test_missing_and_infinite_values_are_made_plain():
    frame = pd.DataFrame(
        {
            "x": [1.0, np.inf, np.nan],
            "d": pd.to_datetime(["2020-01-01", None, "2020-01-02"]),
            "w": ["a", None, "a"],
        }
    )
    ready = prepared(frame, sort_columns(frame))
    assert ready["x"].isna().tolist() == [False, True, True]
    assert ready["d"].isna().tolist() == [False, True, False]
    assert ready["w"].tolist() == ["a", "", "a"]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_any_delimiter_is_found(delimiter, tmp_path):
    table = pd.DataFrame({"a, b; c": ["1,5;|", "2"], "kind": ["x", "y"]})
    table.to_csv(tmp_path / "t.csv", sep=delimiter, index=False)
    read = read_table(tmp_path / "t.csv", "kind")
    assert read.to_dict("list") == {"a, b; c": ["1,5;|", "2"], "kind": ["x", "y"]}


def test_labels_that_are_no_classes():
    with pytest.raises(CommandError, match="mixes text with numbers"):
        labels_of(pd.DataFrame({"y": pd.Series([1, "a", 1], dtype=object)}), "y")
    with pytest.raises(CommandError, match="30 different numbers with fractions"):
        labels_of(pd.DataFrame({"y": np.repeat(np.arange(30) / 7, 2)}), "y")
    labels, rows = labels_of(pd.DataFrame({"y": [1.0, np.nan, 2.0, 1.0]}), "y")
    assert labels.tolist() == [1, 2, 1]
    assert rows.tolist() == [0, 2, 3]
    with pytest.raises(CommandError, match="did you mean 'Label'"):
        check_columns(pd.DataFrame({"Label": [1]}), ["lable"], "--label")
