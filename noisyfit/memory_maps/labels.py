"""Labels as they come, block by block, as numbers: text becomes codes."""

from __future__ import annotations

from typing import Any

import numpy as np

#: Each distinct label is kept in memory: a column of more is hardly one of classes.
MOST_LABELS = 100_000
TYPES = {"b": np.bool_, "u": np.int64, "i": np.int64, "f": np.float64}


class LabelEncoder:
    """Numbers stay as they are; strings get codes by first appearance, until all are known."""

    def __init__(self) -> None:
        self.kind: str | None = None
        self.codes: dict[str, int] = {}

    def encode(self, labels: np.ndarray) -> np.ndarray:
        """Labels of a block, as numbers of a type that is the same for all blocks."""
        labels = self._plain(labels)
        kind = "text" if labels.dtype.kind == "U" else TYPES[labels.dtype.kind].__name__
        if self.kind is None:
            self.kind = kind
        if kind != self.kind:
            raise TypeError(f"labels are {kind}, but those of the blocks before are {self.kind}.")
        if kind != "text":
            return labels.astype(TYPES[labels.dtype.kind])
        found, inverse = np.unique(labels, return_inverse=True)
        codes = [self.codes.setdefault(str(name), len(self.codes)) for name in found]
        if len(self.codes) > MOST_LABELS:
            raise ValueError(
                f"there are more than {MOST_LABELS} distinct labels; is this the column of classes?"
            )
        return np.array(codes, dtype=np.int64)[inverse.reshape(-1)]

    @property
    def classes(self) -> np.ndarray | None:
        """The sorted strings; None where labels are numbers."""
        return np.array(sorted(self.codes)) if self.kind == "text" else None

    def in_order(self, codes: np.ndarray) -> np.ndarray:
        """Positions among the sorted strings, from codes by first appearance."""
        names = list(self.codes)
        positions = np.empty(len(names), dtype=np.int64)
        positions[sorted(range(len(names)), key=names.__getitem__)] = np.arange(len(names))
        return positions[codes]

    def _plain(self, labels: np.ndarray) -> np.ndarray:
        """An array of numbers or of strings, every row with a label."""
        if labels.dtype.kind in "OST":
            labels = self._of_one_type(labels.tolist())
        if labels.dtype.kind == "f" and not np.isfinite(labels).all():
            first = int(np.flatnonzero(~np.isfinite(labels))[0])
            raise ValueError(f"the label of row {first} is missing or not finite.")
        if labels.dtype.kind == "u" and len(labels) and labels.max() > np.iinfo(np.int64).max:
            raise ValueError(f"label {labels.max()} is too large for a whole number of 64 bits.")
        if labels.dtype.kind not in "buifU":
            raise TypeError(f"labels must be numbers or strings, got {labels.dtype}.")
        return labels

    def _of_one_type(self, labels: list[Any]) -> np.ndarray:
        types = {type(label) for label in labels}
        if types == {bytes}:
            return np.array([label.decode() for label in labels])
        if len(types) == 1 and not types & {type(None)}:
            return np.array(labels)
        missing = [row for row, label in enumerate(labels) if label is None or label != label]
        if missing:
            raise ValueError(f"row {missing[0]} has no label; drop such rows.")
        raise TypeError(f"labels must be of one type, got {sorted(t.__name__ for t in types)}.")
