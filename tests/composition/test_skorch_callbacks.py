"""skorch's callbacks, one's own among them, and validation rows."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse
import torch
from composition.common import SMALL, RecordRates, crust, every_network
from skorch.callbacks import EarlyStopping, EpochScoring, LRScheduler


@every_network
def test_early_stopping_on_held_out_rows(make, blobs):
    X, y = blobs
    stop = EarlyStopping(patience=3, threshold=100.0, threshold_mode="abs", sink=lambda text: None)
    estimator = make(max_epochs=50, validation_fraction=0.25, callbacks=[stop]).fit(X, y)
    assert estimator.n_iter_ == 4  # nothing improves by 100, so patience ends after three more
    assert set(estimator.history_[:, "n_rows"][:1]) == {90}
    assert all(0 <= accuracy <= 1 for accuracy in estimator.history_[:, "valid_acc"])
    assert np.isfinite(estimator.history_[:, "valid_loss"]).all()
    assert len(estimator.label_quality_) == len(y)


def test_early_stopping_within_the_warm_up_still_gives_a_coreset(blobs):
    stop = EarlyStopping(patience=2, threshold=100.0, threshold_mode="abs", sink=lambda text: None)
    estimator = crust(
        cross_fit=None,
        warmup_epochs=20,
        max_epochs=30,
        validation_fraction=0.2,
        callbacks=[stop],
    )
    estimator.fit(*blobs)
    assert set(estimator.history_[:, "phase"]) == {"warm-up"}
    assert len(estimator.coreset_indices_) == len(estimator.coreset_weights_) > 0


@every_network
def test_early_stopping_can_load_the_best_weights(make, blobs):
    X, y = blobs
    stop = EarlyStopping(patience=2, load_best=True, sink=lambda text: None)
    estimator = make(max_epochs=30, lr=0.5, validation_fraction=0.25, callbacks=[("stop", stop)])
    estimator.fit(X, y)
    assert estimator.n_iter_ < 30
    assert estimator.score(X, y) > 0.3


@every_network
def test_schedule_of_ones_own(make, blobs):
    schedule = LRScheduler("StepLR", step_size=1, gamma=0.5)
    callbacks = [("rates", RecordRates()), ("halving", schedule)]
    estimator = make(lr_schedule="constant", callbacks=callbacks).fit(*blobs)
    np.testing.assert_allclose(estimator.history_[:, "rate"], SMALL["lr"] * 0.5 ** np.arange(6))


@every_network
def test_epoch_scoring_with_a_function(make, blobs):
    X, y = blobs

    def accuracy_on_all(net, *args):
        logits = net.module_.eval()(torch.from_numpy(X).float())
        return float((logits.argmax(1).numpy() == y).mean())

    scoring = EpochScoring(accuracy_on_all, lower_is_better=False, name="accuracy", on_train=True)
    estimator = make(callbacks=[scoring]).fit(X, y)
    assert estimator.history_[-1, "accuracy"] == pytest.approx(estimator.score(X, y))


@every_network
def test_epoch_scoring_by_name_on_held_out_rows(make, blobs):
    scoring = EpochScoring("accuracy", lower_is_better=False, name="accuracy")
    estimator = make(validation_fraction=0.25, callbacks=[scoring]).fit(*blobs)
    np.testing.assert_allclose(
        estimator.history_[:, "accuracy"], estimator.history_[:, "valid_acc"]
    )


@every_network
def test_options_of_the_default_callbacks(make, blobs, capsys):
    make(verbose=1).fit(*blobs)
    assert "train_loss" in capsys.readouterr().out
    make(verbose=1, callbacks__print_log=None).fit(*blobs)
    assert capsys.readouterr().out == ""


@pytest.mark.filterwarnings("ignore:Sparse")  # torch about the tensors it sends between processes
@every_network
@pytest.mark.parametrize("kind", ["dense", "sparse"])
def test_batches_cut_by_another_process(kind, make, blobs):
    X, y = blobs
    if kind == "sparse":
        X = scipy.sparse.csr_matrix(X)
    estimator = make(iterator_train__num_workers=1, max_epochs=3, lr=0.1).fit(X, y)
    assert estimator.score(X, y) > 0.6
    assert estimator.n_iter_ == 3
