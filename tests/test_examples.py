"""Every script in examples/ runs end to end on a tiny setting, as a user would start it."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import runpy
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_limits

from noisyfit.training.plan import EpochPlan

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
FILES = sorted(path for path in EXAMPLES.rglob("*.py") if not path.name.startswith("_"))
# Programs have options; walk-throughs are read from top to bottom, in the gallery of the docs.
SCRIPTS = [str(path.relative_to(EXAMPLES)) for path in FILES if "argparse" in path.read_text()]
WALK_THROUGHS = [path.name for path in FILES if str(path.relative_to(EXAMPLES)) not in SCRIPTS]

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


@pytest.mark.parametrize("script", WALK_THROUGHS)
def test_walk_throughs_run_to_their_end(script, run, monkeypatch):
    import matplotlib
    from sklearn import datasets

    X, y = datasets.load_digits(return_X_y=True)
    monkeypatch.setattr(datasets, "load_digits", lambda return_X_y: (X[:200], y[:200]))
    backend = matplotlib.get_backend()
    matplotlib.use("Agg")
    try:
        figures = "plt.show()" in (EXAMPLES / script).read_text()
        output = run(script)
        from matplotlib import pyplot

        assert bool(pyplot.get_fignums()) == figures
        pyplot.close("all")
    finally:
        matplotlib.use(backend)
    assert output.strip()


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


def test_early_stopping_prints_an_accuracy_for_each_figure(run):
    arguments = ("--sets", "digits", "--methods", "cross entropy", "--seeds", 1, "--epochs", 2)
    output = run("benchmarks/early_stopping.py", *arguments)
    for figure in ("last epoch", "valid_acc", "mutual information", "test rows"):
        accuracies = rows_of_table(output, figure)[0].removeprefix(figure).split()
        assert all(0 < float(accuracy) < 1 for accuracy in accuracies[-3:])


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


def test_own_emphasis_prints_its_table(run):
    output = run("own_emphasis.py", "--seeds", 1, "--epochs", 2, "--tiny")
    accuracies = [float(line.split()[-1]) for line in output.splitlines()[-5:]]
    assert len(rows_of_table(output, "DMClassifier")) == 3
    assert len(rows_of_table(output, "plain torch")) == 2
    assert all(0.1 < accuracy <= 1 for accuracy in accuracies)  # all of them learn


def test_own_emphasis_refuses_to_do_nothing(run, capfd):
    assert refused(run, "own_emphasis.py", "--seeds", 0) == 2
    assert "must be at least 1" in capfd.readouterr().err


PURITY = "purity_over_epochs.py"


def test_purity_over_epochs_goes_on_and_reports(run, tmp_path):
    arguments = ["--seeds", 1, "--tiny", "--results", "purity.jsonl", "--output", "purity.png"]
    output = run(PURITY, *arguments)
    for share in ("30%", "50%", "70%"):
        assert len(rows_of_table(output, share)) == 5
    assert len(rows_of_table(output, "its own")) == 1
    assert png_size(tmp_path / "purity.png")[0] > 1000
    file = tmp_path / "purity.jsonl"
    lines = [json.loads(line) for line in file.open()]
    assert len(lines) == 16
    for line in lines:
        # right labels in the subset, counted in two ways
        in_subset = [p * s for p, s in zip(line["purity"], line["size"], strict=True)]
        of_all = [recall * line["clean_share"] for recall in line["recall"]]
        assert in_subset == pytest.approx(of_all, abs=1e-4)
        first = 1 if line["fraction"] is None else 6  # after the warm-up
        assert line["epoch"] == list(range(first, 9))
        if line["fraction"] is not None and "weighted_purity" not in line:
            assert line["size"] == pytest.approx([line["fraction"]] * 3, abs=0.02)

    def purities(selector):
        return {x["fraction"]: x["purity"][-1] for x in lines if x["selector"] == selector}

    medoids, central = purities("coreset w/label"), purities("official code")
    assert all(medoids[share] < 0.5 < central[share] for share in (0.3, 0.5, 0.7))

    whole = file.read_bytes()
    file.write_bytes(whole[:-20])  # killed while writing
    assert run(PURITY, *arguments) == output
    assert file.read_bytes() == whole
    changed = {**lines[0], "purity": [0.875] * 3}
    file.write_text("".join(json.dumps(line) + "\n" for line in [changed, *lines[1:]]))
    assert "0.875" in rows_of_table(run(PURITY, *arguments, "--report"), "30%")[0]


def test_purity_over_epochs_records_what_was_selected(monkeypatch):
    monkeypatch.syspath_prepend(str(EXAMPLES))
    names = runpy.run_path(str(EXAMPLES / PURITY))
    X, _, y, _ = names["load"]("digits", 0, tiny=True)
    given, wrong = names["symmetric_noise"](y, 0.5, random_state=0)
    for selector in ("smallest gradient norm", "random", "official code"):
        recorder = names["SubsetRecorder"](given, wrong)
        classifier = names["make_classifier"](
            selector, 0.3, max_epochs=7, module__hidden=(16,), callbacks=[recorder], random_state=0
        ).fit(X, given)
        rows = classifier.coreset_indices_
        assert [subset["epoch"] for subset in recorder.subsets] == [6, 7]
        assert recorder.subsets[-1]["size"] == pytest.approx(len(rows) / len(X), abs=1e-5)
        assert recorder.subsets[-1]["purity"] == pytest.approx((~wrong[rows]).mean(), abs=1e-5)


def test_purity_over_epochs_counts_rows_under_their_given_label(monkeypatch):
    monkeypatch.syspath_prepend(str(EXAMPLES))
    names = runpy.run_path(str(EXAMPLES / PURITY))
    given, wrong = np.array([0, 1, 0, 1, 0]), np.array([False, True, False, False, True])
    recorder = names["SubsetRecorder"](given, wrong)
    for phase in ("warm-up", "coreset"):
        # rows 4, 2 and 1 under their labels, row 3 under another one
        plan = EpochPlan(
            np.array([4, 3, 2, 1]), np.array([0, 0, 0, 1]), np.array([1.0, 5, 2, 1]), phase=phase
        )
        recorder.on_epoch_begin(SimpleNamespace(plan_=plan, history=[{}, {}]))
    (subset,) = recorder.subsets
    expected = {"epoch": 2, "size": 3 / 5, "purity": 1 / 3, "weighted_purity": 0.5, "recall": 1 / 3}
    assert subset == pytest.approx(expected, abs=1e-5)


def test_purity_over_epochs_can_report_only_what_is_there(run, capfd):
    arguments = ("--report", "--results", "none.jsonl", "--output", "purity.png")
    assert "run without --report first" in refused(run, PURITY, *arguments)
    assert refused(run, PURITY, "--seeds", 0) == 2
    assert "must be at least 1" in capfd.readouterr().err


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


def test_transition_prints_errors_and_accuracies(run):
    output = run("benchmarks/transition.py", "--seeds", 1, "--tiny")
    (errors,) = rows_of_table(output, "held out: anchor ")
    (scores,) = rows_of_table(output, "the true one")
    for row in (errors, scores):
        assert all(0 < float(cell) < 1 for cell in row.strip("| ").split("|")[1:])


def test_methods_are_tabled_from_the_results_of_the_benchmark(run, tmp_path):
    page = tmp_path / "which_method.md"
    output = run("benchmarks/which_method.py", "--report", "--output", page)
    assert output.strip() in page.read_text()
    (oracle,) = rows_of_table(output, "oracle")
    (plain,) = rows_of_table(output, '`RobustLossClassifier("ce")`')
    assert oracle.split("|")[-5].strip() == "1.00"
    assert plain.split("|")[-5].strip() == "0.00"


def test_fit_cost_prints_ratios(run):
    output = run("benchmarks/fit_cost.py", "--rows", 600, "--epochs", 1, "--repeats", 1)
    for batch in ("128", "512"):
        assert len(rows_of_table(output, batch)) == 4


def test_device_cost_prints_ratios(run):
    small = ("--rows", 64, "--depth", 8, "--batch-size", 32, "--epochs", 1, "--rounds", 1)
    output = run("benchmarks/device_cost.py", *small, "--settings", "half precision")
    assert len(rows_of_table(output, "as it is")) == 1
    assert len(rows_of_table(output, "half precision")) == 1
    assert len(rows_of_table(output, "plain torch loop")) == 1


@needs_data
def test_slow_networks_prints_a_table(run):
    small = ("--rows", 128, "--test-rows", 64, "--epochs", 1, "--methods", "cross entropy", "crust")
    for data in ("fashion", "cifar"):
        output = run("benchmarks/slow_networks.py", "--data", data, *small)
        assert len(rows_of_table(output, "cross entropy")) == 1
        assert len(rows_of_table(output, "crust")) == 1


ACCURACY = "benchmarks/accuracy.py"


def result_line(method, accuracy, seed=0, kind="sym .5", auroc=0.7):
    """A line of the accuracy benchmark's results, on letter."""
    return {
        "set": "letter", "noise": "symmetric", "rate": 0.5, "kind": kind, "seed": seed,
        "method": method, "rows": 8000, "epochs": 40, "accuracy": accuracy, "auroc": auroc,
        "seconds": 2.0, "cpu_seconds": 1.0, "versions": {"noisyfit": "0"}, "date": "2026-01-01",
    }  # fmt: skip


@needs_data
def test_ablation_prints_a_row_for_each_part_and_goes_on(run, tmp_path):
    arguments = ["--sets", "adult", "--rows", 120, "--epochs", 1, "--results", "ablation.jsonl"]
    output = run("benchmarks/ablation.py", *arguments)
    table = [line for line in output.splitlines() if line.startswith("|")]
    assert len(table) == 2 + 10
    assert "CRUSTClassifier()" in output
    file = tmp_path / "ablation.jsonl"
    whole = file.read_bytes()
    file.write_bytes(whole[:-9])  # killed while writing
    assert run("benchmarks/ablation.py", *arguments) == output
    assert file.read_bytes() == whole


@needs_data
def test_emphasis_guide_draws_a_grid_for_each_noise(run, tmp_path):
    arguments = ["--sets", "magic", "--rows", 200, "--epochs", 1]
    files = ["--results", "emphasis.jsonl", "--picture", "emphasis.png"]
    output = run("benchmarks/emphasis_guide.py", *arguments, *files)
    assert len(rows_of_table(output, "magic")) == 4
    results = [json.loads(line) for line in (tmp_path / "emphasis.jsonl").open()]
    assert len(results) == 4 * 18
    assert png_size(tmp_path / "emphasis.png")[0] > 500
    run("benchmarks/emphasis_guide.py", *arguments, *files, "--redo")
    again = [json.loads(line) for line in (tmp_path / "emphasis.jsonl").open()]
    assert sorted(map(str, again)) == sorted(map(str, results))


@needs_data
def test_accuracy_goes_on_where_it_was_stopped(run, tmp_path):
    methods = ["cross_entropy", "oracle", "elr", "gce", "sce", "co_teaching", "logistic_regression"]
    setting = ["--rows", 300, "--epochs", 1, "--seeds", 1, "--results", "results.jsonl"]
    cases = ["--sets", "optdigits", "--noise", "clean", "sym .5", "--tiny"]
    run(ACCURACY, *setting, *cases, "--methods", *methods)
    file = tmp_path / "results.jsonl"
    whole = file.read_bytes()
    results = [json.loads(line) for line in whole.splitlines()]
    assert [line["method"] for line in results] == 2 * methods
    for line in results:
        assert 0 <= line["accuracy"] <= 1
        assert line["n_rows"] == 300
        assert line["seconds"] > 0
        # nothing to tell apart on clean labels; and the oracle was told
        assert (line["auroc"] is None) == (line["kind"] == "clean" or line["method"] == "oracle")

    file.write_bytes(whole[:-20])  # killed while writing
    run(ACCURACY, *setting, *cases, "--methods", *methods)
    again = file.read_bytes().splitlines()
    assert again[:-1] == whole.splitlines()[:-1]
    redone = json.loads(again[-1])
    assert {**redone, "seconds": 0, "cpu_seconds": 0} == {
        **results[-1], "seconds": 0, "cpu_seconds": 0
    }  # fmt: skip

    run(ACCURACY, *setting, *cases, "--redo", "elr")
    kept = [line for line in again if json.loads(line)["method"] != "elr"]
    after = file.read_bytes().splitlines()
    assert after[:-2] == kept
    assert [json.loads(line)["method"] for line in after[-2:]] == ["elr", "elr"]


def test_accuracy_report_pools_what_all_methods_have(run, tmp_path):
    lines = [
        result_line("cross_entropy", 0.5), result_line("oracle", 0.9),
        result_line("elr", 0.6), result_line("crust", 0.8),
        result_line("cross_entropy", 0.7, seed=1), result_line("oracle", 0.8, seed=1),
        result_line("elr", 0.8, seed=1), result_line("crust", 0.7, seed=1),
        # ELR lacks this one, so it counts for nobody
        result_line("cross_entropy", 0.1, kind="sym .8"), result_line("oracle", 1.0, kind="sym .8"),
        result_line("crust", 1.0, kind="sym .8"),
        # an older result of the same run, and one of another setting
        {**result_line("elr", 0.0), "rows": 100},
    ]  # fmt: skip
    file = tmp_path / "results.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    output = run(ACCURACY, "--report", "--results", file, "--output", "page.md")
    assert "2 of 3 runs (missing: ELR 1)" in output
    headers = rows_of_table(output, "noise ")[0].split("|")
    figures = rows_of_table(output, "sym .5")[0].split("|")
    by_method = dict(zip((cell.strip() for cell in headers), figures, strict=True))
    assert float(by_method["CRUST"]) == 0.6  # (0.3 + 0.0) / (0.4 + 0.1), no mean of shares
    assert float(by_method["ELR"]) == 0.4
    assert "least difference of a set +5.00, of a case +5.00" in output  # CRUST to ELR
    page = tmp_path / "page.md"
    assert output.strip() in page.read_text()
    assert png_size(tmp_path / "accuracy_gap.png")[0] > 1000
    assert png_size(tmp_path / "accuracy_auroc.png")[0] > 1000

    page.write_text("By hand.\n" + page.read_text() + "And after.\n")
    some = ("cross_entropy", "oracle", "crust")
    run(ACCURACY, "--report", "--results", file, "--output", "page.md", "--methods", *some)
    text = page.read_text()
    assert text.startswith("By hand.")
    assert text.endswith("And after.\n")
    assert text.count("## Cost") == 1
    assert "ELR" not in text


def test_accuracy_refuses_to_write_over_a_page_by_hand(run, tmp_path):
    (tmp_path / "results.jsonl").write_text(json.dumps(result_line("elr", 0.5)) + "\n")
    (tmp_path / "page.md").write_text("By hand.\n")
    arguments = ("--report", "--results", "results.jsonl", "--output", "page.md")
    assert "to write between" in refused(run, ACCURACY, *arguments)
    assert (tmp_path / "page.md").read_text() == "By hand.\n"


def test_accuracy_names_a_broken_line(run, tmp_path):
    (tmp_path / "results.jsonl").write_text("{}}\n")
    message = refused(run, ACCURACY, "--report", "--results", "results.jsonl")
    assert "line 1 is no JSON" in message


def test_accuracy_says_what_a_method_needs(run, monkeypatch):
    find_spec = importlib.util.find_spec

    def hide(name, *package):
        return None if name == "cleanlab" else find_spec(name, *package)

    monkeypatch.setattr(importlib.util, "find_spec", hide)
    message = refused(run, ACCURACY, "--methods", "cleanlab", "--results", "results.jsonl")
    assert message == "cleanlab: needs cleanlab: pip install 'noisyfit[bench]'"


def test_peers_leave_the_global_random_state_alone(monkeypatch):
    monkeypatch.syspath_prepend(str(EXAMPLES))
    monkeypatch.syspath_prepend(str(EXAMPLES / "benchmarks"))
    import _loops

    X, y = torch.arange(520.0).reshape(260, 2), torch.arange(260) % 2  # a last batch of 4
    options = {"n_classes": 2, "epochs": 2, "hidden": (4,)}
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)

    def criterion(logits, y, rows):
        return torch.nn.functional.cross_entropy(logits, y, reduction="none")

    outputs = [_loops.loop(X[:n], y[:n], criterion, seed=0, **options)(X) for n in (260, 260, 257)]
    first, second = _loops.co_teaching_loop(X, y, 0.4, seed=0, **options)
    assert torch.equal(torch.rand(3), expected)
    assert torch.equal(outputs[0], outputs[1])
    assert not torch.equal(first(X), second(X))


def test_extreme_classification_compares_methods(run):
    script = "benchmarks/extreme_classification.py"
    output = run(script, "--tiny", "--threads", 1, "--methods", "CRUST")
    assert "280 classes, 1120 rows" in output
    (crust,) = rows_of_table(output, "CRUST")
    method, accuracy, purity, found, seconds, megabytes = (
        cell.strip() for cell in crust.strip("| \n").split("|")
    )
    assert method == "CRUST"
    assert all(0 <= float(figure) <= 1 for figure in (accuracy, purity, found))
    assert float(seconds) > 0
    assert megabytes == "-" or float(megabytes) >= 0


def test_extreme_classification_measures_how_costs_grow(run):
    arguments = ["--tiny", "--threads", 1, "--scale", "--sizes", 560]
    output = run("benchmarks/extreme_classification.py", *arguments)
    for kind in ("fit, few epochs", "trimming alone", "greedy medoids"):
        (line,) = rows_of_table(output, kind)
        assert line.split("|")[2].strip() == "560"
        assert float(line.split("|")[3]) >= 0  # hundredths of a second


@needs_data
def test_label_report_precision_measures_each_ranking(run):
    script = "benchmarks/label_report_precision.py"
    options = ["--rows", 400, "--seeds", 1, "--classifiers", "naive Bayes"]
    output = run(script, "--sets", "mr", *options)
    lines = rows_of_table(output, "mr")
    assert len(lines) == 4
    assert all(0.1 < float(line.split()[-2]) < 1 for line in lines)
    assert float(rows_of_table(output, "accuracy 0.8")[-1].split()[-1]) > 0.6


# --------------------------------------------------------------------------------- CIFAR-10


CIFAR10 = (
    "cifar10.py",
    "--tiny",
    "--device",
    "cpu",
    "--results",
    "r.jsonl",
    "--checkpoints",
    "kept",
)


def results_in(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


@needs_data
def test_cifar10_measures_a_table_and_goes_on(run, tmp_path):
    some = (*CIFAR10, "--noises", "sym50", "--methods", "cross entropy", "crust paper")
    assert "0 fits done, 2 left: run it again" in run(*some, "--minutes", "0")
    assert "2 fits done, 0 left" in run(*some)
    assert os.listdir(tmp_path / "kept") == []  # checkpoints of fits whose results are there
    left = tmp_path / "kept" / "crust-crust-paper-sym50-0-tiny"
    left.mkdir()  # by a process that was killed when it had written its result
    left.with_suffix(".jsonl").write_text("")
    assert "0 fits done, 0 left" in run(*some)
    assert os.listdir(tmp_path / "kept") == []
    lines = results_in(tmp_path / "r.jsonl")
    assert [line["method"] for line in lines] == ["cross entropy", "crust paper"]
    for line in lines:
        assert line["n_train"] == 500
        assert line["epochs"] == line["max_epochs"] == 2
        assert line["torch"] == torch.__version__
        assert line["training_seconds"] > 0
        assert line["share_wrong"] == 0.5
        assert line["processes"] == line["jobs"] == 1
        kinds = ("before_training", "training", "planning", "checkpoint", "other")
        whole = sum(line[f"{kind}_seconds"] for kind in kinds)
        assert line["wall_seconds"] == pytest.approx(whole, abs=0.05)
    assert lines[1]["coreset_purity"][0] is None  # a warm-up
    assert lines[1]["coreset_purity"][1] == pytest.approx(0.5, abs=0.2)
    assert lines[1]["planning_seconds"] > lines[0]["planning_seconds"]
    run("cifar10.py", "--report", "--tiny", "--results", "r.jsonl", "--output", "page.md")
    assert "page_purity.png" in (tmp_path / "page.md").read_text()
    # Of other settings there is nothing, and what is there is none of theirs.
    run("cifar10.py", "--report", "--results", "r.jsonl", "--output", "other.md")
    page = (tmp_path / "other.md").read_text()
    assert "nothing is measured yet" in page
    assert "png" not in page
    assert not (tmp_path / "other_purity.png").exists()


def test_every_method_of_a_cifar10_table_can_be_fitted(monkeypatch):
    monkeypatch.syspath_prepend(str(EXAMPLES))
    names = runpy.run_path(str(EXAMPLES / "cifar10.py"))
    methods = names["METHODS"]
    assert {method for _, _, some in names["TABLES"].values() for method in some} == set(methods)
    batches = {"batch_size": 128, "optimizer": "sgd", "lr": 0.1, "lr_schedule": {80: 0.1}}
    made = methods["l_dmi"](**batches, max_epochs=120, random_state=3)
    assert (made.batch_size, made.max_epochs, made.random_state) == (256, 100, 3)  # its paper's
    assert methods["crust"](**batches, max_epochs=120).batch_size == 128


@needs_data
def test_cifar10_is_read_and_its_classes_are_mistaken_as_documented():
    sys.path.insert(0, str(EXAMPLES))
    from _cifar10 import CLASSES, given_labels, load_cifar10

    (X, y), (X_test, y_test) = load_cifar10(None, 1)
    assert X.shape == X_test.shape == (10_000, 32, 32, 3)
    assert X.dtype == np.uint8
    assert np.bincount(y_test).tolist() == [1000] * 10
    given = given_labels("asym40", y, None, 0)
    mistaken = {
        (CLASSES[true], CLASSES[label])
        for true, label in zip(y, given, strict=True)
        if true != label
    }
    assert mistaken == {
        ("truck", "automobile"),
        ("bird", "airplane"),
        ("deer", "horse"),
        ("cat", "dog"),
        ("dog", "cat"),
    }
    assert np.mean(given[y == 3] != 3) == pytest.approx(0.4, abs=0.01)
    assert np.mean(given_labels("sym80", y, None, 0) != y) == pytest.approx(0.8, abs=1e-4)
    assert np.mean(given_labels("worse", y, None, 0) != y) == pytest.approx(0.402, abs=0.02)
    assert given_labels("clean", y, None, 0) is y


def test_cifar10_is_read_from_the_official_files(run, tmp_path):
    sys.path.insert(0, str(EXAMPLES))
    from _cifar10 import load_cifar10

    (tmp_path / "cifar-10-batches-py").mkdir()
    asked = ("cifar10.py", "--tiny", "--device", "cpu", "--results", "r.jsonl", "--data", tmp_path)
    if importlib.util.find_spec("torchvision") is None:
        assert "pip install torchvision, or take the official binary" in refused(run, *asked)
    folder = tmp_path / "cifar-10-batches-bin"
    folder.mkdir()
    pixels = np.arange(2 * 3072, dtype=np.int64).reshape(2, 3072).astype(np.uint8)
    content = b"".join(bytes([k, *some]) for k, some in zip((3, 9), pixels, strict=True))
    (folder / "data_batch_1.bin").write_bytes(content)
    assert "part of CIFAR-10 only: test_batch.bin is missing" in refused(run, *asked)
    (folder / "test_batch.bin").write_bytes(content)
    (X, y), _ = load_cifar10(str(tmp_path), 1)
    assert X.shape == (2, 32, 32, 3)
    # All of red comes first, then green and blue, each row by row.
    assert X[1, 2, 5].tolist() == [pixels[1, colour * 1024 + 2 * 32 + 5] for colour in range(3)]
    assert y.tolist() == [3, 9]


def run_late(run, monkeypatch, n_minutes, *arguments):
    """Run with a clock that moves a minute in each epoch; number of epochs of all networks."""
    from noisyfit.training.network import PlannedNet

    done = []
    real = PlannedNet.fit_loop
    clock = time.time()

    def counted(self, *args, **kwargs):
        real(self, *args, **kwargs)
        done.append(1)

    with monkeypatch.context() as patched:
        patched.setattr(PlannedNet, "fit_loop", counted)
        patched.setattr(time, "time", lambda: clock + 60 * len(done))
        output = run(*arguments, "--minutes", n_minutes)
    return output, len(done)


@needs_data
def test_a_fit_of_cifar10_that_ran_out_of_time_goes_on(run, tmp_path, monkeypatch):
    some = (*CIFAR10, "--table", "cifar10n", "--noises", "worse", "--methods", "dm")
    # The second epoch would begin too late.
    output, n_epochs = run_late(run, monkeypatch, 0.5, *some)
    assert "0 fits done, 1 left" in output
    assert n_epochs == 1
    assert len(os.listdir(tmp_path / "kept")) == 2
    output, n_epochs = run_late(run, monkeypatch, 9, *some)
    assert "1 fits done, 0 left" in output
    assert n_epochs == 1
    (line,) = results_in(tmp_path / "r.jsonl")
    assert (line["epochs"], line["processes"]) == (2, 2)


@needs_data
def test_a_fit_of_cifar10_that_ran_out_of_time_while_it_screened_goes_on(
    run, tmp_path, monkeypatch
):
    some = (*CIFAR10, "--noises", "sym50", "--methods", "crust")
    output, _ = run_late(run, monkeypatch, 0.5, *some)
    assert "0 fits done, 1 left" in output
    kept = tmp_path / "kept" / "crust-crust-sym50-0-tiny"
    assert len(list(kept.glob("*.noisyfit"))) == 1  # it ended right after its first checkpoint
    (piece,) = results_in(kept.with_suffix(".jsonl"))
    assert piece["before_training_seconds"] is None
    assert piece["seconds"] > 0
    assert "1 fits done, 0 left" in run(*some)
    (line,) = results_in(tmp_path / "r.jsonl")
    assert (line["epochs"], line["processes"], line["jobs"]) == (2, 2, 1)
    # The screening of both processes is in, and only the network's own epochs are training.
    assert line["before_training_seconds"] > piece["seconds"]
    assert line["wall_seconds"] >= line["before_training_seconds"] + line["training_seconds"]


def cifar10_clocks():
    sys.path[:0] = [str(EXAMPLES / "benchmarks"), str(EXAMPLES)]
    import _cifar10_clock

    return _cifar10_clock


def test_writing_a_checkpoint_is_not_planning(tmp_path, monkeypatch):
    clock = cifar10_clocks().PlanningClock.of(tmp_path)
    seen = {}
    net = SimpleNamespace(history=SimpleNamespace(record=seen.__setitem__))
    for changed, expected in ((103.0, (3.0, 4.0)), (99.0, (0.0, 7.0)), (108.0, (0.0, 7.0))):
        monkeypatch.setattr(time, "time", lambda: 100.0)
        clock.on_epoch_end(net)
        os.utime(tmp_path, (changed, changed))
        monkeypatch.setattr(time, "time", lambda: 107.0)
        clock.on_epoch_begin(net)
        assert (seen["checkpoint"], seen["planning"]) == expected


def test_what_killed_processes_took_until_their_last_epoch_counts(tmp_path, monkeypatch):
    clocks = cifar10_clocks()
    folder, file = tmp_path / "kept", tmp_path / "kept.jsonl"
    about = {"jobs": 1, "device": "a card", "torch": "9.9"}
    now = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])

    def process(**about):
        stopwatch = clocks.Stopwatch.of(file, folder, **about)
        folder.mkdir(exist_ok=True)
        now[0] += 10
        stopwatch.on_train_begin(None)
        now[0] += 5
        stopwatch.on_epoch_end(None)
        now[0] += 3  # killed in the next epoch
        return stopwatch

    process(**about)
    pieces = process(**{**about, "jobs": 4, "device": "another"}).write()
    assert [piece["seconds"] for piece in pieces] == [15.0, 18.0]
    history = [
        {"dur": 99.0},  # of a helper network
        {"dur": 4.0, "planning": 1.0, "checkpoint": 0.5},
    ]
    assert clocks.times_of(pieces, history) == {
        "wall_seconds": 33.0,
        "before_training_seconds": 20.0,
        "training_seconds": 4.0,
        "planning_seconds": 1.0,
        "checkpoint_seconds": 0.5,
        "other_seconds": 7.5,
        "processes": 2,
        "jobs": 4,
        "device": "a card; another",
        "torch": "9.9",
    }
    folder.rmdir()  # its checkpoints are gone, so the fit begins anew
    assert len(process(**about).write()) == 1


def cifar10_result(method, seed, accuracy, table="crust", noise="sym50", **other):
    """An invented result."""
    line = {
        "table": table, "method": method, "noise": noise, "seed": seed, "accuracy": accuracy,
        "tiny": False, "autocast": None, "asked_epochs": 120, "share_wrong": 0.5, "jobs": 1,
        "device": "NVIDIA H200", "torch": "9.9", "dur": [9.0, 1.2, 1.4, 1.3],
        "planning": [None, 0.1, 0.1, 0.1], "training_seconds": 100.0, "planning_seconds": 4.0,
        "before_training_seconds": 40.0, "wall_seconds": 160.0,
    }  # fmt: skip
    if method.startswith("crust"):
        line |= {"coreset_purity": [None, 0.8, 0.9], "coreset_recall": [None, 0.7, 0.75]}
    return {**line, **other}


@pytest.fixture
def cifar10_page(run, tmp_path):
    """Write the page of invented results; its lines by how they begin."""

    def write(*results):
        (tmp_path / "r.jsonl").write_text("".join(json.dumps(x) + "\n" for x in results))
        run("cifar10.py", "--report", "--results", "r.jsonl", "--output", "page.md")
        page = (tmp_path / "page.md").read_text()
        return lambda start="": [x for x in page.splitlines() if x.startswith(start)]

    return write


def test_cifar10_reports_what_is_published_and_what_is_not_measured(cifar10_page, tmp_path):
    page = cifar10_page(
        cifar10_result("crust", 0, 0.86),
        cifar10_result("crust", 1, 0.88),
        cifar10_result("crust", 2, 0.1, tiny=True),
        cifar10_result("crust", 2, 0.1, asked_epochs=5),
        cifar10_result("crust", 2, 0.1, autocast="float16"),
    )
    ours = page("| crust  ")[0]
    assert "**87.0 ± 1.4** (2 seeds)" in ours
    assert ours.count("not measured yet") == 3
    (paper,) = page("| crust paper")
    assert "published 58.3 ± 1.8" in paper
    assert any("users 34.2" in line for line in page())
    assert page("Measured on NVIDIA H200, torch 9.9; float32.")
    assert page("## DM's table")
    assert page("![Purity and recall of CRUST's coresets") == [
        "![Purity and recall of CRUST's coresets on CIFAR-10 over the epochs](page_purity.png)"
    ]
    assert png_size(tmp_path / "page_purity.png")[0] > 1000


def test_cifar10_says_which_targets_are_reached(cifar10_page):
    worse = {"table": "cifar10n", "noise": "worse"}
    page = cifar10_page(
        cifar10_result("crust", 0, 0.862, planning_seconds=4.0),
        cifar10_result("crust", 1, 0.864, jobs=4, planning_seconds=50.0),
        cifar10_result("crust", 0, 0.584, noise="sym80", planning_seconds=6.0),
        cifar10_result("dm", 0, 0.8334, table="dm", noise="sym40"),
        cifar10_result("dm (1, 16)", 0, 0.9, table="dm", noise="sym40"),
        cifar10_result("cross entropy", 0, 0.70, dur=[9.0, 1.2, 1.3, 1.6], **worse),
        cifar10_result("cross entropy", 1, 0.10, device="another card", dur=[0.1] * 4, **worse),
        cifar10_result("crust", 0, 0.74, **worse),
        cifar10_result("dm", 0, 0.75, **worse),
        cifar10_result("dm", 2, 0.99, **worse),  # cross entropy has not been measured with it
    )

    def reached(target):
        (line,) = page(f"| {target}")
        return [cell.strip() for cell in line.strip("|").split("|")][1:]

    assert reached("crust, ResNet-32, sym20") == ["not measured yet", "not measured yet"]
    assert reached("crust, ResNet-32, sym50") == ["86.30 (2 seeds)", "yes"]
    assert reached("crust, ResNet-32, sym80") == ["58.40 (1 seed)", "yes"]
    assert reached("dm, ResNet-56, sym40") == ["83.34 (1 seed)", "yes"]
    assert reached("CIFAR-10N") == ["crust +4.00 (1 seed); dm +5.00 (1 seed)", "yes"]
    # The worst noise decides, and only fits that had the card to themselves count.
    assert reached("crust, ResNet-32: planning") == ["sym50 4.0%; sym80 6.0%", "no"]
    assert reached("ResNet-32, all rows") == ["1.30 s", "yes"]


def test_cifar10_tables_the_times_of_fits_that_were_alone(cifar10_page):
    page = cifar10_page(
        cifar10_result("crust", 0, 0.8),
        cifar10_result("crust", 1, 0.8, wall_seconds=80.0, dur=[0.0, 1.5, 1.5, 1.5]),
        cifar10_result("crust", 2, 0.8, jobs=2, wall_seconds=900.0),
        cifar10_result("cross entropy", 0, 0.8, jobs=2),
    )
    (row,) = page("| ResNet-32 | sym50")
    cells = [cell.strip() for cell in row.strip("|").split("|")][2:]
    # 40 of 160 and of 80 seconds before training, 4 of each in planning
    assert cells == ["crust", "1.40", "37.5%", "3.8%", "120", "2", "NVIDIA H200"]
    assert any("2 of 4 fits shared it with others" in line for line in page("Medians"))
    assert cifar10_page(cifar10_result("dm", 0, 0.8, jobs=2))("Times: not measured yet.")
    assert not cifar10_page()("## Times")


def test_cifar10_refuses_what_is_not_in_a_table(run, capfd, monkeypatch):
    wrong = ("--noises", "sym20"), ("--methods", "forward")
    messages = [refused(run, "cifar10.py", "--table", "dm", *some) for some in wrong]
    assert "--noises of --table dm are sym40; got sym20" in messages[0]
    assert "dm, crust; got forward" in messages[1]
    for option in ("--jobs 0", "--minutes nan", "--seeds 0", "--device gpu"):
        assert refused(run, "cifar10.py", *option.split()) == 2
        assert option.split()[0] in capfd.readouterr().err
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert "there is no GPU" in refused(run, "cifar10.py", "--device", "cuda:1")


def test_the_residual_network_has_the_sizes_of_its_paper():
    sys.path.insert(0, str(EXAMPLES))
    from _resnet import CifarResNet

    for depth, millions in ((20, 0.27), (32, 0.46), (56, 0.85)):
        network = CifarResNet(depth)
        assert sum(p.numel() for p in network.parameters()) / 1e6 == pytest.approx(
            millions, abs=0.01
        )
        assert sum(isinstance(part, torch.nn.Conv2d) for part in network.modules()) == depth - 1
    assert network(torch.rand(2, 3, 32, 32)).shape == (2, 10)
    with pytest.raises(ValueError, match="6 n"):
        CifarResNet(31)
