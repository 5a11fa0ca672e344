"""DMClassifier's automatic emphasis: read off the noise, renewed while the network learns."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import load_digits

from noisyfit import DMClassifier
from noisyfit.noise import symmetric_noise
from noisyfit.weighting import DMEmphasis, emphasis_for_noise


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return X, y


def fit(digits, rate, **options):
    X, y = digits
    labels = symmetric_noise(y[:1200], rate, random_state=0)[0] if rate else y[:1200]
    return DMClassifier(max_epochs=12, random_state=0, **options).fit(X[:1200], labels)


@given(st.floats(0, 1), st.floats(0, 1))
def test_more_noise_never_means_a_smaller_mode_or_variance(one, other):
    low, high = emphasis_for_noise(min(one, other)), emphasis_for_noise(max(one, other))
    assert 0 <= low.mode <= high.mode <= 0.5
    assert 6 <= low.variance <= high.variance <= 12


def test_the_ends_of_the_scale():
    assert emphasis_for_noise(0) == DMEmphasis(0.0, 6.0)
    assert emphasis_for_noise(0.3) == emphasis_for_noise(1) == DMEmphasis(0.5, 12.0)


@pytest.mark.parametrize("rate", [-0.1, 1.1, float("nan"), "much", None])
def test_a_rate_that_is_none(rate):
    with pytest.raises((TypeError, ValueError), match="rate must be"):
        emphasis_for_noise(rate)


def test_clean_and_noisy_labels_get_different_densities(digits):
    clean, noisy = fit(digits, 0), fit(digits, 0.4)
    assert clean.emphasis_.mode < 0.1 < 0.4 < noisy.emphasis_.mode
    assert clean.emphasis_.variance < noisy.emphasis_.variance
    X, y = digits
    plain = fit(digits, 0.4, emphasis="cce", normalize=None)
    assert noisy.score(X[1200:], y[1200:]) > plain.score(X[1200:], y[1200:]) + 0.03
    assert plain.emphasis_.weight(torch.tensor(0.25)) == pytest.approx(1.5)


def test_the_density_is_renewed_while_the_network_learns(digits, monkeypatch):
    seen = []
    rates = iter([0.1, 0.2, 0.05, 0.0, 0.0, 0.0])
    real = DMClassifier._estimate

    def estimate(self, data, recorder, rows):
        noise = real(self, data, recorder, rows)
        seen.append((len(self.net_.history), self.net_.criterion_.emphasis))
        object.__setattr__(noise, "rate", next(rates))
        return noise

    monkeypatch.setattr(DMClassifier, "_estimate", estimate)
    classifier = fit(digits, 0.2)
    assert [epoch for epoch, _ in seen] == [3, 4, 6, 8, 12]
    # Each look finds the density of the one before, and a smaller estimate changes nothing.
    modes = [emphasis.mode for _, emphasis in seen]
    expected = [emphasis_for_noise(rate).mode for rate in (0.15, 0.1, 0.2, 0.2, 0.2)]
    assert modes == pytest.approx(expected)
    assert classifier.emphasis_ == seen[-1][1]


@pytest.mark.parametrize("options", [{"mode": 0.7}, {"variance": 3.0}, {"mode": 0, "variance": 2}])
def test_what_is_given_stays(digits, options):
    emphasis = fit(digits, 0.4, **options).emphasis_
    for name, value in options.items():
        assert getattr(emphasis, name) == value
    automatic = emphasis_for_noise(0.4)
    for name in {"mode", "variance"} - set(options):
        assert getattr(emphasis, name) == pytest.approx(getattr(automatic, name))


def test_with_both_given_it_is_the_published_method(digits):
    X, _ = digits
    one = fit(digits, 0.4, mode=0.5, variance=12.0)
    other = fit(digits, 0.4, emphasis="dm")
    np.testing.assert_array_equal(one.predict_proba(X), other.predict_proba(X))
