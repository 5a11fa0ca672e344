"""What users get wrong: each mistake is named, with a remedy, or has a documented result.

Never a hang, never NaN in predict_proba, never a message of torch or skorch that needs guessing,
and never an estimator that is half fitted.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.sparse
import torch
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.utils._param_validation import InvalidParameterError
from skorch.callbacks import Callback, EarlyStopping
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
    RobustLossClassifier,
)
from noisyfit.losses import CrossEntropy

# ------------------------------------------------------------------------------- small versions

TRAINING = {"max_epochs": 3, "batch_size": 16, "random_state": 0}
PHASES = {"cross_fit": 2, "screening_epochs": 1, "warmup_epochs": 1}


def crust(**options: Any) -> CRUSTClassifier:
    mlp = {} if "module" in options else {"module__hidden": (8,)}
    return CRUSTClassifier(**(TRAINING | PHASES | mlp | options))


def dm(**options: Any) -> DMClassifier:
    mlp = {} if "module" in options else {"module__hidden": (8,)}
    return DMClassifier(**(TRAINING | mlp | options))


def forward(**options: Any) -> ForwardClassifier:
    return quick(ForwardClassifier, options, cross_fit=2, estimation_epochs=1)


def l_dmi(**options: Any) -> LDMIClassifier:
    return quick(LDMIClassifier, options, pretraining_epochs=1)


def co_teaching(**options: Any) -> CoTeachingClassifier:
    return quick(CoTeachingClassifier, options, cross_fit=2, estimation_epochs=1)


def robust_loss(**options: Any) -> RobustLossClassifier:
    return quick(RobustLossClassifier, options)


def quick(make: type, given: dict[str, Any], **options: Any) -> Any:
    mlp = {} if "module" in given else {"module__hidden": (8,)}
    return make(**(TRAINING | mlp | options | given))


def coreset(**options: Any) -> CoresetClassifier:
    return CoresetClassifier(**({"cross_fit": 2, "random_state": 0} | options))


def selector(**options: Any) -> GradientMedoidSelector:
    return GradientMedoidSelector(**options)


def sampler(**options: Any) -> GradientMedoidSampler:
    return GradientMedoidSampler(**options)


Maker = Callable[..., Any]
INCREMENTAL: list[Maker] = [crust, dm]
# T-Revision has all its checks from the base it shares with Forward, PENCIL from that of L_DMI.
PEERS: list[Maker] = [forward, l_dmi, co_teaching, robust_loss]
NETWORKS: list[Maker] = [*INCREMENTAL, *PEERS]
CROSS_FITTED: list[Maker] = [crust, forward, co_teaching]
CLASSIFIERS: list[Maker] = [*NETWORKS, coreset]
ALL: list[Maker] = [*CLASSIFIERS, selector, sampler]
for_incremental = pytest.mark.parametrize("make", INCREMENTAL, ids=lambda maker: maker.__name__)
for_networks = pytest.mark.parametrize("make", NETWORKS, ids=lambda maker: maker.__name__)
for_classifiers = pytest.mark.parametrize("make", CLASSIFIERS, ids=lambda maker: maker.__name__)
for_all = pytest.mark.parametrize("make", ALL, ids=lambda maker: maker.__name__)


def make_data(n: int = 40) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.RandomState(0)
    y = np.arange(n) % 2
    X = rng.randn(n, 4)
    X[:, 0] += 2 * y
    return X, y


X, y = make_data()
ONE_NAN = np.where(np.arange(160).reshape(40, 4) == 13, np.nan, X)
ONE_INF = np.where(np.arange(160).reshape(40, 4) == 13, -np.inf, X)


def assert_predicts(classifier: Any, features: Any, n_classes: int = 2) -> None:
    probabilities = classifier.predict_proba(features)
    assert probabilities.shape == (features.shape[0], n_classes)
    assert np.isfinite(probabilities).all()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-6)
    assert set(classifier.predict(features)) <= set(classifier.classes_)


def assert_unfitted(estimator: Any) -> None:
    """Nothing of a failed fit can be used, and it says so as scikit-learn does."""
    methods = ("predict", "predict_proba", "transform")
    calls = [getattr(estimator, m) for m in methods if hasattr(estimator, m)]
    for call in calls:
        with pytest.raises(NotFittedError):
            call(X)
    if hasattr(estimator, "get_support"):
        with pytest.raises(NotFittedError):
            estimator.get_support()


def assert_fit_fails(
    estimator: Any,
    features: Any,
    labels: Any,
    match: str,
    error: type[Exception] | tuple[type[Exception], ...] = ValueError,
    **fit_options: Any,
) -> None:
    with pytest.raises(error, match=match):
        estimator.fit(features, labels, **fit_options)
    assert_unfitted(estimator)


EITHER = (ValueError, TypeError)

# -------------------------------------------------------------------------------------- X and y

BAD_X: dict[str, tuple[Any, str]] = {
    "NaN": (ONE_NAN, "NaN"),
    "infinity": (ONE_INF, "infinity"),
    "no rows": (X[:0], r"0 sample"),
    "no columns": (X[:, :0], r"0 feature"),
    "1-D": (X[:, 0], "Reshape your data|2D array"),
    "complex": (X + 1j, "Complex data not supported"),
    "strings": (np.full((40, 2), "a"), "could not convert string to float: .*'a'"),
    "objects": (np.full((40, 2), "a", dtype=object), "could not convert string to float: 'a'"),
    "ragged": ([[1, 2], [3]] * 20, "inhomogeneous"),
}


@for_all
@pytest.mark.parametrize("problem", BAD_X)
def test_bad_features(make: Maker, problem: str) -> None:
    bad, match = BAD_X[problem]
    labels = y[: len(bad)]
    assert_fit_fails(make(), bad, labels, match)


@for_all
@pytest.mark.parametrize("bad", [ONE_NAN, ONE_INF], ids=["NaN", "infinity"])
def test_bad_values_in_sparse_features(make: Maker, bad: np.ndarray) -> None:
    options = {} if make in CLASSIFIERS else {"estimator": LogisticRegression()}
    matrix = scipy.sparse.csr_matrix(np.where(np.abs(bad) < 0.5, 0, bad))
    assert_fit_fails(make(**options), matrix, y, "NaN|infinity")


@for_networks
def test_float64_values_beyond_float32(make: Maker) -> None:
    huge = X.copy()
    huge[3, 1] = 1e100
    assert_fit_fails(make(), huge, y, "too large for dtype\\('float32'\\)")
    assert_predicts(make(dtype="float64").fit(huge, y), huge)
    fitted = make().fit(X, y)
    with pytest.raises(ValueError, match="too large"):
        fitted.predict(huge)


@for_networks
@pytest.mark.parametrize("zero", [(10, 2, 0), (10, 0, 3)])
def test_images_without_pixels(make: Maker, zero: tuple[int, ...]) -> None:
    assert_fit_fails(make(), np.zeros(zero), y[:10], r"0 feature|\(10, ")


@pytest.mark.parametrize("make", [selector, sampler], ids=["selector", "sampler"])
def test_gradients_have_to_be_dense_and_of_a_size_to_square(make: Maker) -> None:
    assert_fit_fails(make(), scipy.sparse.csr_matrix(X), y, r"toarray\(\)", TypeError)
    assert_fit_fails(make(k=2), X * 1e200, y, "too large.*divide")


BAD_Y: dict[str, tuple[Any, str]] = {
    "too short": (y[:-1], "inconsistent numbers of samples"),
    "2-D": (np.c_[y, y], r"y should be a 1d array.*\(40, 2\)"),
    "NaN": (np.where(np.arange(40) == 3, np.nan, y), "y contains NaN"),
    "None inside": (np.where(np.arange(40) == 3, None, y), "Unknown label type|y contains NaN"),
    "NaN among strings": (np.array(["a", np.nan] * 20, dtype=object), "NaN"),
    "infinity": (np.where(np.arange(40) == 3, np.inf, y), "infinity"),
    "continuous": (y + 0.01 * np.arange(40), "Unknown label type"),
    "numbers and strings": (np.array([1, "a"] * 20, dtype=object), "Unknown label type"),
    "complex": (y + 1j, "Complex data not supported"),
    "ragged": ([[0], [1, 2]] * 20, "inhomogeneous"),
}


@for_all
@pytest.mark.parametrize("problem", BAD_Y)
def test_bad_labels(make: Maker, problem: str) -> None:
    bad, match = BAD_Y[problem]
    assert_fit_fails(make(), X, bad, match)


@for_all
def test_no_labels(make: Maker) -> None:
    if make is selector:
        assert make().fit(X).get_support().sum() == 20  # documented: all rows are one group
        assert_fit_fails(make(estimator=LogisticRegression()), X, None, "estimator=.* need.*labels")
    else:
        assert_fit_fails(make(), X, None, "requires y to be passed, but the target y is None")


@for_all
def test_labels_in_a_column_are_taken_with_a_warning(make: Maker) -> None:
    with pytest.warns(UserWarning, match="column-vector y was passed"):
        make().fit(X, y[:, None])


@for_all
def test_a_list_of_mixed_labels_becomes_strings_as_in_numpy(make: Maker) -> None:
    fitted = make().fit(X, [1, "a"] * 20)
    if make in CLASSIFIERS:
        assert fitted.classes_.tolist() == ["1", "a"]
        assert_predicts(fitted, X)


@for_classifiers
def test_one_class(make: Maker) -> None:
    assert_fit_fails(make(), X, np.zeros(40, int), "one class only .*at least\\s+two classes")
    assert_fit_fails(make(), X[:1], y[:1], "one class only")


@for_classifiers
@pytest.mark.parametrize("others", [2, 9])
def test_two_classes_one_of_a_single_row(make: Maker, others: int) -> None:
    """One of the cross-fitted models sees one class only: it is sure of that one."""
    labels = (np.arange(1 + others) == 1).astype(int)
    options = {"cross_fit": 3} if make in (*CROSS_FITTED, coreset) else {}
    assert_predicts(make(**options).fit(X[: 1 + others], labels), X)


@for_classifiers
def test_a_class_of_one_row_works(make: Maker) -> None:
    labels = y.copy()
    labels[5] = 7
    fitted = make().fit(X, labels)
    assert fitted.classes_.tolist() == [0, 1, 7]
    assert_predicts(fitted, X, 3)


@pytest.mark.parametrize("make", [crust, coreset])
@pytest.mark.parametrize("matrix", [np.eye(3), np.eye(2) - 0.1, [["a"] * 2] * 2, [0.5, 0.5]])
def test_a_matrix_that_fits_no_noise(make: Maker, matrix: Any) -> None:
    assert_fit_fails(make(transition_matrix=matrix), X, y, "transition_matrix must")


@for_classifiers
@pytest.mark.parametrize("cross_fit", [2, 5, 1000])
@pytest.mark.parametrize("n", [2, 3, 4, 5, 6, 10])
def test_few_rows(make: Maker, n: int, cross_fit: int) -> None:
    """They work, or cross_fit is what stands in the way and is named."""
    options = {"cross_fit": cross_fit} if make in (*CROSS_FITTED, coreset) else {}
    estimator = make(**options)
    n_seen = n - int(np.ceil(n / min(n, cross_fit)))  # rows of the smallest training part
    if make in CROSS_FITTED and n_seen < 2:  # batch normalisation can't train on one row
        assert_fit_fails(estimator, X[:n], y[:n], "cross_fit=")
    else:
        assert_predicts(estimator.fit(X[:n], y[:n]), X)
    if make in (*CROSS_FITTED, coreset):
        assert_predicts(make(cross_fit=None).fit(X[:n], y[:n]), X)


@for_classifiers
def test_a_class_imbalance_of_500(make: Maker) -> None:
    rng = np.random.RandomState(0)
    features, labels = rng.randn(501, 3), np.arange(501) == 500
    options = {} if make is coreset else {"batch_size": 128}
    assert_predicts(make(**options).fit(features, labels), features)


@for_classifiers
def test_a_hundred_classes_of_three_rows(make: Maker) -> None:
    rng = np.random.RandomState(0)
    labels = np.arange(300) % 100
    features = rng.randn(100, 6)[labels] + 0.1 * rng.randn(300, 6)
    options = {} if make is coreset else {"batch_size": 128}
    assert_predicts(make(**options).fit(features, labels), features, 100)


@for_classifiers
@pytest.mark.parametrize(
    "features",
    [np.full((40, 3), 7.0), np.repeat(X[:1], 40, axis=0), X * 1e30, X * 1e-30, X + 1e6],
    ids=["constant", "one row repeated", "huge", "tiny", "far from zero"],
)
def test_features_of_unusual_values_give_probabilities(make: Maker, features: np.ndarray) -> None:
    assert_predicts(make().fit(features, y), features)


@pytest.mark.parametrize("make", [selector, sampler], ids=["selector", "sampler"])
@pytest.mark.parametrize("k", [2, 7, 40])
def test_medoids_of_identical_rows_are_distinct_and_cover_all(make: Maker, k: int) -> None:
    fitted = make(k=k).fit(np.ones((40, 3)), y)
    assert len(set(fitted.medoid_indices_)) == k
    assert fitted.weights_.sum() == 40


@for_networks
def test_a_million_sparse_columns(make: Maker) -> None:
    rows = scipy.sparse.random(5, 10**6, 1e-5, format="csr", random_state=0)
    estimator = make(module__hidden=(2,), max_epochs=2)
    assert_predicts(estimator.fit(rows, [0, 1, 0, 1, 0]), rows)


@for_classifiers
@pytest.mark.parametrize("kind", ["int64 indices", "COO", "CSR array", "integers", "booleans"])
def test_kinds_of_sparse_matrices(make: Maker, kind: str) -> None:
    matrix = scipy.sparse.csr_matrix(np.where(np.abs(X) < 0.5, 0, X))
    if kind == "int64 indices":
        matrix.indices, matrix.indptr = (
            a.astype(np.int64) for a in (matrix.indices, matrix.indptr)
        )
    else:
        convert = {
            "COO": scipy.sparse.coo_matrix,
            "CSR array": scipy.sparse.csr_array,
            "integers": lambda m: m.astype(int),
            "booleans": lambda m: m.astype(bool),
        }
        matrix = convert[kind](matrix)
    assert_predicts(make().fit(matrix, y), matrix)


@for_networks
def test_a_sparse_matrix_without_entries(make: Maker) -> None:
    empty = scipy.sparse.csr_matrix((40, 3))
    assert_predicts(make().fit(empty, y), empty)


@pytest.mark.parametrize("mixup", [(1.0,), (1.0, 0.0), [1, "a"], (1.0, np.inf), (True, 1.0)])
def test_pairs_that_are_no_parameters_of_a_beta_distribution(mixup: Any) -> None:
    assert_fit_fails(crust(mixup=mixup), X, y, "mixup as a pair must hold two positive numbers")


@for_networks
def test_mixup_of_sparse_rows(make: Maker) -> None:
    if make is not crust:
        return  # it has no mixup
    matrix = scipy.sparse.csr_matrix(np.where(np.abs(X) < 0.5, 0, X))
    for selection in ("all", "greedy"):
        assert_predicts(make(mixup=1.0, selection=selection).fit(matrix, y), matrix)


@for_classifiers
def test_other_containers(make: Maker) -> None:
    expected = make().fit(X, y).predict_proba(X)
    for features, labels in [
        (X.astype(object), y),
        (X.tolist(), y.tolist()),
        (np.asfortranarray(X), y),
        (X[::-1][::-1], y),
        (X.astype(">f8"), y),
    ]:
        estimator = make().fit(features, labels)
        np.testing.assert_allclose(estimator.predict_proba(X), expected, atol=1e-6)


@for_networks
def test_torch_tensors_of_any_precision(make: Maker) -> None:
    tensor = torch.tensor(X, requires_grad=True)
    assert_predicts(make().fit(tensor, torch.tensor(y)), tensor)
    for dtype in (torch.float16, torch.bfloat16):
        assert_predicts(make().fit(tensor.to(dtype), y), tensor.to(dtype))
    assert_fit_fails(make(), tensor.detach().to_sparse(), y, "dense", TypeError)


# ------------------------------------------------------------------------------- at prediction


@for_all
def test_use_before_fit(make: Maker) -> None:
    assert_unfitted(make())


@for_classifiers
@pytest.mark.parametrize("method", ["predict", "predict_proba"])
def test_bad_features_at_prediction(make: Maker, method: str) -> None:
    call = getattr(make().fit(X, y), method)
    with pytest.raises(ValueError, match=r"X has 3 features, but .* is expecting 4"):
        call(X[:, :3])
    with pytest.raises(ValueError, match="NaN"):
        call(ONE_NAN)
    with pytest.raises(ValueError, match="infinity"):
        call(ONE_INF)
    with pytest.raises(ValueError, match="0 sample"):
        call(X[:0])
    with pytest.raises(ValueError, match=r"1D array|Reshape"):
        call(X[0])


def test_bad_features_at_transform() -> None:
    fitted = selector(k=2).fit(X, y)
    with pytest.raises(ValueError, match="X has 3 features"):
        fitted.transform(X[:, :3])
    with pytest.raises(ValueError, match="NaN"):
        fitted.transform(ONE_NAN)


@for_networks
@pytest.mark.parametrize("shape", [(5, 2, 5), (5, 2), (5, 2, 4, 1)])
def test_images_of_another_shape_at_prediction(make: Maker, shape: tuple[int, ...]) -> None:
    images = np.random.RandomState(0).randn(20, 2, 4)
    fitted = make().fit(images, y[:20])
    assert_predicts(fitted, images)
    with pytest.raises(ValueError, match=r"\(2, 4\)|expecting"):
        fitted.predict(np.zeros(shape))


@for_networks
def test_values_that_overflow_inside_the_network(make: Maker) -> None:
    """Probabilities are numbers, or the overflow is reported."""
    fitted = make(module=nn.Linear).fit(X, y)
    with torch.no_grad():
        for weight in fitted.net_.module_.parameters():
            weight.fill_(100.0)
        if getattr(fitted, "_teacher", None) is not None:
            fitted._teacher.module_.weight.fill_(100.0)
    with pytest.raises(ValueError, match=r"NaN|overflow|finite|too large"):
        fitted.predict_proba(np.full((2, 4), 3e38))


@for_networks
def test_parameters_that_change_after_fit_do_not_break_prediction(make: Maker) -> None:
    fitted = make().fit(X, y)
    expected = fitted.predict_proba(X)
    fitted.set_params(dtype="float64", batch_size=1, module__hidden=(3,), lr=1.0)
    np.testing.assert_allclose(fitted.predict_proba(X), expected, atol=1e-5)


# --------------------------------------------------------------------------------------- weights

BAD_WEIGHTS: dict[str, tuple[Any, str]] = {
    "negative": (np.where(np.arange(40) == 3, -1, 1), "sample_weight must not be negative.*use 0"),
    "NaN": (np.where(np.arange(40) == 3, np.nan, 1), "sample_weight contains NaN"),
    "infinite": (np.where(np.arange(40) == 3, np.inf, 1), "sample_weight contains NaN or infinity"),
    "too short": (np.ones(39), r"sample_weight.shape == \(39,\), expected \(40,\)"),
    "2-D": (np.ones((40, 1)), "sample_weight must be 1D"),
    "all zero": (np.zeros(40), "sample_weight is zero for every row"),
    "one class only": ((y == 0).astype(float), "sample_weight.*1 class"),
    "strings": (["a"] * 40, "sample_weight"),
}


@for_classifiers
@pytest.mark.parametrize("problem", BAD_WEIGHTS)
def test_bad_sample_weight(make: Maker, problem: str) -> None:
    bad, match = BAD_WEIGHTS[problem]
    assert_fit_fails(make(), X, y, match, EITHER, sample_weight=bad)


@for_classifiers
@pytest.mark.parametrize("scale", [1e-200, 1e-3, 1e200])
def test_only_the_ratio_of_sample_weights_matters_where_they_are_not_counts(
    make: Maker, scale: float
) -> None:
    weight = 0.5 + np.arange(40) % 3
    options = {"estimator": KNeighborsWithWeights()} if make is coreset else {}
    expected = make(**options).fit(X, y, sample_weight=weight).predict_proba(X)
    got = make(**options).fit(X, y, sample_weight=weight * scale).predict_proba(X)
    np.testing.assert_allclose(got, expected, atol=1e-5)


class KNeighborsWithWeights(KNeighborsClassifier):
    """Takes weights; what it makes of them does not matter here."""

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> KNeighborsWithWeights:
        return super().fit(X, y)


def test_an_estimator_that_takes_no_weights() -> None:
    plain = KNeighborsClassifier()
    assert_fit_fails(coreset(estimator=plain), X, y, "no sample_weight", sample_weight=np.ones(40))
    assert_fit_fails(
        coreset(estimator=plain, weights="cluster"), X, y, "no sample_weight.*weights='cluster'"
    )


BAD_CLASS_WEIGHT: dict[str, tuple[Any, str]] = {
    "unknown label": ({5: 1.0}, r"class_weight names \[5\]"),
    "label of another type": ({"0": 1.0}, r"class_weight names \['0'\]"),
    "tuple as label": ({(0, 1): 1.0}, r"class_weight names \[\(0, 1\)\]"),
    "negative": ({0: -1.0}, "class_weight must be finite and not negative"),
    "NaN": ({0: np.nan}, "class_weight must be finite"),
    "string": ({0: "a"}, "class_weight must be"),
    "None": ({0: None}, "class_weight must be"),
    "zero for all but one": ({0: 0.0}, "class_weight"),
    "zero for all": ({0: 0.0, 1: 0}, "class_weight"),
    "list": ([1, 2], "'class_weight' parameter"),
    "word": ("equal", "'class_weight' parameter"),
}


@for_networks
@pytest.mark.parametrize("problem", BAD_CLASS_WEIGHT)
def test_bad_class_weight(make: Maker, problem: str) -> None:
    bad, match = BAD_CLASS_WEIGHT[problem]
    assert_fit_fails(make(class_weight=bad), X, y, match, EITHER)


# ----------------------------------------------------------------------------------- parameters

NETWORK_VALUES: dict[str, list[Any]] = {
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
    "device": [None, 0],
    "random_state": ["a", -1, 1.5, 2**32],
    "verbose": [-1, "a", None],
}
SELECTION_VALUES: dict[str, list[Any]] = {
    "trim": [1, 1.0, -0.1, "x"],
    "selection": ["x", None, 3],
    "fraction": [0, -0.5, 1.1, "a", None],
    "group_by": ["x", None],
    "cross_fit": [1, 0, 2.5, "a"],
}
VALUES: list[tuple[Maker, dict[str, list[Any]]]] = [
    (
        crust,
        NETWORK_VALUES
        | SELECTION_VALUES
        | {
            "weights": ["x", None],
            "mixup": [-1, "a", None, np.inf],
            "mixup_with": ["group", None],
            "pseudo_label": [0, 1, 1.0, "a"],
            "screening_epochs": [-1, 1.5, "a", None],
            "warmup_epochs": [0, 1.5, "a", None],
            "transition_matrix": ["x", 3],
            "refresh_every": [0, 1.5, "a", None],
            "criterion": ["x", None, 3],
        },
    ),
    (
        dm,
        NETWORK_VALUES
        | {
            "emphasis": ["x", None, 3],
            "mode": [-0.1, 1, 1.0, "a", np.nan],
            "variance": ["a", np.nan, np.inf],
            "normalize": ["x", True],
        },
    ),
    (
        coreset,
        SELECTION_VALUES
        | {
            "weights": ["x", None],
            "pseudo_label": [0, 1, 1.0, "a"],
            "transition_matrix": ["x", 3],
            "rounds": [0, 1.5, "a", None],
            "estimator": [3, "a", RidgeClassifier(), LinearRegression()],
            "n_jobs": [1.5, "a"],
            "random_state": ["a", -1],
        },
    ),
    *(
        (
            make,
            SELECTION_VALUES
            | {
                "k": [0, -1, 2.0, "a"],
                "estimator": [3, RidgeClassifier()],
                "n_jobs": [1.5, "a"],
                "random_state": ["a", -1],
            }
            | ({"weights": ["x", None]} if make is sampler else {}),
        )
        for make in (selector, sampler)
    ),
]
CASES = [
    pytest.param(make, name, value, id=f"{make.__name__}-{name}-{number}")
    for make, table in VALUES
    for name, values in table.items()
    for number, value in enumerate(values)
]


@pytest.mark.parametrize(("make", "name", "value"), CASES)
def test_a_wrong_value_of_a_parameter_is_named(make: Maker, name: str, value: Any) -> None:
    estimator = make(**{name: value})
    with pytest.raises(InvalidParameterError, match=f"'{name}' parameter of"):
        estimator.fit(X, y)
    if name != "estimator":  # asking scikit-learn for the tags of what is no estimator fails
        assert_unfitted(estimator)


@pytest.mark.parametrize(("make", "table"), VALUES, ids=[make.__name__ for make, _ in VALUES])
def test_every_parameter_is_tried(make: Maker, table: dict[str, list[Any]]) -> None:
    named = {name for name in make().get_params(deep=False) if "__" not in name}
    assert named == set(table) | ({"random_state"} & named)


@for_all
def test_unknown_keywords(make: Maker) -> None:
    with pytest.raises(TypeError, match="hidden"):
        make(hidden=3)
    with pytest.raises(TypeError, match="modul__hidden"):
        make(modul__hidden=3)
    with pytest.raises(ValueError, match="Invalid parameter 'hidden'"):
        make().set_params(hidden=3)
    with pytest.raises(ValueError, match="Invalid parameter 'modul'"):
        make().set_params(modul__hidden=3)


@for_networks
def test_unknown_keywords_list_the_prefixes(make: Maker) -> None:
    for keyword in ("hidden", "modul__hidden", "module__", "net__q"):
        with pytest.raises(TypeError, match=f"'{keyword}'.*module__, optimizer__"):
            make(**{keyword: 3})


BAD_OPTIONS: dict[str, tuple[dict[str, Any], str]] = {
    "unknown module option": ({"module__hiden": (3,)}, "module__hiden=.*hiden"),
    "hidden no sequence": ({"module__hidden": 8}, "module__hidden=8"),
    "hidden of a float": ({"module__hidden": (3.5,)}, r"module__hidden=\(3.5,\)"),
    "hidden of zero": ({"module__hidden": (0,)}, "module__hidden"),
    "hidden negative": ({"module__hidden": (-3,)}, "module__hidden"),
    "dropout of two": ({"module__dropout": 2}, r"module__dropout must lie in \[0, 1\)"),
    "unknown optimizer option": ({"optimizer__momentum": 0.9}, "optimizer.*momentum"),
    "wrong optimizer option": ({"optimizer__weight_decay": -1}, "optimizer.*weight_decay"),
    "optimizer option of a wrong type": ({"optimizer__weight_decay": "a"}, "optimizer"),
    "unknown callback option": ({"callbacks__foo__bar": 1}, "callbacks__foo"),
    "unknown iterator option": ({"iterator_train__foo": 1}, "iterator_train.*foo"),
    "iterator batch of zero": ({"iterator_train__batch_size": 0}, "iterator_train__batch_size"),
    "iterator batch of text": ({"iterator_train__batch_size": "a"}, "iterator_train__batch_size"),
    "iterator sampler": ({"iterator_train__sampler": [1]}, "iterator_train.*sampler"),
    "iterator drop_last": ({"iterator_train__drop_last": True}, "iterator_train.*drop_last"),
}


@for_networks
@pytest.mark.parametrize("problem", BAD_OPTIONS)
def test_bad_options_by_prefix(make: Maker, problem: str) -> None:
    options, match = BAD_OPTIONS[problem]
    assert_fit_fails(make(**options), X, y, match, EITHER)


@for_networks
@pytest.mark.parametrize("size", [0, -3, "a"])
def test_bad_batch_size_for_prediction(make: Maker, size: Any) -> None:
    with pytest.raises(EITHER, match="iterator_valid__batch_size"):
        make(iterator_valid__batch_size=size).fit(X, y).predict(X)


DEVICES = {
    "tpu": "device='tpu' is not a device.*'cpu'",
    "": "device='' is not a device",
    "cuda:-1": "device='cuda:-1' is not a device",
    "xla": "device='xla' is not supported",
    "meta": "device='meta' is not supported",
    "cuda:99": "device='cuda:99' is not available.*device='cpu'",
    "cuda": "device='cuda' is not available.*device='cpu'",
}


@for_networks
@pytest.mark.parametrize("device", DEVICES)
def test_a_device_that_is_not_there(
    make: Maker, device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if device == "cuda":
        monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert_fit_fails(make(device=device), X, y, DEVICES[device])


# ----------------------------------------------------------------------------- module and friends


class Body(nn.Module):
    """A linear layer whose output a subclass spoils."""

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__()
        self.linear = nn.Linear(in_features, out_features)

    def forward(self, features: torch.Tensor) -> Any:
        return self.spoil(self.linear(features))

    def spoil(self, logits: torch.Tensor) -> Any:
        return logits


def spoiled(change: Callable[[torch.Tensor], Any]) -> type[Body]:
    return type("Spoiled", (Body,), {"spoil": lambda self, logits: change(logits)})


class NeedsWidth(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()


class WithoutWeights(nn.Module):
    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return features[:, :2]


BAD_MODULES: dict[str, tuple[Any, str]] = {
    "function giving None": (lambda: None, "module must make a torch.nn.Module, got NoneType"),
    "built-in function": (print, "module"),
    "built-in class": (dict, "module"),
    "missing argument": (NeedsWidth, "module='NeedsWidth'.*width.*module__<name>"),
    "one output": (spoiled(lambda z: z[:, :1]), r"module.*2 classes"),
    "three outputs": (nn.Linear(4, 3), r"module.*2 classes"),
    "1-D output": (spoiled(lambda z: z[:, 0]), "module.*2 classes"),
    "3-D output": (spoiled(lambda z: z[:, :, None]), "module.*2 classes"),
    "one row only": (spoiled(lambda z: z[:1]), "module.*row"),
    "mean over rows": (spoiled(lambda z: z.mean(0, keepdim=True)), "module.*row"),
    "numpy array": (spoiled(lambda z: z.detach().numpy()), "module.*tensor"),
    "None": (spoiled(lambda z: None), "module.*tensor"),
    "list": (spoiled(lambda z: [z]), "module.*tensor"),
    "dict": (spoiled(lambda z: {"scores": z}), "module.*tensor"),
    "empty tuple": (spoiled(lambda z: ()), "module.*tensor"),
    "integers": (spoiled(lambda z: z.long()), "module.*float"),
    "detached": (spoiled(lambda z: z.detach()), "module.*grad"),
    "NaN": (spoiled(lambda z: z * np.nan), "module|diverged"),
    "without weights": (WithoutWeights, "module.*parameters"),
    "no forward": (nn.Module, "module"),
    "other input size": (nn.Linear(3, 2), r"module.*\(\d+, 4\)"),
    "image module on columns": (nn.Conv2d(1, 2, 3), r"module.*\(\d+, 4\)"),
}


@for_networks
@pytest.mark.parametrize("problem", BAD_MODULES)
def test_bad_modules(make: Maker, problem: str) -> None:
    module, match = BAD_MODULES[problem]
    assert_fit_fails(make(module=module), X, y, f"(?s){match}", EITHER)


@for_networks
def test_options_for_an_instance(make: Maker) -> None:
    estimator = make(module=nn.Linear(4, 2), module__bias=False)
    assert_fit_fails(estimator, X, y, "instance of Linear.*module__bias.*pass the class")


@for_networks
def test_modules_that_give_more_than_logits(make: Maker) -> None:
    assert_predicts(make(module=spoiled(lambda z: (z, "features"))).fit(X, y), X)


BAD_OPTIMIZERS: dict[str, Any] = {
    "dict": dict,
    "module": nn.Linear,
    "function giving None": lambda parameters, lr: None,
    "base class": torch.optim.Optimizer,
    "schedule": torch.optim.lr_scheduler.StepLR,
}


@for_networks
@pytest.mark.parametrize("problem", BAD_OPTIMIZERS)
def test_bad_optimizers(make: Maker, problem: str) -> None:
    assert_fit_fails(make(optimizer=BAD_OPTIMIZERS[problem]), X, y, "optimizer", EITHER)


BAD_CRITERIA: dict[str, tuple[Any, str]] = {
    "mean": (lambda z, t: nn.functional.cross_entropy(z, t), "criterion.*per row"),
    "mean module": (nn.CrossEntropyLoss(), "criterion.*reduction='none'"),
    "class": (nn.CrossEntropyLoss, "criterion.*reduction='none'"),
    "column": (lambda z, t: z.sum(1, keepdim=True), "criterion.*per row"),
    "logits": (lambda z, t: z, "criterion.*per row"),
    "some rows": (lambda z, t: z.sum(1)[:1], "criterion.*per row"),
    "None": (lambda z, t: None, "criterion.*per row"),
    "float": (lambda z, t: 1.0, "criterion.*per row"),
    "numpy": (lambda z, t: np.ones(len(z)), "criterion.*per row"),
    "detached": (lambda z, t: z.sum(1).detach(), "criterion.*grad"),
    "NaN": (lambda z, t: z.sum(1) * np.nan, "loss became nan"),
    "one argument": (lambda z: z.sum(1), "criterion|argument"),
}


@pytest.mark.parametrize("make", [crust, robust_loss], ids=lambda maker: maker.__name__)
@pytest.mark.parametrize("problem", BAD_CRITERIA)
def test_bad_criteria(make: Maker, problem: str) -> None:
    criterion, match = BAD_CRITERIA[problem]
    assert_fit_fails(make(criterion=criterion), X, y, f"(?s){match}", EITHER)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"criterion": "gce", "criterion__q": 3.0}, "criterion__q=3.0.*q must be in"),
        ({"criterion": "gce", "criterion__p": 3.0}, "criterion='gce'.*criterion__p=3.0"),
        ({"criterion": "elr", "criterion__momentum": 1.0}, "criterion__momentum=1.0.*momentum"),
        ({"criterion": "elr", "criterion__n_rows": 3}, "row must have entries from 0 to 2"),
        ({"criterion": CrossEntropy(), "criterion__q": 1.0}, "criterion__q can't be applied"),
        ({"criterion": "hinge"}, "'criterion' parameter"),
    ],
    ids=range(6),
)
def test_options_that_do_not_go_with_their_criterion(options: dict[str, Any], match: str) -> None:
    assert_fit_fails(robust_loss(**options), X, y, f"(?s){match}", EITHER)


BAD_EMPHASES: dict[str, tuple[Any, str]] = {
    "shape": (lambda p: p[:1], r"emphasis.*one weight per probability"),
    "scalar": (lambda p: p.mean(), r"emphasis.*one weight per probability"),
    "negative": (lambda p: -p, "emphasis.*non-negative"),
    "NaN": (lambda p: p * np.nan, "emphasis.*finite.*got nan"),
    "infinite": (lambda p: 1 / (0 * p), "emphasis.*finite.*got inf"),
    "None": (lambda p: None, "emphasis.*torch tensor, got None"),
    "number": (lambda p: 1.0, r"emphasis.*torch tensor, got 1\.0"),
    "numpy": (lambda p: p.numpy(), "emphasis.*torch tensor"),
    "class": (dict, "emphasis must be"),
}


@pytest.mark.parametrize("normalize", ["integral", "batch", None])
@pytest.mark.parametrize("problem", BAD_EMPHASES)
def test_bad_emphases(problem: str, normalize: str | None) -> None:
    emphasis, match = BAD_EMPHASES[problem]
    estimator = dm(emphasis=emphasis, normalize=normalize)
    assert_fit_fails(estimator, X, y, f"(?s){match}", EITHER)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"emphasis": "cce", "mode": 0.3}, "mode=0.3.*emphasis='cce' has no mode"),
        ({"emphasis": "exponential", "mode": 0.3}, "mode=0.3.*has no mode"),
        ({"emphasis": "mae", "variance": 3.0}, "variance=3.0.*has no variance"),
        ({"emphasis": lambda p: p, "variance": 3.0}, "variance=3.0"),
        ({"variance": 1e6}, "smaller variance"),
        ({"variance": -12.0}, "variance must be non-negative unless mode=0"),
        ({"emphasis": "normal", "variance": -1.0}, r"variance must be in \[0, inf\)"),
        ({"emphasis": lambda p: 0 * p}, "integral.*normalize"),
    ],
    ids=range(8),
)
def test_emphases_that_do_not_go_with_their_parameters(options: dict[str, Any], match: str) -> None:
    assert_fit_fails(dm(**options), X, y, f"(?s){match}")


BAD_CALLBACKS: dict[str, tuple[Any, str]] = {
    "number": ([3], "callbacks"),
    "name only": (["EarlyStopping"], "callbacks"),
    "validation missing": ([EarlyStopping()], "validation_fraction"),
}


@for_networks
@pytest.mark.parametrize("problem", BAD_CALLBACKS)
def test_bad_callbacks(make: Maker, problem: str) -> None:
    callbacks, match = BAD_CALLBACKS[problem]
    estimator = make(callbacks=callbacks, validation_fraction=None)
    assert_fit_fails(estimator, X, y, match, EITHER)


@for_networks
@pytest.mark.parametrize(
    "options",
    [
        {"lr": 1e30},
        {"lr": 1e300},
        {"lr": 1e38, "optimizer": "sgd", "module__batch_norm": False},
        # One step only: nothing but the weights themselves shows what has happened.
        {"lr": 1e38, "optimizer": "sgd", "max_epochs": 1, "batch_size": -1},
        {"lr": 1e300, "max_epochs": 1, "batch_size": -1},
    ],
    ids=["adam", "beyond float32", "sgd", "one step of sgd", "one step of adam"],
)
def test_training_that_diverges(make: Maker, options: dict[str, Any]) -> None:
    estimator = make(**options)
    assert_fit_fails(estimator, X, y, r"(?s)diverged.*[Ll]ower lr")


@for_networks
@pytest.mark.parametrize("share", [0.01, 0.05, 0.999])
def test_a_validation_fraction_that_leaves_a_side_without_classes(
    make: Maker, share: float
) -> None:
    labels = np.arange(40) % 4
    assert_fit_fails(make(validation_fraction=share), X, labels, "validation_fraction")


@for_networks
def test_a_validation_fraction_and_a_rare_class(make: Maker) -> None:
    labels = y.copy()
    labels[0] = 9
    match = "validation_fraction=0.25 needs at least two rows of each\\s+class"
    assert_fit_fails(make(validation_fraction=0.25), X, labels, match)
    labels[:2] = 9  # two rows are enough
    assert_predicts(make(validation_fraction=0.25).fit(X, labels), X, 3)


@for_networks
def test_batches_of_one_row_and_batch_normalisation(make: Maker) -> None:
    assert_fit_fails(make(batch_size=1), X, y, "batch_size")
    assert_predicts(make(batch_size=1, module__batch_norm=False).fit(X[:9], y[:9]), X)


# ------------------------------------------------------------------------- coresets and medoids


@pytest.mark.parametrize("make", [selector, sampler], ids=["selector", "sampler"])
class TestMedoids:
    def test_more_medoids_than_rows(self, make: Maker) -> None:
        assert_fit_fails(make(k=41), X, y, r"k must lie between 1 and .*n=40, got k=41")
        assert make(k=40).fit(X, y).get_support().all()

    def test_more_medoids_than_trimming_leaves(self, make: Maker) -> None:
        assert_fit_fails(make(k=30, trim=0.5), X, y, "k must lie between 1 and .*got k=30")

    def test_fewer_medoids_than_classes(self, make: Maker) -> None:
        assert_fit_fails(make(k=1), X, y, "k=1 must be at least the number of non-empty groups, 2")

    def test_a_number_of_medoids_where_all_rows_are_taken(self, make: Maker) -> None:
        assert_fit_fails(make(k=3, selection="all"), X, y, "k=3.*selection")

    @pytest.mark.parametrize("options", [{"trim": "auto"}, {"group_by": "predicted"}])
    def test_what_needs_predictions(self, make: Maker, options: dict[str, str]) -> None:
        assert_fit_fails(make(**options), X, y, "needs predictions: set estimator")

    def test_few_rows_for_an_estimator(self, make: Maker) -> None:
        inner = LogisticRegression()
        assert_fit_fails(make(estimator=inner), X, np.zeros(40, int), "one class")
        for cross_fit in (2, 5, None):
            fitted = make(estimator=inner, cross_fit=cross_fit).fit(X[:2], y[:2])
            assert fitted.get_support().all()

    def test_an_estimator_class_instead_of_an_instance(self, make: Maker) -> None:
        assert_fit_fails(make(estimator=LogisticRegression), X, y, "instance", EITHER)

    def test_one_row(self, make: Maker) -> None:
        fitted = make().fit(X[:1], y[:1])
        assert fitted.medoid_indices_.tolist() == [0]
        assert fitted.weights_.tolist() == [1]


class ForgetsAClass(ClassifierMixin, BaseEstimator):
    """Its probabilities do not add up; a stand-in for a broken classifier."""

    def fit(self, X: Any, y: Any) -> ForgetsAClass:
        self.classes_ = np.unique(y)
        return self

    def predict(self, X: Any) -> np.ndarray:
        return np.zeros(len(X), int)

    def predict_proba(self, X: Any) -> np.ndarray:
        return np.full((len(X), len(self.classes_)), np.nan)


@pytest.mark.parametrize("make", [coreset, selector, sampler], ids=lambda maker: maker.__name__)
def test_an_estimator_whose_probabilities_are_nan(make: Maker) -> None:
    assert_fit_fails(make(estimator=ForgetsAClass()), X, y, "NaN|finite")


# --------------------------------------------------------------------------------- partial_fit


@for_incremental
class TestPartialFit:
    def test_a_class_without_a_row(self, make: Maker) -> None:
        estimator = make().partial_fit(X, y, classes=[0, 1, 5])
        assert estimator.classes_.tolist() == [0, 1, 5]
        assert_predicts(estimator, X, 3)
        assert_predicts(estimator.partial_fit(X, 5 * y), X, 3)

    def test_labels_that_the_first_call_did_not_name(self, make: Maker) -> None:
        estimator = make().partial_fit(X, y)
        before = estimator.predict_proba(X)
        with pytest.raises(ValueError, match=r"labels \[6\].*not among classes.*first call"):
            estimator.partial_fit(X, y * 6)
        with pytest.raises(ValueError, match=r"classes=\[0, 1, 6\] differs.*pass the same"):
            estimator.partial_fit(X, y, classes=[0, 1, 6])
        with pytest.raises(ValueError, match="X has 3 features"):
            estimator.partial_fit(X[:, :3], y)
        np.testing.assert_array_equal(estimator.predict_proba(X), before)

    @pytest.mark.parametrize(
        ("classes", "match"),
        [
            ([0, 3], r"labels \[1\].*not among classes"),
            ([0], "classes.*two"),
            ([], "classes"),
            ([0, 1, np.nan], "classes.*NaN"),
            ([[0, 1]], "classes.*1d"),
            ([0, "a", None], "classes"),
            (3, "classes"),
        ],
        ids=["too few", "one", "none", "NaN", "2-D", "mixed", "number"],
    )
    def test_bad_classes(self, make: Maker, classes: Any, match: str) -> None:
        estimator = make()
        with pytest.raises(EITHER, match=f"(?i){match}"):
            estimator.partial_fit(X, y if classes != [0] else 0 * y, classes=classes)
        assert_unfitted(estimator)

    def test_one_class_in_the_first_call(self, make: Maker) -> None:
        estimator = make()
        with pytest.raises(ValueError, match="one class only"):
            estimator.partial_fit(X, 0 * y)
        assert_unfitted(estimator)
        # The failed call binds to nothing, not even to the number of features.
        assert_predicts(estimator.partial_fit(X[:, :2], y), X[:, :2])

    def test_one_row(self, make: Maker) -> None:
        """Batch normalisation can't train on it; without, it works."""
        estimator = make(module__batch_norm=False).partial_fit(X[:1], y[:1], classes=[0, 1])
        assert_predicts(estimator, X)
        estimator = make()
        with pytest.raises(ValueError, match="batch_norm"):
            estimator.partial_fit(X[:1], y[:1], classes=[0, 1])
        assert_unfitted(estimator)

    def test_weights_that_leave_nothing(self, make: Maker) -> None:
        with pytest.raises(ValueError, match="sample_weight is zero for every row"):
            make().partial_fit(X, y, sample_weight=np.zeros(40))
        with pytest.raises(ValueError, match="class_weight"):
            make(class_weight={0: 0.0}).partial_fit(X, 0 * y, classes=[0, 1])

    def test_class_weight_of_a_class_that_is_not_in_the_batch(self, make: Maker) -> None:
        for class_weight in ({0: 1.0, 1: 2.0}, "balanced"):
            estimator = make(class_weight=class_weight)
            assert_predicts(estimator.partial_fit(X, 0 * y, classes=[0, 1]), X)

    def test_divergence_in_the_first_call(self, make: Maker) -> None:
        estimator = make(lr=1e30)
        with pytest.raises(ValueError, match="diverged"):
            estimator.partial_fit(X, y)
        assert_unfitted(estimator)


# --------------------------------------------------------------------------- after a failed fit


@for_classifiers
def test_a_failed_fit_keeps_the_earlier_one(make: Maker) -> None:
    """A `fit` that fails leaves the estimator as it was, wherever it fails."""
    fitted = make().fit(X, y)
    expected = fitted.predict_proba(X)
    broken = {} if make is coreset else {"lr": 1e30}
    wide = np.c_[X, X]
    attempts = [(wide, 0 * y, {}), (X, y + 0.01 * np.arange(40), {}), (wide, y + 3, broken)]
    if make is coreset:
        attempts[-1] = (wide, y + 3, {"estimator": ForgetsAClass()})
    for features, labels, options in attempts:
        fitted.set_params(**options)
        with pytest.raises(ValueError):  # noqa: PT011 (which is the subject of other tests)
            fitted.fit(features, labels)
        assert fitted.n_features_in_ == 4
        assert fitted.classes_.tolist() == [0, 1]
        estimator_or_net = fitted.estimator_ if make is coreset else fitted.net_
        assert estimator_or_net is not None
        np.testing.assert_array_equal(fitted.predict_proba(X), expected)


@pytest.mark.parametrize("make", [selector, sampler], ids=["selector", "sampler"])
def test_a_failed_fit_keeps_the_earlier_medoids(make: Maker) -> None:
    fitted = make(k=4).fit(X, y)
    expected = fitted.get_support()
    fitted.set_params(k=100)
    with pytest.raises(ValueError, match="k=100"):
        fitted.fit(X[:, :2], y)
    assert fitted.n_features_in_ == 4
    np.testing.assert_array_equal(fitted.get_support(), expected)


@for_networks
@pytest.mark.parametrize("how", ["warm_start", "partial_fit"])
def test_divergence_while_going_on_leaves_no_broken_network(make: Maker, how: str) -> None:
    if how == "partial_fit" and make not in INCREMENTAL:
        return  # it has none
    """The weights were changed in place: the earlier ones come back, or the net is gone."""
    estimator = make(warm_start=True)
    train = estimator.fit if how == "warm_start" else estimator.partial_fit
    train(X, y)
    estimator.set_params(lr=1e30)
    with pytest.raises(ValueError, match="diverged"):
        train(X, y)
    try:
        assert_predicts(estimator, X)
    except NotFittedError:
        assert_unfitted(estimator)


@for_networks
def test_warm_start_on_other_data(make: Maker) -> None:
    estimator = make(warm_start=True).fit(X, y)
    expected = estimator.predict_proba(X)
    with pytest.raises(ValueError, match="X has 3 features"):
        estimator.fit(X[:, :3], y)
    with pytest.raises(ValueError, match=r"labels \[2\].*warm_start=False"):
        estimator.fit(X, y + 1)
    np.testing.assert_array_equal(estimator.predict_proba(X), expected)


@for_networks
def test_warm_start_in_another_precision(make: Maker) -> None:
    estimator = make(warm_start=True).fit(X, y).set_params(dtype="float64")
    with pytest.raises(ValueError, match=r"dtype='float64'.*float32"):
        estimator.fit(X, y)
    assert_predicts(estimator, X)


@for_networks
def test_an_interrupted_first_fit_is_no_fit(make: Maker) -> None:
    class Interrupt(Callback):
        def on_batch_end(self, net: Any, **kwargs: Any) -> None:
            raise KeyboardInterrupt

    estimator = make(callbacks=[Interrupt()])
    with pytest.raises(KeyboardInterrupt):
        estimator.fit(X, y)
    assert_unfitted(estimator)


@for_all
def test_no_warning_on_ordinary_data(make: Maker) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        make().fit(X, y)
        if make in CLASSIFIERS:
            make().fit(scipy.sparse.csr_matrix(X), y)
