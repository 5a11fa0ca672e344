"""A row is predicted the same, alone and among others."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse
from composition.common import SPARSE, TinyConvolution, every_network, own_module


def assert_rows_are_independent(estimator, X, rows):
    together, labels = estimator.predict_proba(X), estimator.predict(X)
    for row in rows:
        alone = X[row : row + 1]
        np.testing.assert_array_equal(estimator.predict_proba(alone)[0], together[row])
        assert estimator.predict(alone)[0] == labels[row]


# Widths of 16 and more: below, a matrix product may round a row by where it lies in the batch.
@every_network
@pytest.mark.parametrize("n_rows", [2, 17, 256, 257, 700])
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
