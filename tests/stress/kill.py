"""Kill fits at random moments, have them go on, and compare them with fits left alone.

Every process is killed by SIGKILL: half of them whenever it comes, the others in the middle of
writing a checkpoint. What was killed is fitted again, and may be killed again; in the end it has
to have the result of an uninterrupted fit, to the bit.

    python tests/stress/kill.py --fits 50
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).parent))
from fits import FITS, outcome

from noisyfit.storage import archive
from noisyfit.training.checkpoint import folder, progress
from noisyfit.training.network import PlannedNet

# Where in a write a process may die: before it, after a part of the file, before the file is
# complete on the disk, before it gets its name, and after that.
MOMENTS = ("before", "half", "sync", "rename", "after")


def fit(name: str, path: str | None, report: Any, death: tuple[str, int] | None) -> None:
    """Fit and tell the outcome, in a process of its own; ``death`` is a moment of some write."""
    torch.set_num_threads(1)
    progress.SHARE_OF_TIME = 1.0  # a checkpoint after every epoch
    if death is not None:
        die_in_write(*death)
    epochs = count_epochs()
    make, data = FITS[name]
    X, y = data()
    estimator = make().set_params(checkpoint=path).fit(X, y)
    report.send((outcome(estimator, X), len(epochs)))
    report.close()


def die_in_write(moment: str, number: int) -> None:
    """Have this process killed at a moment of the write of that number."""
    real_write, real_add = archive.write_archive, zipfile.ZipFile.writestr
    real_sync = os.fsync
    writes = [0]

    def die(*_: Any, **__: Any) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def write(*args: Any, **kwargs: Any) -> None:
        writes[0] += 1
        if writes[0] == number:
            if moment == "before":
                die()
            if moment == "half":
                zipfile.ZipFile.writestr = add_half  # type: ignore[method-assign,assignment]
            if moment == "sync":
                os.fsync = die  # type: ignore[assignment]
            if moment == "rename":
                os.replace = die  # type: ignore[assignment]
        real_write(*args, **kwargs)
        if writes[0] == number and moment == "after":
            die()

    def add_half(self: zipfile.ZipFile, entry: Any, data: bytes) -> None:
        real_add(self, entry, data[: len(data) // 2])
        assert self.fp is not None
        self.fp.flush()
        real_sync(self.fp.fileno())
        die()

    folder.write_archive = write


def count_epochs() -> list[int]:
    """A list that grows with every epoch that any network is trained."""
    done: list[int] = []
    real = PlannedNet.fit_loop

    def counted(self: PlannedNet, *args: Any, **kwargs: Any) -> Any:
        done.append(1)
        return real(self, *args, **kwargs)

    PlannedNet.fit_loop = counted  # type: ignore[method-assign]
    return done


def run(
    name: str,
    folder: str | None,
    start: str,
    death: tuple[str, int] | None = None,
    kill_after: float | None = None,
) -> tuple[str, int] | None:
    """Outcome and number of epochs of a fit in a new process; None if it was killed."""
    context = multiprocessing.get_context(start)
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=fit, args=(name, folder, sender, death))
    process.start()
    sender.close()
    if kill_after is not None:
        process.join(kill_after)
        process.kill()
    try:
        result = receiver.recv()
    except EOFError:
        result = None
    process.join()
    if result is None and process.exitcode != -signal.SIGKILL:
        raise SystemExit(f"the fit of {name!r} failed with exit code {process.exitcode}")
    return result


def stress(
    n_fits: int, seed: int, names: list[str], start: str = "fork", max_kills: int = 3
) -> tuple[int, int, int]:
    """Numbers of fits that ended as they should have, of kills, and of epochs saved by them."""
    rng = random.Random(seed)
    expected: dict[str, tuple[str, int, float]] = {}
    n_identical = n_kills = n_saved = 0
    for number in range(n_fits):
        name = names[number % len(names)]
        if name not in expected:
            begin = time.monotonic()
            alone = run(name, None, start)
            assert alone is not None
            expected[name] = (*alone, time.monotonic() - begin)
        wanted, n_epochs, duration = expected[name]
        folder = tempfile.mkdtemp()
        result, kills = None, 0
        while result is None:
            death, kill_after = None, None
            if kills < max_kills and number % 2:
                death = (rng.choice(MOMENTS), rng.randint(1, 6))
            elif kills < max_kills:
                kill_after = rng.uniform(0.05, 1.0) * duration
            result = run(name, folder, start, death, kill_after)
            kills += result is None
            if not kills:  # it was too fast: that does not count
                shutil.rmtree(folder)
                folder, result = tempfile.mkdtemp(), None
        same = result[0] == wanted
        n_identical += same
        n_kills += kills
        n_saved += max(0, n_epochs - result[1])
        print(
            f"{number + 1:3d} {name}: killed {kills} times, {result[1]} of {n_epochs} epochs in "
            f"the last process, {'identical' if same else 'NOT IDENTICAL'}",
            flush=True,
        )
        shutil.rmtree(folder)
    return n_identical, n_kills, n_saved


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fits", type=int, default=50, help="fits to be killed, default 50")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=sorted(FITS), help="one kind of fit instead of all")
    parser.add_argument("--start", choices=["fork", "spawn"], default="fork")
    options = parser.parse_args()
    names = [options.only] if options.only else list(FITS)
    n_identical, n_kills, n_saved = stress(options.fits, options.seed, names, options.start)
    print(
        f"{n_identical} of {options.fits} resumed fits identical to uninterrupted ones; "
        f"{n_kills} processes killed, {n_saved} epochs not done again"
    )
    sys.exit(n_identical != options.fits)


if __name__ == "__main__":
    main()
