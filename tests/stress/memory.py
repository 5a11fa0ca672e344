"""Fit and select from memory maps under a hard bound on memory, and say what a row costs.

    python tests/stress/memory.py                      # 10,000,000 rows of 32 numbers, 4 GB
    python tests/stress/memory.py --rows 200000 crust dm

Rows come from a generator and are written to memory maps by `noisyfit.memory_maps.map_rows`. Each
task then runs in a process of its own whose private memory the system limits (RLIMIT_DATA), so that
an array too many ends it; pages of mapped files are not counted, because the system takes them back
when it needs them. Ends with 1 if a task failed or went over the bound.

``anonymous`` is the peak of the memory that can't be taken back, sampled every 5 ms; ``per row`` is
what it rose by since before the task, divided by the rows.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

BLOCK = 65_536
NOISE = 0.3
MEGA = 1e6


# ------------------------------------------------------------------------------------- the rows


def blocks(n_rows: int, n_columns: int, n_classes: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Clusters around a centre for each class, a share of the labels drawn anew."""
    centres = np.random.default_rng(0).normal(size=(n_classes, n_columns))
    for first in range(0, n_rows, BLOCK):
        rng = np.random.default_rng([1, first])
        size = min(BLOCK, n_rows - first)
        true = rng.integers(n_classes, size=size)
        y = np.where(rng.random(size) < NOISE, rng.integers(n_classes, size=size), true)
        yield centres[true] + rng.normal(size=(size, n_columns)), y


# ------------------------------------------------------------------------------------ the tasks


SETTINGS: dict[str, Any] = {"batch_size": 4096, "random_state": 0}


def fit_crust(X: Any, y: Any) -> str:
    """One epoch on all rows, then one on the rows that are selected."""
    from noisyfit import CRUSTClassifier

    classifier = CRUSTClassifier(cross_fit=None, warmup_epochs=1, max_epochs=2, **SETTINGS)
    classifier.fit(X, y)
    kept = len(classifier.coreset_indices_) / len(classifier.transduction_)
    return f"kept {kept:.2f} of the rows, estimated noise {classifier.noise_rate_:.2f}"


def fit_crust_default(X: Any, y: Any) -> str:
    """The default but for the epochs: three screening networks, then two epochs."""
    from noisyfit import CRUSTClassifier

    classifier = CRUSTClassifier(warmup_epochs=1, screening_epochs=1, max_epochs=2, **SETTINGS).fit(
        X, y
    )
    kept = len(classifier.coreset_indices_) / len(classifier.transduction_)
    return f"kept {kept:.2f} of the rows, estimated noise {classifier.noise_rate_:.2f}"


def fit_dm(X: Any, y: Any) -> str:
    """One epoch on all rows."""
    from noisyfit import DMClassifier

    classifier = DMClassifier(max_epochs=1, **SETTINGS).fit(X, y)
    return f"estimated noise {classifier.noise_rate_:.2f}"


def fit_dataset(X: Any, y: Any) -> str:
    """CRUST as above from a torch Dataset that gives (x, y) by number."""
    from torch.utils.data import Dataset

    class Rows(Dataset):
        def __len__(self) -> int:
            return len(X)

        def __getitem__(self, number: int) -> tuple[np.ndarray, int]:
            return np.array(X[number]), int(y[number])

    return fit_crust(Rows(), None)


def predict(X: Any, y: Any) -> str:
    """Labels of all rows by a classifier that was fitted on few."""
    from noisyfit import DMClassifier

    few = slice(0, min(len(X), 10_000))
    classifier = DMClassifier(max_epochs=1, random_state=0).fit(X[few], y[few])
    return f"{len(classifier.predict(X))} labels"


def select(X: Any, y: Any) -> str:
    """Medoids of the rows in parts, for each label."""
    from noisyfit.selection import select_coreset

    coreset = select_coreset(X, fraction=0.01, method="partitioned", groups=y, random_state=0)
    return f"{len(coreset.indices)} medoids"


def fit_selector(X: Any, y: Any) -> str:
    """The same by the estimator, which chooses "partitioned" by itself for many rows."""
    from noisyfit import GradientMedoidSelector

    selector = GradientMedoidSelector(fraction=0.01, random_state=0).fit(X, y)
    return f"{len(selector.medoid_indices_)} medoids"


# Name: what is done, and on which share of the rows: some of it takes long.
TASKS: dict[str, tuple[Callable[[Any, Any], str], float]] = {
    "crust": (fit_crust, 1.0),
    "dm": (fit_dm, 1.0),
    "predict": (predict, 1.0),
    "dataset": (fit_dataset, 0.05),
    "crust-default": (fit_crust_default, 0.1),
    "select": (select, 0.1),
    "selector": (fit_selector, 0.1),
}


# --------------------------------------------------------------------------------- measuring one


def memory_of_process() -> dict[str, int]:
    """Bytes by name, as the system counts them."""
    lines = (line.split() for line in Path("/proc/self/status").read_text().splitlines())
    return {words[0].rstrip(":"): int(words[1]) * 1024 for words in lines if words[-1] == "kB"}


class Peak:
    """The largest amount of anonymous memory while the block runs."""

    def __enter__(self) -> Peak:
        self.before = self.bytes = memory_of_process()["RssAnon"]
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._watch, daemon=True)
        self.thread.start()
        return self

    def _watch(self) -> None:
        while not self.over.wait(0.005):
            self.bytes = max(self.bytes, memory_of_process()["RssAnon"])

    def __exit__(self, *args: object) -> None:
        self.over.set()
        self.thread.join()
        self.bytes = max(self.bytes, memory_of_process()["RssAnon"])


def run_task(name: str, folder: str, limit: int) -> None:
    """Run one task here, and print what it took as a line of JSON."""
    do, share = TASKS[name]
    X = np.load(f"{folder}/X.npy", mmap_mode="r")
    y = np.load(f"{folder}/y.npy", mmap_mode="r")
    n_rows = max(1, int(share * len(X)))
    X, y = X[:n_rows], y[:n_rows]
    few = slice(0, min(n_rows, 2000))
    do(X[few], y[few])  # loads all that Python has to load
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    begun = time.perf_counter()
    with Peak() as peak:
        said = do(X, y)
    now = memory_of_process()
    result = {
        "rows": n_rows,
        "seconds": time.perf_counter() - begun,
        "anonymous": peak.bytes,
        "growth": peak.bytes - peak.before,
        "resident": now["VmHWM"],
        "files": now["RssFile"],
        "said": said,
    }
    print(json.dumps(result))


def run_apart(name: str, folder: str, limit: int, *, linear: bool) -> dict[str, Any]:
    """Run one task in a process of its own."""
    # Arrays of few rows too go back to the system as soon as they are freed.
    environment = {"MALLOC_MMAP_THRESHOLD_": "1000000", **os.environ}
    command = [sys.executable, __file__, "--task", name, "--folder", folder, "--limit", str(limit)]
    command += ["--linear"] if linear else []
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        return {"said": f"failed with exit status {done.returncode}", "failed": True}
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    result["failed"] = result["anonymous"] > limit
    return result


# --------------------------------------------------------------------------------------- the run


def write(folder: Path, n_rows: int, n_columns: int, n_classes: int, dtype: str) -> dict[str, Any]:
    """Write the rows here, and say what that took."""
    from noisyfit.memory_maps import map_rows

    begun = time.perf_counter()
    with Peak() as peak:
        rows = map_rows(blocks(n_rows, n_columns, n_classes), folder=folder, dtype=dtype)
    return {
        "rows": len(rows),
        "seconds": time.perf_counter() - begun,
        "anonymous": peak.bytes,
        "growth": peak.bytes - peak.before,
        "resident": memory_of_process()["VmHWM"],
        "said": f"{rows.X.nbytes / 1e9:.2f} GB of features",
    }


def row_of_table(name: str, result: dict[str, Any]) -> str:
    """One line."""
    if "rows" not in result:
        return f"{name:14} {result['said']}"
    per_row = result["growth"] / result["rows"]
    return (
        f"{name:14} {result['rows']:>11,} {result['seconds']:>8.1f} "
        f"{result['anonymous'] / MEGA:>10,.0f} {result['resident'] / MEGA:>9,.0f} "
        f"{per_row:>8.0f}  {result['said']}"
    )


def main() -> int:
    """Write the rows, run the tasks, print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("tasks", nargs="*", metavar="TASK", help=f"of {', '.join(TASKS)}; or all")
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--columns", type=int, default=32)
    parser.add_argument("--classes", type=int, default=10)
    parser.add_argument("--dtype", default="float32", help="type of the features on disk")
    parser.add_argument("--limit", type=int, default=4_000_000_000, help="bytes of memory")
    parser.add_argument("--linear", action="store_true", help="a network of one layer, for speed")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON too")
    parser.add_argument("--task", choices=TASKS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.linear:
        import torch

        SETTINGS["module"] = torch.nn.Linear
    if options.task:
        run_task(options.task, options.folder, options.limit)
        return 0
    for name in options.tasks:
        if name not in TASKS:
            parser.error(f"{name!r} is no task; there are {', '.join(TASKS)}.")
    print(
        f"{options.rows:,} rows of {options.columns} numbers, {options.classes} classes; "
        f"at most {options.limit / 1e9:g} GB of private memory"
    )
    print(
        f"{'task':14} {'rows':>11} {'seconds':>8} {'anonymous':>10} {'resident':>9} {'per row':>8}"
    )
    print(f"{'':14} {'':11} {'':8} {'MB':>10} {'MB, files':>9} {'bytes':>8}", flush=True)
    found = {}
    with TemporaryDirectory(prefix="noisyfit-memory-") as parent:
        folder = Path(parent) / "rows"
        found["write"] = write(
            folder, options.rows, options.columns, options.classes, options.dtype
        )
        print(row_of_table("write", found["write"]), flush=True)
        for name in options.tasks or TASKS:
            found[name] = run_apart(name, str(folder), options.limit, linear=options.linear)
            print(row_of_table(name, found[name]), flush=True)
    if options.json:
        print(json.dumps(found))
    failed = [name for name, result in found.items() if result.get("failed")]
    print(f"over the bound, or failed: {', '.join(failed)}" if failed else "all within the bound")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
