"""The items of a map-style torch ``Dataset``, fetched as they are needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from noisyfit.training.rows.channels import channel_axis

KINDS = "a tensor, an array, a vector of numbers, or a dict of them"


def take_items(dataset: Any, numbers: Sequence[int]) -> Sequence[Any]:
    """Items by number, all in one call where the data set can do that."""
    if hasattr(dataset, "__getitems__"):
        items: Sequence[Any] = dataset.__getitems__(list(numbers))
        return items
    return [dataset[number] for number in numbers]


def is_pair(item: Any) -> bool:
    """Whether an item is (x, y): a tuple of two, or a list of two that is no vector of numbers."""
    if isinstance(item, list):
        return len(item) == 2 and not isinstance(item[0], int | float)
    return isinstance(item, tuple) and len(item) == 2


def features_of(item: Any, number: int) -> Any:
    """The x of an item that is (x, y) or x alone."""
    if isinstance(item, tuple) and len(item) != 2:
        raise TypeError(
            f"items of a Dataset must be x or (x, y), got a tuple of {len(item)} entries as item "
            f"{number}."
        )
    return item[0] if is_pair(item) else item


def _as_tensor(value: Any, number: int) -> Tensor:
    if isinstance(value, Tensor):
        return value.detach()
    array = np.asarray(value)
    if array.dtype.kind not in "buif":
        raise TypeError(
            f"x of an item must be {KINDS}, got {type(value).__name__} of dtype {array.dtype} "
            f"in item {number}."
        )
    array = np.asarray(array, array.dtype.newbyteorder("="), order="C")
    # Of what is read-only, a row of a memory map say, torch would warn.
    return torch.from_numpy(array if array.flags.writeable else array.copy())


class DatasetItems:
    """The features of all items, of one shape and type; nothing is kept of what was fetched.

    Parameters
    ----------
    dataset : torch.utils.data.Dataset
        Map-style: it has a length, and items by number.
    dtype : str
        What numbers become: "float32" or "float64". Images of bytes stay bytes, and of named parts
        whole numbers stay whole.
    loader_options : dict
        Options of a ``DataLoader`` that fetches blocks of items; none for fetching them here.
    """

    def __init__(
        self,
        dataset: Any,
        dtype: str,
        loader_options: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        self.dataset = dataset
        self.loader_options = loader_options
        n_items = len(dataset)
        if not n_items:
            raise ValueError("the Dataset has no items; at least one is needed.")
        first = features_of(dataset[0], 0)
        self.is_named = isinstance(first, Mapping)
        self.row_shapes: dict[str, tuple[int, ...]] = {}
        self._types: dict[str, torch.dtype] = {}
        parts = first if self.is_named else {"": first}
        for name, value in parts.items():
            tensor = _as_tensor(value, 0)
            self.row_shapes[name] = tuple(tensor.shape)
            self._types[name] = self._kept(tensor, getattr(torch, dtype))
        self.shape: tuple[int, ...] = (n_items, *self.row_shapes.get("", ()))
        if not self.is_named and len(self.shape) == 1:
            raise ValueError(
                f"x of an item must have at least one dimension, got the number {first!r}."
            )
        self.dtype = np.dtype(str(self._types.get("", dtype)).removeprefix("torch."))

    def __len__(self) -> int:
        return self.shape[0]

    def _kept(self, tensor: Tensor, dtype: torch.dtype) -> torch.dtype:
        """The type that numbers like these are given to a module as."""
        if self.is_named and not tensor.is_floating_point():
            return torch.bool if tensor.dtype == torch.bool else torch.int64
        is_image = tensor.dtype == torch.uint8 and channel_axis((1, *tensor.shape)) is not None
        return torch.uint8 if is_image else dtype

    def read(self, index: Tensor) -> Any:
        """The features of some items, one behind the other: a tensor, or a dict of tensors."""
        numbers = index.tolist()
        items = [
            features_of(item, number)
            for item, number in zip(take_items(self.dataset, numbers), numbers, strict=True)
        ]
        if not self.is_named:
            return self._batch(items, numbers, "")
        for item, number in zip(items, numbers, strict=True):
            if not isinstance(item, Mapping) or item.keys() != self.row_shapes.keys():
                found = list(item) if isinstance(item, Mapping) else type(item).__name__
                raise ValueError(
                    f"item {number} of the Dataset has the parts {found}, but item 0 has "
                    f"{list(self.row_shapes)}."
                )
        return {
            name: self._batch([item[name] for item in items], numbers, name)
            for name in self.row_shapes
        }

    def _batch(self, values: list[Any], numbers: list[int], name: str) -> Tensor:
        place = f"part {name!r} of item" if name else "item"
        tensors = [_as_tensor(value, number) for value, number in zip(values, numbers, strict=True)]
        expected = self.row_shapes[name]
        for tensor, number in zip(tensors, numbers, strict=True):
            if tensor.shape != expected:
                raise ValueError(
                    f"{place} {number} of the Dataset has shape {tuple(tensor.shape)}, but that of "
                    f"item 0 is {expected}; all must have one shape."
                )
        batch = torch.stack(tensors)
        wanted = self._types[name]
        if wanted == torch.uint8 and batch.dtype != torch.uint8:
            raise ValueError(
                f"{place} {numbers[0]} of the Dataset or one next to it holds {batch.dtype}, but "
                "item 0 bytes (uint8); all must be of one type."
            )
        batch = batch.to(wanted)
        if batch.is_floating_point() and not batch.isfinite().all():
            finite = batch.flatten(1).isfinite().all(dim=1)
            raise ValueError(
                f"{place} {numbers[int(finite.int().argmin())]} of the Dataset contains NaN, "
                f"infinity or a value too large for {wanted}."
            )
        return batch
