"""Rounds of judging rows: each by clones fitted on what the round before believes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from noisyfit.estimators.out_of_fold import out_of_fold_probabilities
from noisyfit.noise import label_quality
from noisyfit.noise.belief import Belief, believe
from noisyfit.selection import Coreset, logit_gradients
from noisyfit.selection.trim_and_cover import TrimAndCover

# Folds of all rounds but the first. What they learn from is cleaner, so fewer rows of it do: half
# of them cost no accuracy (magic, newsgroups), and little more than half the time of two thirds.
LATER_FOLDS = 2


@dataclass(frozen=True)
class Verdict:
    """What is believed about the rows that count, each array with an entry for each of them.

    ``quality`` is the probability that the given label is right: by one round, or the mean of all
    in what `Judge.judge` returns. ``kept`` marks the rows trusted, ``joining`` those that come back
    under another label.
    """

    probabilities: np.ndarray
    quality: np.ndarray
    belief: Belief | None
    kept: np.ndarray
    coreset: Coreset
    joining: np.ndarray

    def relabelled(self, y: np.ndarray, rows: np.ndarray, classes: np.ndarray) -> np.ndarray:
        """A copy of the labels of all rows, with those of joining ones changed."""
        labels = y.copy()
        labels[rows[self.joining]] = classes[self.probabilities[self.joining].argmax(axis=1)]
        return labels


@dataclass(frozen=True)
class Judge:
    """How `CoresetClassifier` judges rows; the parameters are documented there."""

    trim: str | float | None
    selection: str
    fraction: float
    group_by: str
    pseudo_label: float | None
    matrix: np.ndarray | str | None
    n_rounds: int
    n_folds: int | None
    n_jobs: int | None

    def judge(
        self,
        estimator: Any,
        X: Any,
        y: np.ndarray,
        classes: np.ndarray,
        rows: np.ndarray,
        weight: np.ndarray | None,
        counts: np.ndarray | None,
        rng: np.random.RandomState,
    ) -> Verdict:
        """Judge ``rows`` of X, round after round, by clones that were not fitted on them.

        ``weight`` has an entry for each row of X, ``counts`` one for each of ``rows``.
        """
        codes = np.searchsorted(classes, y[rows])
        verdict: Verdict | None = None
        first: Belief | None = None
        qualities = []
        for _ in range(self._n_rounds()):
            probabilities = out_of_fold_probabilities(
                estimator,
                X,
                y if verdict is None else verdict.relabelled(y, rows, classes),
                classes,
                n_folds=self.n_folds if verdict is None else LATER_FOLDS,
                rng=rng,
                sample_weight=weight,
                rows=rows,
                teaching=None if verdict is None else verdict.kept | verdict.joining,
                n_jobs=self.n_jobs,
            )
            belief = None
            if self.trim == "auto":
                each = np.ones(len(rows)) if counts is None else counts
                belief = believe(probabilities, codes, each, self.matrix, first)
                first = first or belief
            verdict = self._select(probabilities, codes, belief, counts, rng)
            qualities.append(verdict.quality)
        assert verdict is not None
        # The rows that a later round did not learn from are wrong ones under much noise, and hard
        # ones under little. It ranks labels better in one case and worse in the other; the mean is
        # close to the better of the two in both.
        return replace(verdict, quality=np.mean(qualities, axis=0))

    def _n_rounds(self) -> int:
        """One round where there is nothing to believe, or no row is held out."""
        return self.n_rounds if self.trim == "auto" and self.n_folds is not None else 1

    def _select(
        self,
        probabilities: np.ndarray,
        codes: np.ndarray,
        belief: Belief | None,
        counts: np.ndarray | None,
        rng: np.random.RandomState,
    ) -> Verdict:
        """Trim and cover by held-out probabilities, and by what they make believe."""
        if belief is not None:
            probabilities = belief.posterior
        kept, coreset = TrimAndCover(self.trim, self.selection, self.fraction).select(
            logit_gradients(probabilities, codes),
            codes,
            probabilities.argmax(axis=1) if self.group_by == "predicted" else codes,
            None if belief is None else belief.noise.clean_share,
            counts,
            rng,
        )
        joining = np.zeros(len(codes), dtype=bool)
        if belief is not None and self.pseudo_label is not None:
            joining = ~kept & (probabilities.max(axis=1) > self.pseudo_label)
        quality = label_quality(probabilities, codes, "self_confidence")
        return Verdict(probabilities, quality, belief, kept, coreset, joining)
