"""Values of every parameter: usual ones, and odd ones, that may or may not be refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from hypothesis import strategies as st
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.tree import DecisionTreeClassifier
from torch import nn

from noisyfit import (
    CoresetClassifier,
    CoTeachingClassifier,
    CRUSTClassifier,
    DMClassifier,
    ForwardClassifier,
    GradientMedoidSampler,
    GradientMedoidSelector,
    LDMIClassifier,
    PENCILClassifier,
    RobustLossClassifier,
    TRevisionClassifier,
)
from noisyfit.losses import CRITERION_NAMES
from noisyfit.selection import SELECTION_METHODS
from noisyfit.weighting import EMPHASIS_NAMES

Values = dict[str, tuple[list[Any], list[Any]]]  # name: usual and odd values


def unchanged(batch: Any) -> Any:
    return batch


def to_nothing(batch: Any) -> None:
    return None


class InputSpoiler(nn.Module):
    """A module whose logits are not finite for some rows."""

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__()
        self.linear = nn.Linear(in_features, out_features)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.linear(features)
        return logits / (features[:, :1] > -1)


NOT_NUMBERS = ["a", None, "", [1], {}, np.nan, np.inf, -np.inf, True]
MATRICES = [
    np.eye(2),
    np.array([[0.8, 0.2], [0.3, 0.7]]),
    [[0.6, 0.2, 0.2], [0.1, 0.8, 0.1], [0.2, 0.2, 0.6]],
    np.full((2, 2), 0.5),
    np.eye(4),
]
NO_MATRICES = ["x", 3, np.eye(3) - 0.1, [[np.nan, 1], [0, 1]], [[-0.5, 1.5], [0, 1]], [], np.eye(1)]
SHARES = [0.0, 0.25, 0.5, 0.9]
NO_SHARES = [*NOT_NUMBERS, 1.0, 1, -0.1, 2, 1e-300]
EPOCHS = [0, -1, 1.5, "3", None, True, 2**70]

DEVICES = (["cpu", torch.device("cpu")], [None, 0, "tpu", "", "cuda:99", "meta"])
NETWORK: Values = {
    "max_epochs": ([1, 2, np.int64(2)], EPOCHS[:-1]),
    "lr": ([1e-3, 0.1, 1, 1e-30], [*NOT_NUMBERS, 0, -1, 1e4, 1e30, 1e300]),
    "lr_schedule": (
        ["cosine", "constant", {1: 0.1}],
        ["x", None, {}, {0: 1}, {1: -1}, {"a": 1}, {1: 0}, {1: np.nan}, {1: np.inf}],
    ),
    "batch_size": ([2, 4, -1, "auto", 1000, np.int32(3)], [0, -2, 1, 1.5, "x", None, True, 2**62]),
    "optimizer": (["adam", "adamw", "sgd", torch.optim.RMSprop], ["x", None, 3, dict, nn.Linear]),
    "class_weight": (
        [None, "balanced", {}, {0: 2.0}],
        ["x", [1], {0: -1}, {0: np.nan}, {0: "a"}, {"zebra": 1}, {0: 0, 1: 0}, {0: 1e308}],
    ),
    "train_transform": ([None, unchanged], ["x", 3, to_nothing]),
    "validation_fraction": ([None, 0.25, 0.5], [0, 1, 1.0, -0.1, 5, "a", np.nan, 1e-9, 0.999]),
    "warm_start": ([False, True], ["yes", None, 2]),
    "callbacks": ([None, [], ()], ["a", 3, [3], [None], [nn.Linear]]),
    "dtype": (["float32", "float64"], ["float16", None, torch.float32, "x"]),
    "memory_format": ([None, None, "channels_last"], ["channels_first", True]),
    "compile": ([False], ["fast", 1.5, None]),  # compiling takes too long to be done often
    "autocast": ([None, None, None, "bfloat16"], ["float32", True, torch.bfloat16, "float16"]),
    "checkpoint": ([None], [3, ["folder"], True]),
    "accelerator": ([None], [2, "cpu", True]),
    "device": DEVICES,
    "random_state": ([0, 1, 2**32 - 1], ["a", -1, 1.5, 2**32]),
    "verbose": ([0], [-1, "a", None]),
    "module": ([None], [3, "mlp", print, dict, nn.Linear, nn.Linear(2, 2), InputSpoiler]),
    "module__hidden": ([(4,), (), (3, 2)], [8, (0,), (-3,), "a", None, (2.5,)]),
    "module__batch_norm": ([True, False], ["x", None]),
    "module__dropout": ([0.0, 0.5], [2, -1, "a", np.nan]),
    "optimizer__weight_decay": ([0.0, 0.1], [-1, "a", np.nan, 1e30]),
    "iterator_valid__batch_size": ([1, 3, -1], [0, -3, "a", 1.5, None]),
    "iterator_train__batch_size": ([2, 5], [0, "a", None]),
}
CHOOSING: Values = {
    "trim": (["auto", None, *SHARES], ["x", *NO_SHARES[2:]]),
    "selection": (list(SELECTION_METHODS), ["x", None, 3]),
    "fraction": ([0.1, 0.5, 1.0], [0, -0.5, 1.1, "a", None, np.nan, 1e-12]),
    "group_by": (["given", "predicted"], ["x", None]),
    "cross_fit": ([2, 3, None, 1000], [1, 0, 2.5, "a", -1, True]),
}
CLUSTER_WEIGHTS: Values = {"weights": (["uniform", "cluster"], ["x", None])}
CLASSIFIERS = [
    None,
    LogisticRegression(max_iter=20),
    GaussianNB(),
    DecisionTreeClassifier(random_state=0),
    KNeighborsClassifier(1),
]
NO_CLASSIFIERS = [3, "a", RidgeClassifier(), LinearRegression(), LogisticRegression]
ESTIMATION: Values = {
    "transition_matrix": (
        ["auto", "anchor", "joint", "confident_joint", "anchor_points", "percentile", *MATRICES],
        NO_MATRICES,
    ),
    "cross_fit": ([2, 3, None, 1000], [1, 0, 2.5, "a", -1, True]),
    "estimation_epochs": ([1, 2], EPOCHS[:-1]),
}
AROUND_A_CLASSIFIER: Values = {
    **CHOOSING,
    "n_jobs": ([None, 1], [1.5, "a"]),
    "random_state": ([0, 1, 2**32 - 1], ["a", -1, 1.5]),
}
MEDOIDS: Values = {
    **AROUND_A_CLASSIFIER,
    "k": ([None, 1, 2, 5], [0, -1, 2.0, "a", 10**6, True]),
    "estimator": (CLASSIFIERS, NO_CLASSIFIERS),
    "trim": ([None, *SHARES, "auto"], ["x", *NO_SHARES[3:]]),
    "device": DEVICES,
}

PARAMETERS: dict[type, Values] = {
    CRUSTClassifier: {
        **NETWORK,
        **CHOOSING,
        **CLUSTER_WEIGHTS,
        "mixup": ([0.0, 1.0, (1.0, 0.1), [2.0, 3]], [-1, *NOT_NUMBERS, (1.0,), (0, 1), (1, "a")]),
        "mixup_with": (["cluster", "class"], ["x", None]),
        "pseudo_label": ([0.8, None, 0.01], [0, 1, 1.0, "a", np.nan]),
        "warmup_epochs": ([1, 2, 5], EPOCHS[:-1]),
        "screening_epochs": ([0, 1], EPOCHS[1:-1]),
        "transition_matrix": (["auto", None, *MATRICES], NO_MATRICES),
        "refresh_every": ([1, 2, 100], EPOCHS),
        "criterion": (list(CRITERION_NAMES), ["x", None, 3, dict, nn.CrossEntropyLoss()]),
    },
    DMClassifier: {
        **NETWORK,
        "emphasis": (["auto", *EMPHASIS_NAMES], ["x", None, 3, torch.log, dict, torch.mean]),
        "mode": ([None, 0.0, 0.3, 0.9], [-0.1, 1, "a", np.nan, 1e-300]),
        "variance": ([None, 0.0, 1.0, 12.0, -2.0], ["a", np.nan, np.inf, 1e6, -1e6, 700]),
        "normalize": (["integral", "batch", None], ["x", True]),
    },
    ForwardClassifier: {
        **NETWORK,
        **ESTIMATION,
        "correction": (["forward", "backward"], ["x", None]),
        "validation_fraction": (["auto", None, 0.25], [0, 1.0, "a", np.nan]),
    },
    TRevisionClassifier: {
        **NETWORK,
        **ESTIMATION,
        "revision_epochs": ([0, 1, 2], EPOCHS[1:-1]),
        "revision_lr": ([1e-4, 0.1, 1], [*NOT_NUMBERS, 0, -1, 1e4, 1e30, 1e300]),
        "validation_fraction": (["auto", None, 0.25], [0, 1.0, "a", np.nan]),
    },
    LDMIClassifier: {
        **NETWORK,
        "pretraining_epochs": ([0, 1, 2], EPOCHS[1:-1]),
        "information_lr": ([1e-4, 0.1, 1], [*NOT_NUMBERS, 0, -1, 1e4, 1e30, 1e300]),
    },
    PENCILClassifier: {
        **NETWORK,
        "label_lr": ([0, 1.0, 100], [*NOT_NUMBERS, -1, 1e30, 1e300]),
        "compatibility": ([0, 0.25, 10], [*NOT_NUMBERS, -1, 1e30, 1e300]),
        "entropy": ([0, 0.1, 10], [*NOT_NUMBERS, -1, 1e30, 1e300]),
        "confidence": ([0, 10.0, 100], [*NOT_NUMBERS, -1, 1e30, 1e300]),
        "warmup_epochs": ([0, 1, 2], EPOCHS[1:-1]),
        "finetuning_epochs": ([0, 1, 2], EPOCHS[1:-1]),
    },
    CoTeachingClassifier: {
        **NETWORK,
        "noise_rate": (["auto", *SHARES, 0.999], ["x", *NO_SHARES[1:]]),
        "ramp_epochs": ([1, 2, 1000], EPOCHS),
        "cross_fit": ESTIMATION["cross_fit"],
        "estimation_epochs": ESTIMATION["estimation_epochs"],
    },
    RobustLossClassifier: {
        **NETWORK,
        "criterion": (["elr", *CRITERION_NAMES], ["x", None, 3, dict, nn.CrossEntropyLoss()]),
        "criterion__q": ([0.5, 1.0], [0, 3.0, "a", np.nan]),
        "warmup_epochs": ([None, 0, 1, 50], EPOCHS[1:4]),
    },
    CoresetClassifier: {
        **AROUND_A_CLASSIFIER,
        **CLUSTER_WEIGHTS,
        "estimator": (CLASSIFIERS, NO_CLASSIFIERS),
        "pseudo_label": ([0.8, None, 0.01], [0, 1, 1.0, "a", np.nan]),
        "rounds": ([1, 2, 3], EPOCHS[:-1]),
        "transition_matrix": (["auto", None, *MATRICES], NO_MATRICES),
    },
    GradientMedoidSelector: MEDOIDS,
    GradientMedoidSampler: {**MEDOIDS, **CLUSTER_WEIGHTS},
}

TINY_NETWORK = {"module__hidden": (4,), "max_epochs": 1, "batch_size": 8, "random_state": 0}
# Small enough for an example to take some 10 to 50 ms.
SMALL: dict[type, dict[str, Any]] = {
    CRUSTClassifier: {"cross_fit": 2, "warmup_epochs": 1, "screening_epochs": 0},
    ForwardClassifier: {"cross_fit": None, "estimation_epochs": 1},
    TRevisionClassifier: {"cross_fit": None, "estimation_epochs": 1, "revision_epochs": 1},
    LDMIClassifier: {"pretraining_epochs": 1},
    PENCILClassifier: {"warmup_epochs": 1, "finetuning_epochs": 1},
    CoTeachingClassifier: {"cross_fit": None, "estimation_epochs": 1},
}


def small_version(estimator_class: type) -> dict[str, Any]:
    """The parameters that every example starts from."""
    if "max_epochs" in PARAMETERS[estimator_class]:
        return {**TINY_NETWORK, **SMALL.get(estimator_class, {})}
    return {"random_state": 0}


@st.composite
def parameters(draw: st.DrawFn, estimator_class: type) -> dict[str, Any]:
    """Up to four parameters with usual values; in one case of five, one with an odd value."""
    values = PARAMETERS[estimator_class]
    names = draw(st.lists(st.sampled_from(sorted(values)), max_size=4, unique=True))
    chosen = {name: draw(st.sampled_from(values[name][0])) for name in names}
    if draw(st.sampled_from([False] * 4 + [True])):
        name = draw(st.sampled_from(sorted(values)))
        chosen[name] = draw(st.sampled_from(values[name][1]))
    given = {**small_version(estimator_class), **chosen}
    if given.get("module") is not None and "module__hidden" not in chosen:
        given.pop("module__hidden", None)  # an option of the default module
    return given
