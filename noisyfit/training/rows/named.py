"""Rows that consist of several named arrays, the keywords of a module's forward."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from noisyfit.training.rows.base import Features, RowForm, Rows
from noisyfit.training.rows.dense import DenseRows


class NamedRows(Rows):
    """Arrays by name that have one entry per row each; batches are dicts of tensors.

    So a Hugging Face encoder is fed, by ``input_ids`` and ``attention_mask``.
    """

    def __init__(self, arrays: dict[str, np.ndarray], device: torch.device) -> None:
        self.parts = {name: DenseRows(array, device) for name, array in arrays.items()}
        self.device = device
        self.shape = (len(next(iter(self.parts.values()))),)

    @property
    def form(self) -> RowForm:
        """What the rows are like."""
        return RowForm("named", names=tuple(self.parts))

    def take(self, index: Tensor) -> Features:  # noqa: D102
        return {name: part.take(index) for name, part in self.parts.items()}

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
            f"mixup can't combine rows of named arrays ({', '.join(self.parts)}); use mixup=0."
        )

    def mean_and_scale(self, weight: np.ndarray) -> None:
        """None: the arrays are the module's own business."""
        return None
