"""scikit-learn's own callbacks (`sklearn.callback`, since version 1.9) follow every epoch."""

from __future__ import annotations

import builtins
import importlib.util
import pickle
import sys

import numpy as np
import pytest
from composition.common import (
    assert_same_predictions,
    co_teaching,
    dm,
    each_network,
    l_dmi,
    pencil,
    t_revision,
)
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from noisyfit import _compat

pytest.importorskip("sklearn.callback", reason="scikit-learn has callbacks from version 1.9 on")
from sklearn.callback import ProgressBar, ScoringMonitor


class Watch:
    """A callback of one's own: notes the epochs, keeps their networks, may ask to stop."""

    def __init__(self, stop_after=None):
        self.stop_after = stop_after
        self.tasks, self.kept, self.events = [], [], []

    def setup(self, estimator, context):
        self.events.append("setup")
        self.n_planned = context.max_subtasks

    def teardown(self, estimator, context):
        self.events.append("teardown")

    def on_fit_task_begin(self, estimator, context):
        self.events.append(f"begin {context.task_name}")

    def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
        self.events.append(f"end {context.task_name}")
        if context.task_name == "epoch":
            self.tasks.append(context.task_id)
            self.kept.append(fitted_estimator)
            return context.task_id + 1 == self.stop_after
        return False


@each_network
def test_a_monitor_scores_every_epoch(make, blobs):
    X, y = blobs
    names = np.array(["x", "y", "z"])[y]
    monitor = ScoringMonitor(scoring=["accuracy", "neg_log_loss"])
    estimator = make().set_callbacks(monitor).fit(X, names)
    *epochs, whole = sorted(monitor.get_logs().data, key=lambda row: -len(row["task_id_path"]))
    assert [row["task_id"] for row in epochs] == list(range(estimator._n_planned_epochs()))
    assert whole["task_name"] == "fit"
    assert whole["accuracy"] == estimator.score(X, names) > 0.9
    # The figures are those of the network as it was then, not of the last one.
    losses = [row["neg_log_loss"] for row in epochs]
    assert losses[0] < losses[-1]
    assert_same_predictions(make().fit(X, names), estimator, X)  # watching changes nothing


@each_network
def test_a_callback_may_stop_training(make, blobs):
    X, y = blobs
    watch = Watch(stop_after=2)
    estimator = make().set_callbacks(watch).fit(X, y)
    assert watch.tasks == [0, 1]
    assert len(estimator.net_.history) == 2
    assert watch.n_planned == estimator._n_planned_epochs()
    assert estimator.label_quality_.shape == (120,)
    assert estimator.transition_matrix_.shape == (3, 3)
    assert estimator.predict(X).shape == (120,)
    assert watch.events[0] == "setup"
    assert watch.events[-2:] == ["end fit", "teardown"]


@pytest.mark.parametrize(
    ("make", "n_epochs"),
    [(pencil, 6), (t_revision, 8), (l_dmi, 6), (co_teaching, 6)],
    ids=["pencil", "t_revision", "l_dmi", "co_teaching"],
)
def test_the_epochs_of_all_phases_are_counted(make, n_epochs, blobs):
    watch = Watch()
    make().set_callbacks(watch).fit(*blobs)
    assert watch.tasks == list(range(n_epochs))
    assert watch.n_planned == n_epochs


def test_the_network_of_an_epoch_can_be_kept(blobs):
    X, y = blobs
    watch = Watch(stop_after=3)
    stopped = dm().set_callbacks(watch).fit(X, y)
    first, *_, last = watch.kept
    assert_same_predictions(last, stopped, X)
    assert not np.array_equal(first.predict_proba(X), last.predict_proba(X))
    assert [kept.n_iter_ for kept in watch.kept] == [1, 2, 3]


def test_a_monitor_in_a_search_in_two_processes(blobs):
    monitor = ScoringMonitor(scoring="accuracy")
    estimator = make_pipeline(StandardScaler(), dm(max_epochs=3))
    estimator[-1].set_callbacks(monitor)
    grid = {"dmclassifier__mode": [0.3, 0.5]}
    search = GridSearchCV(estimator, grid, cv=2, n_jobs=2, error_score="raise").fit(*blobs)
    epochs = [row for row in monitor.get_logs().data if row["task_name"] == "epoch"]
    assert len(epochs) == (4 + 1) * 3  # four fits of the search and the last one
    assert all(0 <= row["accuracy"] <= 1 for row in epochs)
    assert search.score(*blobs) > 0.9


def test_a_progress_bar(blobs, capsys):
    pytest.importorskip("rich", reason="ProgressBar needs rich")
    fitted = dm(max_epochs=3).set_callbacks(ProgressBar()).fit(*blobs)
    printed = capsys.readouterr().out
    assert "DMClassifier" in printed
    assert "100%" in printed
    assert fitted.n_iter_ == 3


def test_both_kinds_of_callbacks_have_names_of_their_own(blobs):
    watch = Watch()
    estimator = dm(callbacks=[]).set_callbacks(watch)
    assert estimator.callbacks == []
    estimator.set_params(callbacks=None)
    assert clone(estimator).fit(*blobs).net_.history
    assert watch.tasks == list(range(6))
    estimator.set_callbacks()
    estimator.fit(*blobs).partial_fit(*blobs)
    assert len(watch.tasks) == 6
    assert pickle.loads(pickle.dumps(estimator)).n_iter_ == 7


def test_callbacks_are_torn_down_when_a_fit_fails(blobs):
    X, y = blobs
    watch = Watch()
    estimator = dm(lr=1e30, module__batch_norm=False).set_callbacks(watch)
    before = set(vars(estimator))
    with pytest.raises(ValueError, match="training diverged"):
        estimator.fit(1e30 * X, y)
    assert watch.events[-1] == "teardown"
    assert set(vars(estimator)) == before


def test_without_callbacks_in_scikit_learn_there_are_none(monkeypatch):
    """What versions before 1.9 get."""
    real_import = builtins.__import__

    def without(name, *args, **kwargs):
        if name == "sklearn.callback":
            raise ImportError(name)
        return real_import(name, *args, **kwargs)

    spec = importlib.util.spec_from_file_location("compat_of_old", _compat.__file__)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setattr(builtins, "__import__", without)
    monkeypatch.delitem(sys.modules, "sklearn.callback", raising=False)
    spec.loader.exec_module(module)
    assert not hasattr(module.CallbackSupportMixin, "set_callbacks")
    assert module.begin_fit_task(module.CallbackSupportMixin(), max_subtasks=3) is None
