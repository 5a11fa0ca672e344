"""Outer products as points give what the written-out points give; gradients read off networks."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from references import BUDGETS, quick, seeds
from torch import nn

from noisyfit.selection import (
    OuterProducts,
    assign_to_medoids,
    central_medoids,
    distance_bound,
    euclidean_distances,
    gradient_norms,
    greedy_medoids,
    last_layer_gradients,
    logit_gradients,
    module_gradients,
    select_coreset,
    stochastic_medoids,
    swap_medoids,
    total_distance,
)


def products_and_points(seed, n=30):
    generator = torch.Generator().manual_seed(seed % 2**31)
    left = torch.randn(n, 3, dtype=torch.float64, generator=generator)
    right = torch.randn(n, 4, dtype=torch.float64, generator=generator)
    return OuterProducts(left, right), (left[:, :, None] * right[:, None]).flatten(1)


@quick
@given(seeds, st.integers(1, 30), st.sampled_from(BUDGETS))
def test_selectors_choose_the_same(seed, k, budget):
    products, points = products_and_points(seed)
    np.testing.assert_allclose(
        euclidean_distances(products), euclidean_distances(points), atol=1e-6
    )
    weights = np.random.default_rng(seed).random(30) + 0.1
    options = {"sample_weight": weights, "memory_budget": budget}
    for select in (greedy_medoids, central_medoids):
        found, expected = select(products, k, **options), select(points, k, **options)
        found, expected = getattr(found, "indices", found), getattr(expected, "indices", expected)
        np.testing.assert_array_equal(found, expected)
    drawn = [stochastic_medoids(x, k, random_state=seed).indices for x in (products, points)]
    np.testing.assert_array_equal(*drawn)
    # Which of two swaps gains more may be decided by rounding, and where it ends by that.
    swapped = swap_medoids(products, np.arange(k))
    assert swapped.total_distance == pytest.approx(total_distance(points, swapped.indices))
    assert swapped.total_distance <= total_distance(points, np.arange(k)) + 1e-6
    for found, expected in zip(
        assign_to_medoids(products, np.arange(k)),
        assign_to_medoids(points, np.arange(k)),
        strict=True,
    ):
        np.testing.assert_allclose(found, expected, atol=1e-6)
    assert distance_bound(products, weights) == pytest.approx(distance_bound(points, weights))
    np.testing.assert_allclose(gradient_norms(products), gradient_norms(points))


def test_coresets_of_products():
    products, points = products_and_points(0)
    groups = np.arange(30) % 3
    found, expected = (select_coreset(x, k=9, groups=groups) for x in (products, points))
    np.testing.assert_array_equal(found.indices, expected.indices)
    np.testing.assert_allclose(found.weights, expected.weights)


def test_copies_of_products():
    products, _ = products_and_points(1, 10)
    twice = products[torch.arange(10).repeat(2)]
    assert set(greedy_medoids(twice, 10).indices) == set(range(10))
    assignment, distance = assign_to_medoids(twice, np.arange(20))
    np.testing.assert_array_equal(assignment, np.tile(np.arange(10), 2))
    np.testing.assert_array_equal(distance, 0)


def network(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Linear(4, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Dropout(0.5), nn.Linear(6, 3, bias=False)
    )


def test_gradients_of_a_module_are_those_of_autograd():
    module, X = network(), torch.randn(7, 4)
    labels = torch.tensor([0, 1, 2, 0, 1, 2, 0])
    module.train()
    found = module_gradients(module, X, labels, batch_size=3)
    assert module.training
    assert not module[-1]._forward_hooks
    module.eval()
    for row in range(7):
        module.zero_grad()
        nn.functional.cross_entropy(module(X[row : row + 1]), labels[row : row + 1]).backward()
        product = found.left[row][:, None] * found.right[row][None]
        torch.testing.assert_close(product, module[-1].weight.grad)
    features = module_gradients(module, X, labels, kind="features")
    torch.testing.assert_close(features, found.left @ module[-1].weight.detach())
    logits = module_gradients(module, X, labels, kind="logits")
    torch.testing.assert_close(
        logits, logit_gradients(module(X).detach(), labels, from_logits=True)
    )


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: module_gradients(network(), torch.ones(2, 4), [0, 1], kind="all"), "kind must"),
        (lambda: module_gradients(nn.ReLU(), torch.ones(2, 4), [0, 1]), "no linear layer"),
        (
            lambda: module_gradients(
                nn.Sequential(network(), nn.Softmax(1)), torch.ones(2, 4), [0, 1]
            ),
            "without softmax",
        ),
        (lambda: last_layer_gradients(np.eye(2), [0, 1], np.ones((3, 1))), "must have 2 rows"),
        (
            lambda: greedy_medoids(OuterProducts(torch.ones(2, 1), torch.ones(3, 1)), 1),
            "same number of rows",
        ),
        (
            lambda: greedy_medoids(OuterProducts(torch.ones(2, 1), torch.full((2, 1), np.nan)), 1),
            "must be finite",
        ),
    ],
)
def test_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_hooks_and_mode_are_left_as_found_after_an_error():
    module = nn.Sequential(network(), nn.Softmax(1))
    with pytest.raises(ValueError, match="softmax"):
        module_gradients(module, torch.ones(2, 4), [0, 1])
    assert module.training
    assert not module[0][-1]._forward_hooks
