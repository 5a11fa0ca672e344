"""Rows with few peaks: what a fit makes of them is what it makes of dense probabilities."""

from __future__ import annotations

import copy
import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import noisyfit.selection.coreset as coreset_module
from noisyfit import CRUSTClassifier
from noisyfit._peaked import PeakedRows, entries_at, narrowed, stack_rows
from noisyfit.noise import estimate_noise, label_quality, symmetric_noise
from noisyfit.noise.anchor import anchor_counts, likeliest_concentration
from noisyfit.noise.belief import believe, posterior
from noisyfit.noise.expectation import DenseSample, PeakedSample
from noisyfit.noise.latent import LatentModel, fit_latent
from noisyfit.selection import (
    euclidean_distances,
    gradient_norms,
    logit_gradients,
    select_coreset,
)
from noisyfit.training import predictions
from noisyfit.training.coreset import CoresetPhases
from noisyfit.training.plan import PlannedBatches


@dataclasses.dataclass
class Case:
    """Probabilities, their levelled form as rows with peaks and as an array, and labels."""

    dense: np.ndarray
    rows: PeakedRows
    levelled: np.ndarray
    labels: np.ndarray
    transition: np.ndarray


def make_case(n: int, n_classes: int, n_peaks: int, seed: int) -> Case:
    rng = np.random.default_rng(seed)
    dense = rng.dirichlet(np.full(n_classes, 0.3), size=n)
    labels = rng.integers(n_classes, size=n)
    rows = PeakedRows.from_dense(dense, labels, n_peaks)
    transition = rng.dirichlet(np.full(n_classes, 0.5), size=n_classes) + 0.01
    transition /= transition.sum(axis=1, keepdims=True)
    return Case(dense, rows, rows.toarray(), labels, transition)


cases = st.builds(
    make_case,
    n=st.integers(1, 30),
    n_classes=st.integers(2, 25),
    n_peaks=st.integers(1, 30),
    seed=st.integers(0, 10**6),
)


@given(cases)
def test_the_largest_entries_and_the_label_are_kept_and_the_rest_is_even(case: Case) -> None:
    np.testing.assert_allclose(case.levelled.sum(axis=1), 1)
    for row in range(len(case.rows)):
        kept = case.rows[row : row + 1].excess.indices
        others = np.setdiff1d(np.arange(case.dense.shape[1]), kept)
        assert case.labels[row] in kept
        # Kept as what they are more or less than the background: tiny ones are rounded by that.
        np.testing.assert_allclose(case.levelled[row, kept], case.dense[row, kept], atol=1e-16)
        if len(others):
            mean = case.dense[row, others].mean()
            np.testing.assert_allclose(case.levelled[row, others], mean, atol=1e-15)
            unforced = np.setdiff1d(kept, case.labels[row])
            assert case.dense[row, unforced].min(initial=1) >= case.dense[row, others].max()


@given(cases, st.integers(0, 10**6))
def test_rows_with_peaks_are_as_the_array_they_stand_for(case: Case, seed: int) -> None:
    rows, array, n = case.rows, case.levelled, len(case.rows)
    rng = np.random.default_rng(seed)
    assert rows.shape == array.shape
    assert len(rows) == n
    np.testing.assert_allclose(rows.sum(axis=1), array.sum(axis=1))
    np.testing.assert_allclose(rows.max(axis=1), array.max(axis=1))
    np.testing.assert_array_equal(rows.argmax(axis=1), array.argmax(axis=1))
    np.testing.assert_allclose(rows.squared_norms(), (array**2).sum(axis=1))
    np.testing.assert_allclose(rows.map(np.exp).toarray(), np.exp(array))
    columns = rng.integers(array.shape[1], size=n)
    np.testing.assert_array_equal(entries_at(array, columns), array[np.arange(n), columns])
    np.testing.assert_allclose(entries_at(rows, columns), entries_at(array, columns), atol=1e-15)
    terms = rng.normal(size=n)
    np.testing.assert_allclose(rows.plus(terms).toarray(), array + terms[:, None])
    np.testing.assert_allclose(rows.scaled(terms).toarray(), array * terms[:, None], atol=1e-15)
    index = rng.integers(n, size=7)
    for some in (index, slice(0, n // 2), rng.random(n) < 0.5):
        np.testing.assert_array_equal(rows[some].toarray(), array[some])
        np.testing.assert_array_equal(rows[some].argmax(axis=1), array[some].argmax(axis=1))


@given(cases, st.integers(0, 10**6))
def test_linear_combinations_are_those_of_the_arrays(case: Case, seed: int) -> None:
    other = make_case(*case.dense.shape, 3, seed)
    rows, array = case.rows, case.levelled
    half = np.float64(0.5)
    mixed = half * rows + other.rows * 0.3 - other.rows / 5
    expected = 0.5 * array + 0.3 * other.levelled - other.levelled / 5
    assert isinstance(mixed, PeakedRows)
    np.testing.assert_allclose(mixed.toarray(), expected, atol=1e-15)
    np.testing.assert_allclose(mixed.max(axis=1), expected.max(axis=1))
    np.testing.assert_array_equal((rows - rows).argmax(axis=1), 0)  # no peak is left
    added = rows.with_label(case.labels, -1.0).toarray()
    np.testing.assert_allclose(added, array - np.eye(array.shape[1])[case.labels], atol=1e-15)
    some = np.arange(len(rows))[::2]
    changed = rows[:]
    changed[some] = other.rows[some]
    expected = array.copy()
    expected[some] = other.levelled[some]
    np.testing.assert_array_equal(changed.toarray(), expected)
    both = stack_rows([rows, other.rows]).toarray()
    np.testing.assert_array_equal(both, stack_rows([array, other.levelled]))


@given(cases, st.integers(1, 8))
def test_narrowing_levels_out_all_but_the_largest_peaks(case: Case, n_peaks: int) -> None:
    narrow = case.rows.narrowed(case.labels, n_peaks)
    if case.rows is narrow:
        assert np.diff(case.rows.excess.indptr).max() <= n_peaks + 1
        return
    assert np.diff(narrow.excess.indptr).max() <= n_peaks + 1
    expected = PeakedRows.from_dense(case.levelled, case.labels, n_peaks)
    np.testing.assert_allclose(narrow.toarray(), expected.toarray(), atol=1e-14)
    assert narrowed(case.levelled, case.labels) is case.levelled


def test_the_first_of_equal_peaks_is_the_largest() -> None:
    dense = np.array([[0.1, 0.3, 0.1, 0.3, 0.2], [0.0, 0.0, 0.25, 0.25, 0.5]])
    rows = PeakedRows.from_dense(dense, np.array([2, 3]), 3)
    np.testing.assert_array_equal(rows.argmax(axis=1), [1, 4])


def test_other_axes_are_refused() -> None:
    rows = make_case(3, 4, 2, 0).rows
    for method in (rows.sum, rows.max, rows.argmax):
        with pytest.raises(ValueError, match="axis must be 1"):
            method(axis=0)


# ------------------------------------------------------------------------------------- the noise


@given(cases)
def test_the_e_step_is_that_of_the_dense_rows(case: Case) -> None:
    order = np.argsort(case.labels, kind="stable")
    rng = np.random.default_rng(0)
    share = rng.dirichlet(np.ones(len(order)))
    factors = rng.random(len(case.transition)) + 0.1
    sparse = PeakedSample(case.rows[order], case.labels[order], share)
    dense = DenseSample(case.levelled[order], case.labels[order], share)
    for transition in (case.transition, case.transition[::-1].copy()):
        found, expected = sparse.expect(transition, factors), dense.expect(transition, factors)
        np.testing.assert_allclose(found.joint(), expected.joint(), atol=1e-14)
        np.testing.assert_allclose(found.found, expected.found, atol=1e-14)
        np.testing.assert_allclose(found.expected, expected.expected, atol=1e-14)
        assert found.likelihood == pytest.approx(expected.likelihood)


@given(cases)
def test_bayes_rule_is_exact_for_the_peaks_and_for_the_sum_of_the_rest(case: Case) -> None:
    expected = posterior(case.levelled, case.labels, case.transition)
    found = posterior(case.rows, case.labels, case.transition)
    np.testing.assert_allclose(found.sum(axis=1), 1)
    row, column = found.rows_of_peaks, found.columns_of_peaks
    np.testing.assert_allclose(found.peaks, expected[row, column], atol=1e-12)
    factors = np.random.default_rng(1).random(len(case.transition)) + 0.1
    model = LatentModel(0.7, factors, case.transition, case.transition, 0.0)
    expected, found = model.calibrate(case.levelled), model.calibrate(case.rows)
    np.testing.assert_allclose(found.sum(axis=1), 1)
    np.testing.assert_allclose(found.peaks, expected[row, column], atol=1e-12)


def test_a_row_whose_label_is_impossible_keeps_its_probabilities() -> None:
    case = make_case(6, 9, 3, 0)
    impossible = case.transition.copy()
    impossible[:, case.labels[2]] = 0
    found = posterior(case.rows, case.labels, impossible)
    same = case.labels == case.labels[2]
    np.testing.assert_allclose(found.toarray()[same], case.levelled[same])
    np.testing.assert_allclose(found.sum(axis=1), 1)


def noisy_case(n: int = 600, n_classes: int = 12, n_peaks: int = 12) -> Case:
    """Probabilities that know something of the labels."""
    rng = np.random.default_rng(0)
    true = rng.integers(n_classes, size=n)
    labels = symmetric_noise(true, 0.3, random_state=0)[0]
    logits = 1.5 * rng.normal(size=(n, n_classes)) + 4 * np.eye(n_classes)[true]
    dense = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    rows = PeakedRows.from_dense(dense, labels, n_peaks)
    transition = np.full((n_classes, n_classes), 0.3 / (n_classes - 1))
    np.fill_diagonal(transition, 0.7)
    return Case(dense, rows, rows.toarray(), labels, transition)


@pytest.mark.parametrize("update", [False, True])
def test_the_latent_model_is_that_of_the_dense_rows(update: bool) -> None:
    case = noisy_case()
    weight = np.random.default_rng(1).random(600) + 0.5
    sparse, dense = (
        fit_latent(p, case.labels, weight, case.transition, update_transition=update)
        for p in (case.rows, case.dense)
    )
    assert sparse.temperature == dense.temperature
    np.testing.assert_allclose(sparse.joint, dense.joint, atol=1e-9)
    np.testing.assert_allclose(sparse.factors, dense.factors, atol=1e-7)


@pytest.mark.parametrize("n_peaks", [12, 4])
@pytest.mark.parametrize("matrix", ["auto", None, "known"])
def test_beliefs_are_those_of_the_dense_rows(n_peaks: int, matrix: Any) -> None:
    case = noisy_case(n_peaks=n_peaks)
    weight = np.ones(600)
    matrix = case.transition if matrix == "known" else matrix
    first = [believe(p, case.labels, weight, matrix) for p in (case.rows, case.dense)]
    sparse, dense = (
        believe(p, case.labels, weight, matrix, earlier)
        for p, earlier in zip((case.rows, case.dense), first, strict=True)
    )
    tolerance = 1e-7 if n_peaks == 12 else 0.01
    assert isinstance(sparse.posterior, PeakedRows)
    assert isinstance(sparse.probabilities, PeakedRows)
    for name in ("probabilities", "posterior"):
        found = getattr(sparse, name).toarray()
        assert np.abs(found - getattr(dense, name)).mean() < tolerance
    np.testing.assert_allclose(sparse.noise.clean_share, dense.noise.clean_share, atol=tolerance)
    np.testing.assert_allclose(sparse.transition, dense.transition, atol=tolerance)
    assert sparse.noise.rate == pytest.approx(dense.noise.rate, abs=tolerance)
    anchors = (anchor_counts(p, case.labels, weight) for p in (case.rows, case.dense))
    np.testing.assert_allclose(*anchors)


@pytest.mark.parametrize("method", ["anchor", "joint", "agreement"])
def test_noise_is_estimated_as_from_the_dense_rows(method: str) -> None:
    case = noisy_case()
    sparse, dense = (
        estimate_noise(p, case.labels, method=method)  # type: ignore[arg-type]
        for p in (case.rows, case.dense)
    )
    np.testing.assert_allclose(sparse.transition_matrix, dense.transition_matrix, atol=1e-8)
    assert sparse.rate == pytest.approx(dense.rate)


@pytest.mark.parametrize("method", ["gradient_norm", "self_confidence", "normalized_margin"])
def test_labels_are_scored_as_from_the_levelled_rows(method: str) -> None:
    case = noisy_case(n_peaks=4)
    found = label_quality(case.rows, case.labels, method)  # type: ignore[arg-type]
    np.testing.assert_allclose(found, label_quality(case.levelled, case.labels, method))


def test_probabilities_that_are_not_finite_are_refused() -> None:
    case = make_case(4, 9, 3, 0)
    broken = case.rows.plus(np.array([0, np.nan, 0, 0]))
    with pytest.raises(ValueError, match="NaN or infinity"):
        believe(broken, case.labels, np.ones(4))


@given(st.integers(0, 10**6), st.integers(2, 30))
def test_empty_cells_say_nothing_about_concentrations(seed: int, n_cells: int) -> None:
    from scipy.special import gammaln

    from noisyfit.noise.anchor import CONCENTRATIONS

    rng = np.random.default_rng(seed)
    counts = rng.poisson(0.5, size=(5, n_cells)) * rng.random((5, n_cells))
    mean = rng.dirichlet(np.ones(n_cells))
    likelihood = [
        (gammaln(s) - gammaln(s + counts.sum(axis=1))).sum()
        + (gammaln(counts + s * mean) - gammaln(s * mean)).sum()
        for s in CONCENTRATIONS
    ]
    found = likelihood[CONCENTRATIONS.tolist().index(likeliest_concentration(counts, mean))]
    assert found == pytest.approx(max(likelihood), abs=1e-7)


# ------------------------------------------------------------------------------------- selection


@given(cases)
def test_gradients_norms_and_distances_are_those_of_the_array(case: Case) -> None:
    gradients = logit_gradients(case.rows, case.labels)
    expected = logit_gradients(case.levelled, case.labels)
    np.testing.assert_allclose(gradients.toarray(), expected, atol=1e-15)
    np.testing.assert_allclose(gradient_norms(gradients), gradient_norms(expected), atol=1e-12)
    compact = gradients.over_columns_with_peaks()
    np.testing.assert_allclose(
        euclidean_distances(compact), euclidean_distances(expected), atol=1e-6
    )


@pytest.mark.parametrize("outliers", [0.0, 0.2])
@pytest.mark.parametrize(
    "method", ["greedy", "k_medoids", "stochastic", "partitioned", "central", "columns", "random"]
)
@pytest.mark.parametrize("n_bytes", [1, 2**26])
def test_coresets_are_those_of_the_array(
    method: str, outliers: float, n_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = make_case(90, 40, 4, 0)
    groups = np.arange(90) % 3
    candidates = np.arange(90) % 7 > 0
    options: dict[str, Any] = {
        "groups": groups,
        "candidates": candidates,
        "fraction": 0.3,
        "method": method,
        "outliers": outliers,
    }
    sparse = logit_gradients(case.rows, case.labels)
    # Random numbers are drawn group by group, not for all groups at once, and "stochastic" draws
    # others after rounding.
    by_chance = method == "stochastic" or (
        n_bytes == 1 and method in ("partitioned", "random", "columns")
    )
    monkeypatch.setattr(coreset_module, "_BYTES_AT_A_TIME", n_bytes)
    found = select_coreset(sparse, random_state=0, **options)
    expected = select_coreset(sparse.toarray(), random_state=0, **options)
    assert len(found.indices) == len(expected.indices)
    assert not (set(found.indices) - set(np.flatnonzero(candidates)))
    if by_chance:
        np.testing.assert_array_equal(
            np.bincount(groups[found.indices]), np.bincount(groups[expected.indices])
        )
    else:
        np.testing.assert_array_equal(found.indices, expected.indices)
        np.testing.assert_allclose(found.weights, expected.weights)
        np.testing.assert_array_equal(found.assignment, expected.assignment)
        assert found.total_distance == pytest.approx(expected.total_distance)


# ------------------------------------------------------------------------------------- the fit

N_CLASSES = 300
SMALL: dict[str, Any] = {"module__hidden": (48,), "lr": 1e-2, "random_state": 0, "cross_fit": 2}


def many_classes(seed: int = 0, rows_per_class: int = 8) -> tuple[np.ndarray, ...]:
    """Features, given labels, where those are wrong, and the true ones."""
    rng = np.random.default_rng(seed)
    prototypes = np.random.default_rng(99).normal(size=(N_CLASSES, 24))
    true = np.tile(np.arange(N_CLASSES), rows_per_class)
    X = (prototypes[true] + 0.5 * rng.normal(size=(len(true), 24))).astype(np.float32)
    given_labels, wrong = symmetric_noise(true, 0.2, random_state=seed)
    return X, given_labels, wrong, true


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The probabilities that a fit selects by, and the largest dense block that it predicts."""
    kept: list[Any] = []
    select, predict = CoresetPhases.select, predictions.predict_probabilities

    def noted(phases: CoresetPhases, epochs: int) -> None:
        select(phases, epochs)
        kept.append(phases.probabilities)
        kept.append(copy.deepcopy(phases).end())

    def checked(*arguments: Any, **options: Any) -> np.ndarray:
        block = predict(*arguments, **options)
        if predictions.MANY_COLUMNS < N_CLASSES:
            assert len(block) <= predictions.ROWS_AT_A_TIME
        return block

    monkeypatch.setattr(CoresetPhases, "select", noted)
    monkeypatch.setattr(predictions, "predict_probabilities", checked)
    monkeypatch.setattr(predictions, "ROWS_AT_A_TIME", 128)
    return kept


def test_a_fit_on_many_classes_makes_no_dense_probabilities(
    seen: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    X, y, wrong, true = many_classes()
    fits = []
    for limit, kind in ((256, PeakedRows), (N_CLASSES, np.ndarray)):
        monkeypatch.setattr(predictions, "MANY_COLUMNS", limit)
        seen.clear()
        fits.append(CRUSTClassifier(max_epochs=8, **SMALL).fit(X, y))
        assert len(seen) == 16
        assert all(isinstance(probabilities, kind) for probabilities in seen)
    sparse, dense = fits
    X_test, _, _, y_test = many_classes(1, 2)
    assert sparse.score(X_test, y_test) > 0.8
    assert sparse.score(X_test, y_test) == pytest.approx(dense.score(X_test, y_test), abs=0.05)
    assert sparse.noise_rate_ == pytest.approx(dense.noise_rate_, abs=0.03)
    assert np.corrcoef(sparse.label_quality_, dense.label_quality_)[0, 1] > 0.95
    assert (sparse.transduction_ == true).mean() > 0.85
    assert sparse.predict_proba(X[:3]).shape == (3, N_CLASSES)
    assert wrong[sparse.coreset_indices_].mean() < 0.1


@pytest.mark.parametrize(
    "options",
    [
        {"cross_fit": None},
        {"group_by": "predicted", "selection": "greedy", "weights": "cluster", "mixup": 0.5},
        {"trim": 0.3, "selection": "central"},
        {"trim": None, "selection": "k_medoids", "group_by": "predicted"},
        {"transition_matrix": None, "selection": "stochastic"},
        {"transition_matrix": np.eye(N_CLASSES), "pseudo_label": None},
        {"validation_fraction": 0.2, "refresh_every": 2},
    ],
    ids=lambda options: "-".join(options),
)
def test_every_kind_of_fit_works_with_many_classes(options: dict[str, Any], seen: list) -> None:
    X, y, _, _ = many_classes(rows_per_class=4)
    options = {"max_epochs": 3, "screening_epochs": 1, "warmup_epochs": 1} | SMALL | options
    weights = np.random.default_rng(0).integers(0, 3, size=len(y)) if "mixup" in options else None
    if "validation_fraction" in options:
        X, y = np.tile(X, (2, 1)), np.tile(y, 2)
    fitted = CRUSTClassifier(**options).fit(X, y, sample_weight=weights)
    assert seen
    assert all(isinstance(probabilities, PeakedRows) for probabilities in seen)
    again = CRUSTClassifier(**options).fit(X, y, sample_weight=weights)
    np.testing.assert_array_equal(fitted.label_quality_, again.label_quality_)
    assert fitted.label_quality_.shape == fitted.transduction_.shape == (len(y),)
    assert fitted.transition_matrix_.shape == (N_CLASSES, N_CLASSES)
    assert 0 <= fitted.noise_rate_ <= 1


def test_batches_of_beliefs_are_written_out_batch_by_batch() -> None:
    import torch

    from noisyfit.training.plan import EpochPlan
    from noisyfit.training.rows import as_rows

    case = make_case(20, 30, 4, 0)
    rows = as_rows(np.ones((20, 2), dtype=np.float32), torch.device("cpu"))
    batches = [
        PlannedBatches(
            rows,
            EpochPlan(np.arange(20), targets, np.ones(20)),
            torch.float32,
            torch.device("cpu"),
        )[torch.tensor([3, 1, 7])][1]
        for targets in (case.rows, case.levelled)
    ]
    torch.testing.assert_close(batches[0].labels, batches[1].labels)
    assert batches[0].labels.dtype == torch.float32
