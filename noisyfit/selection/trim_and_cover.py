"""Trim, then cover: noisyfit's CRUST on given gradients, for networks and any classifier alike."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from noisyfit._peaked import Matrix
from noisyfit.selection.coreset import Coreset, select_coreset
from noisyfit.selection.proxies import gradient_norms
from noisyfit.selection.trimming import keep_smallest


@dataclass(frozen=True)
class TrimAndCover:
    """The two steps of CRUST on given gradients: leave out the far rows, cover the others."""

    trim: str | float | None
    selection: str
    fraction: float
    k: int | None = None

    def select(
        self,
        gradients: Matrix,
        codes: np.ndarray | None,
        groups: np.ndarray | None,
        clean_share: np.ndarray | None,
        sample_weight: np.ndarray | None,
        rng: np.random.RandomState,
    ) -> tuple[np.ndarray, Coreset]:
        """Mask of the rows kept (n,), and the coreset chosen among them."""
        kept = np.ones(len(gradients), dtype=bool)
        if self.trim is not None:
            share = clean_share if self.trim == "auto" else 1.0 - float(self.trim)
            kept = keep_smallest(
                gradient_norms(gradients), share, codes, sample_weight=sample_weight
            )
        by_fraction = self.k is None and self.selection != "all"
        coreset = select_coreset(
            gradients,
            k=None if self.selection == "all" else self.k,
            fraction=self.fraction if by_fraction else None,
            method=self.selection,
            groups=groups,
            candidates=kept,
            sample_weight=sample_weight,
            random_state=rng,
        )
        return kept, coreset
