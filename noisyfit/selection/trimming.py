"""Trimming: leaving out, group by group, the rows whose gradients are farthest from zero.

A correctly labelled row that the network predicts well has a gradient near zero, so the norm of the
gradient ranks rows by trustworthiness; what share of them to keep has to come from elsewhere. This
works on one number per row and therefore in numpy, wherever the norms come from.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from noisyfit.selection.inputs import (
    FloatVector,
    as_codes,
    as_points,
    as_sample_weight,
    check_real,
    rows_by_code,
    to_numpy,
)


def keep_smallest(
    norms: Any,
    share: Any,
    groups: Any = None,
    *,
    sample_weight: Any = None,
    minimum: float = 4,
) -> NDArray[np.bool_]:
    """Mark the rows of smallest norm, up to a share of each group.

    Of a group of n rows the ``min(n, max(minimum, round(share * n)))`` smallest are kept, and all
    rows tied with the last of them. A row of integer weight w counts exactly as w copies of it.

    Parameters
    ----------
    norms : array or tensor of shape (n,)
        Norms of the gradients, or any score that is small for trustworthy rows.
    share : float or array of shape (G,)
        Share of each group's total weight to keep, in [0, 1]: one for all groups, or one for each
        group code 0 to G - 1.
    groups : array or tensor of int, shape (n,), default=None
        Non-negative group codes, for example the given labels; None makes one group of all rows.
    sample_weight : array or tensor of shape (n,), default=None
        How many rows each row stands for; one by default. Scale weights that are not counts to a
        mean of one, because `minimum` and rounding are in units of rows. Rows of zero weight are
        never kept.
    minimum : float, default=4
        Weight to keep in each group at least (the whole group, if it has less).

    Returns
    -------
    kept : ndarray of bool, shape (n,)

    Raises
    ------
    ValueError
        If a share lies outside [0, 1], there are fewer shares than groups, `minimum` is negative,
        or shapes do not match.

    Examples
    --------
    >>> import numpy as np
    >>> from noisyfit.selection import keep_smallest
    >>> norms = np.array([0.1, 0.9, 0.5, 0.2, 0.3, 1.2])
    >>> keep_smallest(norms, 0.5, groups=np.array([0, 0, 0, 0, 1, 1]), minimum=1)
    array([ True, False, False,  True,  True, False])
    """
    values = as_points(norms, "norms", ndim=1).cpu().numpy()
    n = len(values)
    codes = np.zeros(n, dtype=np.int64) if groups is None else as_codes(groups, n, "groups")
    if np.ndim(share) == 0 and codes.max() >= n:  # one cut for each code would fill the memory
        codes = np.unique(codes, return_inverse=True)[1]
    shares = _check_shares(share, int(codes.max()) + 1)
    if not check_real(minimum, "minimum") >= 0:
        raise ValueError(f"minimum must not be negative, got {minimum}.")
    weights = None if sample_weight is None else as_sample_weight(sample_weight, n)

    cuts = np.full(len(shares), -np.inf)
    for group, rows in rows_by_code(codes, None if weights is None else weights > 0):
        weight = float(len(rows)) if weights is None else float(weights[rows].sum())
        target = min(weight, max(minimum, np.rint(shares[group] * weight)))
        if target > 0:
            row_weights = None if weights is None else weights[rows]
            cuts[group] = _cut(values[rows], row_weights, target)
    kept = values <= cuts[codes]
    return kept if weights is None else kept & (weights > 0)


def _cut(values: np.ndarray, weights: FloatVector | None, target: float) -> float:
    """Return the smallest value up to which the rows weigh at least `target`."""
    if weights is None:
        last = int(np.ceil(target)) - 1
        return float(np.partition(values, last)[last])
    order = np.argsort(values)
    cumulative = np.cumsum(weights[order])
    # Sums of fractional weights are rounded: hardly short of the target is not short of it.
    last = int(np.searchsorted(cumulative, target * (1 - 1e-12)))
    return float(values[order[min(last, len(order) - 1)]])


def _check_shares(share: Any, n_groups: int) -> FloatVector:
    given = to_numpy(share)
    if given.dtype.kind not in "fiub":
        raise TypeError(f"share must be a number, or one for each group, got {share!r}.")
    shares = given.astype(np.float64)
    if shares.ndim == 0:
        shares = np.full(n_groups, shares)
    if shares.ndim != 1 or len(shares) < n_groups:
        raise ValueError(
            f"share must be a number or have one entry for each of the {n_groups} group codes, "
            f"got shape {shares.shape}."
        )
    if not ((shares >= 0) & (shares <= 1)).all():
        raise ValueError(f"share must lie in [0, 1], got {share}.")
    return shares
