"""The noise, estimated by networks of their own before a method that has to know it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from noisyfit._peaked import Matrix, PeakedRows
from noisyfit.losses import CrossEntropy
from noisyfit.noise import NoiseEstimate, estimate_noise
from noisyfit.training.best_epoch import BestEpoch
from noisyfit.training.checkpoint import NetState, Progress
from noisyfit.training.data import LabeledRows
from noisyfit.training.divergence import first_not_finite
from noisyfit.training.predictions import predict_probabilities
from noisyfit.training.records import Record, merged_record
from noisyfit.training.screening import (
    BULK_BATCH_SIZE,
    held_out_probabilities,
    screen_rows,
    screening_criterion,
)
from noisyfit.training.settings import NetworkSettings

# Epochs on what is believed about the labels, after those on the labels as given.
BELIEVED_EPOCHS = 5


def estimate_transition(
    data: LabeledRows,
    settings: NetworkSettings,
    method: str,
    *,
    n_folds: int | None,
    epochs: int,
    rng: np.random.RandomState,
    progress: Progress,
) -> tuple[NoiseEstimate, list[Record]]:
    """Estimate the noise of the rows ``data.used``; also what to put into the history.

    "auto" is the screening of CRUST. Any other method goes by predictions of networks trained with
    cross entropy on the labels as given: by ``n_folds`` networks of the rows that each has not seen
    or, with None, by one of all rows, as in the papers; "auto" then is "anchor". Weights of
    classes, which are there to shift predictions, are left aside unless they are zero.
    """
    return progress.result(
        "transition", lambda: _estimate(data, settings, method, n_folds, epochs, rng, progress)
    )


def _estimate(
    data: LabeledRows,
    settings: NetworkSettings,
    method: str,
    n_folds: int | None,
    epochs: int,
    rng: np.random.RandomState,
    progress: Progress,
) -> tuple[NoiseEstimate, list[Record]]:
    data = replace(data, weights=np.where(data.weights > 0, data.counts, 0.0))
    used = data.used
    if method == "auto" and n_folds is not None:
        records: list[Record] = []
        belief = screen_rows(
            data,
            settings,
            screening_criterion(data.n_classes),
            n_folds=n_folds,
            given_epochs=epochs,
            believed_epochs=BELIEVED_EPOCHS,
            matrix="auto",
            rng=rng,
            records=records,
            progress=progress,
        )
        return belief.noise, records
    judged: Matrix
    if n_folds is None:
        judged, records = _own_probabilities(data, settings, epochs, progress)
    else:
        judged, records = held_out_probabilities(
            data,
            settings,
            CrossEntropy(),
            n_folds=n_folds,
            epochs=epochs,
            rng=rng,
            progress=progress,
        )
    noise = estimate_noise(
        judged.toarray() if isinstance(judged, PeakedRows) else judged,
        data.codes[used],
        method="anchor" if method == "auto" else method,
        sample_weight=data.counts[used],
    )
    return noise, records


def _own_probabilities(
    data: LabeledRows, settings: NetworkSettings, epochs: int, progress: Progress
) -> tuple[np.ndarray, list[Record]]:
    """By one network, of the epoch that is best on the rows held out, if there are any."""
    alone = replace(settings.quiet(), lr_schedule=settings.lr_schedule)
    callbacks: list[tuple[str, Any]] = []
    if data.validation is not None:
        callbacks.append(("best_epoch", BestEpoch()))
    net = alone.build(data, CrossEntropy(), epochs, callbacks)
    run = progress.run("estimation", epochs, {"net": NetState(net)})
    plans = [data.every_row("estimation")] * len(run.remaining())
    net.train(data.rows, plans, data.validation_plan(), keeper=run)
    records = [merged_record([record], "estimation") for record in net.history]
    probabilities = predict_probabilities(
        net.module_, data.rows, data.used, batch_size=BULK_BATCH_SIZE, fixed_size=False
    )
    if first_not_finite(probabilities) is not None:
        net.raise_diverged("The predictions that the noise is estimated from are not finite")
    return probabilities, records
