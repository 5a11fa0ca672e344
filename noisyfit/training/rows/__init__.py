"""The features of a data set, in whatever form, as rows from which batches are cut."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse
import torch

from noisyfit.training.rows.base import Features, RowForm, Rows, apply_module
from noisyfit.training.rows.dense import DenseRows
from noisyfit.training.rows.image import ImageRows, channel_axis
from noisyfit.training.rows.named import NamedRows
from noisyfit.training.rows.sparse import SparseRows

__all__ = [
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
]


def are_images(features: Any, *, by_default: bool = False) -> bool:
    """Whether validated features are images: bytes of three or four dimensions.

    With ``by_default``, where no module of the user's has a say, so are numbers of four dimensions
    one of which is that of channels.
    """
    if not isinstance(features, np.ndarray) or channel_axis(features.shape) is None:
        return False
    return features.dtype == np.uint8 or (by_default and features.ndim == 4)


def as_rows(
    features: Any,
    device: torch.device,
    dtype: torch.dtype = torch.float32,
    autocast: torch.dtype | None = None,
    *,
    by_default: bool = False,
) -> Rows:
    """Rows of a validated numpy array, scipy sparse matrix or dict of arrays.

    ``dtype`` is what bytes become, ``autocast`` as in `apply_module`, ``by_default`` as in
    `are_images`.
    """
    rows = _in_their_form(features, device, dtype, by_default=by_default)
    rows.autocast = autocast
    return rows


def _in_their_form(
    features: Any, device: torch.device, dtype: torch.dtype, *, by_default: bool
) -> Rows:
    if isinstance(features, dict):
        return NamedRows(features, device)
    if scipy.sparse.issparse(features):
        return SparseRows(features, device)
    if are_images(features, by_default=by_default):
        return ImageRows(features, device, dtype)
    return DenseRows(features, device)
