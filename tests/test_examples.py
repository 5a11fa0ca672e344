"""Every script in examples/ runs end to end on a tiny setting, as a user would start it."""

from __future__ import annotations

import importlib.util
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from threadpoolctl import threadpool_limits

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
SCRIPTS = sorted(
    str(path.relative_to(EXAMPLES))
    for path in EXAMPLES.rglob("*.py")
    if not path.name.startswith("_")
)

needs_data = pytest.mark.skipif(
    not os.environ.get("NOISYFIT_DATA"),
    reason="reads a data set from the folder that NOISYFIT_DATA names; no test downloads",
)


@pytest.fixture
def run(monkeypatch, tmp_path, capfd):
    """Run a script in this process, as ``python script arguments`` would from another folder.

    A process of its own would import torch anew for each test; the quickstart has one.
    """
    n_threads = torch.get_num_threads()

    def run_script(script, *arguments):
        monkeypatch.chdir(tmp_path)
        monkeypatch.syspath_prepend(str(EXAMPLES))
        monkeypatch.setattr(sys, "argv", [script, *map(str, arguments)])
        runpy.run_path(str(EXAMPLES / script), run_name="__main__")
        return capfd.readouterr().out

    with threadpool_limits(limits=n_threads, user_api="openmp"):  # restored afterwards
        yield run_script
    torch.set_num_threads(n_threads)


def refused(run, script, *arguments):
    """Exit status, or the message that takes its place, of a run that stops early."""
    with pytest.raises(SystemExit) as stopped:
        run(script, *arguments)
    return stopped.value.code


def rows_of_table(output, first_cell):
    """The lines of a table that begin with a cell."""
    return [line for line in output.splitlines() if line.lstrip("| ").startswith(first_cell)]


def png_size(path):
    header = path.read_bytes()[:24]
    assert header[:8] == b"\x89PNG\r\n\x1a\n"
    return int.from_bytes(header[16:20], "big"), int.from_bytes(header[20:24], "big")


@pytest.mark.parametrize("script", SCRIPTS)
def test_help_explains_the_script(script, run, capfd):
    assert refused(run, script, "--help") == 0
    output = capfd.readouterr().out
    assert f"python examples/{script}" in output
    assert "--tiny" not in output


def test_quickstart_prints_its_table_and_saves_the_picture(tmp_path):
    finished = subprocess.run(
        [sys.executable, str(EXAMPLES / "quickstart.py"), "--seeds", "1", "--tiny"],
        cwd=tmp_path,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr[-3000:]
    for noise in ("symmetric 50%", "asymmetric 40%"):
        methods = rows_of_table(finished.stdout, noise)
        assert len(methods) == 6
        crust = next(line.split() for line in methods if "CRUST" in line)
        assert all(0 <= float(figure) <= 1 for figure in (crust[3], *crust[5:]))
    assert png_size(tmp_path / "quickstart.png")[0] > 1000
    # the bar counts every epoch of every network, also without a terminal
    assert "48/48" in finished.stderr


def test_quickstart_needs_the_folder_of_its_picture(run, capfd):
    assert refused(run, "quickstart.py", "--output", "missing/picture.png") == 2
    assert "its folder does not exist" in capfd.readouterr().err


@pytest.mark.parametrize("missing", ["matplotlib", "tqdm"])
def test_quickstart_names_what_to_install(missing, run, monkeypatch):
    find_spec = importlib.util.find_spec

    def hide(name, *package):
        return None if name == missing else find_spec(name, *package)

    monkeypatch.setattr(importlib.util, "find_spec", hide)
    message = refused(run, "quickstart.py")
    assert message == f"This example needs {missing}: pip install 'noisyfit[examples]'"


@needs_data
def test_tabular(run):
    output = run("tabular.py", "--noise", "symmetric", "--rows", 400, "--epochs", 2)
    for method in ("logistic", "boosted", "coreset + trees", "cross entropy", "DM", "CRUST"):
        assert len(rows_of_table(output, method)) == 1
    assert "symmetric noise" in output


@needs_data
def test_text(run):
    output = run("text.py", "--rows", 200, "--epochs", 1)
    for method in ("logistic", "coreset + logistic", "cross entropy", "DM", "CRUST"):
        assert len(rows_of_table(output, method)) == 1
    assert output.count("label quality 0.") == 3
    assert "believed" in output


@pytest.mark.parametrize("script", ["tabular.py", "text.py"])
def test_a_missing_data_set_is_one_clear_line(script, run, monkeypatch, tmp_path):
    monkeypatch.setenv("NOISYFIT_DATA", str(tmp_path))
    message = refused(run, script)
    assert re.fullmatch(r"NOISYFIT_DATA=.* holds no .*", message)
    monkeypatch.setenv("NOISYFIT_DATA", str(tmp_path / "nowhere"))
    assert "is not a folder" in refused(run, script)


@pytest.mark.parametrize("script", ["tabular.py", "text.py"])
@pytest.mark.parametrize("option", [("--noise", "odd"), ("--rate", "1.5"), ("--rows", "3")])
def test_bad_options_are_refused(script, option, run, capfd):
    assert refused(run, script, *option) == 2
    assert option[0] in capfd.readouterr().err


def test_which_crust_prints_both_tables(run):
    output = run("benchmarks/which_crust.py", "--seeds", 1, "--tiny")
    greedy = rows_of_table(output, "facility location")[0]
    smallest = rows_of_table(output, "smallest gradient norm")[0]

    def purity(line):
        return float(line.split("|")[2])

    assert purity(greedy) < purity(smallest)  # the point of the table
    assert len(rows_of_table(output, "CRUST")) == 3


def test_foundation_prints_its_table(run):
    output = run("benchmarks/foundation.py", "--seeds", 1, "--tiny")
    assert len(rows_of_table(output, "digits, symmetric")) == 4
    assert len(rows_of_table(output, "digits, asymmetric")) == 4


def test_fit_cost_prints_ratios(run):
    output = run("benchmarks/fit_cost.py", "--rows", 600, "--epochs", 1, "--repeats", 1)
    for batch in ("128", "512"):
        assert len(rows_of_table(output, batch)) == 4
