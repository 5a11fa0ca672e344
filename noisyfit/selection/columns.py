"""Greedy column subset selection: the rows whose gradients best span all gradients.

A low-rank baseline for CRUST: choose examples such that projecting the Jacobian on the span of
their gradients loses least of its Frobenius norm. Examples are the Jacobian's columns, rows here.

Each step adds the row of the largest ``|R^T r|^2 / |r|^2``, with r its own residual and R those of
all rows [1]_. As only a row's direction counts, short rows are chosen as readily as long ones. With
d columns a step costs O(n d): numerators and denominators are updated. The next direction u is
orthogonal to all before, and so has the same inner product with a row as with the row's residual;
residuals are formed only of rows whose numbers have lost digits to cancellation.

There is no lazy evaluation. The objective is not submodular: a row's score may rise when another
row is chosen, so that old scores are no upper bounds of new ones. A bound that does hold, with
numerator ``(|R^T r| + |r.u| |R^T u|)^2``, needs r.u of every row, half of what exact scores cost.

Guarantee [2]_: to explain 1 - ε of what the best k rows explain of the squared Frobenius norm,
``16 k / (ε s)`` greedy rows are enough, where s is the smallest squared singular value of those
best rows scaled to unit length. That holds for weighted rows too, but not for sketches of rows.

References
----------
.. [1] Farahat, Ghodsi and Kamel, "An Efficient Greedy Method for Unsupervised Feature Selection",
   ICDM 2011. https://doi.org/10.1109/ICDM.2011.22
.. [2] Altschuler, Bhaskara, Fu, Mirrokni, Rostamizadeh and Zadimoghaddam, "Greedy Column Subset
   Selection: New Bounds and Distributed Algorithms", ICML 2016. https://arxiv.org/abs/1605.08795
"""

from __future__ import annotations

from math import prod
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
import torch

from noisyfit._precision import accumulator_dtype
from noisyfit.selection.inputs import (
    FloatVector,
    IndexVector,
    Random,
    as_points,
    as_random_state,
    as_sample_weight,
    check_k,
    to_tensor,
)

#: Columns of the sketch that stands for outer products of gradients and features.
SKETCH_SIZE = 512

# By the precision of the input: residuals below this share of a row's norm, or of all rows' norm,
# are zero up to rounding (which choosing rows of small residual magnifies); scores that differ by a
# smaller share than this are equal.
_NOTHING_LEFT = {torch.float32: 1e-5, torch.float64: 1e-8}
_EQUAL = {torch.float32: 1e-6, torch.float64: 1e-10}

# Numerators and denominators are computed anew when updates have left only this share of them.
_CANCELLED = 1e-2


class ColumnSubset(NamedTuple):
    """Rows in the order of their selection, and what each explained.

    Attributes
    ----------
    indices : ndarray of int64, shape (k,)
    gains : ndarray of float64, shape (k,)
        By how much each lowered the weighted squared Frobenius norm of the residual.
    """

    indices: IndexVector
    gains: FloatVector


def column_subset(
    gradients: Any,
    k: int,
    *,
    features: Any = None,
    sketch_size: int | None = None,
    sample_weight: Any = None,
    random_state: int | np.random.RandomState | np.random.Generator | None = None,
) -> ColumnSubset:
    """Choose k rows whose span is nearest to all rows, by greedy column subset selection.

    When those chosen span all rows up to rounding, which takes as many as the rank, the choice
    starts again: among the rows not chosen yet, against all rows as they were, as often as needed.
    Gains start again too: from one start to the next they sum to the decrease of the squared norm.

    Parameters
    ----------
    gradients : array or tensor of shape (n, d)
        Gradients of the rows with respect to the logits, say: see `logit_gradients`.
    k : int
        Number of rows, 1 to n.
    features : array or tensor of shape (n, h), default=None
        Inputs of the last layer. A row then stands for its gradient with respect to the weights of
        that layer: the outer product of its gradient and its features, d * h entries.
    sketch_size : int, default=None
        Number of random projections that stand for a row if it has more entries. None is 512 with
        `features`, and no sketch without. Gains are then of the sketch: estimates of the true ones.
    sample_weight : array or tensor of shape (n,), default=None
        Weights of the rows' squared errors; one each by default. Rows of zero weight do not count,
        and are chosen (in the order of their indices) only when no other row is left.
    random_state : int, RandomState, Generator or None, default=None
        Used by sketches only; None draws another sketch at every call.

    Returns
    -------
    subset : ColumnSubset
        The `indices` of the rows and their `gains`. The first rows of a larger k are those of a
        smaller one. Of rows equally good up to rounding the lowest index is chosen. Rows of zeros
        come after all others of positive weight, in the order of their indices, and gain nothing.

    Raises
    ------
    ValueError
        If `gradients` or `features` is not a finite, non-empty matrix, their numbers of rows
        differ, k is not in 1 to n, or `sketch_size` is no positive integer.

    Notes
    -----
    Rows are sketched by Gaussian projections and outer products by products of two. Their inner
    products are right in expectation, with errors of about ``1 / sqrt(sketch_size)`` of the norms.

    Examples
    --------
    >>> import numpy as np
    >>> from noisyfit.selection.columns import column_subset
    >>> gradients = np.array([[3.0, 0.0], [3.0, 0.0], [1.0, 1.0], [0.0, 2.0]])
    >>> indices, gains = column_subset(gradients, 4)
    >>> indices, gains.round(6)
    (array([0, 2, 1, 3]), array([19.,  5., 19.,  5.]))
    """
    factors = [as_points(gradients, "gradients")]
    n = len(factors[0])
    k = check_k(k, n)
    if features is not None:
        factors.append(as_points(features, "features").to(factors[0].device))
        if len(factors[1]) != n:
            raise ValueError(f"features must have the {n} rows of gradients: {len(factors[1])}.")
    weights = as_sample_weight(sample_weight, n)
    if sketch_size is not None and (not isinstance(sketch_size, Integral) or sketch_size < 1):
        raise ValueError(f"sketch_size must be a positive integer or None, got {sketch_size!r}.")
    matrix, scale = _represent(factors, sketch_size, _generator(random_state))
    rounding, equal = (max(of[t.dtype] for t in factors) for of in (_NOTHING_LEFT, _EQUAL))

    norms = torch.linalg.vector_norm(matrix, dim=1)
    # Rows that can explain something, rows of zeros, rows of zero weight: in this order.
    place = np.where(weights > 0, (norms == 0).cpu().numpy(), 2)
    indices, gains = np.argsort(place, kind="stable"), np.zeros(n)
    useful = np.flatnonzero(place == 0)
    if len(useful):
        rows = to_tensor(useful, matrix)
        lengths = norms[rows] * to_tensor(np.sqrt(weights[useful] / weights.max()), norms)
        directions = matrix[rows] / norms[rows, None]
        chosen = _choose(directions, lengths, min(k, len(useful)), rounding, equal)
        indices[: len(chosen)], gains[: len(chosen)] = useful[list(chosen)], list(chosen.values())
    with np.errstate(over="ignore"):
        gains = gains[:k] * weights.max() * scale * scale
    if not np.isfinite(gains).all():
        raise ValueError("gradients are too large for squares; divide them by their maximum.")
    return ColumnSubset(indices[:k], gains)


def _choose(
    directions: torch.Tensor, lengths: torch.Tensor, k: int, rounding: float, equal: float
) -> dict[int, float]:
    """Choose k rows, given as unit vectors and weighted lengths; what each gained, in order."""
    target = directions * lengths[:, None]
    if len(target) > target.shape[1]:
        target = torch.linalg.qr(target, mode="r").R  # d rows for n: R^T R is all that counts
    directions = directions.T.contiguous()  # the layout in which products with vectors are fast
    left = torch.arange(len(lengths), device=lengths.device)
    chosen: dict[int, float] = {}
    while len(chosen) < k:
        once = _choose_once(directions[:, left].T, target, k - len(chosen), rounding, equal)
        chosen.update(zip(left[list(once)].tolist(), once.values(), strict=True))
        left = left[~torch.isin(left, left[list(once)])]
    return chosen


def _choose_once(
    rows: torch.Tensor, target: torch.Tensor, k: int, rounding: float, equal: float
) -> dict[int, float]:
    """Choose 1 to k of the unit vectors `rows` (n, d), overwriting them, until nothing is left."""
    basis = target.new_zeros((target.shape[1], 0))
    numerators = (rows @ target.T).square().sum(dim=1)
    squares = torch.ones_like(numerators)
    known, energy = squares.clone(), float(target.square().sum())  # squares when last computed
    nothing, last_energy = rounding**2 * energy, energy
    chosen: dict[int, float] = {}
    while len(chosen) < k:
        scores = torch.where(squares > rounding**2, numerators / squares, -torch.inf)
        best = float(scores.max())
        if best == -torch.inf or (chosen and energy <= nothing):
            break
        row = int((scores >= best - equal * abs(best)).nonzero()[0])
        residual = _residual(rows[row], basis)
        direction = residual / torch.linalg.vector_norm(residual)
        shares = target @ direction
        along, mixed = rows @ direction, rows @ (shares @ target)
        chosen[row] = gain = float(shares @ shares)
        numerators += along * (along * gain - 2 * mixed)
        squares -= along.square()
        squares[row] = known[row] = 0
        target = torch.addr(target, shares, direction, alpha=-1)
        basis = torch.cat([basis, direction[:, None]], dim=1)

        energy = float(target.square().sum())
        anew = known > rounding**2
        if energy > _CANCELLED * last_energy:
            anew &= squares < _CANCELLED * known
        else:  # all numerators have become small
            last_energy = energy
        which = anew.nonzero()[:, 0]
        rows[which] = residuals = _residual(rows[which], basis)
        numerators[which] = (residuals @ target.T).square().sum(dim=1)
        squares[which] = known[which] = residuals.square().sum(dim=1)
    return chosen


def _residual(rows: torch.Tensor, basis: torch.Tensor) -> torch.Tensor:
    return rows - (rows @ basis) @ basis.T


def _represent(
    factors: list[torch.Tensor], size: int | None, random: Any
) -> tuple[torch.Tensor, float]:
    """Return rows or outer products of rows, sketched or not, and a scale to multiply by."""
    # Entries are made at most one, as squares of large ones would overflow.
    scales = [float(factor.abs().max()) or 1.0 for factor in factors]
    scaled = [f.to(accumulator_dtype(f.device)) / s for f, s in zip(factors, scales, strict=True)]
    width = prod(factor.shape[1] for factor in factors)
    size = size or (width if len(factors) == 1 else SKETCH_SIZE)
    product = torch.ones_like(scaled[0][:, :1])
    for factor in scaled:
        if width > size:
            draws = random.standard_normal((factor.shape[1], size))
            product = product * (factor @ to_tensor(draws, factor))
        else:
            product = (product[:, :, None] * factor[:, None, :]).flatten(start_dim=1)
    return product / (size**0.5 if width > size else 1.0), prod(scales)


def _generator(random_state: Any) -> Random:
    # For None scikit-learn returns the global generator, which is to be left alone.
    return np.random.default_rng() if random_state is None else as_random_state(random_state)
