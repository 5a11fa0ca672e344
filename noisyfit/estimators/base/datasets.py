"""Torch data sets at the door: what they are, and the labels that they hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from torch.utils.data import (
    ConcatDataset,
    DataLoader,
    Dataset,
    IterableDataset,
    Subset,
    TensorDataset,
)

from noisyfit.training.rows import is_pair, take_items

ITEMS_AT_A_TIME = 4096


def is_dataset(X: Any) -> bool:
    """Whether X is a map-style torch ``Dataset``; what can only be read once is refused.

    Raises
    ------
    TypeError
        For iterators, an ``IterableDataset``, a ``DataLoader`` and a ``Dataset`` without a length.
    """
    if isinstance(X, IterableDataset | Iterator):
        raise TypeError(
            f"X is {_named(X)}, which gives its rows one after the other: training needs them "
            "in any order and several times. Write them to disk first, as memory maps: "
            "rows = noisyfit.memory_maps.map_rows(blocks), then fit(rows.X, rows.y)."
        )
    if isinstance(X, DataLoader):
        raise TypeError(
            "X is a DataLoader: pass its dataset, and batch_size= and iterator_train__num_workers= "
            "to the estimator; or write its batches to disk by noisyfit.memory_maps.map_rows."
        )
    if not isinstance(X, Dataset):
        return False
    if not hasattr(X, "__len__"):
        raise TypeError(f"X is {_named(X)} without a length; it needs __len__ and __getitem__.")
    return True


def _named(X: Any) -> str:
    name = type(X).__name__
    return f"{'an' if name[0] in 'AEIOUaeiou' else 'a'} {name}"


def labels_of(
    dataset: Any, loader_options: Mapping[str, Any] = MappingProxyType({})
) -> np.ndarray | None:
    """The labels (n,) of a data set: where it keeps them or else, fetched, the y of each item.

    None if its items have no y.
    """
    known = _known_labels(dataset)
    if known is not None:
        return known
    if not len(dataset) or not is_pair(dataset[0]):
        return None
    numbers = torch.arange(len(dataset)).split(ITEMS_AT_A_TIME)
    fetching = _Labels(dataset)
    if not loader_options:
        return np.concatenate([fetching[part] for part in numbers])
    loader = DataLoader(
        fetching,
        sampler=numbers,
        batch_size=None,
        collate_fn=_as_it_is,
        generator=torch.Generator(),
        **loader_options,
    )
    return np.concatenate(list(loader))


def _known_labels(dataset: Any) -> np.ndarray | None:
    """Labels that need no item to be fetched, where they are surely those of the items."""
    if isinstance(dataset, TensorDataset):
        return _vector(dataset.tensors[1]) if len(dataset.tensors) == 2 else None
    if isinstance(dataset, Subset):
        labels = _known_labels(dataset.dataset)
        return None if labels is None else labels[np.asarray(dataset.indices)]
    if isinstance(dataset, ConcatDataset):
        parts = [_known_labels(part) for part in dataset.datasets]
        found = [part for part in parts if part is not None]
        return np.concatenate(found) if len(found) == len(parts) else None
    if any(getattr(dataset, name, None) is not None for name in ("target_transform", "transforms")):
        return None  # items may have other labels
    for name in ("targets", "labels"):
        labels = _vector(getattr(dataset, name, None))
        if labels is not None and len(labels) == len(dataset):
            return labels
    return None


def _vector(values: Any) -> np.ndarray | None:
    if isinstance(values, torch.Tensor):
        values = values.detach().cpu().numpy()
    if not isinstance(values, np.ndarray | list | tuple):
        return None
    array = np.asarray(values)
    return array if array.ndim == 1 else None


class _Labels(Dataset):
    """Item ``numbers``, a tensor, is an array of the labels of those items."""

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset

    def __getitem__(self, numbers: torch.Tensor) -> np.ndarray:
        labels = []
        for number, item in zip(
            numbers.tolist(), take_items(self.dataset, numbers.tolist()), strict=True
        ):
            if not is_pair(item):
                raise ValueError(
                    f"item {number} of the Dataset has no label, but item 0 is (x, y)."
                )
            label = item[1]
            if isinstance(label, torch.Tensor):
                label = label.detach().cpu().numpy()
            if np.ndim(label):
                raise ValueError(
                    f"y of item {number} of the Dataset must be one label, got shape "
                    f"{np.shape(label)}."
                )
            labels.append(label.item() if isinstance(label, np.ndarray | np.generic) else label)
        return np.array(labels)


def _as_it_is(part: Any) -> Any:
    return part
