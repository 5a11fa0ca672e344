"""`map_rows` writes rows to disk as they come; `MappedRows` is what there is then."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from noisyfit.memory_maps.blocks import Block, named_error, read_blocks
from noisyfit.memory_maps.files import Folder, GrowingArray
from noisyfit.memory_maps.labels import LabelEncoder

DTYPES = ("float16", "float32", "float64", "uint8")
LABELS_AT_A_TIME = 2**20


class MappedRows:
    """Features, labels and weights of rows as memory maps: on disk, and read as they are needed.

    `map_rows` makes them. A temporary folder is removed by `close`, at the end of a ``with``
    block, or when neither this object nor one of its arrays is in use any more.

    Parameters
    ----------
    X : memmap of shape (n, ...)
        The features.
    y : memmap of shape (n,), or None
        The labels: numbers as they came, or positions in `classes`.
    sample_weight : memmap of shape (n,), or None
        The weights.
    classes : ndarray of str, or None
        The sorted labels where they are strings: ``classes[classifier.predict(X)]`` are strings.
    feature_names : list of str, or None
        The columns of X, where they have names.
    folder : pathlib.Path
        Holds ``X.npy``, and ``y.npy``, ``sample_weight.npy`` and ``classes.npy`` if there are any.
    """

    def __init__(
        self,
        X: np.memmap,
        y: np.memmap | None,
        sample_weight: np.memmap | None,
        classes: np.ndarray | None,
        feature_names: list[str] | None,
        folder: Path,
    ) -> None:
        self.X = X
        self.y = y
        self.sample_weight = sample_weight
        self.classes = classes
        self.feature_names = feature_names
        self.folder = folder
        self._owner: Folder | None = None

    def __len__(self) -> int:
        return len(self.X)

    def __enter__(self) -> MappedRows:
        return self

    def __exit__(self, *args: object) -> None:
        self.close()

    def close(self) -> None:
        """Remove the files, if their folder is a temporary one."""
        if self._owner is not None:
            self._owner.close()


def map_rows(
    blocks: Any,
    *,
    label: str | None = None,
    folder: str | os.PathLike[str] | None = None,
    dtype: str = "float32",
) -> MappedRows:
    """Write rows to memory maps on disk, block by block, to fit estimators on.

    So data of any size are fitted that come from an iterator, from a Parquet file or as Arrow
    tables: memory holds one block at a time.

    Parameters
    ----------
    blocks : iterable
        Blocks of rows, as many as there may be. Each is X, a pair (X, y) or a triple
        (X, y, sample_weight) of arrays or tensors with one entry per row, a pandas or polars
        DataFrame, or a pyarrow RecordBatch or Table. A DataFrame, a Table, a
        ``pyarrow.parquet.ParquetFile`` or a ``pyarrow.dataset.Dataset`` may be given as a whole.
    label : str, default=None
        The column of labels in DataFrames and Arrow tables; all others must hold numbers and are
        the features. None: there are no labels in them.
    folder : str or path, default=None
        Folder to write to, which must not exist or must be empty; it has the name only once all
        rows are in it. None makes a private one that is removed when it is no longer needed.
    dtype : {"float16", "float32", "float64", "uint8"}, default="float32"
        Type of the features on disk; "uint8" is for images. A batch becomes what the estimator
        computes with when it is read.

    Returns
    -------
    MappedRows
        ``rows.X`` and ``rows.y`` go to `fit` as they are.

    Raises
    ------
    TypeError
        If blocks are not of these kinds, hold something else than numbers, or labels are not all
        numbers or all strings.
    ValueError
        If there are no rows, blocks differ in shape or names, or a row has no label.
    FileExistsError
        If `folder` is there and holds something.

    Examples
    --------
    >>> import numpy as np
    >>> from noisyfit import DMClassifier
    >>> from noisyfit.memory_maps import map_rows
    >>> def read():
    ...     rng = np.random.default_rng(0)
    ...     for _ in range(5):
    ...         y = rng.integers(0, 2, 100)
    ...         yield y[:, None] + rng.normal(size=(100, 3)), np.array(["no", "yes"])[y]
    >>> with map_rows(read()) as rows:
    ...     classifier = DMClassifier(max_epochs=2, random_state=0).fit(rows.X, rows.y)
    ...     names = rows.classes[classifier.predict(rows.X)]
    >>> rows.X.shape, names.shape, rows.classes
    ((500, 3), (500,), array(['no', 'yes'], dtype='<U3'))
    """
    if dtype not in DTYPES:
        raise ValueError(f"dtype must be one of {DTYPES}, got {dtype!r}.")
    owner = Folder(folder)
    writer = _Writer(owner, np.dtype(dtype))
    try:
        writer.write(read_blocks(blocks, label))
        owner.finish()
    except BaseException:
        writer.discard()
        raise
    return writer.open()


class _Writer:
    """Writes blocks to the files of a folder."""

    def __init__(self, owner: Folder, dtype: np.dtype) -> None:
        self.owner = owner
        self.dtype = dtype
        self.labels = LabelEncoder()
        self.files: dict[str, GrowingArray] = {}
        self.first: Block | None = None

    def write(self, blocks: Iterable[Block]) -> None:
        """Write all blocks, and put the codes of labels into the order of the classes."""
        for number, block in enumerate(blocks):
            if not len(block.features):
                continue
            try:
                self._append(block)
            except (TypeError, ValueError) as error:
                raise named_error(error, number) from error
        if self.first is None:
            raise ValueError(
                "blocks holds no rows; an iterator that was read to its end has none left."
            )
        for file in self.files.values():
            file.close()
        if self.labels.classes is not None:
            self._sort_codes()
            np.save(self.owner.written / "classes.npy", self.labels.classes)

    def _append(self, block: Block) -> None:
        self._check_alike(block)
        own = block.features.dtype
        if not (
            np.can_cast(own, self.dtype, "same_kind")
            and (self.dtype.kind == "f" or own.itemsize == 1)
        ):
            raise TypeError(f"X of {own} does not go into dtype={self.dtype.name!r}.")
        with np.errstate(over="ignore"):  # what becomes infinite is refused by fit
            self._file("X", block.features.shape[1:], self.dtype).append(block.features)
        if block.labels is not None:
            codes = self.labels.encode(block.labels)
            self._file("y", (), codes.dtype).append(codes)
        if block.weights is not None:
            self._file("sample_weight", (), np.float64).append(block.weights)

    def _check_alike(self, block: Block) -> None:
        """Raise unless a block is of the same form as the first one."""
        if self.first is None:
            self.first = Block(
                block.features[:0].copy(),
                None if block.labels is None else block.labels[:0].copy(),
                None if block.weights is None else block.weights[:0].copy(),
                block.names,
            )
        first = self.first
        if block.names != first.names:
            raise ValueError(
                f"the columns are {block.names}, but those of the first block {first.names}."
            )
        shape, expected = block.features.shape[1:], first.features.shape[1:]
        if shape != expected:
            raise ValueError(f"rows have shape {shape}, but those of the first block {expected}.")
        for name, own, other in (
            ("labels", block.labels, first.labels),
            ("weights", block.weights, first.weights),
        ):
            if (own is None) != (other is None):
                raise ValueError(f"some blocks have {name} and some have none.")

    def _file(self, name: str, row_shape: tuple[int, ...], dtype: Any) -> GrowingArray:
        if name not in self.files:
            path = self.owner.written / f"{name}.npy"
            self.files[name] = GrowingArray(path, row_shape, dtype, private=self.owner.temporary)
        return self.files[name]

    def _sort_codes(self) -> None:
        codes = np.load(self.files["y"].path, mmap_mode="r+")
        for first in range(0, len(codes), LABELS_AT_A_TIME):
            part = slice(first, first + LABELS_AT_A_TIME)
            codes[part] = self.labels.in_order(codes[part])
        codes.flush()

    def discard(self) -> None:
        """Remove what was written so far."""
        for file in self.files.values():
            file.discard()
        self.owner.discard()
        self.owner.close()

    def open(self) -> MappedRows:
        """The files as memory maps, which keep their folder as long as they are in use."""
        maps = {
            name: np.load(self.owner.path / f"{name}.npy", mmap_mode="r") for name in self.files
        }
        for array in maps.values():
            array._folder = self.owner
        assert self.first is not None
        rows = MappedRows(
            maps["X"],
            maps.get("y"),
            maps.get("sample_weight"),
            self.labels.classes,
            self.first.names,
            self.owner.path,
        )
        rows._owner = self.owner
        return rows
