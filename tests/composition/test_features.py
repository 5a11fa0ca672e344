"""Features in any container, sparse ones never filled in."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from composition.common import (
    CLASSIFIERS,
    OLD_SKLEARN,
    SPARSE,
    assert_same_predictions,
    every_classifier,
    every_network,
)
from sklearn.linear_model import LogisticRegression

from noisyfit import GradientMedoidSampler, GradientMedoidSelector
from noisyfit.estimators.base import prediction

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


# All containers come in by one door: each of them for one estimator, some for the slower ones.
TABLE_CASES = [
    pytest.param(make, TABLES[kind], id=f"{kind}-{name}")
    for name, make in CLASSIFIERS.items()
    for kind in (("integers", "polars", "tensor with gradient") if name == "crust" else TABLES)
]


@pytest.mark.parametrize(("make", "convert"), TABLE_CASES)
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

    def spy(features, *arguments, **options):
        rows = network_rows(features, *arguments, **options)
        used.append(rows.features.data_ptr())
        return rows

    network_rows = prediction.as_rows
    monkeypatch.setattr(prediction, "as_rows", spy)
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


SPARSE_CASES = [
    pytest.param(make, SPARSE[kind], id=f"{kind}-{name}")
    for name, make in CLASSIFIERS.items()
    for kind in (SPARSE if name == "dm" else ("csr_matrix", "coo_array"))
]


@pytest.mark.parametrize(("make", "convert"), SPARSE_CASES)
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
