"""Data that many tests of compositions share; read-only, since tests run one after the other."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse
from sklearn.datasets import load_digits, make_blobs


@pytest.fixture(scope="session")
def blobs():
    """Three classes that any classifier separates."""
    X, y = make_blobs(120, n_features=5, centers=3, cluster_std=1.0, random_state=3)
    X.setflags(write=False)
    return X, y


@pytest.fixture(scope="session")
def without_class_two(blobs):
    """Weights under which a classifier can't learn class 2; so one sees whether they arrive."""
    return (blobs[1] != 2).astype(float)


@pytest.fixture(scope="session")
def words():
    """200 rows of 50,000 columns; the class decides which of them are filled."""
    rng = np.random.RandomState(0)
    y = np.arange(200) % 2
    columns = np.concatenate([rng.choice(1000, 20, replace=False) + 1000 * c for c in y])
    rows = np.repeat(np.arange(200), 20)
    X = scipy.sparse.csr_matrix((np.ones(4000), (rows, columns)), shape=(200, 50_000))
    return X, y


@pytest.fixture(scope="session")
def images():
    X, y = load_digits(n_class=3, return_X_y=True)
    return (X[:200] / 16).reshape(-1, 1, 8, 8), y[:200]
