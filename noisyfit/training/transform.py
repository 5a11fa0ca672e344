"""The user's change of training batches: augmentation."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from noisyfit.training.rows import Features


def apply_transform(transform: Any, batch: Features) -> Features:
    """A batch as ``transform`` gives it, which must leave its rows in their places."""
    changed = transform(batch)
    if type(changed) is not type(batch) or (
        isinstance(batch, Tensor) and (len(changed) != len(batch) or changed.dtype != batch.dtype)
    ):
        wanted, found = _describe(batch), _describe(changed)
        raise ValueError(
            "train_transform must give a batch of the same rows and type as it was given, "
            f"{wanted}; got {found}."
        )
    return changed


def _describe(batch: Any) -> str:
    if isinstance(batch, Tensor):
        return f"{batch.dtype} of shape {tuple(batch.shape)}"
    return type(batch).__name__
