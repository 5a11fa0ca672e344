"""scikit-learn's own checks, all of them, over every estimator and variant of note.

Each check is a test of its own, so that pytest's summary shows how many passed. Only two checks
may fail, the two of ``WEIGHTS_AS_COPIES``, and only where the algorithm cannot do otherwise.
"""

from __future__ import annotations

import numpy as np
import pytest
from imblearn.pipeline import Pipeline as ResamplingPipeline
from imblearn.utils import estimator_checks as imblearn_checks
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.utils.estimator_checks import parametrize_with_checks

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
from noisyfit.noise import symmetric_noise

# A row of weight two has to train like two copies of the row, and weight zero like no row.
WEIGHTS_AS_COPIES = (
    "check_sample_weight_equivalence_on_dense_data",
    "check_sample_weight_equivalence_on_sparse_data",
)

SELECTIONS = ["all", "greedy", "central", "random"]
# One of DM's densities, one of a loss in closed form, one by autograd; the rest share their code.
EMPHASES = ["dm", "gce", "focal"]

# Small and quick, yet enough for the checks that ask for accuracy.
MINI_BATCH = {
    "module__hidden": (16,),
    "batch_size": 32,
    "max_epochs": 10,
    "lr": 1e-2,
    "random_state": 0,
}
FULL_BATCH = {
    "module__hidden": (16,),
    "module__batch_norm": False,  # its statistics count a row of weight two once
    "dtype": "float64",
    "batch_size": -1,
    "max_epochs": 20,
    "lr": 3e-2,
    "random_state": 0,
}


def crust(**parameters):
    options = {
        **MINI_BATCH,
        "warmup_epochs": 3,
        "refresh_every": 3,
        "screening_epochs": 2,
        **parameters,
    }
    return CRUSTClassifier(**options)


def batches_are_drawn_by_row(estimator):
    """Two copies of a row may land in two batches, a row of weight two is in one."""
    return dict.fromkeys(WEIGHTS_AS_COPIES, "batches are drawn by row")


def folds_are_drawn_by_row(estimator):
    """Two copies of a row may land in two folds, a row of weight two is in one."""
    return dict.fromkeys(WEIGHTS_AS_COPIES, "folds are drawn by row")


# ------------------------------------------------------------------ networks in mini-batches


@parametrize_with_checks(
    [
        crust(),
        crust(cross_fit=None),
        crust(trim=0.3, selection="greedy", mixup=0.5),
        crust(trim=0.3, selection="central", group_by="predicted"),
        # The paper's algorithm (the selection of its official code is in the line before).
        crust(trim=None, selection="greedy", group_by="predicted", weights="cluster"),
    ],
    expected_failed_checks=batches_are_drawn_by_row,
)
def test_crust(estimator, check):
    check(estimator)


@parametrize_with_checks(
    [
        *(DMClassifier(emphasis, **MINI_BATCH) for emphasis in EMPHASES),
        DMClassifier(normalize="batch", **MINI_BATCH),
        DMClassifier(normalize=None, variance=2.0, **MINI_BATCH),
    ],
    expected_failed_checks=batches_are_drawn_by_row,
)
def test_dm(estimator, check):
    check(estimator)


QUICK_ESTIMATION = {**MINI_BATCH, "cross_fit": 2, "estimation_epochs": 2}


@parametrize_with_checks(
    [
        ForwardClassifier(**QUICK_ESTIMATION),
        TRevisionClassifier(revision_epochs=2, **QUICK_ESTIMATION),
        LDMIClassifier(pretraining_epochs=10, **MINI_BATCH),
        PENCILClassifier(warmup_epochs=5, finetuning_epochs=2, **MINI_BATCH),
        CoTeachingClassifier(**QUICK_ESTIMATION),
        RobustLossClassifier(**MINI_BATCH),
    ],
    expected_failed_checks=batches_are_drawn_by_row,
)
def test_other_methods(estimator, check):
    check(estimator)


def losses_are_unbounded(estimator):
    """What a weight of a thousand multiplies here may be as far below zero as it likes."""
    reason = dict.fromkeys(("check_class_weight_classifiers",), "backward losses are unbounded")
    return {**batches_are_drawn_by_row(estimator), **reason}


@parametrize_with_checks(
    [ForwardClassifier(correction="backward", cross_fit=2, **MINI_BATCH)],
    expected_failed_checks=losses_are_unbounded,
)
def test_backward_correction(estimator, check):
    check(estimator)


# --------------------------------------------- networks in full batches of float64: no exception


@parametrize_with_checks(
    [
        DMClassifier(**FULL_BATCH),
        CRUSTClassifier(cross_fit=None, **FULL_BATCH),
        RobustLossClassifier("gce", **FULL_BATCH),
        CoTeachingClassifier(0.2, **FULL_BATCH),
    ]
)
def test_networks_in_full_batches(estimator, check):
    check(estimator)


# ------------------------------------------------------------------- around other estimators


@parametrize_with_checks(
    [
        CoresetClassifier(random_state=0),
        CoresetClassifier(selection="greedy", weights="cluster", random_state=0),
        CoresetClassifier(trim=0.2, selection="central", group_by="predicted", random_state=0),
    ],
    expected_failed_checks=folds_are_drawn_by_row,
)
def test_coreset_classifier(estimator, check):
    check(estimator)


@parametrize_with_checks(
    [
        CoresetClassifier(cross_fit=None),
        CoresetClassifier(trim=None, cross_fit=None),
    ]
)
def test_coreset_classifier_without_folds(estimator, check):
    check(estimator)


@parametrize_with_checks(
    [
        *(GradientMedoidSelector(selection=name, random_state=0) for name in SELECTIONS),
        *(
            make(selection=name, estimator=LogisticRegression(), trim="auto", random_state=0)
            for make, name in (
                (GradientMedoidSelector, "greedy"),
                (GradientMedoidSelector, "all"),
                (GradientMedoidSampler, "central"),
            )
        ),
        GradientMedoidSampler(random_state=0),
    ]
)
def test_selector_and_sampler(estimator, check):
    check(estimator)


# -------------------------------------------------------------------------- imbalanced-learn

SAMPLERS = {
    "gradients": GradientMedoidSampler(random_state=0),
    "classifier": GradientMedoidSampler(
        selection="all", trim="auto", estimator=LogisticRegression(max_iter=1000), random_state=0
    ),
}
# Left out: what only a sampler that balances classes can have (sampling_strategy_, an error for
# one class), missing values and strings in X, labels in one-versus-all columns, and a tag of
# imbalanced-learn's own base class.
SAMPLER_CHECKS = [
    "check_target_type",
    "check_samplers_fit_resample",
    "check_samplers_list",
    "check_samplers_pandas",
    "check_samplers_2d_target",
    "check_samplers_preserve_dtype",
    "check_sampler_get_feature_names_out",
    "check_sampler_get_feature_names_out_pandas",
    "check_dataframe_column_names_consistency",
    "check_param_validation",
]
SPARSE_SAMPLER_CHECKS = ["check_samplers_sparse", "check_samplers_pandas_sparse"]


@pytest.mark.filterwarnings("ignore:A column-vector y was passed")  # by the check itself
@pytest.mark.parametrize("kind", SAMPLERS)
@pytest.mark.parametrize("name", SAMPLER_CHECKS)
def test_imbalanced_learn_check(name, kind):
    getattr(imblearn_checks, name)("GradientMedoidSampler", SAMPLERS[kind])


@pytest.mark.filterwarnings("ignore:pandas.DataFrame with sparse columns found")
@pytest.mark.parametrize("name", SPARSE_SAMPLER_CHECKS)
def test_imbalanced_learn_check_on_sparse_rows(name):
    getattr(imblearn_checks, name)("GradientMedoidSampler", SAMPLERS["classifier"])


@pytest.mark.parametrize("kind", SAMPLERS)
def test_imbalanced_learn_pipeline_samples_in_fit_and_never_in_predict(kind):
    X, y = load_iris(return_X_y=True)
    y, _ = symmetric_noise(y, 0.3, random_state=0)
    pipeline = ResamplingPipeline(
        [("sampler", clone(SAMPLERS[kind])), ("model", LogisticRegression(max_iter=1000))]
    ).fit(X, y)
    expected = clone(SAMPLERS[kind]).fit_resample(X, y)
    assert len(expected[0]) < len(X)
    by_hand = LogisticRegression(max_iter=1000).fit(*expected)
    assert pipeline.predict(X).shape == y.shape
    np.testing.assert_array_equal(pipeline.predict_proba(X), by_hand.predict_proba(X))
