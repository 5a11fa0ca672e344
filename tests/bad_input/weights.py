"""Rows of the table about weights of rows and of classes."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from bad_input.estimators import CLASSIFIERS, NETWORKS, ROW_3, WITH_WEIGHTS, y
from bad_input.outcomes import EITHER, Case, DoesNotApply, Outcome, Raises, Row, Works, row
from sklearn.neighbors import KNeighborsClassifier

AREA = "weights"
NO_WEIGHTS = DoesNotApply("its fit takes no weights")
WEIGHTED = (*WITH_WEIGHTS, "CarriedWeights")
OTHERS: dict[Any, Outcome] = {
    ("CoresetClassifier",): DoesNotApply("class_weight is a parameter of the estimator inside"),
    ("GradientMedoidSelector", "GradientMedoidSampler"): DoesNotApply("trains no classes"),
    "CarriedWeights": DoesNotApply("holds weights of rows"),
}


def refused(
    kind: str, *weights: Any, match: str, says: str = "refused", error: Any = EITHER
) -> Any:
    return row(
        AREA,
        kind,
        "sample_weight|weights",
        {
            WEIGHTED: Raises(match, says, EITHER),
            "CarriedWeights": Raises(match, f"{says} where it is used", EITHER),
            "GradientMedoidSelector": NO_WEIGHTS,
        },
        *(Case(fit={"sample_weight": some}) for some in weights),
    )


def class_weight_refused(kind: str, *weights: Any, match: str) -> Row:
    return row(
        AREA,
        f"class_weight: {kind}",
        "class_weight",
        {NETWORKS: Raises(match, error=EITHER), **OTHERS},
        *(Case(options={"class_weight": some}) for some in weights),
    )


def around_neighbours(column: str) -> dict[str, Any]:
    return {"estimator": KNeighborsClassifier()} if column not in NETWORKS else {}


ROWS = [
    refused("negative", np.where(ROW_3, -1, 1), match="must not be negative.*use 0"),
    refused("NaN", np.where(ROW_3, np.nan, 1), match="contains NaN"),
    refused("infinite", np.where(ROW_3, np.inf, 1), match="contains NaN or infinity"),
    refused(
        "too short or too long",
        np.ones(39),
        np.ones(41),
        match=r"sample_weight.shape == \((39|41),\), expected \(40,\)",
    ),
    row(
        AREA,
        "two axes",
        "sample_weight|weights",
        {
            WITH_WEIGHTS: Raises("sample_weight must be 1D"),
            "CarriedWeights": Raises("one weight per row"),
            "GradientMedoidSelector": NO_WEIGHTS,
        },
        Case(fit={"sample_weight": np.ones((40, 1))}),
    ),
    refused("all zero", np.zeros(40), match="zero for every row"),
    refused("strings, complex numbers", ["a"] * 40, np.ones(40) * 1j, match="must hold numbers"),
    refused(
        "a sum that float64 can't hold",
        np.full(40, 1e308),
        np.full(40, 5e-324),
        match="divide the weights by their mean",
        says="refused: divide them by their mean",
    ),
    row(
        AREA,
        "positive for one class only",
        "sample_weight",
        {
            CLASSIFIERS: Raises("sample_weight.*1 class"),
            ("GradientMedoidSampler", "CarriedWeights"): Works("chooses among those rows"),
            "GradientMedoidSelector": NO_WEIGHTS,
        },
        Case(fit={"sample_weight": (y == 0).astype(float)}),
    ),
    row(
        AREA,
        "zero for some rows",
        "sample_weight",
        {
            WEIGHTED: Works("leaves these rows out, and judges them all the same"),
            ("GradientMedoidSampler", "CarriedWeights"): Works("these rows are as if absent"),
            "GradientMedoidSelector": NO_WEIGHTS,
        },
        Case(fit={"sample_weight": (np.arange(40) % 4 > 0).astype(float)}),
    ),
    row(
        AREA,
        "a number, booleans, a tensor",
        "sample_weight",
        {
            WITH_WEIGHTS: Works("a number is the weight of every row"),
            "CarriedWeights": DoesNotApply("a number needs no carrying"),
            "GradientMedoidSelector": NO_WEIGHTS,
        },
        Case(fit={"sample_weight": 2.0}),
        Case(fit={"sample_weight": np.arange(40) % 4 > 0}),
        Case(fit={"sample_weight": torch.ones(40)}),
    ),
    row(
        AREA,
        "very large or very small",
        "sample_weight",
        {
            WEIGHTED: Works("fits: where they are not counts, only ratios matter"),
            "CoresetClassifier": Works("fits; the estimator inside gets them as they are"),
            "CarriedWeights": Works("carried as they are"),
            "GradientMedoidSelector": NO_WEIGHTS,
        },
        *(
            Case(fit={"sample_weight": (0.5 + np.arange(40) % 3) * scale})
            for scale in (1e-200, 1e-3, 1e200)
        ),
    ),
    row(
        AREA,
        "given for an estimator that takes none",
        "sample_weight",
        {
            NETWORKS: DoesNotApply("has no estimator inside"),
            "CoresetClassifier": Raises("takes no sample_weight"),
            "GradientMedoidSampler": Raises("takes no sample_weight"),
            "CarriedWeights": DoesNotApply("fits nothing"),
            "GradientMedoidSelector": NO_WEIGHTS,
        },
        Case(options=around_neighbours, fit={"sample_weight": np.ones(40)}),
    ),
    class_weight_refused(
        "labels that y does not have",
        {5: 1.0},
        {"0": 1.0},
        {(0, 1): 1.0},
        match=r"class_weight names \[",
    ),
    class_weight_refused(
        "negative, NaN or infinite", {0: -1.0}, {0: np.nan}, {0: np.inf}, match="must be finite"
    ),
    class_weight_refused("no numbers", {0: "a"}, {0: None}, match="must be"),
    class_weight_refused(
        "zero for all classes but one, or for all", {0: 0.0}, {0: 0.0, 1: 0}, match=""
    ),
    class_weight_refused("a sum that float64 can't hold", {0: 1e308}, match="divide"),
    class_weight_refused(
        "a list or an unknown word", [1, 2], "equal", match="'class_weight' parameter"
    ),
]
