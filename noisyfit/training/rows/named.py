"""Rows that consist of several named arrays, the keywords of a module's forward."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from noisyfit.training.rows.base import Features, RowForm, Rows
from noisyfit.training.rows.dataset import DatasetItems
from noisyfit.training.rows.dense import DenseRows
from noisyfit.training.rows.mapped import ConvertedMap, is_mapped


class NamedRows(Rows):
    """Arrays by name that have one entry per row each, or the items of a data set that are dicts.

    Batches are dicts of tensors. So a Hugging Face encoder is fed, by ``input_ids`` and
    ``attention_mask``.
    """

    def __init__(
        self, source: dict[str, np.ndarray | ConvertedMap] | DatasetItems, device: torch.device
    ) -> None:
        self.device = device
        self.parts: dict[str, DenseRows] = {}
        self.items: DatasetItems | None = None
        if isinstance(source, DatasetItems):
            self.items = source
            self.loader_options = source.loader_options
            self.names = tuple(source.row_shapes)
        else:
            # Beside a memory map all stay in ordinary memory: rows have one place.
            on_disk = any(isinstance(a, ConvertedMap) or is_mapped(a) for a in source.values())
            place = torch.device("cpu") if on_disk else device
            self.parts = {name: DenseRows(array, place) for name, array in source.items()}
            self.names = tuple(source)
        n_rows = len(next(iter(self.parts.values()))) if self.items is None else len(self.items)
        self.shape = (n_rows,)

    @property
    def form(self) -> RowForm:
        """What the rows are like."""
        return RowForm("named", names=self.names)

    @property
    def index_device(self) -> torch.device:  # noqa: D102
        if self.items is not None:
            return torch.device("cpu")
        return next(iter(self.parts.values())).index_device

    def fetch(self, index: Tensor) -> Features:  # noqa: D102
        if self.items is not None:
            return self.items.read(index)
        return {name: part.fetch(index) for name, part in self.parts.items()}

    def pad(self, batch: Features, size: int) -> Features:
        """Append copies of the first row: an empty one could have nothing to attend to."""
        missing = size - len(next(iter(batch.values())))
        if not missing:
            return batch
        return {
            name: torch.cat([values, values[:1].expand(missing, *values.shape[1:])])
            for name, values in batch.items()
        }

    def mix(self, first: Features, second: Features, share: Tensor) -> Features:
        """Refuse: there is nothing between two words."""
        raise ValueError(
            f"mixup can't combine rows of named arrays ({', '.join(self.names)}); use mixup=0."
        )

    def mean_and_scale(self, weight: np.ndarray) -> None:
        """None: the arrays are the module's own business."""
        return None
