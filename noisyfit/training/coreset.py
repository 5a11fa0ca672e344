"""CRUST as phases: train on a coreset that is chosen anew as learning goes on.

Trim, then cover: in each given class the rows whose gradients lie farthest from zero are left
out; medoids of the gradients that are left (or all of them) form the coreset. The gradients are
those at the posterior probabilities of the true label where a screening has estimated the noise,
else, after a warm-up on all rows, those at the network's own probabilities.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np

from noisyfit._blocks import slices
from noisyfit._peaked import Matrix, PeakedRows, entries_at, narrowed
from noisyfit._precision import double_device, placed
from noisyfit.noise.belief import Belief, posterior
from noisyfit.selection import Coreset, logit_gradients
from noisyfit.selection.proxies import LogitGradients
from noisyfit.selection.trim_and_cover import TrimAndCover
from noisyfit.training.averaging import WeightAverage
from noisyfit.training.data import LabeledRows
from noisyfit.training.divergence import divergence, first_not_finite
from noisyfit.training.plan import EpochPlan, Mixing
from noisyfit.training.predictions import predict_labeled
from noisyfit.training.screening import BULK_BATCH_SIZE

SHARE_LIMITS = (0.05, 0.98)
GROWTH_EPOCHS = 12
# Epochs in which the network's own predictions take over from the held-out ones.
TAKEOVER_EPOCHS = 8
# Selections follow a running mean of the teacher's predictions: one epoch's are noisier.
PREDICTION_MOMENTUM = 0.7

# What changes from epoch to epoch.
_CHANGING = ("coreset", "kept", "probabilities", "_own", "_total", "_n_predictions")


@dataclass(frozen=True)
class CoresetOptions:
    """The method's parameters, as `CRUSTClassifier` documents them."""

    trim: str | float | None
    selection: str
    fraction: float
    group_by: str
    weights: str
    warmup_epochs: int
    refresh_every: int
    mixup: tuple[float, float] | None
    pseudo_label: float | None
    mixup_with: str = "cluster"


def check_mixup(mixup: float | tuple[float, float] | list[float]) -> tuple[float, float] | None:
    """Both parameters of the Beta distribution that mixes rows; None where they are not mixed."""
    if isinstance(mixup, tuple | list):
        numbers = [m for m in mixup if isinstance(m, Real) and not isinstance(m, bool)]
        if len(mixup) != 2 or len(numbers) != 2 or not all(0 < m < math.inf for m in numbers):
            raise ValueError(f"mixup as a pair must hold two positive numbers, got {mixup!r}.")
        return float(mixup[0]), float(mixup[1])
    if not math.isfinite(mixup):
        raise ValueError(f"mixup must be finite, got {mixup!r}.")
    return (float(mixup), float(mixup)) if mixup else None


class CoresetPhases:
    """The plans of a CRUST fit, and what was selected last.

    Parameters
    ----------
    data : LabeledRows
        The training set. All arrays in here have one entry per row of ``data.used``.
    options : CoresetOptions
        The method's parameters.
    teacher : WeightAverage
        Averages the weights of the network in training; its predictions give the gradients.
    belief : Belief or None
        What a screening found out about the used rows: with it there is no warm-up. None means
        that the share of a class to keep is that which the teacher agrees with, grown over the
        first epochs after the warm-up.
    rng : RandomState
        Draws the partners for mixup.
    """

    def __init__(
        self,
        data: LabeledRows,
        options: CoresetOptions,
        teacher: WeightAverage,
        belief: Belief | None,
        rng: np.random.RandomState,
    ) -> None:
        self.data = data
        self.options = options
        self.teacher = teacher
        self.belief = belief
        self.warmup_epochs = options.warmup_epochs if belief is None else 0
        self.rng = rng
        self.used = data.used
        self.codes = data.of_used(data.codes)
        self.weights = data.of_used(data.weights)
        self.counts = data.of_used(data.counts)
        self.coreset: Coreset | None = None
        self.kept = np.ones(len(self.used), dtype=bool)
        self.probabilities: Any = None
        self._own: Any = None
        self._total: Any = None
        self._n_predictions = 0

    def plans(self, n_epochs: int, first_epoch: int = 0) -> Iterator[EpochPlan]:
        """One plan per epoch; the teacher is asked just before each selection."""
        for epoch in range(first_epoch, first_epoch + n_epochs):
            if epoch < self.warmup_epochs:
                yield EpochPlan(self.used, self.codes, self.weights, phase="warm-up")
                continue
            since_warmup = epoch - self.warmup_epochs
            if self.coreset is None or since_warmup % self.options.refresh_every == 0:
                self.select(since_warmup)
            yield self._plan(with_pseudo_labels=since_warmup >= self.warmup_epochs)

    def state_dict(self) -> dict[str, Any]:
        """What is known about the rows, and where the generator is."""
        return {
            **{name: getattr(self, name) for name in _CHANGING},
            "rng": self.rng,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what an earlier process knew."""
        for name in _CHANGING:
            setattr(self, name, state[name])
        self.rng.set_state(state["rng"].get_state())

    def select(self, epochs_since_warmup: int) -> None:
        """Trim and cover by what is believed about the rows now."""
        options = self.options
        believed = self._probabilities_now(epochs_since_warmup)
        self._add_to_total(believed)
        self.probabilities = self._posterior(believed)
        predicted = self.probabilities.argmax(axis=1) if options.group_by == "predicted" else None
        method = TrimAndCover(options.trim, options.selection, options.fraction)
        share = self.clean_share_now(epochs_since_warmup) if options.trim == "auto" else None
        gradients = self._gradients()
        groups = self.codes if predicted is None else predicted

        def select() -> tuple[np.ndarray, Coreset, np.random.RandomState]:
            kept, coreset = method.select(
                gradients, self.codes, groups, share, self.counts, self.rng
            )
            return kept, coreset, self.rng

        # Of several processes one selects: those of one machine would get in each other's way.
        self.kept, self.coreset, self.rng = self.data.rows.processes.on_main(select)

    def _gradients(self) -> Any:
        """Gradients p - onehot(y): on a GPU, if medoids are to be chosen there.

        Dense ones on the CPU are only computed where they are looked at.
        """
        assert self.probabilities is not None
        if isinstance(self.probabilities, PeakedRows):
            return logit_gradients(self.probabilities, self.codes)
        device = double_device(self.data.rows.device)
        if device.type == "cpu" or self.options.selection == "all":
            return LogitGradients(self.probabilities, self.codes)
        return placed(logit_gradients(self.probabilities, self.codes), device)

    def _add_to_total(self, believed: Any) -> None:
        """Add to the sum of what was believed so far, in its memory where nobody else uses that."""
        self._n_predictions += 1
        if self._total is None:
            self._total = believed
        elif isinstance(believed, PeakedRows):
            self._total = narrowed(self._total + believed, self.codes)
        elif self._n_predictions == 2 and self.belief is not None:
            self._total = self._total + believed  # the first were the screening's
        else:
            self._total += believed

    def _probabilities_now(self, epochs_since_warmup: int) -> Any:
        """Held-out probabilities at first, a running mean of the teacher's later on."""
        if self.teacher.module_ is not None:
            latest = self.predict()
            if first_not_finite(latest) is not None:
                raise divergence(
                    "The predictions that rows are selected by are not finite",
                    epochs_since_warmup + self.warmup_epochs,
                    "selection",
                )
            if self._own is None:
                self._own = latest
            else:
                self._own = narrowed(_moved(self._own, latest), self.codes)
        if self.belief is None:
            assert self._own is not None, "without a belief, selection follows a warm-up"
            return self._own
        if self._own is None:
            return self.belief.probabilities
        own_share = min(1.0, epochs_since_warmup / TAKEOVER_EPOCHS)
        held_out: Any = self.belief.probabilities
        return narrowed(_blended(held_out, self._own, own_share), self.codes)

    def _posterior(self, probabilities: Matrix) -> Any:
        if self.belief is None:
            return probabilities
        return posterior(probabilities, self.codes, self.belief.transition)

    def end(self) -> Matrix:
        """What was believed about the used rows in the mean over all selections; the rest goes.

        Wrong labels are learned late, so the mean tells them from right ones better than the
        last probabilities do.
        """
        total, n_predictions = self._total, self._n_predictions
        self.probabilities = self._own = self._total = None
        if isinstance(total, PeakedRows) or (self.belief is not None and n_predictions == 1):
            return self._posterior(total / n_predictions)  # the screening's own are kept
        total /= n_predictions
        return self._posterior(total)

    def predict(self) -> Matrix:
        """The teacher's probabilities of the used rows, in memory that nobody else uses."""
        assert self.teacher.module_ is not None, "select comes after at least one training step"
        return predict_labeled(
            self.teacher.module_,
            self.data,
            self.used,
            batch_size=BULK_BATCH_SIZE,
            fixed_size=False,
        )

    def clean_share_now(self, epochs_since_warmup: int) -> np.ndarray:
        """Share of each given class that is believed to be right."""
        assert self.probabilities is not None
        if self.belief is not None:
            right = entries_at(self.probabilities, self.codes)
        else:
            right = self.probabilities.argmax(axis=1) == self.codes
        n_classes = self.data.n_classes
        totals = np.bincount(self.codes, self.counts, minlength=n_classes)
        trusted = np.bincount(self.codes, right * self.counts, minlength=n_classes)
        share: np.ndarray = trusted / np.where(totals > 0, totals, 1)
        if self.belief is not None:
            # Half by the screening, half by what the network has found out since.
            share = (self.belief.noise.clean_share + share) / 2
        else:
            # Without held-out predictions the teacher's agreement with the labels has to do. It
            # grows as labels are memorised, so it is discounted while the network still learns.
            share = share * (0.6 + 0.4 * min(1.0, (epochs_since_warmup + 1) / GROWTH_EPOCHS))
        return share.clip(*SHARE_LIMITS)

    def _plan(self, *, with_pseudo_labels: bool) -> EpochPlan:
        coreset = self.coreset
        assert coreset is not None
        assert self.probabilities is not None
        positions, targets = coreset.indices, self.codes[coreset.indices]
        weights = self.weights[positions]
        if self.options.weights == "cluster":  # the cluster's count instead of the row's own
            weights = weights * coreset.weights / self.counts[positions]
        positive = weights > 0  # copies of an earlier medoid may have an empty cluster
        positions, targets, weights = positions[positive], targets[positive], weights[positive]
        mixing = self._mixing(positions, positive) if self.options.mixup else None
        if self.options.pseudo_label is not None and with_pseudo_labels:
            joining = ~self.kept & (self.probabilities.max(axis=1) > self.options.pseudo_label)
            added = np.flatnonzero(joining)
            predicted = self.probabilities[added].argmax(axis=1)
            positions = np.concatenate([positions, added])
            targets = np.concatenate([targets, predicted])
            weights = np.concatenate([weights, self.weights[added]])
            if mixing is not None:  # rows under a predicted label are not mixed
                mixing = Mixing(
                    np.concatenate([mixing.rows, self.used[added]]),
                    np.concatenate([mixing.targets, predicted]),
                    np.concatenate([mixing.share, np.ones(len(added))]),
                )
        return EpochPlan(self.used[positions], targets, weights, mixing, phase="coreset")

    def _mixing(self, positions: np.ndarray, positive: np.ndarray) -> Mixing:
        """Draw for each medoid a member of its cluster; for single rows one of their class."""
        coreset = self.coreset
        assert coreset is not None
        assert self.options.mixup is not None
        if self.options.selection == "all" or self.options.mixup_with == "class":
            cluster_of_row = np.where(self.kept, self.codes, -1)
            cluster_of_medoid = self.codes[positions]
        else:
            cluster_of_row = coreset.assignment
            cluster_of_medoid = np.flatnonzero(positive)
        order = np.argsort(cluster_of_row, kind="stable")
        ordered = cluster_of_row[order]
        first = np.searchsorted(ordered, cluster_of_medoid, side="left")
        last = np.searchsorted(ordered, cluster_of_medoid, side="right")
        size = last - first
        drawn = order[
            (first + (self.rng.random_sample(len(first)) * size).astype(int)) % len(order)
        ]
        # A medoid that is a copy of an earlier one has no rows of its own: it mixes with itself.
        partners = np.where(size > 0, drawn, positions)
        share = self.rng.beta(*self.options.mixup, size=len(partners))
        return Mixing(self.used[partners], self.codes[partners], share)


def _moved(own: Any, latest: Any) -> Any:
    """A running mean after one more prediction; dense ones are overwritten by it."""
    if isinstance(latest, PeakedRows):
        return own + (1 - PREDICTION_MOMENTUM) * (latest - own)
    latest -= own
    latest *= 1 - PREDICTION_MOMENTUM
    latest += own
    return latest


def _blended(first: Any, second: Any, share: float) -> Any:
    """``(1 - share) * first + share * second``."""
    result = (1 - share) * first
    if isinstance(first, PeakedRows):
        return result + share * second
    for part in slices(*result.shape):
        result[part] += share * second[part]
    return result
