"""How the default network scales its inputs: standard deviations, or one scale for components."""

import numpy as np
import pytest
import scipy.sparse
import torch
from numpy.random import RandomState
from sklearn.decomposition import PCA, TruncatedSVD

from noisyfit import CRUSTClassifier, DMClassifier
from noisyfit.training.modules import MLP
from noisyfit.training.projection import principal_directions
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


# ------------------------------------------------------------------------------- sparse rows


def words(seed: int = 0) -> tuple[scipy.sparse.csr_matrix, np.ndarray]:
    """400 rows of 900 columns, of which a class has its own half and 12 are filled."""
    rng = np.random.default_rng(seed)
    y = np.arange(400) % 2
    columns = np.concatenate([rng.choice(500, 12, replace=False) + 400 * c for c in y])
    shape = (400, 900)
    return scipy.sparse.csr_matrix(
        (np.ones(4800), (np.repeat(np.arange(400), 12), columns)), shape
    ), y


def test_directions_are_those_of_a_weighted_singular_value_decomposition() -> None:
    X, _ = words()
    weight = np.random.default_rng(0).integers(0, 3, 400).astype(float)
    directions = principal_directions(X, weight)
    assert directions.shape == (900, np.count_nonzero(weight) // 4)
    np.testing.assert_allclose(directions.T @ directions, np.eye(directions.shape[1]), atol=1e-8)
    copies = X.toarray()[np.repeat(np.arange(400), weight.astype(int))]
    _, values, expected = np.linalg.svd(copies, full_matrices=False)
    for number in range(2):  # the two that stand out; the rest are noise of about one size
        assert abs(directions[:, number] @ expected[number]) > 0.99
    assert values[1] > 1.1 * values[2]


def test_what_is_projected() -> None:
    X, y = words()
    X = X.astype(np.float32)
    noisy = np.where(np.random.default_rng(1).random(400) < 0.2, 1 - y, y)
    fitted = CRUSTClassifier(max_epochs=5, random_state=0).fit(X, noisy)
    assert fitted.projection_.shape == (900, 100)
    by_hand = CRUSTClassifier(max_epochs=5, random_state=0).fit(X @ fitted.projection_, noisy)
    np.testing.assert_array_equal(
        fitted.predict_proba(X), by_hand.predict_proba(X @ fitted.projection_)
    )
    assert CRUSTClassifier(max_epochs=1).fit(X.toarray(), y).projection_ is None
    assert CRUSTClassifier(max_epochs=1).fit(X[:, :400], y).projection_ is None
    assert (
        CRUSTClassifier(module=MLP, max_epochs=1, module__sparse=True).fit(X, y).projection_ is None
    )
    assert DMClassifier().partial_fit(X, y).projection_ is None


def test_training_goes_on_with_the_same_projection() -> None:
    X, y = words()
    classifier = DMClassifier(max_epochs=1, warm_start=True, random_state=0).fit(X, y)
    before = classifier.projection_
    other, y_other = words(1)
    assert classifier.fit(other, y_other).projection_ is before
    assert classifier.partial_fit(other, y_other).projection_ is before
