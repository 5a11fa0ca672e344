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


def principal_directions(features: Any, weight: np.ndarray) -> np.ndarray | None:
    """Leading right singular vectors of sparse rows, each row counted by its weight.

    Parameters
    ----------
    features : CSR matrix of shape (n, columns)
    weight : ndarray of shape (n,)

    Returns
    -------
    directions : ndarray of shape (columns, components), or None
        At most `COMPONENTS` of them, in the precision of the features; None where there are not
        even twice as many columns, or rows are dense.
    """
    if not scipy.sparse.issparse(features) or features.shape[1] <= 2 * COMPONENTS:
        return None
    used = np.flatnonzero(weight)
    root = scipy.sparse.diags(np.sqrt(weight[used] / weight[used].mean()))
    rows = scipy.sparse.csr_matrix(root @ features[used], dtype=features.dtype)
    count = min(COMPONENTS, max(1, len(used) // _ROWS_PER_COMPONENT))
    _, _, directions = randomized_svd(rows, n_components=count, random_state=0)
    return np.ascontiguousarray(directions.T, dtype=features.dtype)
