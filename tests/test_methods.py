"""Selection methods by name: what `select_coreset` and the estimators make of them."""

import numpy as np
import pytest
import torch
from references import random_points
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression

from noisyfit import CoresetClassifier, CRUSTClassifier, GradientMedoidSelector
from noisyfit.selection import (
    SELECTION_METHODS,
    OuterProducts,
    column_subset,
    greedy_medoids,
    methods,
    select_coreset,
    swap_medoids,
    total_distance,
)
from noisyfit.selection.progress import Progress

POINTS = random_points(0, 150, 4)
GROUPS = np.repeat([0, 1, 2], [20, 50, 80])[np.random.default_rng(0).permutation(150)]


def size(method):
    return {} if method == "all" else {"fraction": 0.3}


@pytest.mark.parametrize("method", SELECTION_METHODS)
def test_a_coreset_is_of_every_group_and_stands_for_all(method):
    options = {"method": method, "groups": GROUPS, **size(method)}
    coreset = select_coreset(POINTS, random_state=0, **options)
    share = 1 if method == "all" else 0.3
    np.testing.assert_array_equal(np.bincount(GROUPS[coreset.indices]), share * np.bincount(GROUPS))
    assert len(set(coreset.indices)) == len(coreset.indices)
    np.testing.assert_array_equal(GROUPS[coreset.indices[coreset.assignment]], GROUPS)
    np.testing.assert_allclose(coreset.weights, np.bincount(coreset.assignment))
    medoids = POINTS[coreset.indices[coreset.assignment]]
    expected = np.linalg.norm(POINTS - medoids, axis=1).sum()
    assert coreset.total_distance == pytest.approx(expected, abs=1e-5)
    again = select_coreset(POINTS, random_state=0, **options)
    np.testing.assert_array_equal(again.indices, coreset.indices)


@pytest.mark.parametrize("method", SELECTION_METHODS)
@pytest.mark.parametrize("n_threads", [2, 3])
def test_threads_make_no_difference(method, n_threads):
    options = {"method": method, "groups": GROUPS, "random_state": 0, **size(method)}
    expected = select_coreset(POINTS, **options)
    before = torch.get_num_threads()
    torch.set_num_threads(n_threads)
    try:
        found = select_coreset(POINTS, **options)
    finally:
        torch.set_num_threads(before)
    np.testing.assert_array_equal(found.indices, expected.indices)
    np.testing.assert_array_equal(found.weights, expected.weights)


@pytest.mark.parametrize(
    "method", [name for name in SELECTION_METHODS if name not in ("all", "central")]
)
def test_groups_do_not_depend_on_each_other(method):
    """What is chosen in one group is what is chosen there without the later groups."""
    options = {"method": method, "fraction": 0.3, "random_state": 0}
    whole = select_coreset(POINTS, groups=GROUPS, **options).indices
    first = select_coreset(POINTS, groups=GROUPS, candidates=GROUPS < 2, **options).indices
    np.testing.assert_array_equal(whole[: len(first)], first)


def test_methods_are_what_they_are_called():
    def chosen(method, **options):
        return select_coreset(POINTS, method=method, k=30, random_state=0, **options).indices

    greedy = greedy_medoids(POINTS, 30).indices
    np.testing.assert_array_equal(chosen("greedy"), greedy)
    np.testing.assert_array_equal(chosen("k_medoids"), swap_medoids(POINTS, greedy).indices)
    np.testing.assert_array_equal(chosen("columns"), column_subset(POINTS, 30).indices)
    by_method = {m: total_distance(POINTS, chosen(m)) for m in SELECTION_METHODS if m != "all"}
    assert by_method["k_medoids"] < by_method["greedy"] < by_method["stochastic"]
    assert by_method["stochastic"] < by_method["random"]


def test_auto_covers_large_groups_in_parts(monkeypatch):
    exact = select_coreset(POINTS, groups=GROUPS, fraction=0.3, random_state=0)
    assert exact.gains is not None
    calls = []

    def spied(group, options):
        calls.append(len(group.points))
        return partitioned(group, options)

    partitioned = methods._BY_NAME["partitioned"]
    monkeypatch.setitem(methods._BY_NAME, "partitioned", spied)
    monkeypatch.setattr(methods, "EXACT_UP_TO", 50)
    mixed = select_coreset(POINTS, groups=GROUPS, fraction=0.3, random_state=0)
    assert calls == [80]
    of_small = GROUPS[exact.indices] < 2
    np.testing.assert_array_equal(mixed.indices[:21], exact.indices[of_small])
    assert len(mixed.indices) == 45
    assert mixed.gains is None, "those of some groups only would be misleading"


def test_outer_products_and_parts():
    products = OuterProducts(torch.tensor(POINTS[:, :2]), torch.tensor(POINTS[:, 2:]))
    with pytest.raises(ValueError, match='method="partitioned" takes points, no outer products'):
        select_coreset(products, k=9, method="partitioned")


def test_progress(capsys):
    select_coreset(POINTS, k=9, groups=GROUPS)
    assert capsys.readouterr() == ("", "")
    select_coreset(POINTS, k=9, groups=GROUPS, method="greedy", verbose=2)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(" done")[0] for line in lines][-1] == "[greedy] 150 of 150"
    quick = Progress("work", 10, verbose=1)
    quick.step(5)
    assert capsys.readouterr().out == "", "at most every five seconds"
    quick._last -= 6
    quick._start -= 6
    quick.step(1)
    assert capsys.readouterr().out == "[work] 6 of 10 done in 6 s, about 4 s left\n"


@pytest.mark.parametrize("selection", SELECTION_METHODS)
def test_estimators_take_all_methods(selection):
    X, y = make_classification(120, 6, n_informative=4, n_classes=3, random_state=0)
    X = X.astype(np.float32)
    selector = GradientMedoidSelector(
        selection=selection, estimator=LogisticRegression(), random_state=0
    ).fit(X, y)
    assert len(selector.medoid_indices_) == (120 if selection == "all" else 60)
    CoresetClassifier(LogisticRegression(), selection=selection, random_state=0).fit(X, y)
    crust = CRUSTClassifier(selection=selection, max_epochs=2, random_state=0).fit(X, y)
    assert crust.predict(X).shape == (120,)


def test_an_unknown_method_is_named_with_all_others():
    with pytest.raises(ValueError, match=r"selection.*'k_medoids'.*'nearest'"):
        GradientMedoidSelector(selection="nearest").fit(POINTS)
