"""A search on dask workers, one of which is lost
==============================================

A grid search on two worker processes through joblib's dask backend, while one of them is killed.

What you learn: searches and cross validation of noisyfit's classifiers run on a dask cluster as any
scikit-learn estimator's do, and give what they give without one; what to tell joblib so that a
lost worker costs nothing but time; how long it takes beside the same search in one process.

By default the script starts a cluster of two processes on this machine. To use one that is there,
name its scheduler; nothing is killed then. All machines need the same versions of the packages.

As follows::

    python examples/search_on_workers.py
    python examples/search_on_workers.py --scheduler tcp://10.0.0.1:8786
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from _shared import require, use_one_thread
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from skorch.callbacks import Callback

from noisyfit import DMClassifier
from noisyfit.noise import symmetric_noise

GRID = {"lr": [3e-4, 1e-3], "module__hidden": [(64,), (256, 256)]}


def make_killer(flag: Path, epoch: int) -> Callback:
    """A callback that kills the first worker in which that epoch of a fit ends.

    A class made in a function is sent to the workers with its code.
    """

    class KillItsProcess(Callback):
        def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
            if len(net.history) == epoch and not flag.exists():
                flag.write_text(str(os.getpid()))
                os.kill(os.getpid(), signal.SIGKILL)

    return KillItsProcess()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scheduler", help="address of a dask scheduler")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--rows", type=int, default=1797, help=argparse.SUPPRESS)
    args = parser.parse_args()
    require("distributed")
    from distributed import Client, LocalCluster

    use_one_thread()
    X, y = load_digits(return_X_y=True)
    X, y = X[: args.rows], y[: args.rows]
    y_given, _ = symmetric_noise(y, 0.4, random_state=0)
    splits = list(StratifiedKFold(3).split(X, y_given))
    classifier = DMClassifier(max_epochs=args.epochs, random_state=0)

    start = time.perf_counter()
    alone = GridSearchCV(classifier, GRID, cv=splits).fit(X, y_given)
    print(f"in this process:  {describe(alone, time.perf_counter() - start)}")

    # Every array that tasks are given, on every worker: joblib would put each on one of them, with
    # which it would be lost. So the splits are made here, not by the search.
    everywhere = [X, y_given, *(rows for split in splits for rows in split)]
    with ExitStack() as stack:
        if args.scheduler is None:
            os.environ["OMP_NUM_THREADS"] = "1"
            cluster = LocalCluster(
                n_workers=2,
                threads_per_worker=1,
                dashboard_address=None,
                silence_logs=logging.CRITICAL,
            )
            client = stack.enter_context(Client(stack.enter_context(cluster)))
        else:
            client = stack.enter_context(Client(args.scheduler))
        n_workers = len(client.scheduler_info()["workers"])
        runs = [("workers", classifier)]
        if args.scheduler is None:
            flag = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "killed"
            killing = DMClassifier(
                **{**classifier.get_params(), "callbacks": [make_killer(flag, args.epochs // 2)]}
            )
            runs.append(("workers, one is killed", killing))
        for name, estimator in runs:
            start = time.perf_counter()
            with joblib.parallel_config("dask", scatter=everywhere):
                search = GridSearchCV(estimator, GRID, cv=splits, refit=False).fit(X, y_given)
            print(f"on {n_workers} {name}: {describe(search, time.perf_counter() - start)}")
            for column in ("split0_test_score", "split1_test_score", "split2_test_score"):
                expected, found = (each.cv_results_[column] for each in (alone, search))
                assert np.array_equal(expected, found), column
        if args.scheduler is None:
            assert flag.exists()
            print("A worker was killed: process", flag.read_text())
    print("All scores are equal to the last bit.")


def describe(search: GridSearchCV, seconds: float) -> str:
    """The best of a search, and how long it took."""
    return f"best {search.best_params_}, score {search.best_score_:.4f}, {seconds:.1f} s"


if __name__ == "__main__":
    main()
