"""Fits that were cut off go on, and end as if nothing had happened."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from skorch.callbacks import Callback
from stress.fits import FITS, outcome, table

from noisyfit import CRUSTClassifier, DMClassifier, RobustLossClassifier, load, save
from noisyfit.storage.errors import LoadError
from noisyfit.training.checkpoint import CheckpointFolder, describe_value, progress
from noisyfit.training.checkpoint import folder as folder_module

STRESS = Path(__file__).parent / "stress"


class Crash(Exception):
    """Stands for the end of a process."""


@pytest.fixture(autouse=True)
def a_checkpoint_after_every_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "SHARE_OF_TIME", 1.0)


@pytest.fixture
def crash_after(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], Any]:
    """Have fits end by `Crash` right after so many checkpoints were written."""

    def arrange(n_writes: int) -> Any:
        patch = pytest.MonkeyPatch()
        real, done = CheckpointFolder.write, [0]

        def write(self: CheckpointFolder, state: dict[str, Any]) -> None:
            real(self, state)
            done[0] += 1
            if done[0] == n_writes:
                raise Crash

        patch.setattr(CheckpointFolder, "write", write)
        return patch

    return arrange


def dm(**parameters: Any) -> Any:
    defaults = {"max_epochs": 5, "module__hidden": (8,), "batch_size": 32, "random_state": 0}
    return DMClassifier(**{**defaults, **parameters})


def cut_off(estimator: Any, X: Any, y: Any, crash_after: Any, n_writes: int = 2) -> None:
    """Have a fit crash after so many checkpoints."""
    patch = crash_after(n_writes)
    with pytest.raises(Crash):
        estimator.fit(X, y)
    patch.undo()


def n_epochs_of(fit: Callable[[], Any], monkeypatch: pytest.MonkeyPatch) -> int:
    """How many epochs a call trains any network."""
    from noisyfit.training.network import PlannedNet

    done, real = [0], PlannedNet.fit_loop

    def counted(self: Any, *args: Any, **kwargs: Any) -> Any:
        done[0] += 1
        return real(self, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(PlannedNet, "fit_loop", counted)
        fit()
    return done[0]


# ----------------------------------------------------------------------------- bit for bit


@pytest.mark.parametrize("name", FITS)
def test_fits_of_every_kind_go_on_and_end_the_same(
    name: str, crash_after: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, data = FITS[name]
    X, y = data()
    alone = make().fit(X, y)
    writes = [0]
    real = CheckpointFolder.write
    with monkeypatch.context() as patch:
        patch.setattr(
            CheckpointFolder,
            "write",
            lambda self, state: (writes.append(1), real(self, state))[1],
        )
        kept = make().set_params(checkpoint=tmp_path / "kept").fit(X, y)
    assert outcome(kept, X) == outcome(alone, X)
    n_writes = len(writes) - 1
    assert n_writes >= 3
    rng = np.random.RandomState(n_writes)
    # Cut off three times: early, late, and after the very last epoch.
    for number, at in enumerate([rng.randint(1, n_writes), n_writes - 1, n_writes]):
        again = make().set_params(checkpoint=tmp_path / str(number))
        cut_off(again, X, y, crash_after, at)
        assert not hasattr(again, "classes_")
        again.fit(X, y)
        assert outcome(again, X) == outcome(alone, X), f"cut off after write {at} of {n_writes}"


def test_epochs_that_are_done_are_not_done_again(
    crash_after: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    X, y = table()
    estimator = CRUSTClassifier(
        max_epochs=4, module__hidden=(8,), checkpoint=tmp_path, random_state=0
    )
    whole = n_epochs_of(lambda: clone(estimator).set_params(checkpoint=None).fit(X, y), monkeypatch)
    cut_off(estimator, X, y, crash_after, n_writes=6)
    rest = n_epochs_of(lambda: estimator.fit(X, y), monkeypatch)
    assert 0 < rest < whole - 6
    # A fit that has ended is there at once.
    assert n_epochs_of(lambda: estimator.fit(X, y), monkeypatch) == 0


@pytest.mark.parametrize("arguments", [["--fits", "3", "--seed", "3"]])
def test_processes_killed_at_random_moments(arguments: list[str]) -> None:
    command = [sys.executable, str(STRESS / "kill.py"), *arguments]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=500)
    assert done.returncode == 0, done.stdout + done.stderr
    match = re.search(r"3 of 3 resumed fits identical .*; (\d+) processes killed", done.stdout)
    assert match is not None
    assert int(match[1]) >= 3


def test_a_seed_of_nobodys_is_that_of_the_checkpoint(crash_after: Any, tmp_path: Path) -> None:
    X, y = table()
    estimator = dm(random_state=None, checkpoint=tmp_path)
    cut_off(estimator, X, y, crash_after)
    first = estimator.fit(X, y).predict_proba(X)
    assert len(estimator.history_) == 5
    # The next fit without a seed is another one, as it is without a checkpoint.
    assert not np.array_equal(estimator.fit(X, y).predict_proba(X), first)


def test_generators_of_the_caller_go_on_as_they_were(crash_after: Any, tmp_path: Path) -> None:
    X, y = table()
    estimator = dm(checkpoint=tmp_path)
    cut_off(estimator, X, y, crash_after)
    torch.manual_seed(7)
    before = torch.get_rng_state()
    estimator.fit(X, y)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_fit_that_continues_another_goes_on(crash_after: Any, tmp_path: Path) -> None:
    X, y = table()

    def begun() -> Any:
        return dm(warm_start=True).fit(X, y)

    twice = begun().fit(X, y)
    again = begun().set_params(checkpoint=tmp_path)
    cut_off(again, X, y, crash_after)
    again = begun().set_params(checkpoint=tmp_path).fit(X, y)
    assert outcome(again, X) == outcome(twice, X)
    with pytest.raises(ValueError, match="the network to go on from is not the same"):
        again.fit(X, y)


# -------------------------------------------------------------------- another fit is refused

OTHER_FITS: dict[str, tuple[Callable[[Any, Any, Any], Any], str]] = {
    "a parameter": (lambda e, X, y: e.set_params(lr=0.5).fit(X, y), r"lr was 0\.001 and is 0\.5"),
    "an option by prefix": (
        lambda e, X, y: e.set_params(module__dropout=0.1).fit(X, y),
        r"module__dropout was not given and is 0\.1",
    ),
    "a callable": (
        lambda e, X, y: e.set_params(emphasis=lambda p: p * (1 - p)).fit(X, y),
        "emphasis was 'auto' and is function",
    ),
    "the seed": (lambda e, X, y: e.set_params(random_state=1).fit(X, y), "random_state was 0"),
    "the rows": (lambda e, X, y: e.fit(X + 1, y), "X is not the same"),
    "the order": (lambda e, X, y: e.fit(X[::-1], y[::-1]), "X is not the same; y is not the same"),
    "the labels": (lambda e, X, y: e.fit(X, (y + 1) % 3), "y is not the same"),
    "names of labels": (lambda e, X, y: e.fit(X, y + 1), "y is not the same"),
    "weights": (
        lambda e, X, y: e.fit(X, y, sample_weight=np.r_[2, np.ones(len(y) - 1)]),
        "sample_weight is not the same",
    ),
    "the estimator": (
        lambda e, X, y: RobustLossClassifier(checkpoint=e.checkpoint).fit(X, y),
        "it is one of DMClassifier, not of RobustLossClassifier",
    ),
}


@pytest.mark.parametrize("what", OTHER_FITS)
@pytest.mark.parametrize("finished", [False, True])
def test_another_fit_is_refused_by_what_differs(
    what: str, finished: bool, crash_after: Any, tmp_path: Path
) -> None:
    X, y = table()
    if finished:
        dm(checkpoint=tmp_path).fit(X, y)
    else:
        cut_off(dm(checkpoint=tmp_path), X, y, crash_after)
    before = sorted(os.listdir(tmp_path))
    other, message = OTHER_FITS[what]
    with pytest.raises(ValueError, match=f"holds another fit: {message}.*name another one"):
        other(dm(checkpoint=tmp_path), X, y)
    assert sorted(os.listdir(tmp_path)) == before
    assert dm(checkpoint=tmp_path, verbose=0).fit(X, y).n_iter_ == 5  # nothing was lost


def test_another_state_of_a_generator_is_refused(crash_after: Any, tmp_path: Path) -> None:
    X, y = table()
    cut_off(dm(checkpoint=tmp_path, random_state=np.random.RandomState(0)), X, y, crash_after)
    with pytest.raises(ValueError, match="random_state is in another state"):
        dm(checkpoint=tmp_path, random_state=np.random.RandomState(1)).fit(X, y)
    resumed = dm(checkpoint=tmp_path, random_state=np.random.RandomState(0)).fit(X, y)
    alone = dm(random_state=np.random.RandomState(0)).fit(X, y)
    assert outcome(resumed, X) == outcome(alone, X)


def test_another_version_of_torch_is_refused(
    crash_after: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    X, y = table()
    cut_off(dm(checkpoint=tmp_path), X, y, crash_after)
    from noisyfit.estimators.base import resuming

    real = resuming.versions()
    monkeypatch.setattr(resuming, "versions", lambda: {**real, "torch": "99.0"})
    with pytest.raises(ValueError, match=r"begun with torch .*, and this is torch 99\.0"):
        dm(checkpoint=tmp_path).fit(X, y)


def test_every_fit_of_a_search_has_a_folder_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    X, y = table()
    grid = {"mode": [0.0, 0.3]}
    search = GridSearchCV(dm(checkpoint=tmp_path / "{fit}", max_epochs=2), grid, cv=2)
    search.fit(X, y)
    assert len(os.listdir(tmp_path)) == 5  # four fits and that of the best parameters
    assert n_epochs_of(lambda: search.fit(X, y), monkeypatch) == 0


# ------------------------------------------------------------------------------ the folder


def test_a_folder_is_used_by_one_fit_at_a_time(tmp_path: Path) -> None:
    X, y = table()
    folder = CheckpointFolder(tmp_path)
    with pytest.raises(ValueError, match=r"checkpoint=.* is in use by another fit.*\{fit\}"):
        dm(checkpoint=tmp_path).fit(X, y)
    folder.close()
    dm(checkpoint=tmp_path).fit(X, y)


def test_a_folder_of_other_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("text")
    with pytest.raises(ValueError, match=r"checkpoint=.* holds 'thesis.tex'"):
        dm(checkpoint=tmp_path).fit(*table())
    with pytest.raises(ValueError, match=r"checkpoint=.* is a file; name a folder"):
        dm(checkpoint=tmp_path / "thesis.tex").fit(*table())
    assert os.listdir(tmp_path) == ["thesis.tex"]


def test_two_checkpoints_are_kept_that_nobody_else_can_read(tmp_path: Path) -> None:
    (tmp_path / "new").mkdir(mode=0o755)
    folder = tmp_path / "new" / "folder"
    mask = os.umask(0)
    try:
        dm(checkpoint=str(folder)).fit(*table())
    finally:
        os.umask(mask)
    names = sorted(os.listdir(folder))
    assert names == [
        "checkpoint-00000004.noisyfit",
        "checkpoint-00000005.noisyfit",
        "finished",
        "lock",
    ]
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE((folder / name).stat().st_mode) for name in names} == {0o600}
    with zipfile.ZipFile(folder / names[0]) as archive:  # and nothing in them is a pickle
        suffixes = {Path(name).suffix for name in archive.namelist()}
    assert suffixes == {".json", ".safetensors"}


def test_what_a_killed_write_has_left_is_removed(tmp_path: Path) -> None:
    left = tmp_path / ".noisyfit.abcdefgh.tmp"
    left.mkdir()
    (left / "checkpoint-00000001.noisyfit").write_bytes(b"half")
    dm(checkpoint=tmp_path).fit(*table())
    assert not left.exists()


def test_a_full_disk_does_not_end_the_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, done = folder_module.write_archive, [0]

    def write(*args: Any, **kwargs: Any) -> None:
        done[0] += 1
        if done[0] in (2, 3):
            raise OSError(28, "No space left on device")
        real(*args, **kwargs)

    X, y = table()
    monkeypatch.setattr(folder_module, "write_archive", write)
    with pytest.warns(UserWarning, match="could not be written .*No space.* The fit goes on"):
        estimator = dm(checkpoint=tmp_path).fit(X, y)
    assert outcome(estimator, X) == outcome(dm().fit(X, y), X)
    assert len(list(tmp_path.glob("*.noisyfit"))) == 2


def test_a_drive_without_locks_is_used_with_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lock(file: Any) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(folder_module, "_lock", lock)
    with pytest.warns(UserWarning, match="can't be locked .*No locks available"):
        dm(checkpoint=tmp_path).fit(*table())


def test_writes_take_a_small_share_of_the_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "SHARE_OF_TIME", 0.05)
    clock = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock[0])
    at: list[float] = []

    def write(self: CheckpointFolder, state: dict[str, Any]) -> None:
        at.append(clock[0])
        clock[0] += 2.0

    class Epoch(Callback):
        def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
            clock[0] += 10.0

    monkeypatch.setattr(CheckpointFolder, "write", write)
    dm(checkpoint=tmp_path, callbacks=[Epoch()], max_epochs=12).fit(*table())
    assert at == [10.0, 52.0, 94.0, 126.0]  # the last one comes in any case


# -------------------------------------------------------------------------------- damage


def damaged(folder: Path, number: int, kind: str) -> None:
    path = folder / f"checkpoint-{number:08d}.noisyfit"
    content = bytearray(path.read_bytes())
    if kind == "truncated":
        content = content[: len(content) * 2 // 3]
    elif kind == "empty":
        content = bytearray()
    else:
        where = {"early": 100, "middle": len(content) // 2, "late": len(content) - 10}[kind]
        content[where] ^= 4
    path.write_bytes(content)


@pytest.mark.parametrize("kind", ["truncated", "empty", "early", "middle", "late"])
def test_of_a_damaged_checkpoint_the_one_before_is_used(
    kind: str, crash_after: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    X, y = table()
    cut_off(dm(checkpoint=tmp_path), X, y, crash_after, n_writes=3)
    damaged(tmp_path, 3, kind)
    resumed = dm(checkpoint=tmp_path)
    with pytest.warns(UserWarning, match="damaged.* goes on from .*checkpoint-00000002"):
        n_epochs = n_epochs_of(lambda: resumed.fit(X, y), monkeypatch)
    assert n_epochs == 3
    assert outcome(resumed, X) == outcome(dm().fit(X, y), X)


def test_of_two_damaged_checkpoints_none_is_used(crash_after: Any, tmp_path: Path) -> None:
    X, y = table()
    cut_off(dm(checkpoint=tmp_path), X, y, crash_after, n_writes=3)
    damaged(tmp_path, 3, "middle")
    damaged(tmp_path, 2, "truncated")
    with pytest.raises(LoadError, match=r"No checkpoint in .* can be read; delete the folder"):
        dm(checkpoint=tmp_path).fit(X, y)
    assert (tmp_path / "checkpoint-00000002.noisyfit").exists()


def test_a_flipped_bit_is_always_noticed(crash_after: Any, tmp_path: Path) -> None:
    cut_off(dm(checkpoint=tmp_path), *table(), crash_after, n_writes=1)
    path = tmp_path / "checkpoint-00000001.noisyfit"
    content = path.read_bytes()
    rng = np.random.RandomState(0)
    folder = CheckpointFolder(tmp_path)
    whole = repr(folder.latest())
    n_noticed = 0
    for where in rng.randint(len(content), size=60):
        changed = bytearray(content)
        changed[where] ^= 1 << rng.randint(8)
        path.write_bytes(changed)
        try:
            state = repr(folder.latest())
        except LoadError:
            n_noticed += 1
        else:
            assert state == whole  # dates and the like in the zip's own listing
    folder.close()
    assert n_noticed > 50


# --------------------------------------------------------------------------------- Ctrl-C


class Interrupt(Callback):
    """Ctrl-C in the middle of an epoch."""

    def __init__(self, epoch: int, phase: str | None = None) -> None:
        self.epoch = epoch
        self.phase = phase

    def on_batch_end(self, net: Any, training: bool = False, **kwargs: Any) -> None:
        wanted = self.phase is None or net.plan_.phase == self.phase
        if wanted and len(net.history) == self.epoch:
            raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("make", "epoch"),
    [
        (lambda **p: dm(**p), 3),
        (lambda **p: CRUSTClassifier(max_epochs=5, module__hidden=(8,), random_state=0, **p), 3),
        (lambda **p: FITS["pencil"][0]().set_params(**p), 2),
        (lambda **p: FITS["t-revision"][0]().set_params(**p), 4),
        (lambda **p: FITS["l-dmi"][0]().set_params(**p), 2),
    ],
)
def test_ctrl_c_leaves_an_estimator_that_can_be_used_and_says_so(
    make: Callable[..., Any], epoch: int
) -> None:
    X, y = table()
    estimator = make(callbacks=[("ctrl_c", Interrupt(epoch))])
    with pytest.raises(KeyboardInterrupt, match=r"was interrupted.*interrupted_ is True"):
        estimator.fit(X, y)
    assert estimator.interrupted_ is True
    assert len(estimator.net_.history) == epoch - 1
    assert estimator.score(X, y) > 0.3
    assert len(estimator.label_quality_) == len(y)
    assert np.isfinite(estimator.predict_proba(X)).all()
    estimator.set_params(callbacks=None).fit(X, y)
    assert estimator.interrupted_ is False


def test_ctrl_c_before_the_first_epoch_is_over_leaves_no_fit() -> None:
    estimator = dm(callbacks=[Interrupt(1)])
    with pytest.raises(KeyboardInterrupt):
        estimator.fit(*table())
    assert not hasattr(estimator, "classes_")
    assert not hasattr(estimator, "interrupted_")


def test_ctrl_c_and_a_checkpoint(tmp_path: Path) -> None:
    X, y = table()

    class Once(Callback):
        pressed = False

        def on_batch_end(self, net: Any, training: bool = False, **kwargs: Any) -> None:
            if len(net.history) == 3 and not Once.pressed:
                Once.pressed = True
                raise KeyboardInterrupt

    estimator = dm(checkpoint=tmp_path, callbacks=[Once()])
    with pytest.raises(KeyboardInterrupt, match="Fit again, on the same data, to go on"):
        estimator.fit(X, y)
    estimator.fit(X, y)
    assert not estimator.interrupted_
    assert outcome(estimator, X) == outcome(dm().fit(X, y), X)


# ------------------------------------------------------------------------------- the rest


class Counting(Callback):
    """Keeps a number, and something that no file can hold."""

    def on_train_begin(self, net: Any, X: Any = None, y: Any = None, **kwargs: Any) -> None:
        self.n_ = 0
        self.thing_ = [object()]
        self.half_ = np.float64(0.5)  # a float, of a class of its own

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        self.n_ += 1
        self.half_ /= 2
        net.history.record("n", self.n_)
        net.history.record("half", float(self.half_))


def test_callbacks_keep_what_can_be_kept_and_say_what_can_not(
    crash_after: Any, tmp_path: Path
) -> None:
    X, y = table()
    cut_off(dm(checkpoint=tmp_path, callbacks=[Counting()]), X, y, crash_after, n_writes=3)
    resumed = dm(checkpoint=tmp_path, callbacks=[Counting()])
    with pytest.warns(UserWarning, match=r"'Counting' \(Counting\) begins anew with thing_"):
        resumed.fit(X, y)
    assert resumed.history_[:, "n"] == [1, 2, 3, 4, 5]
    assert resumed.history_[:, "half"] == [0.5 ** (n + 1) for n in range(1, 6)]


def test_partial_fit_keeps_none(tmp_path: Path) -> None:
    dm(checkpoint=tmp_path / "folder").partial_fit(*table())
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("as_path", [str, Path])
def test_the_parameter_is_saved(as_path: Any, tmp_path: Path) -> None:
    estimator = dm(checkpoint=as_path(tmp_path / "folder")).fit(*table())
    save(estimator, tmp_path / "dm.noisyfit")
    loaded = load(tmp_path / "dm.noisyfit")
    assert loaded.checkpoint == estimator.checkpoint
    assert loaded.interrupted_ is False


DESCRIBED = """
import sys
sys.path[:0] = {path!r}
from noisyfit.training.checkpoint import describe_value
def make(power):
    def weigh(p, names=frozenset(["a", "b", "c", "d"])):
        return p ** power if "mode" in {{"mode", "median", "mean"}} else p
    return weigh
print(describe_value([make(2), {{"x": {{"b", "a", "c"}}}}, 1.5, None, make]))
"""


def test_descriptions_are_the_same_in_every_process() -> None:
    found = set()
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", DESCRIBED.format(path=sys.path)],
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
            check=True,
        )
        found.add(done.stdout)
    assert len(found) == 1


def test_descriptions_tell_functions_of_one_name_apart() -> None:
    def power(exponent: float) -> Callable[[float], float]:
        return lambda p: p**exponent

    functions = [power(1), power(2), lambda p: p + 1, lambda p: p + 2, lambda p, q=3: p + 1]
    assert len({describe_value(function) for function in functions}) == len(functions)
    assert describe_value(power(2)) == describe_value(power(2))


def test_descriptions_tell_weights_apart() -> None:
    layers = [torch.nn.Linear(2, 3) for _ in range(2)]
    assert describe_value(layers[0]) != describe_value(layers[1])
    assert describe_value(layers[0]) == describe_value(layers[0])
    assert describe_value(np.arange(3)) != describe_value(np.arange(3.0))
