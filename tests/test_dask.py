"""Searches and cross validation on a dask cluster, through joblib; workers that are killed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import joblib
import numpy as np
import pytest
from composition.common import crust, dm
from sklearn.datasets import make_blobs
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_score
from skorch.callbacks import Callback

from noisyfit.noise import symmetric_noise

# One worker of pytest runs all: each would start a cluster of its own.
pytestmark = pytest.mark.xdist_group("dask")

X, Y = make_blobs(300, n_features=5, centers=3, cluster_std=3.0, random_state=3)
Y_GIVEN, _ = symmetric_noise(Y, 0.3, random_state=0)
GRID = {"lr": [1e-3, 1e-2], "max_epochs": [1, 3]}
SPLITS = list(StratifiedKFold(2).split(X, Y_GIVEN))


@pytest.fixture(scope="module")
def dask_client():
    distributed = pytest.importorskip("distributed", reason="dask is not installed")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


def searched(classifier):
    """Scores of a grid, and the predictions of the best."""
    search = GridSearchCV(classifier, GRID, cv=SPLITS).fit(X, Y_GIVEN)
    scores = [search.cv_results_[f"split{fold}_test_score"] for fold in range(2)]
    return search.best_params_, scores, search.predict_proba(X)


def assert_same(found, expected):
    assert found[0] == expected[0]
    for array, value in zip(found[1:], expected[1:], strict=True):
        np.testing.assert_array_equal(array, value)


def places_of_fits(folder):
    """A callback that leaves a file named after the process that a fit runs in."""

    class Note(Callback):
        def on_train_begin(self, net, X=None, y=None, **kwargs):
            import os
            from pathlib import Path

            (Path(folder) / str(os.getpid())).touch()

    return Note()


def test_searches_and_cross_validation_on_two_workers_give_the_same_result(dask_client, tmp_path):
    expected = searched(dm())
    with joblib.parallel_config("dask"):
        assert_same(searched(dm(callbacks=[places_of_fits(str(tmp_path))])), expected)
    own = {str(process) for process in dask_client.run(_process_number).values()}
    assert len(own) == 2
    assert own <= {path.name for path in tmp_path.iterdir()}
    expected = cross_val_score(crust(), X, Y_GIVEN, cv=2)
    with joblib.parallel_config("dask"):
        np.testing.assert_array_equal(cross_val_score(crust(), X, Y_GIVEN, cv=2), expected)


def _process_number():
    import os

    return os.getpid()


def test_a_killed_worker_costs_a_search_time_but_not_the_result():
    """The example, which checks it: as docs/guide/several_machines.md shows it, but smaller."""
    script = Path(__file__).resolve().parents[1] / "examples" / "search_on_workers.py"
    paths = os.pathsep.join([str(script.parents[1]), os.environ.get("PYTHONPATH", "")])
    finished = subprocess.run(
        [sys.executable, str(script), "--rows", "200", "--epochs", "2"],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr[-3000:]
    assert "A worker was killed: process " in finished.stdout
    assert "All scores are equal to the last bit." in finished.stdout
