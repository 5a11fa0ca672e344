"""What to believe about the training rows, from networks that never saw them (cross-fitting)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from torch import nn

from noisyfit._peaked import Matrix, PeakedRows, stack_rows
from noisyfit.losses import SymmetricCrossEntropy
from noisyfit.noise.belief import Belief, believe
from noisyfit.training.averaging import WeightAverage
from noisyfit.training.data import LabeledRows
from noisyfit.training.folds import assign_folds
from noisyfit.training.network import PlannedNet
from noisyfit.training.plan import EpochPlan
from noisyfit.training.predictions import predict_labeled
from noisyfit.training.records import Record, merged_record
from noisyfit.training.settings import NetworkSettings

BULK_BATCH_SIZE = 1024  # predictions inside training need no fixed shape, only speed
# Steps that an epoch is worth. Few rows make few steps, which would teach too little to judge by:
# they are passed over more often.
STEPS_PER_EPOCH = 40
MAXIMUM_PASSES = 5
# The networks train on if their last epoch made them agree with that many more labels held out.
FAST_RISE = 0.05
MAXIMUM_PROLONGATION = 4


def screen_rows(
    data: LabeledRows,
    settings: NetworkSettings,
    criterion: nn.Module,
    *,
    n_folds: int,
    given_epochs: int,
    believed_epochs: int,
    matrix: np.ndarray | str | None,
    rng: np.random.RandomState,
    records: list[Record] | None = None,
) -> Belief:
    """Belief about the rows ``data.used``, under a noise ``matrix`` as `believe` takes it.

    One network per fold trains on the rows of the other folds: for ``given_epochs`` (more, while
    it still learns fast) under the given labels, then for ``believed_epochs`` under the posterior
    probabilities of the true ones, which the networks, each for its own fold, renew before every
    epoch. So the screening learns from what it finds, and still no network judges a row whose
    label it was trained on. Epochs of less than `STEPS_PER_EPOCH` steps are made up for by further
    passes over the rows.

    What a history can say about the epochs is added to ``records``.
    """
    used = data.used
    codes, weights, counts = data.codes[used], data.weights[used], data.counts[used]
    nets = _FoldNetworks(data, settings, criterion, assign_folds(codes, n_folds, rng))
    judged = _learn_given_labels(nets, codes, weights, counts, given_epochs)
    first = belief = believe(judged, codes, counts, matrix)
    for _ in range(believed_epochs):
        nets.train(belief.posterior, weights)
        belief = believe(nets.judge(), codes, counts, matrix, first)
    if records is not None:
        records += nets.records
    return belief


def screening_criterion(n_classes: int) -> SymmetricCrossEntropy:
    """What helper networks train on: it withstands more than what predicts has to, they only judge.

    The more classes, the more cross entropy it takes for all of them to be learned in time.
    """
    return cross_entropy_and_error(min(n_classes / 100, 1.0), 4.0)


def cross_entropy_and_error(cross_entropy: float, error: float) -> SymmetricCrossEntropy:
    """Symmetric cross entropy as ``cross_entropy * CE + error * (1 - p)``."""
    return SymmetricCrossEntropy(alpha=cross_entropy, beta=error / -np.log(1e-4))


def held_out_probabilities(
    data: LabeledRows,
    settings: NetworkSettings,
    criterion: nn.Module,
    *,
    n_folds: int,
    epochs: int,
    rng: np.random.RandomState,
) -> tuple[Matrix, list[Record]]:
    """Probabilities (n_used, n_classes) of the rows ``data.used`` as given labels teach them.

    Each by a network that was not trained on the row; and what to put into the history.
    """
    used = data.used
    codes, weights, counts = data.codes[used], data.weights[used], data.counts[used]
    nets = _FoldNetworks(data, settings, criterion, assign_folds(codes, n_folds, rng))
    return _learn_given_labels(nets, codes, weights, counts, epochs), nets.records


def _learn_given_labels(
    nets: _FoldNetworks,
    codes: np.ndarray,
    weights: np.ndarray,
    counts: np.ndarray,
    n_epochs: int,
) -> Matrix:
    """Train for ``n_epochs``, and longer if the networks still learn fast; their judgement.

    Networks that have learned little yet judge worse than the labels they are to judge. Agreement
    with labels never seen rises as long as there is something to learn, and not by memorising.
    """
    agreement = float(np.bincount(codes, counts).max() / counts.sum())  # by chance
    for epoch in range(1, MAXIMUM_PROLONGATION * n_epochs + 1):
        nets.train(codes, weights)
        if epoch < n_epochs - 1:
            continue
        judged = nets.judge()
        before, agreement = (
            agreement,
            float(np.average(judged.argmax(axis=1) == codes, weights=counts)),
        )
        if epoch >= n_epochs and agreement < before + FAST_RISE:
            break
    return judged


class _FoldNetworks:
    """One network and weight-averaged teacher for each fold of the used rows."""

    def __init__(
        self,
        data: LabeledRows,
        settings: NetworkSettings,
        criterion: nn.Module,
        folds: np.ndarray,
    ) -> None:
        self.data = data
        self.folds = folds
        self.numbers = np.unique(folds)
        self.epoch = 0
        self.records: list[Record] = []
        self.teachers = [WeightAverage() for _ in self.numbers]
        self.nets: list[PlannedNet] = [
            settings.quiet().build(data, criterion, 1, [("teacher", teacher)])
            for teacher in self.teachers
        ]

    def train(self, targets: Matrix, weights: np.ndarray) -> None:
        """One epoch of every network on the rows outside of its fold."""
        for fold, net in zip(self.numbers, self.nets, strict=True):
            seen = self.folds != fold
            plan = EpochPlan(self.data.used[seen], targets[seen], weights[seen], phase="screening")
            net.train(self.data.rows, [plan] * self._n_passes(len(plan), net.batch_size))
        self.epoch += 1
        self.records.append(merged_record([net.history[-1] for net in self.nets], "estimation"))

    def _n_passes(self, n_rows: int, batch_size: int) -> int:
        """Passes of the present epoch, such that those of all epochs so far add up."""
        n_steps = 1 if batch_size == -1 else math.ceil(n_rows / batch_size)
        passes = min(MAXIMUM_PASSES, max(1.0, STEPS_PER_EPOCH / n_steps))
        return round((self.epoch + 1) * passes) - round(self.epoch * passes)

    def judge(self) -> Matrix:
        """Probabilities (n_used, n_classes) of every row by the teacher that never saw it."""
        judged: Any = None
        places: list[np.ndarray] = []
        parts: list[Matrix] = []
        for fold, teacher in zip(self.numbers, self.teachers, strict=True):
            unseen = np.flatnonzero(self.folds == fold)
            assert teacher.module_ is not None
            part = predict_labeled(
                teacher.module_,
                self.data,
                self.data.used[unseen],
                batch_size=BULK_BATCH_SIZE,
                fixed_size=False,
            )
            if isinstance(part, PeakedRows):
                parts.append(part)
                places.append(unseen)
                continue
            if judged is None:
                judged = np.empty((len(self.folds), part.shape[1]))
            judged[unseen] = part
        if judged is not None:
            return judged
        return stack_rows(parts)[np.argsort(np.concatenate(places))]
