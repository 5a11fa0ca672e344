"""Held-out predictions for every training row, from networks that never saw it."""

from __future__ import annotations

import numpy as np
from torch import nn

from noisyfit.training.averaging import WeightAverage
from noisyfit.training.data import LabeledRows
from noisyfit.training.folds import assign_folds
from noisyfit.training.network import predict_probabilities
from noisyfit.training.plan import EpochPlan
from noisyfit.training.settings import NetworkSettings

BULK_BATCH_SIZE = 1024  # predictions inside training need no fixed shape, only speed


def held_out_probabilities(
    data: LabeledRows,
    settings: NetworkSettings,
    criterion: nn.Module,
    *,
    n_folds: int,
    n_epochs: int,
    rng: np.random.RandomState,
) -> np.ndarray:
    """Probabilities (len(data.used), n_classes) by cross-fitting.

    One network per fold trains for ``n_epochs`` on the rows of the other folds, under the given
    labels, and its weight-averaged teacher predicts the rows of the fold.
    """
    used = data.used
    folds = assign_folds(data.codes[used], n_folds, rng)
    probabilities = np.empty((len(used), data.n_classes))
    for fold in np.unique(folds):
        seen, unseen = used[folds != fold], used[folds == fold]
        plan = EpochPlan(seen, data.codes[seen], data.weights[seen], phase="screening")
        teacher = WeightAverage()
        net = settings.quiet().build(data, criterion, n_epochs, [("teacher", teacher)])
        net.train(data.rows, (plan for _ in range(n_epochs)))
        assert teacher.module_ is not None
        probabilities[folds == fold] = predict_probabilities(
            teacher.module_, data.rows, unseen, batch_size=BULK_BATCH_SIZE, fixed_size=False
        )
    return probabilities
