"""The methods of the accuracy benchmark: noisyfit's estimators and what they are compared with.

Peers that train a network share one plain torch loop, with the network, the optimizer and the
schedule of noisyfit's estimators. A method is a function that fits a `Task`; only that is timed.
"""

from __future__ import annotations

import importlib
import importlib.util
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from _data import SPARSE_TEXTS, TABLES, Case
from _loops import BATCH_SIZE, HIDDEN, Criterion, co_teaching_loop, loop
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch.nn.functional import cross_entropy

from noisyfit import (
    CoresetClassifier,
    CoTeachingClassifier,
    CRUSTClassifier,
    DMClassifier,
    ForwardClassifier,
    LDMIClassifier,
    PENCILClassifier,
    TRevisionClassifier,
)
from noisyfit.losses import (
    ActivePassiveLoss,
    EarlyLearningRegularization,
    GeneralizedCrossEntropy,
    SymmetricCrossEntropy,
)
from noisyfit.training.modules import MLP


@dataclass(frozen=True)
class Task:
    """Rows with given labels, of which ``wrong`` are not the true ones.

    ``components`` says that the columns are the principal components of texts.
    """

    X: Any
    X_test: Any
    given: np.ndarray
    wrong: np.ndarray
    n_classes: int
    seed: int
    epochs: int
    hidden: tuple[int, ...] = HIDDEN
    components: bool = False


class Fit(NamedTuple):
    """What a fit can tell: codes of the test rows, and how good each training label is."""

    predict: Callable[[], np.ndarray]
    quality: Callable[[], np.ndarray | None]


# ---------------------------------------------------------------------- networks, by a plain loop


@torch.no_grad()
def _probabilities(networks: tuple[MLP, ...], X: np.ndarray) -> np.ndarray:
    """Mean of the networks' probabilities, in float64."""
    parts = [
        sum(network(part).double().softmax(1) for network in networks) / len(networks)
        for part in torch.from_numpy(X).split(1024)
    ]
    return torch.cat(parts).numpy()


def _network_fit(task: Task, *networks: MLP) -> Fit:
    rows = np.arange(len(task.given))
    return Fit(
        lambda: _probabilities(networks, task.X_test).argmax(1),
        lambda: _probabilities(networks, task.X)[rows, task.given],
    )


def _settings(task: Task) -> dict[str, Any]:
    return {
        "n_classes": task.n_classes,
        "epochs": task.epochs,
        "seed": task.seed,
        "hidden": task.hidden,
    }


def _fit_loop(task: Task, make: Callable[[Task], Criterion]) -> Fit:
    X, y = torch.from_numpy(task.X), torch.from_numpy(task.given)
    return _network_fit(task, loop(X, y, make(task), **_settings(task)))


def _fit_oracle_loop(task: Task) -> Fit:
    """Cross entropy on the right rows; how it rates rows it was told about says nothing."""
    right = torch.from_numpy(~task.wrong)
    X, y = torch.from_numpy(task.X)[right], torch.from_numpy(task.given)[right]
    network = loop(X, y, _cross_entropy(task), **_settings(task))
    return Fit(_network_fit(task, network).predict, lambda: None)


def _cross_entropy(task: Task) -> Criterion:
    return lambda logits, y, rows: cross_entropy(logits, y, reduction="none")


def _gce(task: Task) -> Criterion:
    criterion = GeneralizedCrossEntropy(q=0.7)
    return lambda logits, y, rows: criterion(logits, y)


def _sce(task: Task) -> Criterion:
    criterion = SymmetricCrossEntropy(alpha=0.1, beta=1.0, log_zero=-4.0)
    return lambda logits, y, rows: criterion(logits, y)


def _active_passive(task: Task) -> Criterion:
    criterion = ActivePassiveLoss()
    return lambda logits, y, rows: criterion(logits, y)


def _elr(task: Task) -> Criterion:
    criterion = EarlyLearningRegularization(
        len(task.given), task.n_classes, strength=3.0, momentum=0.7
    )
    return lambda logits, y, rows: criterion(logits, y, rows)


def _co_teaching(task: Task) -> Fit:
    networks = co_teaching_loop(
        torch.from_numpy(task.X),
        torch.from_numpy(task.given),
        float(task.wrong.mean()),
        **_settings(task),
    )
    return _network_fit(task, *networks)


# ------------------------------------------------------------------------------------ estimators


def _fit_estimator(task: Task, make: Callable[[Task], Any]) -> Fit:
    """Fit an estimator; one of noisyfit's also tells how good each label is."""
    estimator = make(task).fit(task.X, task.given)
    return Fit(
        lambda: estimator.predict(task.X_test), lambda: getattr(estimator, "label_quality_", None)
    )


def _fit_oracle(task: Task, make: Callable[[Task], Any]) -> Fit:
    estimator = make(task).fit(task.X[~task.wrong], task.given[~task.wrong])
    return Fit(lambda: estimator.predict(task.X_test), lambda: None)


def _fit_logistic(task: Task, make: Callable[[Task], Any]) -> Fit:
    """A linear model; its label quality comes from five folds, after the fit."""
    with _may_not_converge():
        estimator = make(task).fit(task.X, task.given)

    def quality() -> np.ndarray:
        with _may_not_converge():
            p = cross_val_predict(make(task), task.X, task.given, cv=5, method="predict_proba")
        return p[np.arange(len(p)), np.searchsorted(np.unique(task.given), task.given)]

    return Fit(lambda: estimator.predict(task.X_test), quality)


@contextmanager
def _may_not_converge() -> Iterator[None]:
    """Where wrong labels keep a linear model from converging, a thousand steps have to do."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield


def _fit_clean_learning(task: Task, make: Callable[[Task], Any]) -> Fit:
    """Cleanlab around an estimator, with its defaults; it wants every code up to the largest."""
    from cleanlab.classification import CleanLearning

    classes, codes = np.unique(task.given, return_inverse=True)
    cleaner = CleanLearning(make(task), seed=task.seed, find_label_issues_kwargs={"n_jobs": 1})
    with _may_not_converge():
        cleaner.fit(task.X, codes)
    return Fit(
        lambda: classes[cleaner.predict(task.X_test)],
        lambda: cleaner.get_label_issues()["label_quality"].to_numpy(),
    )


def _network_options(task: Task) -> dict[str, Any]:
    options: dict[str, Any] = {"max_epochs": task.epochs, "random_state": task.seed}
    if task.hidden != HIDDEN:
        options["module__hidden"] = task.hidden
    return options


def _plain_network(task: Task) -> Any:
    return DMClassifier("cce", normalize=None, batch_size=BATCH_SIZE, **_network_options(task))


def _logistic(task: Task) -> Any:
    """With standardised columns; text components keep their scales, which serves it better."""
    scaler = "passthrough" if task.components else StandardScaler()
    return make_pipeline(scaler, _sparse_logistic(task))


def _sparse_logistic(task: Task) -> Any:
    return LogisticRegression(C=1.0, max_iter=1000)


def _trees(task: Task) -> Any:
    return HistGradientBoostingClassifier(random_state=task.seed)


def _crust(task: Task) -> Any:
    return CRUSTClassifier(**_network_options(task))


def _crust_paper(task: Task) -> Any:
    return CRUSTClassifier(
        trim=None,
        selection="greedy",
        group_by="predicted",
        weights="cluster",
        criterion="ce",
        batch_size=BATCH_SIZE,
        **_network_options(task),
    )


def _dm(task: Task) -> Any:
    return DMClassifier(**_network_options(task))


def _dm_paper(task: Task) -> Any:
    return DMClassifier(
        "dm", mode=0.5, variance=12, batch_size=BATCH_SIZE, **_network_options(task)
    )


def _defaults(task: Task, estimator: type) -> Any:
    return estimator(**_network_options(task))


def _coreset(task: Task, make: Callable[[Task], Any]) -> Any:
    return CoresetClassifier(make(task), random_state=task.seed)


# --------------------------------------------------------------------------------------- registry


def _everywhere(case: Case, seed: int) -> bool:
    return True


def _on_tables(case: Case, seed: int) -> bool:
    kinds = ("clean", "sym .5", "sym .4 (two classes)", "asym .4")
    return case.set in TABLES and case.kind in kinds


def _on_sparse_texts(case: Case, seed: int) -> bool:
    kinds = ("sym .5", "sym .4 (two classes)", "asym .4")
    return case.set in SPARSE_TEXTS and case.kind in kinds and seed == 0


@dataclass(frozen=True)
class Method:
    """How a method is fitted and where it is measured."""

    fit: Callable[[Task], Fit]
    applies: Callable[[Case, int], bool] = _everywhere
    sparse: bool = False

    def lacks(self) -> str | None:
        """Why it can't be measured here, or None."""
        return None


class CleanlabMethod(Method):
    """A method that needs the optional package cleanlab."""

    def lacks(self) -> str | None:
        """Why it can't be measured here, or None."""
        if importlib.util.find_spec("cleanlab") is None:
            return "needs cleanlab: pip install 'noisyfit[bench]'"
        importlib.import_module("cleanlab.classification")  # not to be timed with the first fit
        return None


# Estimators with all defaults.
OTHERS: dict[str, type] = {
    "forward": ForwardClassifier,
    "t_revision": TRevisionClassifier,
    "l_dmi": LDMIClassifier,
    "pencil": PENCILClassifier,
    "co_teaching_estimated": CoTeachingClassifier,
}

METHODS: dict[str, Method] = {
    "cross_entropy": Method(partial(_fit_loop, make=_cross_entropy)),
    "oracle": Method(_fit_oracle_loop),
    "elr": Method(partial(_fit_loop, make=_elr)),
    "gce": Method(partial(_fit_loop, make=_gce)),
    "sce": Method(partial(_fit_loop, make=_sce)),
    "co_teaching": Method(_co_teaching),
    "crust": Method(partial(_fit_estimator, make=_crust)),
    "dm": Method(partial(_fit_estimator, make=_dm)),
    "crust_paper": Method(partial(_fit_estimator, make=_crust_paper)),
    "dm_paper": Method(partial(_fit_estimator, make=_dm_paper)),
    "nce_rce": Method(partial(_fit_loop, make=_active_passive)),
    **{
        name: Method(partial(_fit_estimator, make=partial(_defaults, estimator=estimator)))
        for name, estimator in OTHERS.items()
    },
    "logistic_regression": Method(partial(_fit_logistic, make=_logistic)),
    "cleanlab_logistic": CleanlabMethod(partial(_fit_clean_learning, make=_logistic)),
    "trees": Method(partial(_fit_estimator, make=_trees), _on_tables),
    "trees_oracle": Method(partial(_fit_oracle, make=_trees), _on_tables),
    "cleanlab_trees": CleanlabMethod(partial(_fit_clean_learning, make=_trees), _on_tables),
    "coreset_trees": Method(
        partial(_fit_estimator, make=partial(_coreset, make=_trees)), _on_tables
    ),
    "sparse_logistic": Method(
        partial(_fit_logistic, make=_sparse_logistic), _on_sparse_texts, sparse=True
    ),
    "cleanlab_sparse_logistic": CleanlabMethod(
        partial(_fit_clean_learning, make=_sparse_logistic), _on_sparse_texts, sparse=True
    ),
    "coreset_sparse_logistic": Method(
        partial(_fit_estimator, make=partial(_coreset, make=_sparse_logistic)),
        _on_sparse_texts,
        sparse=True,
    ),
    "sparse_cross_entropy": Method(
        partial(_fit_estimator, make=_plain_network), _on_sparse_texts, sparse=True
    ),
    "sparse_crust": Method(partial(_fit_estimator, make=_crust), _on_sparse_texts, sparse=True),
    "cleanlab": CleanlabMethod(partial(_fit_clean_learning, make=_plain_network)),
}
