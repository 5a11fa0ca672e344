"""The columns of the table: small, quick versions of every public estimator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

import noisyfit

TRAINING = {"max_epochs": 2, "batch_size": 16, "random_state": 0}
SMALL: dict[str, dict[str, Any]] = {
    "CRUSTClassifier": {"cross_fit": 2, "screening_epochs": 1, "warmup_epochs": 1},
    "DMClassifier": {},
    "ForwardClassifier": {"cross_fit": None, "estimation_epochs": 1},
    "TRevisionClassifier": {"cross_fit": None, "estimation_epochs": 1, "revision_epochs": 1},
    "LDMIClassifier": {"pretraining_epochs": 1},
    "PENCILClassifier": {"warmup_epochs": 1, "max_epochs": 1, "finetuning_epochs": 1},
    "CoTeachingClassifier": {"cross_fit": None, "estimation_epochs": 1},
    "RobustLossClassifier": {},
}
NETWORKS = tuple(SMALL)
CLASSIFIERS = (*NETWORKS, "CoresetClassifier")
MEDOIDS = ("GradientMedoidSelector", "GradientMedoidSampler")
FITTED = (*CLASSIFIERS, *MEDOIDS)
WITH_WEIGHTS = (*CLASSIFIERS, "GradientMedoidSampler")
COLUMNS = (*FITTED, "CarriedWeights")
CROSS_FITTED = (
    "CRUSTClassifier",
    "ForwardClassifier",
    "TRevisionClassifier",
    "CoTeachingClassifier",
)
INCREMENTAL = ("CRUSTClassifier", "DMClassifier")


def make(column: str, **options: Any) -> Any:
    """A small estimator; options come before its own."""
    if column in NETWORKS:
        mlp = {} if "module" in options else {"module__hidden": (4,)}
        return getattr(noisyfit, column)(**(TRAINING | mlp | SMALL[column] | options))
    if column == "CoresetClassifier":
        options = {"cross_fit": 2, "random_state": 0} | options
    return getattr(noisyfit, column)(**options)


def around_a_classifier(column: str, **options: Any) -> dict[str, Any]:
    """Options by which the selector and the sampler take features instead of gradients."""
    return options | ({"estimator": LogisticRegression()} if column in MEDOIDS else {})


@dataclass(frozen=True)
class Maker:
    """Makes small estimators of one column."""

    column: str

    def __call__(self, **options: Any) -> Any:
        return make(self.column, **options)


crust, dm, forward, t_revision, l_dmi, pencil, co_teaching, robust_loss = map(Maker, NETWORKS)
coreset, selector, sampler = map(Maker, ("CoresetClassifier", *MEDOIDS))


def of(columns: tuple[str, ...]) -> Any:
    """Run a test with the ``make`` of each column."""
    return pytest.mark.parametrize("make", [Maker(column) for column in columns], ids=columns)


for_networks = of(NETWORKS)
for_classifiers = of(CLASSIFIERS)
for_medoids = of(MEDOIDS)
for_all = of(FITTED)
for_incremental = of(INCREMENTAL)


def make_data(n: int = 40) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.RandomState(0)
    y = np.arange(n) % 2
    X = rng.randn(n, 4)
    X[:, 0] += 2 * y
    return X, y


X, y = make_data()
ROW_3 = np.arange(40) == 3
ONE_NAN = np.where(np.arange(160).reshape(40, 4) == 13, np.nan, X)
ONE_INF = np.where(np.arange(160).reshape(40, 4) == 13, -np.inf, X)
SPARSE = np.where(np.abs(X) < 0.5, 0, X)
