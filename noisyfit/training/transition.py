"""The noise matrix, estimated by networks of its own before a method that needs it."""

from __future__ import annotations

import numpy as np

from noisyfit._peaked import PeakedRows
from noisyfit.losses import CrossEntropy
from noisyfit.noise import NoiseEstimate, estimate_noise
from noisyfit.training.data import LabeledRows
from noisyfit.training.network import predict_probabilities
from noisyfit.training.plan import EpochPlan
from noisyfit.training.records import Record, merged_record
from noisyfit.training.screening import BULK_BATCH_SIZE, held_out_probabilities
from noisyfit.training.settings import NetworkSettings


def estimate_transition(
    data: LabeledRows,
    settings: NetworkSettings,
    method: str,
    *,
    n_folds: int | None,
    epochs: int,
    rng: np.random.RandomState,
) -> tuple[NoiseEstimate, list[Record]]:
    """Estimate the noise of the rows ``data.used``; also what to put into the history.

    From predictions of networks trained with cross entropy on the labels as given: by
    ``n_folds`` networks of the rows that each has not seen or, with None, by one of all rows,
    as in the papers. Weights of classes, which are there to shift predictions, are left aside.
    """
    if n_folds is None:
        probabilities, records = _own_probabilities(data, settings, epochs)
    else:
        judged, records = held_out_probabilities(
            data, settings, CrossEntropy(), n_folds=n_folds, epochs=epochs, rng=rng
        )
        probabilities = judged.toarray() if isinstance(judged, PeakedRows) else judged
    used = data.used
    noise = estimate_noise(
        probabilities, data.codes[used], method=method, sample_weight=data.counts[used]
    )
    return noise, records


def _own_probabilities(
    data: LabeledRows, settings: NetworkSettings, epochs: int
) -> tuple[np.ndarray, list[Record]]:
    used = data.used
    net = settings.quiet().build(data, CrossEntropy(), epochs)
    plan = EpochPlan(used, data.codes[used], data.counts[used], phase="estimation")
    records: list[Record] = []
    for _ in range(epochs):
        net.train(data.rows, [plan])
        records.append(merged_record([net.history], "estimation"))
    probabilities = predict_probabilities(
        net.module_, data.rows, used, batch_size=BULK_BATCH_SIZE, fixed_size=False
    )
    return probabilities, records
