"""The pairs of points that still matter to a greedy selection.

Once some medoids are chosen, a candidate j gains only through the points i with
``d_ij < nearest_i``: a few for each candidate, where all pairs would be n times n.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from noisyfit.selection.distances import Blocks, Distances

# Bytes that a listed pair takes up in float32: a point's number and a distance.
_BYTES_PER_PAIR = 8

# Points from which the share of near pairs is estimated.
_SAMPLE = 64

# Long lists are gone through in parts of about this many pairs.
_PAIRS_AT_A_TIME = 2**17


def most_pairs(memory_budget: int) -> float:
    """How many pairs may be listed: a quarter of the budget, as there are temporary copies."""
    return memory_budget / 4 / _BYTES_PER_PAIR


class SampleOfPairs:
    """Distances from some points, evenly spread, by which near pairs are counted beforehand."""

    def __init__(self, distances: Distances, n: int) -> None:
        device = distances.device
        self._rows = torch.arange(0, n, max(1, n // _SAMPLE), device=device)
        self._distances = distances.rows(self._rows)

    def share_within(self, nearest: torch.Tensor) -> float:
        """Estimate how many of all pairs (i, j) have ``d_ij < max(nearest_i, nearest_j)``."""
        reach = torch.maximum(nearest[self._rows, None], nearest[None])
        return len(where_less(self._distances, reach)) / reach.numel()


class Neighbourhoods:
    """For each point i the points j with ``d_ij < max(nearest_i, nearest_j)``, and the distances.

    The condition is symmetric, so the list of i serves both as the candidates from which i would
    profit and, if i is a candidate, as the points that would profit from it.
    """

    def __init__(self, starts: torch.Tensor, others: torch.Tensor, distances: torch.Tensor) -> None:
        self.starts = starts
        self.others = others
        self.distances = distances

    @classmethod
    def within(cls, distances: Distances, nearest: torch.Tensor) -> Neighbourhoods:
        """Collect the pairs of all points, in blocks."""
        n = len(nearest)

        def collect(blocks: Blocks) -> tuple[torch.Tensor, ...]:
            counts, others, kept = [], [], []
            with distances.block() as memory:
                for rows, block in blocks:
                    reach = memory[: len(rows)]
                    torch.maximum(nearest[rows, None], nearest[None], out=reach)
                    places = where_less(block, reach)
                    edges = torch.arange(len(rows) + 1, device=rows.device) * n
                    ends = torch.searchsorted(places, edges)
                    counts.append(ends.diff())
                    others.append((places - torch.repeat_interleave(edges[:-1], counts[-1])).int())
                    kept.append(block.view(-1).index_select(0, places))
            return torch.cat(counts), torch.cat(others), torch.cat(kept)

        parts = distances.in_parts(collect)
        starts = torch.zeros(n + 1, dtype=torch.long, device=nearest.device)
        torch.cumsum(torch.cat([counts for counts, _, _ in parts]), dim=0, out=starts[1:])
        joined = torch.cat([others for _, others, _ in parts])
        return cls(starts, joined, torch.cat([kept for _, _, kept in parts]))

    @classmethod
    def side_by_side(cls, parts: list[Neighbourhoods]) -> Neighbourhoods:
        """Lists of several groups of points as one, numbered through."""
        if len(parts) == 1:
            return parts[0]
        starts, others, row, pair = [], [], 0, 0
        for part in parts:
            starts.append(part.starts[:-1] + pair)
            others.append(part.others + row)
            row += len(part.starts) - 1
            pair += len(part.others)
        starts.append(starts[0].new_tensor([pair]))
        return cls(
            torch.cat(starts), torch.cat(others), torch.cat([part.distances for part in parts])
        )

    def of(self, rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """``(position in rows, other point, distance)`` of every pair of these rows."""
        starts = self.starts[rows]
        counts = self.starts[rows + 1] - starts
        ends = counts.cumsum(0)
        position = torch.repeat_interleave(torch.arange(len(rows), device=rows.device), counts)
        place = torch.arange(len(position), device=rows.device)
        place += (starts - ends + counts)[position]
        return (
            position,
            self.others.index_select(0, place).long(),
            self.distances.index_select(0, place),
        )

    def chunks(self) -> Iterator[tuple[int, torch.Tensor, slice]]:
        """Yield ``(first row, each pair's row counted from it, the pairs)``, part by part."""
        starts = self.starts
        counts = starts.diff()
        first, n = 0, len(counts)
        while first < n:
            limit = starts[first] + _PAIRS_AT_A_TIME
            last = max(first + 1, int(torch.searchsorted(starts, limit, right=True)) - 1)
            rows = torch.arange(last - first, device=starts.device)
            pairs = slice(int(starts[first]), int(starts[last]))
            yield first, torch.repeat_interleave(rows, counts[first:last]), pairs
            first = last

    def gains(self, nearest: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        """Every candidate's gain, ``sum of w_i max(0, nearest_i - d_ij)``, added up anew."""
        gains = torch.zeros_like(weights)
        for first, rows, pairs in self.chunks():
            closer = nearest[first:].index_select(0, rows).to(gains)
            closer.sub_(self.distances[pairs]).clamp_(min=0)
            closer *= weights[first:].index_select(0, rows)
            gains += torch.bincount(self.others[pairs], closer, minlength=len(gains))
        return gains

    def shorten(self, nearest: torch.Tensor) -> None:
        """Leave out the pairs that no longer matter, in place."""
        counts, end = [], 0
        for first, rows, pairs in self.chunks():
            others, distances = self.others[pairs], self.distances[pairs]
            reach = torch.maximum(
                nearest[first:].index_select(0, rows), nearest.index_select(0, others)
            )
            kept = where_less(distances, reach)
            n_rows = int(rows[-1]) + 1 if len(rows) else 0
            counts.append((first, torch.bincount(rows.index_select(0, kept), minlength=n_rows)))
            self.others[end : end + len(kept)] = others.index_select(0, kept)
            self.distances[end : end + len(kept)] = distances.index_select(0, kept)
            end += len(kept)
        per_row = torch.zeros_like(self.starts[1:])
        for first, some in counts:
            per_row[first : first + len(some)] = some
        torch.cumsum(per_row, dim=0, out=self.starts[1:])
        self.others, self.distances = self.others[:end].clone(), self.distances[:end].clone()


def flat_nonzero(mask: torch.Tensor) -> torch.Tensor:
    """Places of the true entries, counted through the rows."""
    if mask.device.type == "cpu":  # numpy is some five times faster at this than torch
        return torch.from_numpy(np.flatnonzero(mask.numpy()))
    return mask.reshape(-1).nonzero()[:, 0]


def where_less(values: torch.Tensor, limits: torch.Tensor) -> torch.Tensor:
    """Places, counted through the rows, of the values below their limits."""
    if values.device.type == "cpu":  # numpy is some six times faster at this, too
        return torch.from_numpy(np.flatnonzero(np.less(values.numpy(), limits.numpy())))
    return flat_nonzero(values < limits)
