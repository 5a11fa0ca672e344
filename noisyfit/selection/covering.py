"""How far greedy facility location has got, and its first steps, which change most gains.

A `Covering` keeps, for the medoids chosen so far, every point's distance to its nearest medoid and
every candidate's gain: by how much it would lower the total distance. When a medoid is added, gains
change only through the points that it comes nearest to. For each of them the old contribution to a
candidate's gain, ``max(0, old - d)``, gives way to ``max(0, new - d)``: one row of the distance
matrix per point, taken from memory if the matrix fits and computed again by a matrix product if it
does not.

That is the way while medoids are few and each changes the gains of nearly all candidates. After
some ten medoids only few pairs are near enough to matter, and `noisyfit.selection.neighbourhoods`
goes on with those alone.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from noisyfit._precision import accumulator_dtype
from noisyfit.selection.distances import ROUNDING, Distances
from noisyfit.selection.neighbourhoods import SampleOfPairs


class Covering:
    """Medoids chosen so far, what they cover, and what every candidate would add.

    Attributes
    ----------
    nearest : tensor of shape (n,)
        Distance of each point to its nearest medoid.
    owner : tensor of int64, shape (n,)
        Index of that medoid.
    gains : tensor of float64, shape (n,)
        By how much each candidate would lower the weighted total distance; -inf for medoids.
    chosen : list of int
        Indices of the medoids.
    decreases : list of float
        By how much each lowered the total distance, taken as 0 before any.
    """

    def __init__(self, distances: Distances, weights: torch.Tensor, start: Sequence[int]) -> None:
        self.distances = distances
        self.weights = weights
        # Sums are kept in float64: late gains are tiny differences of large early ones.
        self.exact_weights = weights.to(accumulator_dtype(weights.device))
        self.chosen: list[int] = []
        self.decreases: list[float] = []
        self._sample: SampleOfPairs | None = None
        first = list(start) or [self._most_central()]
        self.nearest = self._row(first[0])
        self.owner = torch.full_like(weights, first[0], dtype=torch.long)
        self.chosen.append(first[0])
        self.decreases.append(-self._weighted(self.nearest))
        for medoid in first[1:]:
            self._note(medoid, self._row(medoid))
        self.gains = self._all_gains()
        self.gains[self.chosen] = -torch.inf
        self.tolerance = ROUNDING[weights.dtype] * float(self.gains.max().clamp_(min=0))

    def _most_central(self) -> int:
        totals = self.distances.totals(self.weights)
        tolerance = ROUNDING[self.weights.dtype] * totals.min()
        return int((totals <= totals.min() + tolerance).nonzero()[0])

    def _row(self, medoid: int) -> torch.Tensor:
        rows = torch.tensor([medoid], device=self.weights.device)
        return self.distances.rows(rows)[0]

    def _weighted(self, values: torch.Tensor) -> float:
        return float(self.exact_weights @ values.to(self.exact_weights))

    def _all_gains(self) -> torch.Tensor:
        """Sum over points of ``w_i (nearest_i - min(nearest_i, d_ij))`` for every candidate j."""
        left = self.distances.totals(self.weights, at_most=self.nearest)
        return self._weighted(self.nearest) - left

    def best(self) -> int:
        """Candidate of the largest gain; of those equal up to rounding, the lowest index."""
        return int((self.gains >= self.gains.max() - self.tolerance).nonzero()[0])

    def _note(self, medoid: int, distance: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Make `medoid` one; returns the points it comes nearest to, and their old distances."""
        points = (distance < self.nearest).nonzero()[:, 0]
        old = self.nearest[points]
        self.nearest = torch.minimum(self.nearest, distance)
        self.owner[points] = medoid
        self.chosen.append(medoid)
        closer = (old - self.nearest[points]).to(self.exact_weights)
        self.decreases.append(float(self.exact_weights[points] @ closer))
        return points, old

    def add(self, medoid: int) -> None:
        """Add a medoid and bring the gains up to date with whole rows of distances."""
        points, before = self._note(medoid, self._row(medoid))
        size = self.distances.rows_per_block
        for (rows, block), old in zip(
            self.distances.blocks(points), before.split(size), strict=True
        ):
            # What a candidate at distance d loses by it is old - min(old, max(new, d)).
            torch.maximum(block, self.nearest[rows, None], out=block)
            torch.minimum(block, old[:, None], out=block)
            self.gains += self.weights[rows] @ block
            self.gains -= self.exact_weights[rows] @ old.to(self.exact_weights)
        self.gains[medoid] = -torch.inf

    def forget(self) -> None:
        """Give back the memory of distances, which is not needed any more."""
        self._sample = None
        self.distances.forget()

    def share_of_near_pairs(self) -> float:
        """Estimate how many of all pairs (i, j) have ``d_ij < max(nearest_i, nearest_j)``."""
        if self._sample is None:
            self._sample = SampleOfPairs(self.distances, len(self.weights))
        return self._sample.share_within(self.nearest)
