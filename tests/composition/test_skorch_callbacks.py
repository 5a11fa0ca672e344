"""skorch's callbacks, one's own among them, and validation rows."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse
import torch
from composition.common import SMALL, RecordRates, crust, dm, each_network, every_network
from skorch.callbacks import Callback, EarlyStopping, EpochScoring, LRScheduler, TensorBoard

from noisyfit.training.seeding import draw_seed


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
@pytest.mark.parametrize(
    ("make", "kind"),
    [(dm, "dense"), (dm, "sparse"), (crust, "dense")],
    ids=["dm", "words", "crust"],
)
def test_batches_cut_by_another_process(make, kind, blobs):
    X, y = blobs
    if kind == "sparse":
        X = scipy.sparse.csr_matrix(X)
    estimator = make(iterator_train__num_workers=1, max_epochs=3, lr=0.1).fit(X, y)
    assert estimator.score(X, y) > 0.6
    assert estimator.n_iter_ == 3


@every_network
def test_early_stopping_by_the_accuracy_on_noisy_rows(make, blobs):
    """The recipe of docs/compositions.md: under wrong labels, the loss is no guide."""
    X, y = blobs
    given = np.where(np.arange(len(y)) % 3 == 0, (y + 1) % 3, y)
    stop = EarlyStopping(
        monitor="valid_acc", lower_is_better=False, patience=4, load_best=True, sink=lambda text: 0
    )
    estimator = make(
        max_epochs=40, validation_fraction=0.25, callbacks=[stop], lr_schedule="constant"
    ).fit(X, given)
    accuracies = estimator.history_[:, "valid_acc"]
    best = int(np.argmax(accuracies))
    assert len(accuracies) == min(40, best + 1 + 4)
    # The network is that of the best epoch: it has its accuracy on the rows held out.
    probabilities = estimator.predict_proba(X)
    seed = draw_seed(SMALL["random_state"])
    held_out = estimator._hold_out(given, np.ones(len(y)), seed)
    noisy = (probabilities.argmax(axis=1) == given)[held_out].mean()
    assert noisy == pytest.approx(accuracies[best])


class CountsWeights(Callback):
    """A callback of a user's own that looks into the network."""

    def on_train_begin(self, net, X=None, y=None, **kwargs):
        self.sizes = []

    def on_epoch_end(self, net, **kwargs):
        norm = sum(float(p.detach().square().sum()) for p in net.module_.parameters())
        net.history.record("squared_norm", norm)
        self.sizes.append(sum(p.numel() for p in net.module_.parameters()))


@each_network
def test_a_callback_of_ones_own_reads_the_network(make, blobs):
    counts = CountsWeights()
    estimator = make(callbacks=[counts]).fit(*blobs)
    norms = estimator.net_.history[:, "squared_norm"]
    assert all(np.isfinite(norms))
    assert len(set(norms)) > 1
    assert set(counts.sizes) == {sum(p.numel() for p in estimator.net_.module_.parameters())}


class Writer:
    """Stands in for torch.utils.tensorboard.SummaryWriter, which needs a package of its own."""

    def __init__(self):
        self.scalars = []
        self.closed = False

    def add_scalar(self, tag, scalar_value, global_step):
        self.scalars.append((tag, scalar_value, global_step))

    def close(self):
        self.closed = True


@every_network
def test_tensorboard(make, blobs):
    writer = Writer()
    board = TensorBoard(writer, close_after_train=True)
    estimator = make(validation_fraction=0.25, callbacks=[board]).fit(*blobs)
    assert writer.closed
    tags = {tag for tag, *_ in writer.scalars}
    assert {"Loss/train_loss", "Loss/valid_loss"} <= tags
    written = [value for tag, value, _ in writer.scalars if tag == "Loss/valid_loss"]
    assert written == estimator.history_[:, "valid_loss"]


@pytest.mark.parametrize(
    ("policy", "options", "last_rate"),
    [
        ("ExponentialLR", {"gamma": 0.5}, 0.5**5),
        ("CosineAnnealingLR", {"T_max": 6}, None),
        ("ReduceLROnPlateau", {"monitor": "train_loss", "patience": 100}, 1.0),
    ],
)
def test_policies_of_the_learning_rate(policy, options, last_rate, blobs):
    schedule = LRScheduler(policy, **options)
    callbacks = [("rates", RecordRates()), ("policy", schedule)]
    estimator = dm(lr_schedule="constant", callbacks=callbacks).fit(*blobs)
    rates = np.array(estimator.history_[:, "rate"]) / SMALL["lr"]
    assert rates[0] == 1
    if last_rate is None:
        last_rate = (1 + np.cos(np.pi * 5 / 6)) / 2
    assert rates[-1] == pytest.approx(last_rate)
