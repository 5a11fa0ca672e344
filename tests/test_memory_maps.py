"""Rows from iterators, tables and files as memory maps, and fits on memory maps of any type."""

from __future__ import annotations

import gc
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet
import pytest
import torch
from sklearn.datasets import make_blobs

from noisyfit import CRUSTClassifier, DMClassifier, GradientMedoidSelector
from noisyfit.memory_maps import MappedRows, map_rows
from noisyfit.selection import select_coreset


@pytest.fixture(scope="module")
def blobs() -> tuple[np.ndarray, np.ndarray]:
    X, y = make_blobs(300, 5, centers=3, random_state=0)
    return X, y


def in_blocks(*arrays: Any, size: int = 70) -> Iterator[tuple[Any, ...]]:
    for first in range(0, len(arrays[0]), size):
        yield tuple(array[first : first + size] for array in arrays)


NAMES = np.array(["b", "a", "c"])  # not in the order of the codes


# ------------------------------------------------------------------------------ what is written


def test_pairs_of_arrays_become_maps_of_all_rows(blobs: Any) -> None:
    X, y = blobs
    with map_rows(in_blocks(X, y)) as rows:
        assert isinstance(rows.X, np.memmap)
        assert rows.X.dtype == np.float32
        assert len(rows) == 300
        np.testing.assert_array_equal(rows.X, X.astype(np.float32))
        np.testing.assert_array_equal(rows.y, y)
        assert rows.classes is rows.feature_names is rows.sample_weight is None


@pytest.mark.parametrize("kind", ["pandas", "polars", "record batches", "table", "categories"])
def test_tables_become_features_and_labels_by_name(kind: str, blobs: Any) -> None:
    X, y = blobs
    frame = pd.DataFrame(X, columns=list("vwxyz"))
    frame.insert(2, "label", NAMES[y])
    if kind == "categories":
        frame["label"] = frame["label"].astype("category")
    table = pa.Table.from_pandas(frame)
    blocks: dict[str, Any] = {
        "pandas": lambda: (frame[i : i + 70] for i in range(0, 300, 70)),
        "polars": lambda: (pl.DataFrame(frame)[i : i + 70] for i in range(0, 300, 70)),
        "record batches": lambda: table.to_batches(max_chunksize=70),
        "table": lambda: table,
        "categories": lambda: table.to_batches(max_chunksize=70),
    }
    with map_rows(blocks[kind](), label="label", dtype="float64") as rows:
        np.testing.assert_array_equal(rows.X, X)
        np.testing.assert_array_equal(rows.classes, ["a", "b", "c"])
        np.testing.assert_array_equal(rows.classes[rows.y], NAMES[y])
        assert rows.feature_names == list("vwxyz")


def test_parquet_files_are_read_by_batches(blobs: Any, tmp_path: Path) -> None:
    X, y = blobs
    frame = pd.DataFrame(X, columns=list("vwxyz")).assign(label=y)
    path = tmp_path / "rows.parquet"
    frame.to_parquet(path, row_group_size=70)
    for source in (
        pyarrow.parquet.ParquetFile(path),
        pyarrow.parquet.ParquetFile(path).iter_batches(batch_size=50),
        pyarrow.dataset.dataset(path),
    ):
        with map_rows(source, label="label") as rows:
            np.testing.assert_array_equal(rows.X, X.astype(np.float32))
            np.testing.assert_array_equal(rows.y, y)


def test_batches_of_a_loader_become_maps(blobs: Any) -> None:
    class Stream(torch.utils.data.IterableDataset):
        def __iter__(self) -> Iterator[Any]:
            return zip(*blobs, strict=True)

    loader = torch.utils.data.DataLoader(Stream(), batch_size=64)
    with map_rows(loader) as rows:
        np.testing.assert_array_equal(rows.y, blobs[1])
    with pytest.raises(ValueError, match=r"block 0: .*DataLoader\(dataset, batch_size"):
        map_rows(Stream())


def test_weights_and_rows_without_labels_are_written_too(blobs: Any) -> None:
    X, y = blobs
    weight = np.arange(300)
    with map_rows(in_blocks(X, y, weight)) as rows:
        np.testing.assert_array_equal(rows.sample_weight, weight)
    with map_rows(X[i : i + 70] for i in range(0, 300, 70)) as rows:
        assert rows.y is None
        assert len(rows) == 300


def test_bytes_of_images_stay_bytes() -> None:
    images = np.random.default_rng(0).integers(0, 256, (20, 8, 8, 3), dtype=np.uint8)
    with map_rows([images[:9], images[9:]], dtype="uint8") as rows:
        assert rows.X.dtype == np.uint8
        np.testing.assert_array_equal(rows.X, images)


# ------------------------------------------------------------------------------ where it is kept


def test_a_named_folder_is_whole_and_stays(blobs: Any, tmp_path: Path) -> None:
    X, y = blobs
    folder = tmp_path / "rows"
    with map_rows(in_blocks(X, NAMES[y]), folder=folder) as rows:
        assert rows.folder == folder
    assert sorted(os.listdir(folder)) == ["X.npy", "classes.npy", "y.npy"]
    np.testing.assert_array_equal(np.load(folder / "X.npy", mmap_mode="r"), X.astype(np.float32))
    assert np.load(folder / "classes.npy").tolist() == ["a", "b", "c"]
    assert os.listdir(tmp_path) == ["rows"]
    with pytest.raises(FileExistsError, match="name another"):
        map_rows(in_blocks(X, y), folder=folder)


def test_a_temporary_folder_is_private_and_goes_with_its_last_array(blobs: Any) -> None:
    rows: MappedRows | None = map_rows(in_blocks(*blobs))
    assert rows is not None
    folder = rows.folder
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    part: Any = rows.X[5:]
    rows = None
    gc.collect()
    assert folder.exists()
    part = None  # noqa: F841
    gc.collect()
    assert not folder.exists()


@pytest.mark.parametrize("named", [True, False])
def test_an_interrupted_write_leaves_nothing(
    named: bool, blobs: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    def blocks() -> Iterator[Any]:
        yield blobs
        written = list(tmp_path.rglob("X.npy"))
        assert len(written) == 1
        assert len(np.load(written[0])) == 0  # nothing in it looks whole
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        map_rows(blocks(), folder=tmp_path / "rows" if named else None)
    assert os.listdir(tmp_path) == []


# --------------------------------------------------------------------------------- what is refused

X3 = np.zeros((3, 2))


@pytest.mark.parametrize(
    ("blocks", "options", "message"),
    [
        ([], {}, "holds no rows"),
        (3, {}, "must be an iterable of blocks"),
        ([(X3, [0, 1])], {}, "block 0: X has 3 rows, but y has 2"),
        ([(X3, [0, 1, 0]), (np.zeros((3, 4)), [0, 1, 0])], {}, r"block 1: rows have shape \(4,\)"),
        ([(X3, [0, 1, 0]), X3], {}, "block 1: some blocks have labels and some have none"),
        ([(X3, [0, 1, 0]), (X3, ["a", "b", "c"])], {}, "block 1: labels are text, but .* int64"),
        ([(X3, ["a", None, "b"])], {}, "block 0: row 1 has no label"),
        ([(X3, [0.0, np.nan, 1.0])], {}, "block 0: the label of row 1 is missing"),
        ([(X3, ["a", 3, "b"])], {}, r"labels must be of one type, got \['int', 'str'\]"),
        ([(X3.astype(str), [0, 1, 0])], {}, "X must hold numbers"),
        ([(X3, [0, 1, 0])], {"dtype": "uint8"}, "X of float64 does not go into dtype='uint8'"),
        ([(X3, [0, 1, 0])], {"dtype": "int32"}, "dtype must be one of"),
        ([(X3, [0, 1, 0])], {"label": "y"}, "label='y' names a column"),
        (pd.DataFrame({"a": [1.0]}), {"label": "y"}, "label='y' is not a column; there are .'a'."),
        (pd.DataFrame({"a": ["x"], "y": [0]}), {"label": "y"}, "column 'a' must hold numbers"),
    ],
)
def test_blocks_that_do_not_fit_are_refused(
    blocks: Any, options: dict[str, Any], message: str
) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        map_rows(blocks, **options)


# ----------------------------------------------------------------------------- fits on memory maps


@pytest.mark.parametrize("dtype", ["float64", "float16", "int16", ">f4", "fortran"])
def test_a_map_of_any_type_fits_like_the_array(
    dtype: str, blobs: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    X, y = blobs
    array = np.asfortranarray(X) if dtype == "fortran" else (X * 10).astype(dtype)
    np.save(tmp_path / "X.npy", array)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    monkeypatch.setattr("noisyfit.estimators.base.mapped.NUMBERS_AT_A_TIME", 100)
    fitted, expected = (
        CRUSTClassifier(
            cross_fit=None, warmup_epochs=1, max_epochs=2, batch_size=32, random_state=0
        ).fit(features, y)
        for features in (mapped, array)
    )
    np.testing.assert_array_equal(fitted.label_quality_, expected.label_quality_)
    np.testing.assert_array_equal(fitted.predict_proba(mapped), expected.predict_proba(array))
    assert fitted.n_features_in_ == 5


def test_a_map_with_a_missing_number_is_refused_wherever_it_is(
    blobs: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("noisyfit.estimators.base.mapped.NUMBERS_AT_A_TIME", 100)
    X, y = blobs
    X = X.copy()
    X[-1, -1] = np.nan
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    with pytest.raises(ValueError, match="Input X contains NaN"):
        DMClassifier().fit(mapped, y)
    with pytest.raises(ValueError, match="contains NaN"):
        select_coreset(mapped, method="all")


def test_named_maps_keep_whole_numbers_whole(tmp_path: Path) -> None:
    class Words(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.words = torch.nn.Embedding(10, 4)
            self.out = torch.nn.Linear(4, 2)

        def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
            assert (ids.dtype, mask.dtype) == (torch.int64, torch.float32)
            return self.out((self.words(ids) * mask[..., None]).mean(1))

    rng = np.random.default_rng(0)
    arrays = {"ids": rng.integers(0, 10, (60, 3)).astype(np.int16), "mask": rng.random((60, 3))}
    for name, array in arrays.items():
        np.save(tmp_path / name, array)
    mapped = {name: np.load(tmp_path / f"{name}.npy", mmap_mode="r") for name in arrays}
    y = np.arange(60) % 2
    fitted, expected = (
        DMClassifier(module=Words, max_epochs=1, random_state=0).fit(X, y) for X in (mapped, arrays)
    )
    np.testing.assert_array_equal(fitted.predict_proba(mapped), expected.predict_proba(arrays))


# ----------------------------------------------------------------------- selection from memory maps


@pytest.mark.parametrize("method", ["partitioned", "greedy", "random", "central", "all"])
def test_selection_from_a_map_is_that_from_the_array(method: str, tmp_path: Path) -> None:
    points = np.random.default_rng(0).normal(size=(3000, 4)).astype(np.float32)
    groups = np.arange(3000) % 3
    np.save(tmp_path / "points.npy", points)
    mapped = np.load(tmp_path / "points.npy", mmap_mode="r")
    options = {"method": method, "groups": groups, "random_state": 0}
    if method != "all":
        options["fraction"] = 0.1
    found, expected = (select_coreset(p, **options) for p in (mapped, points))
    np.testing.assert_array_equal(found.indices, expected.indices)
    np.testing.assert_array_equal(found.weights, expected.weights)
    np.testing.assert_array_equal(found.assignment, expected.assignment)


def test_outliers_and_the_selector_take_maps(tmp_path: Path) -> None:
    points = np.random.default_rng(0).normal(size=(200, 3))
    np.save(tmp_path / "points.npy", points)
    mapped = np.load(tmp_path / "points.npy", mmap_mode="r")
    found, expected = (select_coreset(p, k=5, outliers=0.1) for p in (mapped, points))
    np.testing.assert_array_equal(found.assignment, expected.assignment)
    found, expected = (GradientMedoidSelector(k=5).fit(p) for p in (mapped, points))
    np.testing.assert_array_equal(found.medoid_indices_, expected.medoid_indices_)
    np.testing.assert_array_equal(found.transform(mapped), expected.transform(points))
