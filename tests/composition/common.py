"""Small, quick estimators of every kind, and what the tests of compositions share."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse
import sklearn
import torch
from sklearn.utils.fixes import parse_version
from skorch.callbacks import Callback
from torch import nn

from noisyfit import (
    CoresetClassifier,
    CoTeachingClassifier,
    CRUSTClassifier,
    DMClassifier,
    ForwardClassifier,
    LDMIClassifier,
    PENCILClassifier,
    RobustLossClassifier,
    TRevisionClassifier,
)

SMALL = {"module__hidden": (8,), "max_epochs": 6, "batch_size": 16, "lr": 2e-2, "random_state": 0}
FULL_BATCH = {
    "module__hidden": (8,),
    "module__batch_norm": False,
    "dtype": "float64",
    "batch_size": -1,
    "max_epochs": 10,
    "lr": 2e-2,
    "random_state": 0,
}
# What scikit-learn itself can't do in its older versions.
SKLEARN = parse_version(sklearn.__version__)
OLD_SKLEARN = parse_version("1.7") > SKLEARN


def dm(**parameters):
    return DMClassifier(**{**SMALL, **parameters})


def crust(**parameters):
    options = {"cross_fit": 2, "warmup_epochs": 2, "screening_epochs": 1, **SMALL, **parameters}
    return CRUSTClassifier(**options)


def coreset(**parameters):
    return CoresetClassifier(**{"random_state": 0, **parameters})


def forward(**parameters):
    options = {"cross_fit": None, "estimation_epochs": 4, "validation_fraction": None}
    return ForwardClassifier(**{**SMALL, **options, **parameters})


def t_revision(**parameters):
    options = {"cross_fit": None, "estimation_epochs": 4, "validation_fraction": None}
    return TRevisionClassifier(**{**SMALL, "revision_epochs": 2, **options, **parameters})


def l_dmi(**parameters):
    return LDMIClassifier(**{**SMALL, "pretraining_epochs": 4, "max_epochs": 2, **parameters})


def pencil(**parameters):
    options = {"warmup_epochs": 2, "max_epochs": 3, "finetuning_epochs": 1}
    return PENCILClassifier(**{**SMALL, **options, **parameters})


def co_teaching(**parameters):
    options = {"cross_fit": None, "estimation_epochs": 4}
    return CoTeachingClassifier(**{**SMALL, **options, **parameters})


def robust_loss(**parameters):
    return RobustLossClassifier(**{**SMALL, **parameters})


NETWORKS = {"dm": dm, "crust": crust}
CLASSIFIERS = {**NETWORKS, "coreset": coreset}
NEWER = {
    "forward": forward,
    "t_revision": t_revision,
    "l_dmi": l_dmi,
    "pencil": pencil,
    "co_teaching": co_teaching,
    "robust_loss": robust_loss,
}

every_network = pytest.mark.parametrize("make", NETWORKS.values(), ids=NETWORKS)
every_classifier = pytest.mark.parametrize("make", CLASSIFIERS.values(), ids=CLASSIFIERS)
every_newer_network = pytest.mark.parametrize("make", NEWER.values(), ids=NEWER)
each_network = pytest.mark.parametrize(
    "make", [*NETWORKS.values(), *NEWER.values()], ids=[*NETWORKS, *NEWER]
)

SPARSE = {
    f"{form}_{kind}": getattr(scipy.sparse, f"{form}_{kind}")
    for form in ("csr", "csc", "coo")
    for kind in ("matrix", "array")
}


def assert_same_predictions(one, other, X):
    np.testing.assert_array_equal(one.predict_proba(X), other.predict_proba(X))
    np.testing.assert_array_equal(one.predict(X), other.predict(X))


class TinyConvolution(nn.Module):
    def __init__(self, out_features, channels=4):
        super().__init__()
        self.convolution = nn.Conv2d(1, channels, 3, stride=2)
        self.linear = nn.Linear(channels * 9, out_features)

    def forward(self, images):
        return self.linear(torch.relu(self.convolution(images)).flatten(1))


def own_module(make, module, **parameters):
    """An estimator without module__hidden, which only the default module knows."""
    parameters = {**{k: v for k, v in SMALL.items() if k != "module__hidden"}, **parameters}
    if make is crust:
        parameters = {"warmup_epochs": 2, "cross_fit": None, **parameters}
        return CRUSTClassifier(module=module, **parameters)
    return DMClassifier(module=module, **parameters)


class RecordRates(Callback):
    """Notes the learning rate of every epoch."""

    def on_epoch_begin(self, net, **kwargs):
        net.history.record("rate", net.optimizer_.param_groups[0]["lr"])
