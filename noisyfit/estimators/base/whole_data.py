"""Methods that train on all rows in every epoch, in named phases."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np

from noisyfit.estimators.base.network import NetworkClassifier
from noisyfit.noise import NoiseEstimate
from noisyfit.noise.belief import posterior
from noisyfit.noise.estimate import noise_of_predictions
from noisyfit.training.best_epoch import BestEpoch
from noisyfit.training.data import LabeledRows
from noisyfit.training.predictions import predict_probabilities
from noisyfit.training.recording import ProbabilityRecorder
from noisyfit.training.records import Record, joined_history


class WholeDataClassifier(NetworkClassifier):
    """Trains on all rows and judges them by what it predicted for them while it was training."""

    @contextmanager
    def _recorded(self, data: LabeledRows) -> Iterator[ProbabilityRecorder]:
        """Record the predictions that training makes inside the block."""
        recorder = ProbabilityRecorder(len(data.rows), data.n_classes)
        with self.net_.temporary_callback("recorder", recorder):
            yield recorder

    def _run_phase(
        self,
        data: LabeledRows,
        phase: str,
        n_epochs: int,
        *,
        lr: float | None = None,
        keep_best: str | None = None,
        **options: Any,
    ) -> None:
        """Run epochs on all rows, with a schedule of their own; ``options`` are of the plan.

        ``keep_best`` names a figure of the validation rows, where there are any; the phase ends
        with the weights of the epoch that was best in it.
        """
        if not n_epochs:
            return
        plan = data.every_row(phase, **options)
        with ExitStack() as stack:
            if keep_best is not None and data.validation is not None:
                best = self.net_.temporary_callback("best_epoch", BestEpoch(keep_best))
                stack.enter_context(best)
            self._run(data, lambda epochs: [plan] * len(epochs), n_epochs, lr, name=phase)

    def _begin_history(self, records: list[Record]) -> None:
        """Put epochs of helper networks before those of the network."""
        self.history_ = joined_history(records, self.net_.history)
        self.n_iter_ = len(self.history_)

    def _probabilities(self, data: LabeledRows, recorder: ProbabilityRecorder) -> np.ndarray:
        """What was predicted for the rows in training; for the others, what is predicted now."""
        return recorder.mean(
            lambda unseen: predict_probabilities(self.net_.module_, data.rows, unseen)
        )

    def _estimate(
        self, data: LabeledRows, recorder: ProbabilityRecorder, rows: np.ndarray
    ) -> NoiseEstimate:
        """Estimate the noise of some rows from what the network thought of them so far."""
        probabilities = self._probabilities(data, recorder)
        if len(rows) < len(probabilities):
            probabilities = probabilities[rows]
        return noise_of_predictions(probabilities, data.codes[rows], data.counts[rows])

    def _judge(self, data: LabeledRows, recorder: ProbabilityRecorder) -> None:
        """Set what the fit says about its rows, the noise estimated from the same predictions."""
        noise = self._estimate(data, recorder, np.arange(len(data.codes)))
        self._report_rows(data, self._probabilities(data, recorder), noise)

    def _judge_by_matrix(
        self, data: LabeledRows, recorder: ProbabilityRecorder, noise: NoiseEstimate
    ) -> None:
        """Set the same under a noise matrix that is known: the given label is evidence then."""
        probabilities = self._probabilities(data, recorder)
        believed = posterior(probabilities, data.codes, noise.transition_matrix)
        self._report_rows(data, believed, noise)
