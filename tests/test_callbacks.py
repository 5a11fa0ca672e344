"""Callbacks record what becomes of wrong labels, and leave the fit as it is."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_iris

from noisyfit import CRUSTClassifier, DMClassifier
from noisyfit.callbacks import CoresetScoring, MemorizationScoring
from noisyfit.noise import symmetric_noise

NAMES = np.array(["setosa", "versicolor", "virginica"])
SMALL = {"max_epochs": 4, "module__hidden": (16,), "random_state": 0}


@pytest.fixture(scope="module")
def iris():
    """X, true labels, given labels and the mask of the wrong ones."""
    X, codes = load_iris(return_X_y=True)
    y = NAMES[codes]
    given, wrong = symmetric_noise(y, 0.3, random_state=0)
    return X, y, given, wrong


@pytest.fixture(scope="module")
def crust(iris):
    """Fitted with both callbacks; not to be fitted again."""
    X, y, given, _ = iris
    callbacks = [MemorizationScoring(y, given), CoresetScoring(y, given)]
    return CRUSTClassifier(cross_fit=None, callbacks=callbacks, **SMALL).fit(X, given)


def test_coreset_scoring_records_what_was_selected(iris, crust):
    _, _, _, wrong = iris
    last = crust.history_[-1]
    rows = crust.coreset_indices_
    # joined rows, if any, train under another label
    assert last["n_rows"] == last["coreset_size"] + last["relabeled_size"]
    assert last["coreset_size"] == len(rows)
    assert last["coreset_purity"] == pytest.approx(np.mean(~wrong[rows]))
    assert last["coreset_recall"] == pytest.approx(np.sum(~wrong[rows]) / np.sum(~wrong))
    assert "coreset_size" not in crust.history_[0]  # the warm-up


class Planned:
    """Stands for a net about to run an epoch."""

    def __init__(self, rows, targets, phase="coreset"):
        self.plan_ = self
        self.rows, self.targets, self.phase = np.array(rows), np.array(targets), phase
        self.history, self.recorded = self, {}

    def record(self, name, value):
        self.recorded[name] = value


def test_coreset_scoring_tells_rows_under_another_label_apart():
    y_true, y_given = list("abaaa"), list("abbba")
    scoring = CoresetScoring(y_true, y_given)
    scoring.on_train_begin(None, X=range(5))
    net = Planned([4, 3, 2, 1], [0, 0, 1, 1])  # row 3 trains under "a", its true label
    scoring.on_epoch_begin(net)
    assert net.recorded == {
        "coreset_size": 3,
        "coreset_purity": 2 / 3,
        "coreset_recall": 2 / 3,
        "relabeled_size": 1,
        "relabeled_purity": 1.0,
    }
    net = Planned([0], [0], phase="warm-up")
    scoring.on_epoch_begin(net)
    assert net.recorded == {}


def test_callbacks_only_look_on(iris):
    X, y, given, _ = iris
    plain = DMClassifier(**SMALL).fit(X, given)
    torch.manual_seed(3)
    expected = torch.rand(3)
    torch.manual_seed(3)
    scoring = MemorizationScoring(y, given)
    watched = DMClassifier(callbacks=[scoring], **SMALL).fit(X, given)
    assert torch.equal(torch.rand(3), expected)
    np.testing.assert_array_equal(plain.predict_proba(X), watched.predict_proba(X))
    assert not hasattr(scoring, "rows_")  # they may be large
    again = pickle.loads(pickle.dumps(watched))
    np.testing.assert_array_equal(again.predict_proba(X), plain.predict_proba(X))
    copied = clone(watched).fit(X, given)
    assert copied.history_[:, "memorized"] == watched.history_[:, "memorized"]


def test_memorization_without_wrong_labels_and_with_rows_held_out(iris):
    X, y, _, _ = iris
    classifier = DMClassifier(
        callbacks=[MemorizationScoring(y, y)], validation_fraction=0.2, **SMALL
    ).fit(X, y)
    assert classifier.history_[-1, "clean_accuracy"] == pytest.approx(classifier.score(X, y))
    assert "memorized" not in classifier.history_[-1]


def test_true_labels_that_no_row_was_given_are_not_predicted():
    scoring = MemorizationScoring(["a", "b", "z"], ["a", "b", "b"])
    scoring.on_train_begin(None, X=range(3))
    assert scoring.true_codes_.tolist() == [0, 1, -1]
    scoring = MemorizationScoring(["a", "b", "z"], ["a", "b", "b"], classes=["z", "b", "a"])
    scoring.on_train_begin(None, X=range(3))
    assert scoring.true_codes_.tolist() == [2, 1, 0]
    assert scoring.given_codes_.tolist() == [2, 1, 1]


@pytest.mark.parametrize("kind", [MemorizationScoring, CoresetScoring])
def test_callbacks_say_which_labels_do_not_fit(kind, iris):
    X, y, given, _ = iris
    with pytest.raises(ValueError, match=f"y_given of {kind.__name__} has 10 labels but training"):
        DMClassifier(callbacks=[kind(y[:10], given[:10])], **SMALL).fit(X, given)
    with pytest.raises(ValueError, match="y_true has 9 labels but y_given has 10"):
        DMClassifier(callbacks=[kind(y[:9], given[:10])], **SMALL).fit(X, given)
    with pytest.raises(ValueError, match="no label in common"):
        DMClassifier(callbacks=[kind(np.arange(150), given)], **SMALL).fit(X, given)


def test_plain_skorch_nets_can_be_watched_but_have_no_coreset(iris):
    from skorch import NeuralNetClassifier

    X, y, given, wrong = iris
    X32, codes = X.astype(np.float32), np.searchsorted(NAMES, given)
    scoring = MemorizationScoring(np.searchsorted(NAMES, y), codes)
    options = {"max_epochs": 2, "train_split": None, "verbose": 0}
    net = NeuralNetClassifier(torch.nn.Linear(4, 3), callbacks=[scoring], **options)
    net.set_params(criterion=torch.nn.CrossEntropyLoss)
    predicted = NAMES[net.fit(X32, codes).predict(X32)]
    assert net.history[-1, "memorized"] == pytest.approx(np.mean((predicted == given)[wrong]))
    net = NeuralNetClassifier(
        torch.nn.Linear(4, 3), callbacks=[CoresetScoring(codes, codes)], **options
    )
    with pytest.raises(TypeError, match="needs a net that plans its epochs"):
        net.fit(X32, codes)
