"""Threads, processes and the caller's settings: results stay the same, and so do the settings."""

from __future__ import annotations

import locale
import os
import pickle
import random
import signal
import subprocess
import sys
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import joblib
import numpy as np
import pytest
import scipy.sparse
import torch
from composition.common import CLASSIFIERS, NEWER, coreset, crust, dm, pencil, t_revision
from sklearn.datasets import make_blobs
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from torch import nn

import noisyfit
from noisyfit import CoresetClassifier, DMClassifier, GradientMedoidSampler, GradientMedoidSelector
from noisyfit.inspection import LabelReport
from noisyfit.losses import CRITERION_NAMES, emphasis_of, resolve_criterion
from noisyfit.noise import estimate_noise, label_quality, symmetric_noise
from noisyfit.selection import (
    SELECTION_METHODS,
    greedy_medoids,
    partitioned_medoids,
    select_coreset,
    swap_medoids,
)
from noisyfit.training.predictions import predict_logits
from noisyfit.training.rows import as_rows
from noisyfit.training.surroundings import without_warning
from noisyfit.weighting import EMPHASIS_NAMES

X, Y = make_blobs(120, n_features=5, centers=3, cluster_std=1.0, random_state=3)
Y_GIVEN, _ = symmetric_noise(Y, 0.3, random_state=0)
ALL = {**CLASSIFIERS, **NEWER}
every_estimator = pytest.mark.parametrize("make", ALL.values(), ids=ALL)


def outcome(make):
    """What a fit found, to the bit."""
    fitted = make().fit(X, Y_GIVEN)
    return [
        fitted.predict_proba(X).tobytes(),
        np.asarray(fitted.label_quality_).tobytes(),
        np.float64(fitted.noise_rate_).tobytes(),
    ]


@pytest.fixture(scope="module")
def in_sequence():
    return {name: outcome(make) for name, make in ALL.items()}


# ------------------------------------------------------------------------------------- threads


@pytest.mark.parametrize("n_threads", [2, 4])
def test_different_estimators_fitted_in_threads_equal_those_in_sequence(in_sequence, n_threads):
    with ThreadPoolExecutor(n_threads) as executor:
        together = dict(zip(ALL, executor.map(outcome, ALL.values()), strict=True))
    assert together == in_sequence


def test_sparse_predictions_in_threads_leave_the_filters_of_warnings():
    sparse = scipy.sparse.csr_matrix(np.where(np.abs(X) > 1, X, 0), dtype=np.float32)
    fitted = dm().fit(sparse, Y)
    rows = as_rows(sparse, torch.device("cpu"))
    # Not predict_proba: scikit-learn's checks of X change the filters, too, and take no turns.
    before = list(warnings.filters)
    with ThreadPoolExecutor(4) as executor:
        tasks = [executor.submit(predict_logits, fitted.net_.module_, rows) for _ in range(40)]
        found = {task.result().numpy().tobytes() for task in tasks}
    assert len(found) == 1
    assert warnings.filters == before


class Slow(nn.Module):
    """So slow that other threads come in between; what it gives depends on its mode."""

    def __init__(self, in_features, out_features):
        super().__init__()
        self.linear = nn.Linear(in_features, out_features)

    def forward(self, x):
        time.sleep(0.002)
        return nn.functional.dropout(self.linear(x), 0.5, self.training)


@pytest.mark.parametrize("how", ["fitted", "pickled", "saved"])
def test_threads_predict_by_one_estimator_at_the_same_time(how, tmp_path):
    fitted = DMClassifier(module=Slow, max_epochs=2).fit(X, Y)
    if how == "pickled":
        fitted = pickle.loads(pickle.dumps(fitted))
    if how == "saved":
        noisyfit.save(fitted, tmp_path / "dm")
        fitted = noisyfit.load(tmp_path / "dm")
    alone = fitted.predict_proba(X).tobytes()
    with ThreadPoolExecutor(4) as executor:
        found = list(executor.map(lambda _: fitted.predict_proba(X).tobytes(), range(20)))
    assert set(found) == {alone}
    assert fitted.predict_proba(X).tobytes() == alone


def test_threads_that_leave_out_warnings_take_turns():
    # Python's filters: A comes, B comes, A goes, B goes, and those of A would be left behind.
    before = list(warnings.filters)
    inside, may_go = threading.Event(), threading.Event()

    def first():
        with without_warning("a"):
            inside.set()
            may_go.wait(1)

    def second():
        inside.wait(5)
        with without_warning("b"):
            may_go.set()

    threads = [threading.Thread(target=work) for work in (first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert warnings.filters == before


# ----------------------------------------------------------------------------------- processes


@pytest.mark.parametrize("backend", ["loky", "multiprocessing", "threading"])
def test_fits_under_joblib_equal_those_in_sequence(in_sequence, backend):
    names = ["crust", "dm", "coreset", "pencil"]
    together = joblib.Parallel(n_jobs=2, backend=backend)(
        joblib.delayed(outcome)(ALL[name]) for name in names
    )
    assert dict(zip(names, together, strict=True)) == {name: in_sequence[name] for name in names}


# In a process of its own: children that wait for ever would let this one wait.
CHILDREN = """
import multiprocessing
import sys
import joblib
import numpy as np
import torch
from sklearn.datasets import make_blobs
from sklearn.model_selection import GridSearchCV
from noisyfit import CoresetClassifier, DMClassifier

N_THREADS, method = int(sys.argv[1]), sys.argv[2]
X, y = make_blobs(400, n_features=40, centers=4, random_state=0)
options = dict(max_epochs=2, batch_size=200, module__hidden=(256,))

def work(seed):
    network = DMClassifier(random_state=seed, **options).fit(X, y)
    around = CoresetClassifier(random_state=seed, selection="greedy", rounds=1).fit(X, y)
    return [network.predict_proba(X), np.asarray(around.label_quality_)]

if __name__ == "__main__":
    torch.set_num_threads(N_THREADS)
    alone = [work(seed) for seed in range(2)]
    torch.ones(600, 600) @ torch.ones(600, 600)  # on all threads there are
    with multiprocessing.get_context(method).Pool(1) as pool:
        found = pool.map_async(work, range(2)).get(timeout=90)
    for one, other in zip(alone, found):
        for ours, theirs in zip(one, other):
            if N_THREADS == 1:
                np.testing.assert_array_equal(ours, theirs)
            else:  # sums of more threads are rounded otherwise
                np.testing.assert_allclose(ours, theirs, atol=1e-3)
    if method == "fork":
        search = GridSearchCV(
            DMClassifier(random_state=0, **options), {"lr": [1e-3, 1e-2]}, cv=2, n_jobs=2
        )
        with joblib.parallel_config("multiprocessing"):
            scores = search.fit(X, y).cv_results_["mean_test_score"]
        once = search.set_params(n_jobs=1).fit(X, y).cv_results_["mean_test_score"]
        np.testing.assert_allclose(scores, once, atol=0.02)
    assert torch.get_num_threads() == N_THREADS
    print("done")
"""


@pytest.mark.parametrize(("n_threads", "method"), [(2, "fork"), (1, "spawn")])
def test_child_processes_find_the_same_and_do_not_hang(n_threads, method, tmp_path):
    if method != "spawn" and not hasattr(os, "fork"):
        pytest.skip("there is no fork here")
    script = tmp_path / "children.py"
    script.write_text(CHILDREN)
    root = str(Path(noisyfit.__file__).parent.parent)
    done = subprocess.Popen(
        [sys.executable, str(script), str(n_threads), method],
        env={**os.environ, "PYTHONPATH": root},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        printed, said = done.communicate(timeout=120)
    except subprocess.TimeoutExpired:
        os.killpg(done.pid, signal.SIGKILL)  # the script and its children, which wait
        done.communicate()
        pytest.fail("the child processes hang")
    assert (done.returncode, printed) == (0, "done\n"), said


def test_a_search_in_processes_equals_one_in_sequence():
    grid = {"max_epochs": [1, 3], "lr": [1e-3, 3e-2]}
    found = [
        GridSearchCV(dm(), grid, cv=2, n_jobs=n_jobs).fit(X, Y).cv_results_["mean_test_score"]
        for n_jobs in (None, 2)
    ]
    np.testing.assert_array_equal(*found)


# ------------------------------------------------------------ whatever the caller has set: results


@contextmanager
def default_dtype(dtype):
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


@contextmanager
def deterministic():
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(False)


@contextmanager
def strict_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


SETTINGS = {
    "no_grad": torch.no_grad,
    "inference_mode": torch.inference_mode,
    "autocast": lambda: torch.autocast("cpu", dtype=torch.bfloat16),
    "default dtype float64": lambda: default_dtype(torch.float64),
    "default device": lambda: torch.device("meta"),
    "errors of numpy": lambda: np.errstate(all="raise"),
    "warnings are errors": strict_warnings,
    "deterministic": deterministic,
}


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("name", ALL)
def test_fits_find_the_same_whatever_the_caller_has_set(name, setting, in_sequence):
    with SETTINGS[setting]():
        found = outcome(ALL[name])
    assert found == in_sequence[name]


def test_a_module_of_the_users_own_is_built_and_called_in_float32_all_the_same():
    class Own(nn.Module):
        def __init__(self, in_features, out_features):
            super().__init__()
            self.linear = nn.Linear(in_features, out_features)

        def forward(self, features):
            return self.linear(features) * torch.ones(1)

    def found():
        return DMClassifier(module=Own, max_epochs=2, random_state=0).fit(X, Y).predict_proba(X)

    expected = found()
    with default_dtype(torch.float64):
        np.testing.assert_array_equal(found(), expected)
    with default_dtype(torch.float64), ThreadPoolExecutor(2) as executor:
        for there in executor.map(lambda _: found(), range(4)):
            np.testing.assert_array_equal(there, expected)
        assert torch.get_default_dtype() == torch.float64


def arrays_in(result):
    if isinstance(result, torch.Tensor):
        return [result.detach().numpy()]
    if isinstance(result, np.ndarray | float):
        return [np.asarray(result)]
    if isinstance(result, tuple | list):
        return [array for item in result for array in arrays_in(item)]
    names = getattr(result, "__dataclass_fields__", {})
    return [array for name in names for array in arrays_in(getattr(result, name))]


POINTS = np.random.default_rng(0).normal(size=(200, 4))
GROUPS = np.arange(200) % 3
GRID = torch.linspace(0.01, 0.99, 20)
LOGITS, CODES = torch.tensor(POINTS[:, :3], dtype=torch.float32), torch.tensor(GROUPS)
MEDOIDS = [method for method in SELECTION_METHODS if method != "all"]
FUNCTIONS = {
    "greedy": lambda: greedy_medoids(POINTS, 9),
    "swap": lambda: swap_medoids(POINTS, np.arange(9)),
    "partitioned": lambda: partitioned_medoids(POINTS, 9, part_size=80, random_state=0),
    "coresets": lambda: [
        select_coreset(POINTS, groups=GROUPS, fraction=0.1, method=method, random_state=0)
        for method in MEDOIDS
    ],
    "criteria": lambda: [resolve_criterion(name)(LOGITS, CODES) for name in CRITERION_NAMES],
    "emphases": lambda: [
        DMClassifier(emphasis)._criterion().emphasis.weight(GRID) for emphasis in EMPHASIS_NAMES
    ],
    "emphasis of": lambda: emphasis_of("gce").weight(GRID),
}


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)
def test_functions_find_the_same_whatever_the_caller_has_set(function, setting):
    expected = arrays_in(function())
    assert expected
    with SETTINGS[setting]():
        found = arrays_in(function())
    for one, other in zip(found, expected, strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)


# --------------------------------------------------------- whatever the caller has set: as it was


def state_of_the_process():
    """Everything that a careless library might leave changed."""
    return {
        "default dtype": torch.get_default_dtype(),
        "default device": torch.get_default_device(),
        "threads": torch.get_num_threads(),
        "threads between operations": torch.get_num_interop_threads(),
        "generator of torch": torch.get_rng_state().tolist(),
        "generator of numpy": repr(np.random.get_state()),  # noqa: NPY002
        "generator of Python": random.getstate(),
        "errors of numpy": np.geterr(),
        "printing of numpy": np.get_printoptions(),
        "filters of warnings": list(warnings.filters),
        "environment": dict(os.environ),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "deterministic cuDNN": torch.backends.cudnn.deterministic,
        "benchmark of cuDNN": torch.backends.cudnn.benchmark,
        "precision of products": torch.get_float32_matmul_precision(),
        "anomaly": torch.is_anomaly_enabled(),
        "gradients": torch.is_grad_enabled(),
        "inference": torch.is_inference_mode_enabled(),
        "autocast": torch.is_autocast_enabled("cpu"),
        "type of autocast": torch.get_autocast_dtype("cpu"),
        "handlers": {number: signal.getsignal(number) for number in signal.valid_signals()},
        "locale": locale.setlocale(locale.LC_ALL),
        "folder": os.getcwd(),
        "umask": umask(),
        "limit of recursion": sys.getrecursionlimit(),
        "hooks": (sys.excepthook, sys.displayhook, threading.excepthook),
        "output": (sys.stdout, sys.stderr),
        "threads of Python": threading.active_count(),
    }


def umask():
    now = os.umask(0)
    os.umask(now)
    return now


def unusual_settings():
    """Values that nothing has by chance."""
    torch.manual_seed(11)
    np.random.seed(12)  # noqa: NPY002
    random.seed(13)
    torch.set_float32_matmul_precision("high")
    np.seterr(under="warn")
    os.environ["NOISYFIT_TEST_OF_STATE"] = "1"


@pytest.fixture
def unusual():
    before = np.geterr()
    precision = torch.get_float32_matmul_precision()
    unusual_settings()
    yield
    np.seterr(**before)
    torch.set_float32_matmul_precision(precision)
    del os.environ["NOISYFIT_TEST_OF_STATE"]


@every_estimator
def test_the_state_of_the_process_is_left_as_found(make, unusual, tmp_path):
    before = state_of_the_process()
    fitted = make().fit(X, Y_GIVEN)
    fitted.predict(X)
    LabelReport.from_estimator(fitted, X, Y_GIVEN).save(tmp_path / "report.html")
    if not isinstance(fitted, CoresetClassifier):
        noisyfit.save(fitted, tmp_path / "fitted.noisyfit")
        noisyfit.load(tmp_path / "fitted.noisyfit").predict(X)
    after = state_of_the_process()
    assert {name for name in before if before[name] != after[name]} == set()


def test_functions_leave_the_state_of_the_process_as_found(unusual):
    before = state_of_the_process()
    for function in FUNCTIONS.values():
        function()
    probabilities = np.full((len(Y), 3), 1 / 3)
    estimate_noise((probabilities + np.eye(3)[Y]) / 2, Y)
    label_quality(probabilities, Y)
    symmetric_noise(Y, 0.2, random_state=0)
    GradientMedoidSelector(random_state=0).fit(X, Y)
    GradientMedoidSampler(estimator=LogisticRegression(), random_state=0).fit_resample(X, Y)
    after = state_of_the_process()
    assert {name for name in before if before[name] != after[name]} == set()


def test_a_failed_fit_leaves_the_state_of_the_process_as_found(unusual):
    def failing(logits, target):
        raise LookupError("no loss")

    with default_dtype(torch.float64), torch.no_grad():
        before = state_of_the_process()
        with pytest.raises(LookupError):
            noisyfit.RobustLossClassifier(failing, max_epochs=1, random_state=0).fit(X, Y)
        after = state_of_the_process()
    assert {name for name in before if before[name] != after[name]} == set()


def test_a_change_of_state_would_be_seen(unusual):
    before = state_of_the_process()
    torch.rand(1)
    random.random()
    np.seterr(over="ignore")
    after = state_of_the_process()
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"generator of torch", "generator of Python", "errors of numpy"}


@pytest.mark.parametrize("make", [crust, dm, coreset, pencil, t_revision])
def test_several_threads_of_torch_are_as_many_afterwards(make):
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        make().fit(X, Y_GIVEN).predict(X)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
