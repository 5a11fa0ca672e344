"""The data sets and the kinds of label noise of the accuracy benchmark.

Rows are sampled by seed from the training part, test rows are the official ones (or the fixed
ones of the file). Tables are standardised with categories one-hot; texts become 256 dense columns
(TF-IDF and truncated SVD), and keep their sparse TF-IDF matrix beside them.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from noisyfit.noise import asymmetric_noise, instance_dependent_noise, symmetric_noise

MAX_TEST_ROWS = 10_000
TEXT_COLUMNS = 256

# Defaults were chosen while looking at these sets; all others were held back until the end.
CHOSEN_ON = {"fashion_mnist", "letter", "magic", "newsgroups", "adult", "mr", "agnews_weak"}


@dataclass(frozen=True)
class DataSet:
    """Rows for one run; ``given`` holds real noisy labels where the set has them."""

    name: str
    X: np.ndarray
    y: np.ndarray
    X_test: np.ndarray
    y_test: np.ndarray
    n_classes: int
    given: np.ndarray | None = None
    texts_sparse: tuple[Any, Any] | None = None


class Case(NamedTuple):
    """A set with a kind of noise; cases of one ``kind`` are pooled."""

    set: str
    noise: str
    rate: float
    kind: str


def data_path(name: str) -> Path:
    folder = os.environ.get("NOISYFIT_DATA")
    if not folder:
        raise SystemExit("Set NOISYFIT_DATA to the folder that holds the data sets.")
    return Path(folder) / name


# ---------------------------------------------------------------------------------- reading

Raw = tuple[Any, np.ndarray, Any, np.ndarray, "np.ndarray | None"]


def _fashion_mnist() -> Raw:
    z = np.load(data_path("fashion_mnist.npz"), allow_pickle=False)
    train, test = (z[part].reshape(-1, 784) / np.float32(255) for part in ("x_train", "x_test"))
    return train, z["y_train"], test, z["y_test"], None


def _table(file: str) -> Callable[[], Raw]:
    def read() -> Raw:
        z = np.load(data_path(file), allow_pickle=False)
        categorical = set(z["categorical_columns"].tolist())
        columns = []
        for number, column in enumerate(z["X"].astype(np.float64).T):
            if number in categorical:
                columns.append(column[:, None] == np.unique(column))
            else:
                columns.append(column[:, None])
        return *_split(np.hstack(columns), z["y"], z["is_test"]), None

    return read


def _split(X: np.ndarray, y: np.ndarray, test: np.ndarray) -> tuple[Any, ...]:
    mean, scale = X[~test].mean(axis=0), X[~test].std(axis=0)
    X = (X - mean) / np.where(scale > 0, scale, 1)
    return X[~test], y[~test], X[test], y[test]


def _texts(
    file: str, *, train: str = "train", test: str = "test", real: bool = False
) -> Callable[[], Raw]:
    def read() -> Raw:
        with gzip.open(data_path(file), "rt", encoding="utf-8") as lines:
            rows = [json.loads(line) for line in lines]
        part = {"train": [], "test": []}
        for row in rows:
            if row["split"] == train and (not real or row["weak"] >= 0):
                part["train"].append(row)
            elif row["split"] == test:
                part["test"].append(row)

        def field(name: str, key: str) -> np.ndarray:
            return np.array([row[key] for row in part[name]])

        given = field("train", "weak") if real else None
        texts = [[row["text"] for row in part[name]] for name in ("train", "test")]
        return texts[0], field("train", "label"), texts[1], field("test", "label"), given

    return read


def _music(labels: str) -> Callable[[], Raw]:
    def read() -> Raw:
        z = np.load(data_path("music_genre_crowd.npz"), allow_pickle=False)
        X = np.vstack([z["X_train"], z["X_test"]])
        test = np.arange(len(X)) >= len(z["X_train"])
        parts = _split(X, np.concatenate([z["y_train"], z["y_test"]]), test)
        return *parts, z[labels].astype(np.int64)

    return read


def _defects() -> Raw:
    """Changes in time order: the first 70 % of each project train, the cleaner labels are true."""
    z = np.load(data_path("jit_defects_szz.npz"), allow_pickle=False)
    project = z["project"]
    test = np.zeros(len(project), dtype=bool)
    for number in np.unique(project):
        rows = np.flatnonzero(project == number)
        test[rows[int(0.7 * len(rows)) :]] = True
    X = np.log1p(z["X"].clip(min=0).astype(np.float64))
    return *_split(X, z["y_ra"], test), z["y_ag"][~test].astype(np.int64)


SETS: dict[str, Callable[[], Raw]] = {
    "fashion_mnist": _fashion_mnist,
    "letter": _table("letter.npz"),
    "optdigits": _table("optdigits.npz"),
    "satimage": _table("satimage.npz"),
    "dry_bean": _table("dry_bean.npz"),
    "newsgroups": _texts("newsgroups20.jsonl.gz"),
    "agnews": _texts("agnews_weak.jsonl.gz"),
    "trec": _texts("trec_weak.jsonl.gz"),
    "adult": _table("adult.npz"),
    "bank": _table("bank_marketing.npz"),
    "magic": _table("magic.npz"),
    "mr": _texts("mr_polarity.jsonl.gz"),
    "imdb": _texts("imdb.jsonl.gz"),
    "agnews_weak": _texts("agnews_weak.jsonl.gz", real=True),
    "trec_weak": _texts("trec_weak.jsonl.gz", real=True),
    "chemprot_weak": _texts("chemprot_weak.jsonl.gz", real=True),
    "youtube_weak": _texts("youtube_weak.jsonl.gz", real=True),
    "sms_weak": _texts("sms_weak.jsonl.gz", real=True),
    "music_majority": _music("y_train_majority"),
    "music_one_answer": _music("y_train_one_answer"),
    "jit_ag": _defects,
}
MULTI_CLASS = (
    "fashion_mnist",
    "letter",
    "optdigits",
    "satimage",
    "dry_bean",
    "newsgroups",
    "agnews",
    "trec",
)
TWO_CLASSES = ("adult", "bank", "magic", "mr", "imdb")
TABLES = ("letter", "optdigits", "satimage", "dry_bean", "adult", "bank", "magic")
SPARSE_TEXTS = ("newsgroups", "agnews", "mr", "imdb")
REAL = tuple(name for name in SETS if name not in MULTI_CLASS + TWO_CLASSES)


def cases() -> list[Case]:
    """Every set with every kind of noise that suits it."""
    found = []
    for name in MULTI_CLASS + TWO_CLASSES:
        found.append(Case(name, "clean", 0.0, "clean"))
        if name not in ("agnews", "trec"):
            found.append(Case(name, "symmetric", 0.2, "sym .2"))
        if name in TWO_CLASSES:
            found.append(Case(name, "symmetric", 0.4, "sym .4 (two classes)"))
        else:
            found.append(Case(name, "symmetric", 0.5, "sym .5"))
            found.append(Case(name, "symmetric", 0.8, "sym .8"))
        found.append(Case(name, "asymmetric", 0.4, "asym .4"))
        found.append(Case(name, "instance_dependent", 0.4, "instance .4"))
    return found + [Case(name, "real", float("nan"), "real") for name in REAL]


# ----------------------------------------------------------------------------------- loading


def load(name: str, seed: int, max_rows: int = 8000) -> DataSet:
    """Sample ``max_rows`` training rows of a set by seed."""
    X, y, X_test, y_test, given = SETS[name]()
    generator = np.random.default_rng(seed)
    rows = generator.permutation(len(y))[:max_rows]
    test = np.arange(len(y_test))
    if len(test) > MAX_TEST_ROWS:  # the same test rows for every seed
        test = np.sort(np.random.default_rng(0).permutation(len(test))[:MAX_TEST_ROWS])
    sparse = None
    if isinstance(X, list):
        sparse, (X, X_test) = _text_features([X[i] for i in rows], [X_test[i] for i in test])
    else:
        X, X_test = X[rows], X_test[test]
    return DataSet(
        name,
        np.ascontiguousarray(X, dtype=np.float32),
        y[rows].astype(np.int64),
        np.ascontiguousarray(X_test, dtype=np.float32),
        y_test[test].astype(np.int64),
        int(y.max()) + 1,
        None if given is None else given[rows],
        sparse,
    )


def _text_features(train: list[str], test: list[str]) -> tuple[tuple[Any, Any], tuple[Any, Any]]:
    """Sparse TF-IDF and its dense projection, learned on the training texts (and kept on disk)."""
    from scipy import sparse
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectorizer = TfidfVectorizer(sublinear_tf=True, min_df=2, max_features=20_000)
    matrices = (
        sparse.csr_matrix(vectorizer.fit_transform(train), dtype=np.float32),
        sparse.csr_matrix(vectorizer.transform(test), dtype=np.float32),
    )
    key = hashlib.sha256("\0".join([*train, *test]).encode()).hexdigest()[:24]
    folder = Path(tempfile.gettempdir()) / f"noisyfit-text-features-{os.getuid()}"
    kept = folder / f"{key}.npz"
    if kept.exists():
        with np.load(kept, allow_pickle=False) as stored:
            return matrices, (stored["train"], stored["test"])
    columns = min(TEXT_COLUMNS, matrices[0].shape[1] - 1)
    projection = TruncatedSVD(columns, random_state=0).fit(matrices[0])
    dense = tuple(projection.transform(matrix).astype(np.float32) for matrix in matrices)
    folder.mkdir(mode=0o700, exist_ok=True)
    unfinished = kept.with_name(f"{key}.{os.getpid()}.npz")
    np.savez(unfinished, train=dense[0], test=dense[1])
    unfinished.replace(kept)
    return matrices, (dense[0], dense[1])


def given_labels(data: DataSet, case: Case, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Noisy labels of the case, and which of them are wrong."""
    if case.noise == "real":
        assert data.given is not None
        return data.given, data.given != data.y
    if case.noise == "clean":
        return data.y, np.zeros(len(data.y), dtype=bool)
    if case.noise == "symmetric":
        noisy = symmetric_noise(data.y, case.rate, random_state=seed)
    elif case.noise == "asymmetric":
        # With two classes one-sided (class 0 is mistaken for 1), else each for the next one.
        mapping = {0: 1} if data.n_classes == 2 else None
        noisy = asymmetric_noise(data.y, case.rate, mapping, random_state=seed)
    else:
        X = data.X
        if data.texts_sparse is not None or data.name == "fashion_mnist":
            scale = X.std(axis=0)
            X = (X - X.mean(axis=0)) / np.where(scale > 0, scale, 1)
        noisy = instance_dependent_noise(X, data.y, case.rate, random_state=seed)
    return noisy.labels, noisy.changed
