"""The features of a data set, in whatever form, as rows from which batches are cut."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse
import torch

from noisyfit.training.rows.base import Features, RowForm, Rows, apply_module, moved
from noisyfit.training.rows.channels import channel_axis
from noisyfit.training.rows.dataset import DatasetItems, is_pair, take_items
from noisyfit.training.rows.dense import DenseRows
from noisyfit.training.rows.image import ImageRows
from noisyfit.training.rows.mapped import ConvertedMap, is_mapped, needs_conversion
from noisyfit.training.rows.named import NamedRows
from noisyfit.training.rows.sparse import SparseRows

__all__ = [
    "DatasetItems",
    "DenseRows",
    "Features",
    "ImageRows",
    "NamedRows",
    "RowForm",
    "Rows",
    "SparseRows",
    "apply_module",
    "are_images",
    "as_rows",
    "channel_axis",
    "is_mapped",
    "is_pair",
    "kept_type",
    "moved",
    "needs_conversion",
    "take_items",
]


def are_images(features: Any, *, by_default: bool = False) -> bool:
    """Whether validated features are images: bytes of three or four dimensions.

    With ``by_default``, where no module of the user's has a say, so are numbers of four dimensions
    one of which is that of channels.
    """
    if not isinstance(features, np.ndarray | DatasetItems) or channel_axis(features.shape) is None:
        return False
    return features.dtype == np.uint8 or (by_default and len(features.shape) == 4)


def as_rows(
    features: Any,
    device: torch.device,
    dtype: torch.dtype = torch.float32,
    autocast: torch.dtype | None = None,
    *,
    by_default: bool = False,
) -> Rows:
    """Rows of a validated numpy array, scipy sparse matrix, dict of arrays or Dataset's items.

    ``dtype`` is what bytes become, and the numbers of memory maps; ``autocast`` is as in
    `apply_module`, ``by_default`` as in
    `are_images`.
    """
    rows = _in_their_form(features, device, dtype, by_default=by_default)
    rows.autocast = autocast
    return rows


def _in_their_form(
    features: Any, device: torch.device, dtype: torch.dtype, *, by_default: bool
) -> Rows:
    if isinstance(features, dict):
        parts = {name: _readable(array, dtype, named=True) for name, array in features.items()}
        return NamedRows(parts, device)
    if isinstance(features, DatasetItems) and features.is_named:
        return NamedRows(features, device)
    if scipy.sparse.issparse(features):
        return SparseRows(features, device)
    if are_images(features, by_default=by_default):
        kept = features if features.dtype == np.uint8 else _readable(features, dtype)
        return ImageRows(kept, device, dtype)
    return DenseRows(_readable(features, dtype), device)


def _readable(features: Any, dtype: torch.dtype, *, named: bool = False) -> Any:
    """The same or, of a memory map of another type, what converts batches of it."""
    if not is_mapped(features):
        return features
    wanted = kept_type(features.dtype, str(dtype).removeprefix("torch."), named=named)
    return ConvertedMap(features, wanted) if needs_conversion(features, wanted) else features


def kept_type(dtype: np.dtype, wanted: str, *, named: bool = False) -> Any:
    """What numbers of a type become: ``wanted`` but, of named arrays, whole numbers stay whole."""
    if named and dtype.kind in "bui":
        return np.dtype(bool if dtype.kind == "b" else np.int64)
    return np.dtype(wanted)
