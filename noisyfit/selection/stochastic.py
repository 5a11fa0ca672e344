"""Stochastic greedy facility location, "lazier than lazy greedy".

Each step takes the best of a random sample of the candidates instead of the best of all [1]_. With
samples of ``(n / k) log(1 / epsilon)`` candidates, the expected objective is within a factor
``1 - 1/e - epsilon`` of the best one, for n log(1 / epsilon) evaluations in all, whatever k is.

An evaluation costs a row of the distance matrix, so that is ``log(1 / epsilon)`` passes over it,
2.3 at the default, against three to six of exact greedy selection as `greedy_medoids` does it; but
its steps follow one another, where those are made many at a time. So this pays for few medoids of
many points alone.

References
----------
.. [1] Mirzasoleiman, Badanidiyuru, Karbasi, Vondrak and Krause, "Lazier Than Lazy Greedy", AAAI
   2015, theorem 1. https://doi.org/10.1609/aaai.v29i1.9486
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch

from noisyfit._precision import accumulator_dtype
from noisyfit.selection.distances import MEMORY_BUDGET, ROUNDING, Distances
from noisyfit.selection.greedy import GreedyResult
from noisyfit.selection.inputs import (
    as_points,
    as_random_state,
    as_sample_weight,
    number_of_medoids,
    to_numpy,
    to_tensor,
)
from noisyfit.selection.objective import distance_bound


def stochastic_medoids(
    points: Any,
    k: int | float,
    *,
    epsilon: float = 0.1,
    sample_weight: Any = None,
    random_state: int | np.random.RandomState | np.random.Generator | None = None,
    memory_budget: int = MEMORY_BUDGET,
) -> GreedyResult:
    """Choose k medoids by stochastic greedy facility location.

    Parameters
    ----------
    points : array or tensor of shape (n, d)
        Gradients or other features of the rows.
    k : int or float
        Number of medoids, 1 to n, or share of the rows, in (0, 1].
    epsilon : float, default=0.1
        How much of the guarantee may be lost, in (0, 1): the smaller, the larger are the samples.
    sample_weight : array or tensor of shape (n,), default=None
        Weights of the rows in the objective. Rows of zero weight do not count, and become medoids
        (in the order of their indices) only when no other row is left.
    random_state : int, RandomState, Generator or None, default=None
        Draws the samples.
    memory_budget : int, default=2**30
        Bytes that distances may take up at a time.

    Returns
    -------
    result : GreedyResult
        The `indices` of the medoids and their `gains`, which need not fall.

    Raises
    ------
    ValueError
        If `points` is not a finite, non-empty matrix, k is not in 1 to n, or `epsilon` not in
        (0, 1).

    Examples
    --------
    >>> import numpy as np
    >>> from noisyfit.selection import stochastic_medoids
    >>> points = np.array([[0.0], [1.0], [2.0], [9.0], [10.0]])
    >>> stochastic_medoids(points, 2, random_state=0).indices
    array([2, 3])
    """
    tensor = as_points(points)
    n = len(tensor)
    k = number_of_medoids(k, n)
    if not 0 < epsilon < 1:
        raise ValueError(f"epsilon must lie between 0 and 1, got {epsilon}.")
    weights = as_sample_weight(sample_weight, n)
    random = as_random_state(random_state)
    present, absent = np.flatnonzero(weights), np.flatnonzero(weights == 0)
    tensor, weights = tensor[to_tensor(present, tensor)], weights[present]
    n_chosen = min(k, len(present))
    size = math.ceil(len(present) / n_chosen * math.log(1 / epsilon))

    exact_weights = to_tensor(weights, tensor).to(accumulator_dtype(tensor.device))
    bound = distance_bound(tensor, weights)
    nearest = torch.full_like(exact_weights, bound).to(tensor.dtype)
    distances = Distances(tensor, memory_budget=memory_budget)
    # A random order, whose first rows are those chosen, is as good as samples without repetition.
    order = np.arange(len(present))
    gains = np.zeros(k)
    for step in range(n_chosen):
        draw = step + random.choice(
            len(order) - step, size=min(size, len(order) - step), replace=False
        )
        draw.sort()
        values = []
        for rows in to_tensor(order[draw], tensor).split(distances.rows_per_block):
            closer = (nearest - distances.rows(rows)).clamp_(min=0)
            values.append(closer.to(exact_weights) @ exact_weights)
        value = torch.cat(values)
        # Of those equal up to rounding the one of the lowest index.
        equal = to_numpy(value >= value.max() * (1 - ROUNDING[tensor.dtype]))
        best = int(np.flatnonzero(equal)[order[draw][equal].argmin()])
        place = draw[best]
        order[[step, place]] = order[[place, step]]
        row = to_tensor(order[step : step + 1], tensor)
        nearest = torch.minimum(nearest, distances.rows(row)[0])
        gains[step] = float(value[best])
    indices = np.concatenate([present[order[:n_chosen]], absent])[:k]
    return GreedyResult(indices, gains)
