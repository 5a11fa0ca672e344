"""Principal components of sparse rows, which the default network looks at instead of the columns.

A network on tens of thousands of word columns has weights for every word and memorises wrong labels
by rare words within few epochs. The leading components hold what many rows have in common.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse
from sklearn.utils.extmath import randomized_svd

COMPONENTS = 256
# Of so many rows for each component, at least, can the components be told from noise.
_ROWS_PER_COMPONENT = 4
# Hashed words leave most columns empty; directions that say nothing of so many are kept sparse.
_EMPTY_SHARE = 0.5


def principal_directions(features: Any, weight: np.ndarray) -> Any:
    """Leading right singular vectors of sparse rows, each row counted by its weight.

    Parameters
    ----------
    features : CSR matrix of shape (n, columns)
    weight : ndarray of shape (n,)

    Returns
    -------
    directions : ndarray or CSR matrix of shape (columns, components), or None
        At most `COMPONENTS` of them, in the precision of the features; sparse where most columns
        are empty; None where there are not even twice as many columns, or rows are dense.
    """
    if not scipy.sparse.issparse(features) or features.shape[1] <= 2 * COMPONENTS:
        return None
    used = np.flatnonzero(weight)
    root = scipy.sparse.diags(np.sqrt(weight[used] / weight[used].mean()))
    rows = scipy.sparse.csr_matrix(root @ features[used], dtype=features.dtype)
    occurring = np.unique(rows.indices)
    hashed = len(occurring) < (1 - _EMPTY_SHARE) * rows.shape[1]
    if hashed:
        rows = rows[:, occurring]
    count = min(COMPONENTS, max(1, len(used) // _ROWS_PER_COMPONENT), rows.shape[1])
    _, _, found = randomized_svd(rows, n_components=count, random_state=0)
    directions = np.ascontiguousarray(found.T, dtype=features.dtype)
    return _spread(directions, occurring, features.shape[1]) if hashed else directions


def _spread(directions: np.ndarray, rows: np.ndarray, n_rows: int) -> Any:
    """CSR matrix of ``n_rows`` that holds the rows of ``directions`` at the numbers ``rows``."""
    starts = np.zeros(n_rows + 1, dtype=np.int64)
    starts[rows + 1] = directions.shape[1]
    columns = np.tile(np.arange(directions.shape[1], dtype=np.int64), len(rows))
    shape = (n_rows, directions.shape[1])
    return scipy.sparse.csr_matrix((directions.ravel(), columns, starts.cumsum()), shape=shape)


def project(features: Any, directions: Any) -> np.ndarray:
    """Dense (n, components) product of sparse rows and directions, in the rows' precision."""
    if scipy.sparse.issparse(directions):  # all entries of a row, or none
        occurring = np.flatnonzero(np.diff(directions.indptr))
        features = features[:, occurring]
        directions = directions.data.reshape(len(occurring), -1)
    return features @ directions.astype(features.dtype, copy=False)
