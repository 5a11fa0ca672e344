"""Rows of the table about values of parameters: every parameter of every estimator."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from bad_input.estimators import COLUMNS, MEDOIDS, NETWORKS, make
from bad_input.outcomes import EITHER, Case, DoesNotApply, Outcome, Raises, Row, row
from sklearn.linear_model import LinearRegression, RidgeClassifier
from sklearn.utils._param_validation import InvalidParameterError
from skorch.callbacks import Callback

AREA = "parameters"
EPOCHS = [-1, 1.5, "a", None]
MATRICES = [np.eye(3), np.eye(2) - 0.1, [["a"] * 2] * 2, [0.5, 0.5]]
PAIRS = [(1.0,), (1.0, 0.0), [1, "a"], (1.0, np.inf), (True, 1.0)]

# What scikit-learn's own check of parameters refuses.
VALUES: dict[str, list[Any]] = {
    "module": [3, "mlp"],
    "max_epochs": [0, -1, 2.5, "3", None],
    "lr": [0, -1.0, "a", None, np.nan, np.inf],
    "lr_schedule": ["linear", None],
    "batch_size": [0, -2, 1.5, "all", None],
    "optimizer": ["adma", None, 3],
    "class_weight": ["equal", [1, 2], 3],
    "train_transform": ["flip", 3],
    "validation_fraction": [0, 1, 1.0, -0.1, 5, "a"],
    "warm_start": ["yes", None, 2],
    "callbacks": ["a", 3, Callback()],
    "checkpoint": [3, ["folder"], True],
    "dtype": ["float16", None, torch.float32],
    "autocast": ["float32", True, torch.bfloat16],
    "memory_format": ["channels_first", True, torch.channels_last],
    "compile": ["fast", 1.5, None],
    "accelerator": [2, "cpu", True],
    "device": [None, 0],
    "random_state": ["a", -1, 1.5, 2**32],
    "verbose": [-1, "a", None],
    "trim": [1, 1.0, -0.1, "x"],
    "selection": ["x", None, 3],
    "fraction": [0, -0.5, 1.1, "a", None],
    "group_by": ["x", None],
    "cross_fit": [1, 0, 2.5, "a"],
    "weights": ["x", None],
    "mixup": [-1, "a", None, np.inf],
    "mixup_with": ["group", None],
    "pseudo_label": [0, 1, 1.0, "a"],
    "screening_epochs": EPOCHS,
    "warmup_epochs": [-1, 1.5, "a"],
    "estimation_epochs": [0, *EPOCHS],
    "revision_epochs": EPOCHS,
    "revision_lr": [0, -1.0, "a", None, np.nan, np.inf],
    "pretraining_epochs": EPOCHS,
    "finetuning_epochs": EPOCHS,
    "information_lr": [0, -1.0, "a", None, np.nan, np.inf],
    "transition_matrix": ["x", 3],
    "correction": ["x", None],
    "noise_rate": [1, -0.1, "a", None, np.nan],
    "ramp_epochs": [0, *EPOCHS],
    "label_lr": [-1.0, "a", None, np.nan, np.inf],
    "compatibility": [-1.0, "a", None, np.nan, np.inf],
    "entropy": [-1.0, "a", None, np.nan, np.inf],
    "confidence": [-1.0, "a", None, np.nan, np.inf],
    "refresh_every": [0, 1.5, "a", None],
    "criterion": ["x", None, 3],
    "emphasis": ["x", None, 3],
    "mode": [-0.1, 1, 1.0, "a", np.nan],
    "variance": ["a", np.nan, np.inf],
    "normalize": ["x", True],
    "rounds": [0, 1.5, "a", None],
    "estimator": [3, RidgeClassifier()],
    "n_jobs": [1.5, "a"],
    "k": [0, -1, 2.0, "a"],
}
# Values that only some estimators refuse.
MORE_VALUES: dict[tuple[str, str], list[Any]] = {
    ("CoresetClassifier", "estimator"): ["a", LinearRegression()],
    ("CRUSTClassifier", "warmup_epochs"): [0, None],
    ("PENCILClassifier", "warmup_epochs"): [None],
}


def parameters_of(column: str) -> set[str]:
    if column == "CarriedWeights":
        return set()
    return {name for name in make(column).get_params(deep=False) if "__" not in name}


def constraint_row(name: str) -> Row:
    """Values that are refused as scikit-learn refuses them."""
    having = tuple(column for column in COLUMNS if name in parameters_of(column))
    refused = Raises(f"'{name}' parameter of", error=InvalidParameterError)
    cells: dict[tuple[str, ...] | str, Outcome] = {
        COLUMNS: DoesNotApply(f"has no parameter {name}"),
        having: refused,
    }
    return row(AREA, name, name, cells, *(Case(options={name: value}) for value in VALUES[name]))


def others_row(
    kind: str, parameter: str, columns: tuple[str, ...], match: str, *cases: Case
) -> Row:
    """Values that are of a right type, and refused for another reason."""
    cells: dict[tuple[str, ...] | str, Outcome] = {
        COLUMNS: DoesNotApply(f"has no parameter {parameter}"),
        columns: Raises(f"(?s){match}", error=EITHER),
    }
    return row(AREA, kind, parameter, cells, *cases)


def option_rows() -> list[Row]:
    """Options by prefix, which every network has."""

    def options(kind: str, match: str, *given: dict[str, Any]) -> Row:
        prefix = next(iter(given[0])).split("__")[0]
        return others_row(
            kind, prefix, NETWORKS, match, *(Case(options=option) for option in given)
        )

    return [
        options(
            "module__hidden that is no sequence of sizes",
            "module__hidden",
            {"module__hidden": 8},
            {"module__hidden": (3.5,)},
            {"module__hidden": (0,)},
            {"module__hidden": (-3,)},
        ),
        options("module__dropout of two", r"must lie in \[0, 1\)", {"module__dropout": 2}),
        options("an option the module does not have", "module__hiden=", {"module__hiden": (3,)}),
        options(
            "an option the optimizer does not have or refuses",
            "optimizer.*(momentum|weight_decay)",
            {"optimizer__momentum": 0.9},
            {"optimizer__weight_decay": -1},
            {"optimizer__weight_decay": "a"},
        ),
        options("an option of no callback", "callbacks__foo", {"callbacks__foo__bar": 1}),
        options(
            "an option that the loader does not have or may not",
            "iterator_train.*(foo|sampler|drop_last)",
            {"iterator_train__foo": 1},
            {"iterator_train__sampler": [1]},
            {"iterator_train__drop_last": True},
        ),
        options(
            "iterator_train__batch_size that is no size",
            "iterator_train__batch_size must",
            {"iterator_train__batch_size": 0},
            {"iterator_train__batch_size": "a"},
        ),
        options(
            "iterator_valid__batch_size that is no size",
            "iterator_valid__batch_size must",
            {"iterator_valid__batch_size": 0},
            {"iterator_valid__batch_size": -3},
            {"iterator_valid__batch_size": "a"},
        ),
    ]


OTHER_ROWS = [
    others_row(
        "lr_schedule with milestones that are none",
        "lr_schedule",
        NETWORKS,
        "lr_schedule as a dict must",
        Case(options={"lr_schedule": {0: 0.1}}),
        Case(options={"lr_schedule": {2: -1}}),
        Case(options={"lr_schedule": {"a": 1}}),
        Case(options={"lr_schedule": {2: np.nan}}),
        Case(options={"lr_schedule": {2: np.inf}}),
    ),
    others_row(
        "transition_matrix that fits no noise",
        "transition_matrix",
        ("CRUSTClassifier", "CoresetClassifier", "ForwardClassifier", "TRevisionClassifier"),
        "transition_matrix must",
        *(Case(options={"transition_matrix": matrix}) for matrix in MATRICES),
    ),
    others_row(
        "mixup that is no pair of positive numbers",
        "mixup",
        ("CRUSTClassifier",),
        "mixup as a pair must hold two positive numbers",
        *(Case(options={"mixup": pair}) for pair in PAIRS),
    ),
    others_row(
        "train_transform that gives no batch",
        "train_transform",
        NETWORKS,
        "train_transform",
        Case(options={"train_transform": lambda batch: None}),
        Case(options={"train_transform": lambda batch: batch[:1]}),
    ),
    others_row(
        "k of more rows than there are",
        "k",
        MEDOIDS,
        "k must lie between 1 and .*got k=41",
        Case(options={"k": 41}),
    ),
    others_row(
        "a batch of one row, with batch normalisation",
        "batch_size",
        NETWORKS,
        "batch_size=1 can't train batch normalisation",
        Case(options={"batch_size": 1}),
    ),
    others_row(
        "a validation_fraction that leaves a side without a class",
        "validation_fraction",
        NETWORKS,
        "validation_fraction",
        Case(y=np.arange(40) % 4, options={"validation_fraction": 0.01}),
        Case(y=np.arange(40) % 4, options={"validation_fraction": 0.999}),
    ),
]

ROWS = [
    *(constraint_row(name) for name in VALUES),
    *(
        others_row(
            f"{name}, in {column}",
            name,
            (column,),
            f"'{name}' parameter of",
            *(Case(options={name: value}) for value in values),
        )
        for (column, name), values in MORE_VALUES.items()
    ),
    *OTHER_ROWS,
    *option_rows(),
]
