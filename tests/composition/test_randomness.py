"""Same seed, same result; the global generators left as found."""

from __future__ import annotations

import joblib
import numpy as np
import pytest
import torch
from composition.common import assert_same_predictions, dm, every_classifier, every_network
from sklearn.base import clone


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
    alone = [make(random_state=seed, **options).fit(X, y).predict_proba(X) for seed in range(2)]
    before = torch.get_rng_state()
    together = joblib.Parallel(n_jobs=2, backend="threading")(
        joblib.delayed(make(random_state=seed, **options).fit)(X, y) for seed in range(2)
    )
    for estimator, expected in zip(together, alone, strict=True):
        np.testing.assert_array_equal(estimator.predict_proba(X), expected)
    assert torch.equal(before, torch.get_rng_state())
