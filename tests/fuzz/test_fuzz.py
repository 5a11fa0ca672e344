"""The fuzz targets on a few examples each; `nightly.py` runs them on thousands."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from fuzz.checks import NotByDesign, check_by_design, check_probabilities, nothing_changed
from fuzz.nightly import examples_of
from fuzz.parameters import PARAMETERS
from fuzz.targets import TARGETS
from hypothesis import HealthCheck, Phase, given, settings

from noisyfit import DMClassifier
from noisyfit.selection import select_coreset

EXAMPLES = 15


@pytest.mark.filterwarnings("ignore")  # of scikit-learn, scipy and numpy about odd data
@pytest.mark.parametrize("name", TARGETS)
def test_a_few_examples_of_every_target(name: str) -> None:
    target = TARGETS[name]

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(target.strategy)
    def fuzz(case: Any) -> None:
        target.check(case)

    fuzz()


def test_the_nightly_command_runs_as_many_examples_as_it_is_told() -> None:
    shares = examples_of(10_000)
    assert set(shares) == set(TARGETS)
    assert 10_000 <= sum(shares.values()) <= 10_000 + len(TARGETS)
    assert min(shares.values()) >= 50


@pytest.mark.parametrize("made", PARAMETERS, ids=lambda made: made.__name__)
def test_every_parameter_is_fuzzed(made: type) -> None:
    assert set(made().get_params(deep=False)) <= set(PARAMETERS[made])


# ---------------------------------------------------------------- the properties can be violated


def error_of(call: Any) -> BaseException:
    with pytest.raises(BaseException) as caught:  # noqa: PT011 (any error will do)
        call()
    return caught.value


@pytest.mark.parametrize(
    "call",
    [
        lambda: torch.ones(2) @ torch.ones(3),
        lambda: np.ones(2) @ np.ones(3),
        lambda: {}["key"],
        lambda: (_ for _ in ()).throw(ValueError("raised by no part of the library")),
        lambda: (_ for _ in ()).throw(ValueError("")),
        lambda: DMClassifier(lr=0.1).net_,
    ],
)
def test_errors_from_the_depth_are_not_by_design(call: Any) -> None:
    with pytest.raises(NotByDesign):
        check_by_design(error_of(call))


@pytest.mark.parametrize(
    "call",
    [
        lambda: DMClassifier(lr=-1).fit([[0.0], [1.0]], [0, 1]),
        lambda: DMClassifier().fit([[np.nan], [1.0]], [0, 1]),
        lambda: DMClassifier(modul__hidden=3),
        lambda: select_coreset([[0.0], [1.0]], k=7),
    ],
)
def test_errors_that_name_a_parameter_are_by_design(call: Any) -> None:
    check_by_design(error_of(call))


def write_to(values: np.ndarray) -> None:
    values[0] = 7


@pytest.mark.parametrize(
    "change",
    [
        lambda given: write_to(given),
        lambda given: np.random.rand(),  # noqa: NPY002 (the global generator is the subject)
        lambda given: torch.rand(1),
    ],
)
def test_changes_of_inputs_and_generators_are_noticed(change: Any) -> None:
    numpy_state, torch_state = np.random.get_state(), torch.get_rng_state()  # noqa: NPY002
    given_values = np.zeros(3)
    try:
        with pytest.raises(AssertionError, match="was"), nothing_changed(given_values):
            change(given_values)
    finally:
        np.random.set_state(numpy_state)  # noqa: NPY002
        torch.set_rng_state(torch_state)


@pytest.mark.parametrize(
    "rows", [[[0.5, 0.6]], [[np.nan, 1.0]], [[-0.5, 1.5]], [[1.0]], [[0.5, 0.5], [0.5, 0.5]]]
)
def test_probabilities_that_are_none_are_noticed(rows: list[list[float]]) -> None:
    with pytest.raises(AssertionError):
        check_probabilities(np.array(rows), 1, 2)
