"""Two processes that fit together do what one process does."""

from __future__ import annotations

import os
import pickle
import signal
import socket
import subprocess
import sys
from pathlib import Path

import distributed_fits
import numpy as np
import pytest
import torch
from distributed_fits import CASES, SINGLE_PRECISION, Y_GIVEN, X, dm, fit, outcome
from sklearn.base import clone
from sklearn.model_selection import cross_val_score
from torch import nn

import noisyfit
from noisyfit.training.distributed import Processes, Share
from noisyfit.training.distributed.normalisation import WholeBatchNormalisation

accelerate = pytest.importorskip("accelerate", reason="accelerate is not installed")

# One worker of pytest runs all: each would start processes of its own.
pytestmark = pytest.mark.xdist_group("distributed")

TIMEOUT = 240
ROOT = Path(noisyfit.__file__).parents[1]


def launch(folder, task):
    """Run two processes as torchrun would; their exit statuses, outputs and errors."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    started = []
    for number in range(2):
        place = {"RANK": number, "LOCAL_RANK": number, "WORLD_SIZE": 2, "LOCAL_WORLD_SIZE": 2}
        address = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "OMP_NUM_THREADS": 1}
        paths = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
        variables = {**place, **address, "PYTHONPATH": paths}
        started.append(
            subprocess.Popen(
                [sys.executable, distributed_fits.__file__, str(folder), task],
                env={**os.environ, **{name: str(value) for name, value in variables.items()}},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
    try:
        texts = [process.communicate(timeout=TIMEOUT) for process in started]
    finally:
        for process in started:
            process.kill()
    return [(process.returncode, *text) for process, text in zip(started, texts, strict=True)]


def read(path):
    return pickle.loads(path.read_bytes())


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("processes")


@pytest.fixture(scope="module")
def ended(folder):
    """How the two processes ended, after the fits."""
    return launch(folder, "fits")


@pytest.fixture(scope="module")
def both(folder, ended):
    """What the two processes noted."""
    files = [folder / f"fits-{number}.pickle" for number in range(2)]
    assert all(file.exists() for file in files), ended
    return [read(file) for file in files]


@pytest.fixture
def state():
    """Accelerate's own state, forgotten afterwards."""
    from accelerate.state import AcceleratorState, GradientState

    yield
    AcceleratorState._reset_state(reset_partial_state=True)
    GradientState._reset_state()


def assert_same(found, expected, tolerance=0.0):
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=0, atol=tolerance, err_msg=name)


# ----------------------------------------------------------------- the same result as one process


@pytest.mark.parametrize("case", CASES)
def test_two_processes_fit_what_one_fits(case, both):
    expected = outcome(fit(case))
    for told in both:
        assert_same(
            told["cases"][case], expected, 1e-9
        )  # the indices of a coreset are whole numbers


@pytest.mark.parametrize("case", CASES)
def test_both_processes_end_with_the_same_estimator_to_the_bit(case, both):
    assert_same(both[0]["cases"][case], both[1]["cases"][case])


def test_in_single_precision_the_coreset_is_the_same_and_the_rest_close(both):
    expected = outcome(clone(SINGLE_PRECISION).fit(X, Y_GIVEN))
    np.testing.assert_array_equal(
        both[0]["single precision"]["coreset_indices"], expected["coreset_indices"]
    )
    assert_same(both[0]["single precision"], expected, 1e-4)
    assert_same(both[0]["single precision"], both[1]["single precision"])


def test_cross_validation_and_instalments_can_be_shared(both):
    expected = cross_val_score(dm(), X, Y_GIVEN, cv=2)
    parts = dm()
    for rows in (slice(0, 120), slice(120, None)):
        parts.partial_fit(X[rows], Y_GIVEN[rows], classes=np.arange(10))
    for told in both:
        np.testing.assert_array_equal(told["scores"], expected)
        np.testing.assert_allclose(told["instalments"], parts.predict_proba(X), atol=1e-9)


# --------------------------------------------------------------------------- what each process does


def test_the_processes_share_every_batch_between_them(both):
    first, second = (told["rows"] for told in both)
    assert len(first) == len(second) == 2 * 7
    for half, other in zip(first, second, strict=True):
        assert 0 <= len(half) - len(other) <= 1
    for epoch in (slice(0, 7), slice(7, None)):
        seen = np.concatenate([*first[epoch], *second[epoch]])
        np.testing.assert_array_equal(np.sort(seen), np.arange(len(X)))


def test_each_process_draws_for_its_own_rows(both):
    assert len({*both[0]["drawn"], *both[1]["drawn"]}) == 2 * len(both[0]["drawn"])
    np.testing.assert_array_equal(both[0]["random"], both[1]["random"])


def test_a_stop_that_one_process_asks_for_stops_both(both):
    assert [told["n_iter"] for told in both] == [2, 2]


def test_only_the_main_process_prints(both, ended):
    (_, printed, _), (_, other, _) = ended
    assert "train_loss" in printed
    assert other == ""


def test_processes_with_different_fits_are_told_so(both):
    for told in both:
        assert "differs in process 1: y is not the same." in told["other data"]
        assert "differs in process 1: lr was 2 and is 1." in told["other parameters"] or (
            "differs in process 1: lr was 1 and is 2." in told["other parameters"]
        )
        assert told["other data"].startswith("ValueError: All processes have to fit the same")


def test_an_error_of_the_main_process_is_raised_in_both(both):
    assert both[0]["main process's error"] == both[1]["main process's error"]
    assert "is a file; name a folder" in both[0]["main process's error"]


# ------------------------------------------------------------------------------------ what is left


def test_the_estimator_is_one_of_a_process_alone_afterwards(both, folder):
    expected = both[0]["cases"]["screening and trimming"]["probabilities"]
    pickled = (folder / "crust.pickle").read_bytes()
    assert b"accelerate." not in pickled
    for classifier in (pickle.loads(pickled), noisyfit.load(folder / "crust.noisyfit")):
        assert classifier.accelerator is None
        assert type(classifier.net_.module_).__module__.startswith("noisyfit.")
        np.testing.assert_array_equal(classifier.predict_proba(X), expected)


def test_a_lost_process_ends_the_fit_which_can_go_on_from_its_checkpoint(both, ended, folder):
    (status, _, error), (lost, _, _) = ended
    assert lost == -signal.SIGKILL
    assert status > 0, "the other process has ended, too, with an error"
    assert "RuntimeError" in error
    assert list((folder / "checkpoint").glob("*.noisyfit"))
    ended_again = launch(folder, "resume")
    assert [status for status, *_ in ended_again] == [0, 0], ended_again
    for number in range(2):
        told = read(folder / f"resumed-{number}.pickle")
        assert_same(told["resumed"], told["undisturbed"])


# ------------------------------------------------------------------------------- in a process alone


def test_an_accelerator_of_one_process_changes_nothing(state):
    plain, alone = dm(), dm(accelerator=accelerate.Accelerator(cpu=True))
    assert_same(outcome(alone.fit(X, Y_GIVEN)), outcome(plain.fit(X, Y_GIVEN)))
    assert isinstance(clone(alone).accelerator, accelerate.Accelerator)
    assert alone.net_.device == "cpu"


def test_mixed_precision_is_asked_for_by_autocast(state):
    accelerator = accelerate.Accelerator(cpu=True, mixed_precision="bf16")
    with pytest.raises(ValueError, match=r"mixed_precision='bf16'; make it .* autocast="):
        dm(accelerator=accelerator).fit(X, Y_GIVEN)


def test_gradients_are_not_accumulated(state):
    accelerator = accelerate.Accelerator(cpu=True, gradient_accumulation_steps=2)
    with pytest.raises(ValueError, match=r"gradient_accumulation_steps=2; .* set batch_size"):
        dm(accelerator=accelerator).fit(X, Y_GIVEN)


def test_networks_cut_into_pieces_are_refused(state):
    accelerator = accelerate.Accelerator(cpu=True)
    accelerator.state.distributed_type = accelerate.DistributedType.FSDP
    with pytest.raises(ValueError, match="spreads training by FSDP, which is not supported"):
        dm(accelerator=accelerator).fit(X, Y_GIVEN)


@pytest.mark.parametrize("count", [1, 2, 3, 5])
@pytest.mark.parametrize("n", [1, 2, 4, 13])
def test_shares_are_even_and_make_the_whole(n, count):
    shares = [Share(number, count) for number in range(count)]
    bounds = [share.bounds(n) for share in shares]
    assert [end - first for first, end in bounds] == shares[0].sizes(n)
    assert np.concatenate([np.arange(n)[first:end] for first, end in bounds]).tolist() == [
        *range(n)
    ]
    assert max(shares[0].sizes(n)) - min(shares[0].sizes(n)) <= 1
    # Where there are fewer rows than processes, some compute a row that won't count.
    assert all(len(share.of_batch(torch.arange(n))) >= 1 for share in shares)


@pytest.mark.parametrize("shape", [(5,), (3, 4)])
@pytest.mark.parametrize("counts", [True, False])
def test_normalisation_counts_the_rows_of_all_processes(shape, counts):
    """The other process's part of each sum is added by hand."""
    torch.manual_seed(0)
    rows = torch.randn(6, *shape, dtype=torch.float64)
    own, other = (rows[:4], rows[4:]) if counts else (rows[:1], rows)
    whole, shared = (nn.BatchNorm1d(shape[0]).double() for _ in range(2))
    expected = whole(rows)
    columns = [axis for axis in range(rows.dim()) if axis != 1]
    mean = rows.mean(columns, keepdim=True)
    missing = [
        torch.cat([other.sum(columns), other.new_tensor([other.numel() / shape[0]])]),
        (other - mean).square().sum(columns),
    ]
    with WholeBatchNormalisation(lambda values: values + missing.pop(0), counts):
        found = shared(own)
    torch.testing.assert_close(found, expected[: len(own)])
    torch.testing.assert_close(shared.state_dict(), whole.state_dict())
    with WholeBatchNormalisation(None, counts):  # nothing to sum up
        torch.testing.assert_close(shared.eval()(own), whole.eval()(own))


def test_a_copy_of_processes_is_alone():
    class Two:
        process_index, num_processes = 1, 2

    assert Processes(Two()).are_many
    assert not pickle.loads(pickle.dumps(Processes(Two()))).are_many
