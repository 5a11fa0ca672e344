"""The benchmark of the selection engine runs, goes on where it was stopped, and reports."""

from __future__ import annotations

import importlib.util
import json
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

BENCHMARKS = Path(__file__).resolve().parents[1] / "examples" / "benchmarks"
SCRIPT = BENCHMARKS / "selection.py"
sys.path[:0] = [str(BENCHMARKS.parent), str(BENCHMARKS)]
try:
    import _selection_measure
    import _selection_page
    from _selection_peers import (
        METHODS,
        brute_force,
        distance_matrix,
        distance_pass,
        medoids_of,
    )
finally:
    del sys.path[:2]

NEEDING_NOTHING = [name for name, method in METHODS.items() if not method.modules]
GREEDY = [name for name in ("greedy", "greedy_128mb", "crust_code") if name in METHODS]


@pytest.fixture
def run(monkeypatch, tmp_path, capfd):
    """Run the script in this process; its measurements have processes of their own."""

    def run_script(*arguments):
        monkeypatch.chdir(tmp_path)
        monkeypatch.syspath_prepend(str(BENCHMARKS))
        monkeypatch.setattr(sys, "argv", [str(SCRIPT), *map(str, arguments)])
        runpy.run_path(str(SCRIPT), run_name="__main__")
        return capfd.readouterr()

    return run_script


@pytest.fixture
def _same_threads():
    n_threads = torch.get_num_threads()
    yield
    torch.set_num_threads(n_threads)


def result_line(method, seconds, rows=1000, share=0.5, **others):
    """A line of the results."""
    return {
        "data": "network", "classes": 1, "rows": rows, "share": share, "threads": 2,
        "device": "cpu", "method": method, "repeat": 0, "outcome": "measured", "seconds": seconds,
        "small_seconds": 0.01, "peak_bytes": 5_000_000, "total_distance": 100.0, "load": 0.1,
        "machine": "a computer", "versions": {"noisyfit": "0"}, "date": "2026-01-01", **others,
    }  # fmt: skip


def cells(output, first_cell):
    """The rows of Markdown tables that begin with a cell, as lists of cells."""
    rows = [line.strip("| ").split("|") for line in output.splitlines() if line.startswith("| ")]
    rows = [[cell.strip() for cell in row] for row in rows]
    return [row for row in rows if row[0] == first_cell]


# -------------------------------------------------------------------------------------- methods


@pytest.mark.parametrize("share", [0.1, 0.5])
@pytest.mark.parametrize("name", NEEDING_NOTHING)
def test_every_method_chooses_k_distinct_rows(name, share):
    points = _selection_measure.gradients("network", 60, 0)
    k = medoids_of(60, share)
    chosen = METHODS[name].choose(points, k)
    if name == "distance_pass":
        assert chosen is None
        return
    assert len(chosen) == len(np.unique(chosen)) == k
    assert set(chosen.tolist()) <= set(range(60))


@pytest.mark.parametrize("name", NEEDING_NOTHING)
def test_every_method_chooses_its_share_of_every_class(name):
    points, groups = _selection_measure.rows_and_groups("network", 3, 40)
    chosen = METHODS[name].by_class(points, groups, 0.25)
    if name != "distance_pass":
        _selection_measure.check(chosen, groups, [10, 10, 10])


@pytest.mark.parametrize("name", GREEDY)
@pytest.mark.parametrize("data", ["network", "gauss"])
def test_exact_methods_reach_brute_force(name, data):
    points = _selection_measure.gradients(data, 120, 0)
    groups = np.zeros(120, dtype=int)
    ours, exact = (
        _selection_measure.total_distance(points, groups, np.asarray(choose(points, 30)))
        for choose in (METHODS[name].choose, brute_force)
    )
    assert ours == pytest.approx(exact, rel=1e-6)


def test_distances_are_those_of_torch():
    points = _selection_measure.gradients("network", 70, 0)
    exact = torch.cdist(torch.from_numpy(points).double(), torch.from_numpy(points).double())
    for dtype in (np.float32, np.float64):
        matrix = distance_matrix(points, dtype)
        assert matrix.dtype == dtype
        np.testing.assert_allclose(matrix, exact, atol=2e-3)
    assert distance_pass(points, 7) is None


def test_the_measured_objective_is_the_distance_to_the_nearest_medoid_of_the_class():
    points = np.array([[0.0], [1.0], [9.0], [0.4]], dtype=np.float32)
    groups = np.array([0, 0, 0, 1])
    total = _selection_measure.total_distance(points, groups, np.array([0, 2, 3]))
    assert total == pytest.approx(1.0)


@pytest.mark.parametrize("indices", [[0, 0, 3], [0, 3], [0, 3, 4], [0.0, 1.0, 3.0]])
def test_a_wrong_selection_is_refused(indices):
    with pytest.raises(ValueError, match="the method chose"):
        _selection_measure.check(np.array(indices), np.array([0, 0, 0, 1, 1]), [2, 1])


def test_gradients_are_reproducible_and_not_of_ten_dimensions_only():
    first, again, other = (_selection_measure.gradients("network", 90, c) for c in (0, 0, 1))
    assert first.dtype == np.float32
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert np.linalg.matrix_rank(first, tol=1e-2) == 64


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="reads Linux's own counts")
def test_peak_memory_is_that_of_the_block_alone():
    np.ones(10_000_000).sum()  # 80 MB, given back before
    with _selection_measure.PeakMemory("cpu") as memory:
        np.ones(5_000_000).sum()
    if memory.bytes is None:
        pytest.skip("the kernel does not set the peak back")
    assert 30e6 < memory.bytes < 70e6


# -------------------------------------------------------------------------------- running it all


@pytest.mark.usefixtures("_same_threads")
def test_a_tiny_run_of_every_method_and_its_report(run, tmp_path, monkeypatch):
    """In this process, as each measurement would import torch anew in one of its own."""
    script = runpy.run_path(str(SCRIPT))
    here = script["main"].__globals__
    monkeypatch.setitem(here, "measure_apart", _selection_measure.measure)
    arguments = ["--tiny", "--threads", 1, "--results", tmp_path / "results.jsonl"]
    methods = ["--methods", *NEEDING_NOTHING]

    def main(*more):
        monkeypatch.setattr(sys, "argv", [str(SCRIPT), *map(str, (*arguments, *more))])
        script["main"]()
        return [json.loads(line) for line in (tmp_path / "results.jsonl").open()]

    lines = main(*methods, "--repeats", 2)
    # three cases, two repeats; brute force once, and not class after class
    assert len(lines) == 6 * (len(NEEDING_NOTHING) - 1) + 2
    for line in lines:
        assert line["outcome"] == "measured"
        assert (line["rows"], line["threads"]) == (60, 1)
        assert line["seconds"] > 0
        assert (line["total_distance"] is None) == (line["method"] == "distance_pass")
    again = main("--redo", "central", "--repeats", 2)
    assert len(again) == len(lines)
    assert {line["method"] for line in again[-6:]} == {"central"}

    output = run(*arguments, "--report", "--output", "page.md").out
    tables, larger = output.split("## Carried to larger data")
    for name in NEEDING_NOTHING:
        rows = cells(tables, METHODS[name].label)
        assert len(rows) == (2 if name == "brute_force" else 3)
        for row in rows:
            assert len(row) >= 7
            assert float(row[4] if name == "greedy" else 1) == 1  # its time over its own
            if name in (*GREEDY, "brute_force"):
                assert float(row[6]) == pytest.approx(1, abs=1e-4)
    assert "ImageNet-21k" in larger
    page = tmp_path / "page.md"
    assert output.strip() in page.read_text()
    assert (tmp_path / "selection.png").read_bytes()[:4] == b"\x89PNG"

    page.write_text("By hand.\n" + page.read_text() + "And after.\n")
    run(*arguments, "--report", "--output", "page.md")
    assert page.read_text().startswith("By hand.")
    assert page.read_text().endswith("And after.\n")
    assert page.read_text().count("## Carried to larger data") == 1
    page.write_text("By hand.\n")
    with pytest.raises(SystemExit, match="to write between"):
        run(*arguments, "--report", "--output", "page.md")
    assert page.read_text() == "By hand.\n"


def test_it_goes_on_where_it_was_stopped(run, tmp_path):
    arguments = ["--tiny", "--shares", 0.1, "--repeats", 1, "--threads", 1]
    arguments += ["--results", "results.jsonl"]
    arguments += ["--methods", "greedy", "crust_code"]
    messages = run(*arguments).err
    assert "2 results new, 0 were there" in messages
    assert "2/2" in messages  # the bar
    file = tmp_path / "results.jsonl"
    whole = file.read_bytes()
    lines = [json.loads(line) for line in whole.splitlines()]
    assert [line["method"] for line in lines] == ["greedy", "crust_code"]
    assert [line["outcome"] for line in lines] == ["measured", "measured"]
    assert lines[0]["total_distance"] == pytest.approx(lines[1]["total_distance"], rel=1e-6)

    assert "0 results new, 2 were there" in run(*arguments).err
    assert file.read_bytes() == whole

    file.write_bytes(whole[:-20])  # killed while writing
    assert "1 results new, 1 were there" in run(*arguments).err
    again = file.read_bytes().splitlines()
    assert again[0] == whole.splitlines()[0]
    assert json.loads(again[1])["total_distance"] == lines[1]["total_distance"]
    assert len(again) == 2


def test_what_takes_too_long_or_fails_is_a_result(run, tmp_path, monkeypatch):
    arguments = ["--tiny", "--sizes", 30, "--shares", 0.5, "--results", "results.jsonl"]
    for name, code, outcome in (
        ("over.py", "import os, signal; os.kill(os.getpid(), signal.SIGALRM)", "over 900 s"),
        ("fails.py", "raise MemoryError('too much')", "failed: MemoryError: too much"),
    ):
        (tmp_path / name).write_text(code)
        script = runpy.run_path(str(SCRIPT))
        measure_apart = script["measure_apart"]
        monkeypatch.setitem(measure_apart.__globals__, "MEASUREMENT", tmp_path / name)
        line = result_line("crust_code", 0.0)
        assert measure_apart(line, 900)["outcome"] == outcome
        # and the other repeats are not tried
        result = {**line, "rows": 30, "outcome": outcome}
        (tmp_path / "results.jsonl").write_text(json.dumps(result) + "\n")
        assert "0 results new" in run(*arguments, "--methods", "crust_code").err


# --------------------------------------------------------------------------------------- report


def test_the_report_divides_medians_and_says_what_is_missing(run, tmp_path, monkeypatch):
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "apricot" else find_spec(name)
    )
    lines = [
        *(result_line("greedy", s, repeat=i) for i, s in enumerate((1.0, 2.0, 9.0))),
        result_line("distance_pass", 0.5, total_distance=None),
        result_line("crust_code", 8.0, total_distance=110.0),
        result_line("fasterpam", 0, outcome="over 900 s"),
        result_line("greedy", 50.0, rows=100_000),
        result_line("greedy", 7.0, threads=1),  # another setting
    ]
    (tmp_path / "results.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    output = run("--report", "--results", "results.jsonl", "--output", "page.md").out
    small, large = output.partition("One class of 100,000 rows")[::2]
    assert cells(small, "noisyfit greedy")[0][:7] == [
        "noisyfit greedy", "2.00", "1.00 to 9.00", "4.00", "1.00", "5", "1.0000"
    ]  # fmt: skip
    assert cells(small, "CRUST's code, mended")[0][3:7] == ["16.0", "4.00", "5", "1.1000"]
    assert cells(small, "kmedoids FasterPAM")[0][-1] == "over 900 s"
    assert "not installed" in cells(small, "apricot lazy")[0][-1]
    assert cells(large, "CRUST's code, mended")[0][-1] == "matrix of 40 GB"


def test_larger_data_is_calculated_from_the_nearest_size(tmp_path):
    lines = [result_line("greedy", 0.1, rows=1000), result_line("greedy", 40.0, rows=100_000)]
    results = _selection_page.by_case(lines, 2)
    measured = _selection_page.measured_in_one_class(results, "greedy", 0.5, gpu=False)
    clothing, web, imagenet = _selection_page.LARGER
    seconds = 40.0 * (71_429 / 100_000) ** 2
    assert _selection_page.by_class(measured, clothing, 1) == pytest.approx(14 * seconds)
    assert _selection_page.by_class(measured, clothing, 16) == pytest.approx(seconds)
    assert _selection_page.by_class(measured, web, 16) == pytest.approx(63 * 0.1 * 2.4**2)
    assert _selection_page.by_class(measured, imagenet, 1) == pytest.approx(21_841 * 0.1 * 0.641**2)
    assert _selection_page.by_class({}, web, 1) is None
    text = "\n".join(_selection_page.larger_section(results))
    row = cells(text, "Clothing1M (14 x 71,429)")[0]
    assert row[2] == "4.8 min"
    assert row[3] == "not measured"  # no GPU was


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.000123456, "0.000123"), (0.5, "0.500"), (9.999, "10.0"), (12345.0, "12300"), (0, "0")],
)
def test_numbers_have_three_digits(value, text):
    assert _selection_page.digits(value) == text


def test_large_data_is_measured_case_by_case(monkeypatch, capfd):
    script = BENCHMARKS / "selection_scale.py"
    small = ["--scale", "0.002", "--threads", "1", "--repeats", "1"]
    monkeypatch.setattr(
        sys, "argv", [str(script), "--only", "trim", "partitioned", "epoch", *small]
    )
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    runpy.run_path(str(script), run_name="__main__")
    printed = capfd.readouterr().out
    assert "trim 20,000 rows" in printed
    assert "0.500 kept" in printed
    chosen = next(line for line in printed.splitlines() if line.startswith("partitioned, 20,000"))
    assert int(chosen.split()[-2].replace(",", "")) == pytest.approx(10_000, abs=5)
    assert printed.count("one epoch of CRUSTClassifier") == 4
