"""How the default network scales its inputs: standard deviations, or one scale for components."""

import numpy as np
import pytest
import torch
from numpy.random import RandomState
from sklearn.decomposition import PCA, TruncatedSVD

from noisyfit import CRUSTClassifier
from noisyfit.training.rows import as_rows
from noisyfit.training.scaling import are_principal_components, input_statistics

CPU = torch.device("cpu")


def correlated_table(n_rows: int = 600, n_columns: int = 30) -> np.ndarray:
    rng = RandomState(0)
    mixing = rng.randn(n_columns, n_columns) * np.geomspace(10, 0.1, n_columns)
    return (rng.randn(n_rows, n_columns) @ mixing.T + 5).astype(np.float32)


def recognised(X: np.ndarray) -> bool:
    rows = as_rows(np.ascontiguousarray(X), CPU)
    statistics = rows.mean_and_scale(np.ones(len(X)))
    assert statistics is not None
    return are_principal_components(rows, statistics[0])


@pytest.mark.parametrize("method", [PCA(20), TruncatedSVD(20, random_state=0)])
def test_principal_components_share_one_scale(method: PCA | TruncatedSVD) -> None:
    X = method.fit_transform(correlated_table()).astype(np.float32)
    statistics = input_statistics(as_rows(X, CPU), np.ones(len(X)))
    assert statistics is not None
    mean, scale = statistics
    np.testing.assert_allclose(mean, X.mean(axis=0), atol=1e-5)
    np.testing.assert_allclose(scale, np.sqrt(X.var(axis=0).mean()), rtol=1e-4)


def test_components_are_recognised_in_other_rows_than_they_were_fitted_on() -> None:
    X = correlated_table(4000)
    assert recognised(PCA(20).fit(X[:2000]).transform(X[2000:]).astype(np.float32))


def test_other_columns_keep_their_own_scale() -> None:
    X = correlated_table()
    components = PCA(20).fit_transform(X).astype(np.float32)
    rng = RandomState(1)
    shuffled = components[:, rng.permutation(20)]
    independent = (rng.randn(600, 20) * rng.permutation(np.geomspace(0.01, 100, 20))).astype("f4")
    whitened = PCA(20, whiten=True).fit_transform(X).astype(np.float32)
    for table in (X, shuffled, independent, whitened[:, ::-1], components[:, :7], components[:19]):
        assert not recognised(table)
        statistics = input_statistics(
            as_rows(np.ascontiguousarray(table), CPU), np.ones(len(table))
        )
        assert statistics is not None
        np.testing.assert_allclose(statistics[1], table.std(axis=0, dtype="f8"), rtol=1e-4)


def test_a_constant_column_is_no_component() -> None:
    X = PCA(20).fit_transform(correlated_table()).astype(np.float32)
    X[:, -1] = 0
    assert not recognised(X)


def test_the_network_is_built_with_these_scales() -> None:
    X = PCA(20).fit_transform(correlated_table()).astype(np.float32)
    y = (X[:, 0] > 0).astype(int)
    classifier = CRUSTClassifier(max_epochs=2, random_state=0).fit(X, y)
    scale = classifier.net_.module_.input_scale
    np.testing.assert_allclose(scale, np.sqrt(X.var(axis=0).mean()), rtol=1e-4)
