"""The estimators inside other people's tools, and other people's data inside the estimators."""

from __future__ import annotations

import copy
import io
import pickle
import warnings

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse
import sklearn
import torch
from imblearn.pipeline import Pipeline as ResamplingPipeline
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_digits, make_blobs
from sklearn.ensemble import (
    BaggingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.utils.fixes import parse_version
from skorch.callbacks import Callback, EarlyStopping, EpochScoring, LRScheduler
from torch import nn

from noisyfit import (
    CoresetClassifier,
    CRUSTClassifier,
    DMClassifier,
    GradientMedoidSampler,
    GradientMedoidSelector,
)
from noisyfit.estimators.base import network

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


def dm(**parameters):
    return DMClassifier(**{**SMALL, **parameters})


def crust(**parameters):
    options = {"cross_fit": 2, "warmup_epochs": 2, "screening_epochs": 1, **SMALL, **parameters}
    return CRUSTClassifier(**options)


def coreset(**parameters):
    return CoresetClassifier(**{"random_state": 0, **parameters})


NETWORKS = {"dm": dm, "crust": crust}
CLASSIFIERS = {**NETWORKS, "coreset": coreset}

every_network = pytest.mark.parametrize("make", NETWORKS.values(), ids=NETWORKS)
every_classifier = pytest.mark.parametrize("make", CLASSIFIERS.values(), ids=CLASSIFIERS)


@pytest.fixture(scope="module")
def blobs():
    """Three classes that any classifier separates."""
    X, y = make_blobs(120, n_features=5, centers=3, cluster_std=1.0, random_state=3)
    X.setflags(write=False)
    return X, y


def assert_same_predictions(one, other, X):
    np.testing.assert_array_equal(one.predict_proba(X), other.predict_proba(X))
    np.testing.assert_array_equal(one.predict(X), other.predict(X))


# --------------------------------------------------------------------------------- parameters


@every_network
def test_clone_keeps_prefixed_parameters_and_forgets_the_fit(make, blobs):
    original = make(module__dropout=0.1, optimizer__weight_decay=0.5).fit(*blobs)
    cloned = clone(original)
    assert cloned.get_params() == original.get_params()
    assert cloned.get_params()["optimizer__weight_decay"] == 0.5
    assert not hasattr(cloned, "net_")
    cloned.set_params(module__dropout=0.2)
    assert original.get_params()["module__dropout"] == 0.1


@every_network
def test_set_params_reaches_the_network_and_the_optimizer(make, blobs):
    estimator = make().set_params(module__hidden=(3,), optimizer__weight_decay=0.25, lr=0.125)
    estimator.set_params(lr_schedule="constant").fit(*blobs)
    assert next(estimator.net_.module_.parameters()).shape == (3, 5)
    group = estimator.net_.optimizer_.param_groups[0]
    assert group["weight_decay"] == 0.25
    assert group["lr"] == 0.125


@every_network
def test_both_representations_show_prefixed_parameters(make):
    estimator = make(module__hidden=(77,))
    assert "module__hidden=(77,)" in repr(estimator)
    assert "module__hidden" in estimator._repr_html_()
    assert "(77,)" in estimator._repr_html_()


@every_network
def test_unknown_parameters_are_refused(make, blobs):
    with pytest.raises(TypeError, match=r"no parameter 'modul__hidden'.*module__"):
        make(modul__hidden=(3,))
    with pytest.raises(ValueError, match="Invalid parameter 'hidden'"):
        make().set_params(hidden=(3,))
    with pytest.raises(TypeError, match="module__hiden"):
        make(module__hiden=(3,)).fit(*blobs)
    with pytest.raises(TypeError, match="wieght_decay"):
        make(optimizer__wieght_decay=0.1).fit(*blobs)


# ------------------------------------------------------------------------------------- copies


def by_joblib(estimator):
    file = io.BytesIO()
    joblib.dump(estimator, file)
    file.seek(0)
    return joblib.load(file)


COPIES = {
    "pickle": lambda estimator: pickle.loads(pickle.dumps(estimator)),
    "joblib": by_joblib,
    "deepcopy": copy.deepcopy,
}


@every_classifier
@pytest.mark.parametrize("duplicate", COPIES.values(), ids=COPIES)
def test_copies_of_a_fitted_estimator_predict_the_same(duplicate, make, blobs):
    original = make().fit(*blobs)
    duplicated = duplicate(original)
    assert_same_predictions(original, duplicated, blobs[0])
    np.testing.assert_array_equal(original.label_quality_, duplicated.label_quality_)


@every_network
@pytest.mark.parametrize("duplicate", COPIES.values(), ids=COPIES)
def test_copies_can_go_on_learning(duplicate, make, blobs):
    original = make().fit(*blobs)
    duplicated = duplicate(original)
    assert_same_predictions(original.partial_fit(*blobs), duplicated.partial_fit(*blobs), blobs[0])


# ------------------------------------------------------------------- searches and pipelines


@pytest.mark.parametrize(
    ("estimator", "grid"),
    [
        (crust(), {"trim": [None, 0.2], "selection": ["all", "greedy"]}),
        (crust(), {"module__hidden": [(4,), (8, 4)], "optimizer__weight_decay": [0.0, 0.1]}),
        (dm(), {"mode": [0.3, 0.5], "variance": [2.0, 12.0]}),
        (coreset(estimator=LogisticRegression()), {"estimator__C": [0.1, 1.0], "trim": [0.1]}),
    ],
    ids=["crust", "prefixed", "dm", "coreset"],
)
def test_grid_search_in_two_processes(estimator, grid, blobs):
    search = GridSearchCV(estimator, grid, cv=2, n_jobs=2, error_score="raise").fit(*blobs)
    assert set(search.best_params_) == set(grid)
    assert search.best_params_.items() <= search.best_estimator_.get_params().items()
    assert search.score(*blobs) > 0.9
    in_process = GridSearchCV(estimator, grid, cv=2).fit(*blobs)
    np.testing.assert_array_equal(
        search.cv_results_["mean_test_score"], in_process.cv_results_["mean_test_score"]
    )


@every_classifier
def test_pipeline_with_a_scaler(make, blobs):
    X, y = blobs
    pipeline = make_pipeline(StandardScaler(), make()).fit(X, y)
    assert pipeline.score(X, y) > 0.9
    np.testing.assert_array_equal(pipeline.classes_, [0, 1, 2])
    assert pipeline.n_features_in_ == 5


def test_selector_is_a_step_of_a_pipeline_and_names_its_columns(blobs):
    X, y = blobs
    frame = pd.DataFrame(X, columns=list("abcde"), index=np.arange(len(X)) + 1000)
    selector = GradientMedoidSelector(k=6)
    names = [f"gradientmedoidselector{i}" for i in range(6)]
    pipeline = make_pipeline(selector, LogisticRegression()).set_output(transform="pandas")
    pipeline.fit(frame, y)
    assert pipeline.score(frame, y) > 0.9
    np.testing.assert_array_equal(pipeline[:-1].get_feature_names_out(), names)
    np.testing.assert_array_equal(pipeline[-1].feature_names_in_, names)
    distances = pipeline[:-1].transform(frame)
    assert list(distances.columns) == names
    pd.testing.assert_index_equal(distances.index, frame.index)


@every_classifier
def test_columns_of_mixed_types_through_a_column_transformer(make, blobs):
    X, y = blobs
    frame = pd.DataFrame(X[:, :3], columns=["a", "b", "c"])
    frame["colour"] = pd.Categorical(np.array(["red", "green", "blue"])[(y + 1) % 3])
    columns = ColumnTransformer(
        [("numbers", StandardScaler(), ["a", "b", "c"]), ("words", OneHotEncoder(), ["colour"])]
    )
    pipeline = Pipeline([("columns", columns), ("model", make())]).fit(frame, y)
    assert pipeline.score(frame, y) > 0.9
    # The other way round: the whole pipeline is what the coreset is chosen for.
    around = coreset(estimator=make_pipeline(columns, LogisticRegression())).fit(frame, y)
    assert around.score(frame, y) > 0.9
    np.testing.assert_array_equal(around.feature_names_in_, frame.columns)


@pytest.mark.parametrize("inner", [None, LogisticRegression()], ids=["gradients", "classifier"])
def test_sampler_keeps_frames_and_their_index(inner, blobs):
    X, y = blobs
    frame = pd.DataFrame(X, columns=list("abcde"), index=[f"row {i}" for i in range(len(X))])
    labels = pd.Series(np.array(["x", "y", "z"])[y], index=frame.index, name="label")
    sampler = GradientMedoidSampler(fraction=0.4, estimator=inner, random_state=0)
    frame_kept, labels_kept = sampler.fit_resample(frame, labels)
    kept = sampler.sample_indices_
    assert 0 < len(kept) < len(X)
    pd.testing.assert_frame_equal(frame_kept, frame.iloc[kept])
    pd.testing.assert_series_equal(labels_kept, labels.iloc[kept])
    pipeline = ResamplingPipeline([("sampler", sampler), ("model", dm())]).fit(frame, labels)
    assert pipeline.score(frame, labels) > 0.8
    assert len(pipeline[-1].label_quality_) == len(kept)


# ---------------------------------------------------------------------------- meta-estimators


@every_classifier
@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
def test_calibration(method, make, blobs):
    X, y = blobs
    calibrated = CalibratedClassifierCV(make(), method=method, cv=2).fit(X, y)
    assert calibrated.score(X, y) > 0.9


@every_classifier
def test_a_frozen_estimator_is_not_fitted_again(make, blobs):
    X, y = blobs
    fitted = make().fit(X, y)
    frozen = FrozenEstimator(fitted)
    calibrated = CalibratedClassifierCV(frozen).fit(X, y)
    assert calibrated.score(X, y) > 0.9
    frozen.fit(X, 2 - y)
    assert_same_predictions(clone(frozen), fitted, X)


@every_classifier
def test_bagging_in_two_processes(make, blobs):
    X, y = blobs
    bag = BaggingClassifier(make(), n_estimators=2, n_jobs=2, random_state=0).fit(X, y)
    assert bag.score(X, y) > 0.9
    alone = BaggingClassifier(make(), n_estimators=2, random_state=0).fit(X, y)
    assert_same_predictions(bag, alone, X)


@pytest.mark.parametrize(
    "combine",
    [
        lambda members: VotingClassifier(members, voting="soft"),
        lambda m: StackingClassifier(m, cv=2),
    ],
    ids=["voting", "stacking"],
)
def test_ensembles_of_all_three(combine, blobs):
    X, y = blobs
    labels = np.array(["x", "y", "z"])[y]
    combined = combine([(name, make()) for name, make in CLASSIFIERS.items()]).fit(X, labels)
    assert combined.score(X, labels) > 0.9


# ------------------------------------------------------------------------ weights of the rows


@pytest.fixture(scope="module")
def without_class_two(blobs):
    """Weights under which a classifier can't learn class 2; so one sees whether they arrive."""
    return (blobs[1] != 2).astype(float)


@every_classifier
def test_weights_through_a_pipeline_and_a_search_without_routing(make, blobs, without_class_two):
    X, y = blobs
    pipeline = Pipeline([("scale", StandardScaler()), ("model", make())])
    pipeline.fit(X, y, model__sample_weight=without_class_two)
    assert set(pipeline.predict(X)) == {0, 1}
    search = GridSearchCV(make(), {"trim" if make is not dm else "mode": [0.1]}, cv=2)
    search.fit(X, y, sample_weight=without_class_two)
    assert set(search.predict(X)) == {0, 1}


# What scikit-learn itself can't do in its older versions.
OLD_SKLEARN = parse_version(sklearn.__version__) < parse_version("1.7")


@pytest.mark.skipif(OLD_SKLEARN, reason="scikit-learn 1.6 asks for a score request of the Pipeline")
@every_classifier
def test_weights_by_metadata_routing(make, blobs, without_class_two):
    X, y = blobs
    weights = {"sample_weight": without_class_two}
    with sklearn.config_context(enable_metadata_routing=True):
        model = make().set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        for estimator in (model, make_pipeline(scaler, model)):
            result = cross_validate(
                estimator, X, y, params=weights, cv=2, return_estimator=True, error_score="raise"
            )
            for fitted in result["estimator"]:
                assert set(fitted.predict(X)) == {0, 1}
            # Weighted by the same weights, the rows of the unknown class cost nothing.
            assert result["test_score"].min() > 0.9
        with pytest.raises(UnsetMetadataPassedError, match="sample_weight"):
            cross_validate(make(), X, y, params=weights, cv=2, error_score="raise")


FULL_BATCH_CLASSIFIERS = {
    "dm": DMClassifier(**FULL_BATCH),
    "crust": CRUSTClassifier(cross_fit=None, warmup_epochs=2, **FULL_BATCH),
    "medoids": CRUSTClassifier(
        cross_fit=None, warmup_epochs=2, selection="greedy", weights="cluster", **FULL_BATCH
    ),
    "coreset": CoresetClassifier(cross_fit=None),
}
every_full_batch_classifier = pytest.mark.parametrize(
    "estimator", FULL_BATCH_CLASSIFIERS.values(), ids=FULL_BATCH_CLASSIFIERS
)


@every_full_batch_classifier
def test_rows_of_weight_zero_are_as_if_absent(estimator, blobs):
    X, y = blobs
    absent = np.arange(len(y)) % 4 == 0
    wrong = np.where(absent, (y + 1) % 3, y)
    spoiled = np.where(absent[:, None], 1e3, X)
    weighted = clone(estimator).fit(spoiled, wrong, sample_weight=~absent)
    removed = clone(estimator).fit(X[~absent], y[~absent])
    np.testing.assert_allclose(weighted.predict_proba(X), removed.predict_proba(X), atol=1e-10)
    np.testing.assert_allclose(weighted.label_quality_[~absent], removed.label_quality_, atol=1e-6)
    assert weighted.noise_rate_ == pytest.approx(removed.noise_rate_)
    if hasattr(weighted, "coreset_indices_"):
        rows = np.flatnonzero(~absent)[removed.coreset_indices_]
        assert set(weighted.coreset_indices_) == set(rows)


@pytest.mark.parametrize("name", ["dm", "crust", "coreset"])
def test_a_weight_of_two_is_the_row_twice(name, blobs):
    X, y = blobs
    estimator = FULL_BATCH_CLASSIFIERS[name]
    twice = np.arange(len(y)) % 3 == 0
    weighted = clone(estimator).fit(X, y, sample_weight=1 + twice)
    repeated = clone(estimator).fit(np.vstack([X, X[twice]]), np.append(y, y[twice]))
    np.testing.assert_allclose(weighted.predict_proba(X), repeated.predict_proba(X), atol=1e-7)
    assert weighted.noise_rate_ == pytest.approx(repeated.noise_rate_)


@pytest.mark.parametrize("name", ["dm", "crust"])
def test_class_weight_equals_weights_of_the_rows(name, blobs):
    X, y = blobs
    rows = np.flatnonzero((y != 0) | (np.arange(len(y)) % 4 == 0))  # makes class 0 rare
    X, labels = X[rows], np.array(["x", "y", "z"])[y[rows]]
    estimator = clone(FULL_BATCH_CLASSIFIERS[name]).set_params(max_epochs=2)
    plain = clone(estimator).fit(X, labels)
    by_dict = clone(estimator).set_params(class_weight={"x": 3.0}).fit(X, labels)
    by_rows = clone(estimator).set_params(trim=None) if name == "crust" else clone(estimator)
    by_rows.fit(X, labels, sample_weight=np.where(labels == "x", 3.0, 1.0))
    assert not np.allclose(plain.predict_proba(X), by_dict.predict_proba(X))
    np.testing.assert_allclose(by_dict.predict_proba(X), by_rows.predict_proba(X), atol=1e-7)

    balanced = clone(estimator).set_params(class_weight="balanced").fit(X, labels)
    names, counts = np.unique(labels, return_counts=True)
    weights = dict(zip(names, len(labels) / (3 * counts), strict=True))
    by_dict = clone(estimator).set_params(class_weight=weights).fit(X, labels)
    assert_same_predictions(balanced, by_dict, X)


# ------------------------------------------------------------------------------------- labels

LABELS = {
    "strings": np.array(["x", "y", "z"]),
    "objects": np.array(["x", "y", "z"], dtype=object),
    "integers": np.array([-7, 0, 40]),
    "floats": np.array([0.0, 1.0, 5.0]),
    "small integers": np.array([3, 4, 250], dtype=np.uint8),
}


@every_classifier
@pytest.mark.parametrize("names", LABELS.values(), ids=LABELS)
def test_labels_come_back_as_they_were(names, make, blobs):
    X, y = blobs
    estimator = make().fit(X, names[y])
    np.testing.assert_array_equal(estimator.classes_, names)
    assert estimator.predict(X).dtype == estimator.transduction_.dtype == names.dtype
    assert estimator.score(X, names[y]) > 0.9
    assert_same_predictions(estimator, make().fit(X, names[y].tolist()), X)


@every_classifier
def test_labels_true_and_false(make, blobs):
    X, y = blobs[0], blobs[1] == 1
    estimator = make().fit(X, y)
    assert estimator.predict(X).dtype == bool
    assert estimator.score(X, y) > 0.9


@every_classifier
@pytest.mark.parametrize(
    "wrap",
    [
        pd.Series,
        pd.Categorical,
        lambda y: pd.Series(y, dtype="category", index=np.arange(len(y))[::-1]),
        lambda y: pd.Series(y, dtype="string"),
        pl.Series,
        lambda y: pl.Series(y, dtype=pl.Categorical),
    ],
    ids=["Series", "Categorical", "category", "string", "polars", "polars categorical"],
)
def test_labels_in_other_containers(wrap, make, blobs):
    X, y = blobs
    labels = np.array(["x", "y", "z"])[y]
    estimator = make().fit(X, wrap(labels))
    assert list(estimator.classes_) == ["x", "y", "z"]
    assert_same_predictions(estimator, make().fit(X, labels), X)
    assert estimator.score(X, wrap(labels)) > 0.9


# ----------------------------------------------------------------------------------- features

TABLES = {
    "float32": lambda X: X.astype(np.float32),
    "integers": lambda X: X.astype(int),
    "Fortran order": np.asfortranarray,
    "every other row of a larger array": lambda X: np.repeat(X, 2, axis=0)[::2],
    "list of lists": lambda X: X.tolist(),
    "pandas": lambda X: pd.DataFrame(X, columns=list("abcde")),
    "pandas float32 and integers": lambda X: pd.DataFrame(X).astype({0: "float32", 1: "int64"}),
    "polars": lambda X: pl.DataFrame(X, schema=list("abcde")),
    "tensor": lambda X: torch.from_numpy(X.copy()),
    "tensor with gradient": lambda X: torch.from_numpy(X.copy()).requires_grad_(),
}


@every_classifier
@pytest.mark.parametrize("convert", TABLES.values(), ids=TABLES)
def test_features_in_any_container(convert, make, blobs):
    X, y = blobs
    X = np.rint(4 * X)  # whole numbers, which every container holds exactly
    estimator = make().fit(convert(X), y)
    assert estimator.n_features_in_ == 5
    predicted = estimator.predict_proba(convert(X))
    assert isinstance(predicted, np.ndarray)
    # A linear model's solver sees another memory layout, so equal up to rounding.
    expected = make().fit(X, y).predict_proba(X)
    np.testing.assert_allclose(predicted, expected, atol=1e-3)


@every_classifier
def test_labels_and_weights_as_tensors(make, blobs, without_class_two):
    X, y = blobs
    tensors = [torch.from_numpy(np.array(part)) for part in (X, y, without_class_two)]
    assert_same_predictions(make().fit(*tensors), make().fit(X, y, without_class_two), X)


@every_network
def test_a_memory_map_is_neither_copied_nor_written(make, blobs, tmp_path, monkeypatch):
    X, y = blobs
    np.save(tmp_path / "X.npy", X.astype(np.float32))
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    used = []

    def spy(features, device):
        rows = network_rows(features, device)
        used.append(rows.features.data_ptr())
        return rows

    network_rows = network.as_rows
    monkeypatch.setattr(network, "as_rows", spy)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        estimator = make().fit(mapped, y)
        estimator.predict(mapped)
    assert used == [mapped.ctypes.data] * 2
    assert_same_predictions(estimator, make().fit(X, y), X)


@every_classifier
@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_names_of_columns_are_remembered(library, make, blobs):
    if library == "polars" and OLD_SKLEARN:
        pytest.skip("scikit-learn 1.6 does not read the column names of this polars")
    X, y = blobs
    make_frame = pd.DataFrame if library == "pandas" else pl.DataFrame
    frame = make_frame({name: X[:, i] for i, name in enumerate("abcde")})
    estimator = make().fit(frame, y)
    np.testing.assert_array_equal(estimator.feature_names_in_, list("abcde"))
    with pytest.raises(ValueError, match="in the same order as they were in fit"):
        estimator.predict(frame[list("edcba")])
    with pytest.raises(ValueError, match="Feature names seen at fit time, yet now missing"):
        estimator.predict(frame[list("abcd")])
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        estimator.predict(X)


SPARSE = {
    f"{form}_{kind}": getattr(scipy.sparse, f"{form}_{kind}")
    for form in ("csr", "csc", "coo")
    for kind in ("matrix", "array")
}


@pytest.fixture(scope="module")
def words():
    """200 rows of 50,000 columns; the class decides which of them are filled."""
    rng = np.random.RandomState(0)
    y = np.arange(200) % 2
    columns = np.concatenate([rng.choice(1000, 20, replace=False) + 1000 * c for c in y])
    rows = np.repeat(np.arange(200), 20)
    X = scipy.sparse.csr_matrix((np.ones(4000), (rows, columns)), shape=(200, 50_000))
    return X, y


@every_classifier
@pytest.mark.parametrize("convert", SPARSE.values(), ids=SPARSE)
def test_sparse_features_are_never_made_dense(convert, make, words, monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("sparse features were made dense")

    X, y = words
    converted = convert(X)
    for container in SPARSE.values():
        for method in ("toarray", "todense"):
            monkeypatch.setattr(container, method, refuse)
    monkeypatch.setattr(torch.Tensor, "to_dense", refuse)
    estimator = make().fit(converted, y)
    assert estimator.score(converted, y) > 0.9
    assert estimator.n_features_in_ == 50_000
    np.testing.assert_allclose(
        estimator.predict_proba(converted), make().fit(X, y).predict_proba(X), atol=1e-6
    )


@pytest.mark.parametrize("step", [GradientMedoidSelector, GradientMedoidSampler])
def test_selecting_from_sparse_features(step, words):
    X, y = words
    fitted = step(k=10, estimator=LogisticRegression()).fit(X, y)
    assert len(fitted.sample_indices_) == 10
    if step is GradientMedoidSelector:
        assert fitted.transform(X).shape == (200, 10)
    else:
        X_kept, _ = fitted.fit_resample(X, y)
        assert (X_kept != X[fitted.sample_indices_]).nnz == 0


# -------------------------------------------------------------------------- images and modules


class TinyConvolution(nn.Module):
    def __init__(self, out_features, channels=4):
        super().__init__()
        self.convolution = nn.Conv2d(1, channels, 3, stride=2)
        self.linear = nn.Linear(channels * 9, out_features)

    def forward(self, images):
        return self.linear(torch.relu(self.convolution(images)).flatten(1))


def tiny_convolution(out_features, channels=4):
    return TinyConvolution(out_features, channels)


@pytest.fixture(scope="module")
def images():
    X, y = load_digits(n_class=3, return_X_y=True)
    return (X[:200] / 16).reshape(-1, 1, 8, 8), y[:200]


MODULES = {
    "class": {"module": TinyConvolution, "module__channels": 3},
    "instance": {"module": TinyConvolution(3)},
    "function": {"module": tiny_convolution, "module__channels": 3},
    "default": {},
}


@every_network
@pytest.mark.parametrize("options", MODULES.values(), ids=MODULES)
def test_images(options, make, images):
    X, y = images
    estimator = make(max_epochs=10)
    if options:
        estimator = clone(estimator)
        estimator._prefixed.pop("module__hidden")
        estimator.set_params(**options)
    estimator.fit(X, y)
    assert estimator.score(X, y) > 0.9
    assert_same_predictions(estimator, pickle.loads(pickle.dumps(estimator)), X)
    assert_same_predictions(estimator, clone(estimator).fit(torch.from_numpy(X), y), X)


def own_module(make, module, **parameters):
    """An estimator without module__hidden, which only the default module knows."""
    parameters = {**{k: v for k, v in SMALL.items() if k != "module__hidden"}, **parameters}
    if make is crust:
        parameters = {"warmup_epochs": 2, "cross_fit": None, **parameters}
        return CRUSTClassifier(module=module, **parameters)
    return DMClassifier(module=module, **parameters)


@every_network
def test_a_class_is_given_the_sizes(make, blobs):
    X, y = blobs
    estimator = own_module(make, nn.Linear, max_epochs=20).fit(X, y)
    assert estimator.net_.module_.weight.shape == (3, 5)
    assert estimator.score(X, y) > 0.9
    unbiased = own_module(make, nn.Linear, module__bias=False).fit(X, y)
    assert unbiased.net_.module_.bias is None


@every_network
def test_an_instance_is_where_training_starts_and_is_left_alone(make, blobs):
    X, y = blobs
    module = nn.Linear(5, 3)
    before = copy.deepcopy(module.state_dict())
    still = own_module(make, module, lr=1e-30, optimizer__weight_decay=0.0).fit(X, y)
    torch.testing.assert_close(still.net_.module_.weight, before["weight"])
    moved = own_module(make, module).fit(X, y)
    assert not torch.equal(moved.net_.module_.weight, before["weight"])
    torch.testing.assert_close(module.state_dict(), before, rtol=0, atol=0)
    with pytest.raises(ValueError, match="module__bias can't be applied"):
        own_module(make, module, module__bias=False).fit(X, y)


class WithFeatures(nn.Linear):
    """Gives its features beside the logits, as skorch allows."""

    def forward(self, rows):
        return super().forward(rows), rows


@every_network
def test_a_module_may_give_more_than_logits(make, blobs):
    X, y = blobs
    several = own_module(make, WithFeatures).fit(X, y)
    assert_same_predictions(several, own_module(make, nn.Linear).fit(X, y), X)


@every_network
def test_unfit_modules_are_named(make, blobs):
    with pytest.raises(ValueError, match=r"output of shape \(2, 7\).*each of the 3 classes"):
        own_module(make, nn.Linear, module__out_features=7).fit(*blobs)
    with pytest.raises(TypeError, match=r"num_embeddings.*module__<name>"):
        own_module(make, nn.Embedding).fit(*blobs)
    with pytest.raises(TypeError, match=r"must make a torch\.nn\.Module, got int"):
        own_module(make, lambda: 3).fit(*blobs)


@every_network
def test_double_precision(make, blobs):
    X, y = blobs
    estimator = make(dtype="float64").fit(X, y)
    assert {p.dtype for p in estimator.net_.module_.parameters()} == {torch.float64}
    assert estimator.score(X, y) > 0.9
    assert make().fit(X, y).predict_proba(X).dtype == np.float64


# -------------------------------------------------------------------------------- randomness


@every_classifier
def test_an_integer_seed_makes_fits_equal(make, blobs):
    estimator = make(random_state=5)
    once, again = clone(estimator).fit(*blobs), clone(estimator).fit(*blobs)
    assert_same_predictions(once, again, blobs[0])
    assert_same_predictions(once, once, blobs[0])
    assert_same_predictions(
        clone(estimator).fit(*blobs), estimator.fit(*blobs).fit(*blobs), blobs[0]
    )


@every_network
def test_other_seeds_make_other_fits(make, blobs):
    fits = [make(random_state=seed).fit(*blobs).predict_proba(blobs[0]) for seed in (0, 1)]
    assert not np.array_equal(*fits)
    shared = np.random.RandomState(0)
    estimator = make(random_state=shared)
    fits = [estimator.fit(*blobs).predict_proba(blobs[0]) for _ in range(2)]
    assert not np.array_equal(*fits)
    again = make(random_state=np.random.RandomState(0)).fit(*blobs)
    np.testing.assert_array_equal(again.predict_proba(blobs[0]), fits[0])


@every_classifier
@pytest.mark.parametrize("options", [{}, {"selection": "random"}], ids=["default", "random"])
def test_global_generators_are_left_as_found(options, make, blobs):
    if make is dm and options:
        options = {"module__dropout": 0.3, "validation_fraction": 0.2}
    numpy_before, torch_before = np.random.get_state(), torch.get_rng_state()  # noqa: NPY002
    estimator = make(**options).fit(*blobs)
    estimator.predict(blobs[0])
    if hasattr(estimator, "partial_fit"):
        estimator.partial_fit(*blobs)
    numpy_after = np.random.get_state()  # noqa: NPY002
    assert str(numpy_before[1:]) == str(numpy_after[1:])
    np.testing.assert_array_equal(numpy_before[1], numpy_after[1])
    assert torch.equal(torch_before, torch.get_rng_state())


@every_network
def test_fits_in_threads_are_the_same_as_alone(make, blobs):
    X, y = blobs
    options = {"module__dropout": 0.3}
    alone = [make(random_state=seed, **options).fit(X, y).predict_proba(X) for seed in range(4)]
    before = torch.get_rng_state()
    together = joblib.Parallel(n_jobs=4, backend="threading")(
        joblib.delayed(make(random_state=seed, **options).fit)(X, y) for seed in range(4)
    )
    for estimator, expected in zip(together, alone, strict=True):
        np.testing.assert_array_equal(estimator.predict_proba(X), expected)
    assert torch.equal(before, torch.get_rng_state())


# ------------------------------------------------------------------- a row is a row, alone too


def assert_rows_are_independent(estimator, X, rows):
    together, labels = estimator.predict_proba(X), estimator.predict(X)
    for row in rows:
        alone = X[row : row + 1]
        np.testing.assert_array_equal(estimator.predict_proba(alone)[0], together[row])
        assert estimator.predict(alone)[0] == labels[row]


# Widths of 16 and more: below, a matrix product may round a row by where it lies in the batch.
@every_network
@pytest.mark.parametrize("n_rows", [2, 3, 17, 255, 256, 257, 700])
@pytest.mark.parametrize(("n_features", "hidden"), [(1, (16,)), (7, (64, 32)), (13, (256, 256))])
def test_predictions_do_not_depend_on_the_other_rows(make, n_features, hidden, n_rows):
    rng = np.random.RandomState(0)
    X, y = rng.normal(size=(60, n_features)), rng.randint(3, size=60)
    estimator = make(module__hidden=hidden, max_epochs=3).fit(X, y)
    many = rng.normal(size=(n_rows, n_features))
    assert_rows_are_independent(estimator, many, {0, 1, n_rows // 2, n_rows - 1})


@every_network
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("hidden", [(), (33, 9)], ids=["linear", "odd widths"])
def test_predictions_of_any_width_depend_on_other_rows_in_rounding_only(make, hidden, dtype):
    rng = np.random.RandomState(0)
    X, y = rng.normal(size=(300, 7)), rng.randint(3, size=300)
    estimator = make(module__hidden=hidden, max_epochs=3, dtype=dtype).fit(X, y)
    alone = np.vstack([estimator.predict_proba(X[row : row + 1]) for row in range(300)])
    tolerance = 1e-6 if dtype == "float32" else 1e-14
    np.testing.assert_allclose(estimator.predict_proba(X), alone, rtol=0, atol=tolerance)


@every_network
@pytest.mark.parametrize("kind", ["csr_matrix", "csr_array"])
def test_sparse_predictions_do_not_depend_on_the_other_rows(kind, make, words):
    X, y = words
    X = SPARSE[kind](scipy.sparse.vstack([X, X, X[::-1]]))
    estimator = make(max_epochs=3, module__hidden=(16,)).fit(X[:200], y)
    assert_rows_are_independent(estimator, X, [0, 1, 255, 256, 599])


@every_network
def test_predictions_of_images_do_not_depend_on_the_other_rows(make, images):
    X, y = images
    estimator = own_module(make, TinyConvolution).fit(X, y)
    assert_rows_are_independent(estimator, np.concatenate([X, X]), [0, 1, 200, 399])


# ----------------------------------------------------------------------- learning in instalments


@every_network
def test_partial_fit_learns_from_pieces(make, blobs):
    X, y = blobs
    estimator = make()
    first = np.flatnonzero(y == 1)[:5]  # one class only
    estimator.partial_fit(X[first], y[first], classes=[2, 1, 0])
    np.testing.assert_array_equal(estimator.classes_, [0, 1, 2])
    assert estimator.predict_proba(X).shape == (120, 3)
    order = np.random.RandomState(0).permutation(120)
    for _ in range(12):
        for piece in np.array_split(order, 3):
            estimator.partial_fit(X[piece], y[piece])
    assert estimator.n_iter_ == 37
    assert estimator.score(X, y) > 0.9
    with pytest.raises(ValueError, match=r"\[9\].*not among classes"):
        estimator.partial_fit(X[:1], [9])
    with pytest.raises(ValueError, match="differs from the classes of the first call"):
        estimator.partial_fit(X, y, classes=[0, 1])
    with pytest.raises(ValueError, match="expecting 5 features"):
        estimator.partial_fit(X[:, :4], y)
    assert_same_predictions(estimator.fit(X, y), make().fit(X, y), X)  # fit starts anew


class RecordRates(Callback):
    """Notes the learning rate of every epoch."""

    def on_epoch_begin(self, net, **kwargs):
        net.history.record("rate", net.optimizer_.param_groups[0]["lr"])


@every_network
def test_partial_fit_goes_on_from_fit_at_the_full_learning_rate(make, blobs):
    X, y = blobs
    estimator = make(callbacks=[RecordRates()]).fit(X, y)
    copied = copy.deepcopy(estimator)
    for _ in range(8):
        estimator.partial_fit(X, y)
    assert estimator.n_iter_ == 14
    assert estimator.history_[6:, "rate"] == [SMALL["lr"]] * 8
    assert estimator.score(X, y) > 0.9
    # Without steps to speak of nothing is unlearned: it went on from the fitted weights.
    copied.set_params(lr=1e-30, optimizer__weight_decay=0.0).partial_fit(X, y)
    weights = [parameter.detach() for parameter in copied.net_.module_.parameters()]
    fitted = list(make().fit(X, y).net_.module_.parameters())
    for one, other in zip(weights, fitted, strict=True):
        torch.testing.assert_close(one, other.detach())


@every_network
def test_warm_start_goes_on_and_restarts_the_schedule(make, blobs):
    X, y = blobs
    estimator = make(warm_start=True, callbacks=[RecordRates()]).fit(X, y)
    first = copy.deepcopy(estimator.history_)
    estimator.fit(X, y)
    assert (len(first), estimator.n_iter_, len(estimator.history_)) == (6, 12, 12)
    assert estimator.history_[6, "train_loss"] < first[0, "train_loss"]
    rates = np.array(estimator.history_[:, "rate"])
    assert rates[0] == SMALL["lr"]
    assert rates[5] < rates[0] / 4
    np.testing.assert_allclose(rates[6:], rates[:6])
    with pytest.raises(ValueError, match=r"\[3\].*not among classes"):
        estimator.fit(X, y + 1)
    estimator.set_params(warm_start=False).fit(X, y + 1)
    assert estimator.n_iter_ == 6


# ---------------------------------------------------------------------- callbacks, validation


@every_network
def test_early_stopping_on_held_out_rows(make, blobs):
    X, y = blobs
    stop = EarlyStopping(patience=3, threshold=100.0, threshold_mode="abs", sink=lambda text: None)
    estimator = make(max_epochs=50, validation_fraction=0.25, callbacks=[stop]).fit(X, y)
    assert estimator.n_iter_ == 4  # nothing improves by 100, so patience ends after three more
    assert set(estimator.history_[:, "n_rows"][:1]) == {90}
    assert all(0 <= accuracy <= 1 for accuracy in estimator.history_[:, "valid_acc"])
    assert np.isfinite(estimator.history_[:, "valid_loss"]).all()
    assert len(estimator.label_quality_) == len(y)


def test_early_stopping_within_the_warm_up_still_gives_a_coreset(blobs):
    stop = EarlyStopping(patience=2, threshold=100.0, threshold_mode="abs", sink=lambda text: None)
    estimator = crust(
        cross_fit=None,
        warmup_epochs=20,
        max_epochs=30,
        validation_fraction=0.2,
        callbacks=[stop],
    )
    estimator.fit(*blobs)
    assert set(estimator.history_[:, "phase"]) == {"warm-up"}
    assert len(estimator.coreset_indices_) == len(estimator.coreset_weights_) > 0


@every_network
def test_early_stopping_can_load_the_best_weights(make, blobs):
    X, y = blobs
    stop = EarlyStopping(patience=2, load_best=True, sink=lambda text: None)
    estimator = make(max_epochs=30, lr=0.5, validation_fraction=0.25, callbacks=[("stop", stop)])
    estimator.fit(X, y)
    assert estimator.n_iter_ < 30
    assert estimator.score(X, y) > 0.3


@every_network
def test_schedule_of_ones_own(make, blobs):
    schedule = LRScheduler("StepLR", step_size=1, gamma=0.5)
    callbacks = [("rates", RecordRates()), ("halving", schedule)]
    estimator = make(lr_schedule="constant", callbacks=callbacks).fit(*blobs)
    np.testing.assert_allclose(estimator.history_[:, "rate"], SMALL["lr"] * 0.5 ** np.arange(6))


@every_network
def test_epoch_scoring_with_a_function(make, blobs):
    X, y = blobs

    def accuracy_on_all(net, *args):
        logits = net.module_.eval()(torch.from_numpy(X).float())
        return float((logits.argmax(1).numpy() == y).mean())

    scoring = EpochScoring(accuracy_on_all, lower_is_better=False, name="accuracy", on_train=True)
    estimator = make(callbacks=[scoring]).fit(X, y)
    assert estimator.history_[-1, "accuracy"] == pytest.approx(estimator.score(X, y))


@every_network
def test_epoch_scoring_by_name_on_held_out_rows(make, blobs):
    scoring = EpochScoring("accuracy", lower_is_better=False, name="accuracy")
    estimator = make(validation_fraction=0.25, callbacks=[scoring]).fit(*blobs)
    np.testing.assert_allclose(
        estimator.history_[:, "accuracy"], estimator.history_[:, "valid_acc"]
    )


@every_network
def test_options_of_the_default_callbacks(make, blobs, capsys):
    make(verbose=1).fit(*blobs)
    assert "train_loss" in capsys.readouterr().out
    make(verbose=1, callbacks__print_log=None).fit(*blobs)
    assert capsys.readouterr().out == ""


@pytest.mark.filterwarnings("ignore:Sparse")  # torch about the tensors it sends between processes
@every_network
@pytest.mark.parametrize("kind", ["dense", "sparse"])
def test_batches_cut_by_another_process(kind, make, blobs):
    X, y = blobs
    if kind == "sparse":
        X = scipy.sparse.csr_matrix(X)
    estimator = make(iterator_train__num_workers=1, max_epochs=3, lr=0.1).fit(X, y)
    assert estimator.score(X, y) > 0.6
    assert estimator.n_iter_ == 3


# -------------------------------------------------------------------- around other classifiers


@pytest.mark.parametrize(
    "inner",
    [
        HistGradientBoostingClassifier(max_iter=5, min_samples_leaf=5, random_state=0),
        RandomForestClassifier(n_estimators=10, random_state=0),
        make_pipeline(StandardScaler(), LogisticRegression()),
        dm(),
    ],
    ids=["boosting", "forest", "pipeline", "network"],
)
def test_coreset_around_another_classifier(inner, blobs):
    X, y = blobs
    labels = np.array(["x", "y", "z"])[y]
    estimator = coreset(estimator=inner).fit(X, labels)
    assert estimator.score(X, labels) > 0.9
    assert not hasattr(inner, "classes_")  # the clone is fitted, never the given instance
    assert hasattr(estimator, "decision_function") == hasattr(inner, "decision_function")
    if isinstance(inner, Pipeline):
        with pytest.raises(ValueError, match="takes no sample_weight in fit"):
            coreset(estimator=inner, weights="cluster").fit(X, labels)
    else:
        assert coreset(estimator=inner, weights="cluster").fit(X, labels).score(X, labels) > 0.9


@pytest.mark.parametrize(
    "wrap",
    [list, np.array, lambda texts: np.array(texts, dtype=object), pd.Series],
    ids=["list", "array", "objects", "Series"],
)
def test_coreset_of_texts(wrap):
    fruit, metal = "apple pear plum cherry", "iron zinc lead copper"
    rng = np.random.RandomState(0)
    y = np.arange(60) % 2
    texts = [" ".join(rng.choice((fruit if c else metal).split(), 3)) for c in y]
    estimator = coreset(estimator=make_pipeline(TfidfVectorizer(), LogisticRegression()))
    estimator.fit(wrap(texts), np.where(y, "fruit", "metal"))
    np.testing.assert_array_equal(
        estimator.predict(wrap(["pear pear", "zinc lead"])), ["fruit", "metal"]
    )
    assert len(estimator.label_quality_) == 60


# -------------------------------------------------------------------------- what a fit reports


@every_classifier
@pytest.mark.parametrize(
    "options", [{}, {"selection": "greedy", "fraction": 0.3}], ids=["all", "greedy"]
)
def test_what_is_said_about_the_rows(options, make, blobs):
    X, y = blobs
    rng = np.random.RandomState(0)
    given = np.where(rng.rand(len(y)) < 0.2, rng.randint(3, size=len(y)), y)
    labels = np.array(["x", "y", "z"])[given]
    estimator = make(**({} if make is dm else options)).fit(X, labels)
    n = len(y)
    assert estimator.label_quality_.shape == (n,)
    assert estimator.label_quality_.dtype == np.float64
    assert estimator.label_quality_.min() >= 0
    assert estimator.label_quality_.max() <= 1
    wrong = given != y
    assert estimator.label_quality_[wrong].mean() < estimator.label_quality_[~wrong].mean()
    assert estimator.transduction_.shape == (n,)
    assert set(estimator.transduction_) <= set(estimator.classes_)
    assert isinstance(estimator.noise_rate_, float)
    assert 0 <= estimator.noise_rate_ <= 1
    assert estimator.transition_matrix_.shape == (3, 3)
    assert (estimator.transition_matrix_ >= 0).all()
    np.testing.assert_allclose(estimator.transition_matrix_.sum(axis=1), 1)
    if make is not dm:
        chosen, weights = estimator.coreset_indices_, estimator.coreset_weights_
        assert chosen.dtype == np.int64
        assert chosen.shape == weights.shape
        assert len(np.unique(chosen)) == len(chosen) < n
        assert chosen.min() >= 0
        assert chosen.max() < n
        assert (weights > 0).all()
        assert weights.sum() <= n + 1e-9
        assert len(chosen) < 0.4 * n if options else (weights == 1).all()


@every_network
def test_the_history_tells_epochs_and_phases(make, blobs):
    X, y = blobs
    estimator = make(**({"cross_fit": None} if make is crust else {})).fit(X, y)
    history = estimator.history_
    assert estimator.n_iter_ == len(history) == 6
    expected = ["warm-up"] * 2 + ["coreset"] * 4 if make is crust else ["train"] * 6
    assert history[:, "phase"] == expected
    assert np.isfinite(history[:, "train_loss"]).all()
    n_rows = history[:, "n_rows"]
    assert n_rows[:2] == [120, 120]
    assert n_rows[-1] <= 120
    assert isinstance(estimator.n_iter_, int)
    if make is crust:  # with a screening, there is no warm-up
        assert set(crust().fit(X, y).history_[:, "phase"]) == {"coreset"}
