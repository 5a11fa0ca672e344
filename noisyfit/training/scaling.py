"""Mean and scale by which the default network standardises its input columns."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from noisyfit._precision import in_double
from noisyfit.training.rows import DenseRows, Rows

# Components of few columns would be recognised by chance.
MINIMUM_COMPONENTS = 8
ROWS_LOOKED_AT = 4000
# Columns fall in norm when the rank correlation with their order is at most minus this.
FALLING = 0.95
# Mean squared cosine between columns that counts as none, beyond what so few rows show by chance.
ORTHOGONAL = 1e-3


def input_statistics(rows: Rows, weight: np.ndarray) -> tuple[Tensor, Tensor] | None:
    """Weighted mean and scale of each column; None where columns can't be standardised.

    The scale is the column's standard deviation. Principal components (columns of PCA or
    TruncatedSVD) share one scale instead: their spread is what tells signal from noise, and
    dividing each by its own would give the last component the say of the first.
    """
    statistics = rows.mean_and_scale(weight)
    if statistics is None:
        return None
    mean, scale = statistics
    if are_principal_components(rows, mean):
        scale = torch.full_like(scale, float(scale.square().mean().sqrt()))
    return mean, scale


def are_principal_components(rows: Rows, mean: Tensor) -> bool:
    """Whether the columns are orthogonal, centred or not, and of falling norm.

    Looks at some thousand rows, evenly spread.
    """
    n_columns = len(mean)
    if not isinstance(rows, DenseRows) or n_columns < MINIMUM_COMPONENTS:
        return False
    numbers = np.unique(np.linspace(0, len(rows) - 1, ROWS_LOOKED_AT).astype(np.int64))
    sample = in_double(rows.take(torch.from_numpy(numbers)))
    return any(_fall_and_are_orthogonal(part) for part in (sample - mean, sample))


def _fall_and_are_orthogonal(columns: Tensor) -> bool:
    n_rows, n_columns = columns.shape
    norms = columns.norm(dim=0)
    if not bool((norms > 0).all()) or len(columns) <= n_columns:
        return False
    ranks = norms.argsort().argsort().double()
    order = torch.arange(n_columns, dtype=ranks.dtype, device=ranks.device)
    falling = -torch.corrcoef(torch.stack([ranks, order]))[0, 1]
    directions = columns / norms
    # The squares of all cosines add up to those of the (n_columns, n_columns) products.
    squares = (directions.T @ directions).square().sum() - n_columns
    mean_square = float(squares) / (n_columns * (n_columns - 1))
    return float(falling) >= FALLING and mean_square <= ORTHOGONAL + 2 / n_rows
