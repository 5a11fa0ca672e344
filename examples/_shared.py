"""What the examples share: tables, a progress bar, how a fit is judged, and data sets.

Nothing in here is needed to use noisyfit.
"""

from __future__ import annotations

import gzip
import importlib.util
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split
from threadpoolctl import threadpool_limits


def require(*modules: str) -> None:
    """Leave with one line that says what to install if a module is missing."""
    missing = [name for name in modules if importlib.util.find_spec(name) is None]
    if missing:
        stop(f"This example needs {' and '.join(missing)}: pip install 'noisyfit[examples]'")


def stop(message: str) -> NoReturn:
    """Leave with one line on standard error and exit status 1."""
    raise SystemExit(message)


def use_one_thread() -> None:
    """Keep torch and scikit-learn's OpenMP code to one thread.

    The data of the examples are so small that a second thread gains little, and on a machine that
    is busy with other work it makes training many times slower.
    """
    import torch

    torch.set_num_threads(1)
    threadpool_limits(limits=1)


# ------------------------------------------------------------------------------------- tables


def format_table(
    headers: Sequence[str], rows: Sequence[Sequence[Any]], *, markdown: bool = False
) -> str:
    """Aligned columns; numbers to the right, floats with three digits, None as "-"."""
    numeric = [all(_is_number(row[i]) for row in rows) for i in range(len(headers))]
    cells = [list(headers), *([_cell(value) for value in row] for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(headers))]
    lines = [
        [
            c.rjust(w) if right else c.ljust(w)
            for c, w, right in zip(row, widths, numeric, strict=True)
        ]
        for row in cells
    ]
    if markdown:
        ends = [":" if right else "-" for right in numeric]
        rule = ["-" * (w - 1) + end for w, end in zip(widths, ends, strict=True)]
        return "\n".join("| " + " | ".join(line) + " |" for line in [lines[0], rule, *lines[1:]])
    plain = ["  ".join(line).rstrip() for line in lines]
    return "\n".join([plain[0], "-" * max(map(len, plain)), *plain[1:]])


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.3f}"
    return str(value)


def _is_number(value: Any) -> bool:
    if value is None:
        return True
    try:
        float(value)
    except ValueError:
        return False
    return True


# ------------------------------------------------------------------------------- progress bar


class Progress:
    """A tqdm bar that counts the epochs of all fits; also readable in a log file.

    Use as a context manager; give `callbacks` to every network estimator.
    """

    def __init__(self, n_epochs: int) -> None:
        from skorch.callbacks import Callback
        from tqdm import tqdm

        on_terminal = sys.stderr.isatty()
        self.bar = tqdm(
            total=n_epochs,
            unit="epoch",
            mininterval=0.1 if on_terminal else 10,
            ncols=None if on_terminal else 100,
        )
        bar = self.bar

        class EpochCounter(Callback):
            def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
                bar.update()

        self.callbacks = [EpochCounter()]

    def describe(self, text: str) -> None:
        """Say beside the bar what is being fitted."""
        self.bar.set_description(f"{text:<32}")

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.close()


# --------------------------------------------------------------------------------- one fit


def timed_fit(estimator: Any, X: Any, y: Any) -> float:
    """Fit, and return the seconds it took."""
    start = time.perf_counter()
    estimator.fit(X, y)
    return time.perf_counter() - start


def judge_rows(estimator: Any, wrong: np.ndarray) -> dict[str, float | None]:
    """How well a fitted estimator told wrong labels from right ones; None where it does not try.

    "purity" is the share of right labels among the rows it kept, "recall" the share it kept of
    the rows with right labels, "found" the AUROC of `label_quality_` in finding wrong labels.
    """
    kept = getattr(estimator, "coreset_indices_", None)
    quality = getattr(estimator, "label_quality_", None)
    return {
        "purity": None if kept is None else float(np.mean(~wrong[kept])),
        "recall": None if kept is None else float((~wrong[kept]).sum() / (~wrong).sum()),
        "found": None if quality is None else float(roc_auc_score(wrong, -quality)),
    }


def most_suspicious(estimator: Any, n_rows: int) -> np.ndarray:
    """Numbers of the rows whose labels a fitted estimator trusts least, the worst first."""
    return np.argsort(estimator.label_quality_, kind="stable")[:n_rows]


# ---------------------------------------------------------------------------------- data sets


def data_folder() -> Path | None:
    """The folder that the environment variable NOISYFIT_DATA names, if it is set."""
    named = os.environ.get("NOISYFIT_DATA")
    if not named:
        return None
    if not Path(named).is_dir():
        stop(f"NOISYFIT_DATA={named} is not a folder; unset it to let scikit-learn download data.")
    return Path(named)


def _local_file(name: str) -> Path | None:
    folder = data_folder()
    if folder is None:
        return None
    if not (folder / name).is_file():
        stop(f"NOISYFIT_DATA={folder} holds no {name}; unset it to let scikit-learn download data.")
    return folder / name


def _download(fetch: Any, what: str, **options: Any) -> Any:
    try:
        return fetch(**options)
    except Exception as error:  # URLError, timeouts, OpenML's own errors: the remedy is the same
        stop(
            f"Could not download {what} ({type(error).__name__}: {error}). Go online, or set "
            "NOISYFIT_DATA to a folder that has it."
        )


def load_adult() -> tuple[Any, np.ndarray]:
    """Adult as a DataFrame of 14 columns, text ones with missing values, and labels as text."""
    import pandas as pd

    path = _local_file("adult.npz")
    if path is None:
        from sklearn.datasets import fetch_openml

        adult = _download(fetch_openml, "Adult", name="adult", version=2, as_frame=True)
        frame = adult.data.astype(dict.fromkeys(adult.data.select_dtypes("category"), object))
        return frame, adult.target.astype(str).to_numpy()
    with np.load(path, allow_pickle=False) as stored:
        names = stored["feature_names"].tolist()
        frame = pd.DataFrame(stored["X"], columns=names)
        values: dict[str, dict[int, Any]] = {}
        for line in stored["category_values"].tolist():
            column, code, value = line.split("\t")
            values.setdefault(column, {})[int(code)] = np.nan if value == "?" else value
        for column, meaning in values.items():
            frame[column] = frame[column].astype(int).map(meaning).astype(object)
        return frame, stored["class_names"][stored["y"]].astype(str)


def load_newsgroups() -> tuple[list[str], np.ndarray, list[str], np.ndarray]:
    """20 newsgroups, official split by date: training posts and groups, test posts and groups.

    Headers are removed as scikit-learn's ``remove=("headers",)`` does it: everything up to the
    first blank line. They name the group too plainly.
    """
    path = _local_file("newsgroups20.jsonl.gz")
    if path is None:
        from sklearn.datasets import fetch_20newsgroups

        options = {"remove": ("headers",), "shuffle": False}
        train = _download(fetch_20newsgroups, "20 newsgroups", subset="train", **options)
        test = _download(fetch_20newsgroups, "20 newsgroups", subset="test", **options)
        names = np.array(train.target_names)
        return train.data, names[train.target], test.data, names[test.target]
    parts: dict[str, tuple[list[str], list[str]]] = {"train": ([], []), "test": ([], [])}
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            post = json.loads(line)
            texts, groups = parts[post["split"]]
            texts.append(post["text"].partition("\n\n")[2])
            groups.append(post["group"])
    (train_texts, train_groups), (test_texts, test_groups) = parts["train"], parts["test"]
    return train_texts, np.array(train_groups), test_texts, np.array(test_groups)


def load_digits_split(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Handwritten digits that come with scikit-learn, 70/30: X_train, X_test, y_train, y_test."""
    from sklearn.datasets import load_digits

    X, y = load_digits(return_X_y=True)
    return train_test_split(X, y, test_size=0.3, stratify=y, random_state=seed)


def load_fashion_mnist_split(
    n_rows: int, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray] | None:
    """``n_rows`` training rows and all test rows of Fashion-MNIST; None without NOISYFIT_DATA."""
    path = _local_file("fashion_mnist.npz")
    if path is None:
        return None
    with np.load(path, allow_pickle=False) as stored:
        x_train, y_train = stored["x_train"], stored["y_train"]
        x_test, y_test = stored["x_test"], stored["y_test"]
    rows = np.random.default_rng(seed).permutation(len(x_train))[:n_rows]
    X, X_test = (x.reshape(len(x), -1).astype(np.float32) / 255 for x in (x_train[rows], x_test))
    return X, X_test, y_train[rows].astype(int), y_test.astype(int)
