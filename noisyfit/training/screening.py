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
from noisyfit.training.checkpoint import NO_PROGRESS, NetState, Noted, Part, Progress
from noisyfit.training.data import LabeledRows
from noisyfit.training.divergence import first_not_finite
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
# The networks train on, up to four times as long, if their last epoch made them agree with that
# many more labels held out.
FAST_RISE = 0.05
MAXIMUM_PROLONGATION = 4
# Networks that may take longer still are slow: they train on while their agreement, as far as it is
# above chance, grows by such a share an epoch, over so many epochs, and by more than its standard
# error. Small convolution networks with half of CIFAR-10's labels wrong (20,000 images of 16 x 16)
# find 54 % of the right ones after 3 epochs and 72 % after 22.
SLOW_RISE = 0.02
LOOK_BACK = 3


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
    at_most: int = 0,
    records: list[Record] | None = None,
    progress: Progress = NO_PROGRESS,
) -> Belief:
    """Belief about the rows ``data.used``, under a noise ``matrix`` as `believe` takes it.

    One network per fold trains on the rows of the other folds: for ``given_epochs`` (while it still
    learns fast up to four times as many; while it still learns up to ``at_most``, if that is more)
    under the given labels, then for ``believed_epochs`` under the posterior probabilities of the
    true ones, which the networks, each for its own fold, renew before every epoch. So the screening
    learns from what it finds, and still no network judges a row whose label it was trained on.
    Epochs of less than `STEPS_PER_EPOCH` steps are made up for by further passes over the rows.

    What a history can say about the epochs is added to ``records``.
    """
    screening = _Screening(data, settings, criterion, n_folds, rng, matrix)
    longest = max(at_most, MAXIMUM_PROLONGATION * given_epochs)
    belief = screening.learn_beliefs(given_epochs, longest, believed_epochs, progress)
    if records is not None:
        records += screening.nets.records
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
    progress: Progress = NO_PROGRESS,
) -> tuple[Matrix, list[Record]]:
    """Probabilities (n_used, n_classes) of the rows ``data.used`` as given labels teach them.

    Each by a network that was not trained on the row; and what to put into the history.
    """
    screening = _Screening(data, settings, criterion, n_folds, rng)
    judged = screening.learn_given_labels(epochs, MAXIMUM_PROLONGATION * epochs, progress)
    return judged, screening.nets.records


class _Screening:
    """Networks of the folds as they learn, first from the labels, then from what they believe."""

    def __init__(
        self,
        data: LabeledRows,
        settings: NetworkSettings,
        criterion: nn.Module,
        n_folds: int,
        rng: np.random.RandomState,
        matrix: np.ndarray | str | None = None,
    ) -> None:
        used = data.used
        self.codes, self.weights, self.counts = (
            data.codes[used],
            data.weights[used],
            data.counts[used],
        )
        self.matrix = matrix
        self.nets = _FoldNetworks(data, settings, criterion, assign_folds(self.codes, n_folds, rng))
        # Agreement of the judgement with the labels; at first, by chance.
        totals = np.bincount(self.codes, self.counts)
        self.noted = Noted(agreements=[(0, float(totals.max() / self.counts.sum()))], judged=None)

    def learn_given_labels(self, n_epochs: int, longest: int, progress: Progress) -> Matrix:
        """Train for ``n_epochs``, up to ``longest`` if the networks still learn; their judgement.

        Networks that have learned little yet judge worse than the labels they are to judge.
        Agreement with labels never seen rises as long as there is something to learn, and not by
        memorising.
        """
        run = progress.run("given labels", longest, self._parts())
        run.restore()
        are_slow = longest > MAXIMUM_PROLONGATION * n_epochs
        for epoch in run.remaining():
            self.nets.train(self.codes, self.weights)
            is_over = self._has_settled(epoch + 1, n_epochs, are_slow=are_slow)
            run.epoch_done(is_over=is_over)
            if run.is_over:
                break
        judged: Matrix = self.noted["judged"]
        return judged

    def _has_settled(self, n_done: int, n_epochs: int, *, are_slow: bool) -> bool:
        if n_done < n_epochs - 1:
            return False
        judged = self.nets.judge()
        right = judged.argmax(axis=1) == self.codes
        now = float(np.average(right, weights=self.counts))
        by_chance, *judgements = agreements = self.noted["agreements"]
        self.noted.update(agreements=[*agreements, (n_done, now)], judged=judged)
        if n_done < n_epochs or now >= agreements[-1][1] + FAST_RISE:
            return False
        if not are_slow:
            return True
        epoch, before = (judgements or agreements)[-LOOK_BACK:][0]
        error = math.sqrt(now * (1 - now) / self.counts.sum())
        return now - before < max(SLOW_RISE * (n_done - epoch) * (now - by_chance[1]), error)

    def learn_beliefs(
        self, given_epochs: int, longest: int, believed_epochs: int, progress: Progress
    ) -> Belief:
        """Learn from the labels, then from what is believed about them; the last belief."""
        judged = progress.result(
            "judgement", lambda: self.learn_given_labels(given_epochs, longest, progress)
        )
        first = believe(judged, self.codes, self.counts, self.matrix)
        believed = Noted(belief=first)
        run = progress.run("beliefs", believed_epochs, {**self._parts(), "believed": believed})
        run.restore()
        for _ in run.remaining():
            self.nets.train(believed["belief"].posterior, self.weights)
            believed["belief"] = believe(
                self.nets.judge(), self.codes, self.counts, self.matrix, first
            )
            run.epoch_done()
        progress.forget("judgement")
        belief: Belief = believed["belief"]
        return belief

    def _parts(self) -> dict[str, Part]:
        return {"noted": self.noted, "nets": self.nets}


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

    def state_dict(self) -> dict[str, Any]:
        """Every network and what the history can say."""
        nets = [NetState(net).state_dict() for net in self.nets]
        return {"epoch": self.epoch, "records": self.records, "nets": nets}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over all networks."""
        self.epoch, self.records = state["epoch"], state["records"]
        for net, saved in zip(self.nets, state["nets"], strict=True):
            NetState(net).load_state_dict(saved)

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
        for fold, teacher, net in zip(self.numbers, self.teachers, self.nets, strict=True):
            unseen = np.flatnonzero(self.folds == fold)
            assert teacher.module_ is not None
            part = predict_labeled(
                teacher.module_,
                self.data,
                self.data.used[unseen],
                batch_size=BULK_BATCH_SIZE,
                fixed_size=False,
            )
            if first_not_finite(part) is not None:
                net.raise_diverged("The predictions of held-out rows are not finite")
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
