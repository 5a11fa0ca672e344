"""How long a fit takes, over all processes that work on it, and when it has to stop."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from _results import Line, read_results, rewrite_results
from skorch.callbacks import Callback
from torch import Tensor

# Whatever differs between two processes that work on the same fit is private here: the rest is a
# part of what tells one fit from another.


class OutOfTime(Exception):
    """The run has to stop; what was done is in checkpoints, but for the last epoch or so."""


class Deadline(Callback):
    """Stops a fit before the first epoch that would begin too late.

    Callbacks hear nothing of helper networks, those of CRUST's screening, say. There the transform
    of `watched`, which sees every batch, looks at the clock. A process that has not written a
    checkpoint goes on until it has: else runs that are too short for that would get nowhere.
    """

    _at = math.inf
    _is_told = False

    @classmethod
    def of(cls, at: float, folder: Path) -> Deadline:
        """One that stops then a fit with its checkpoints there."""
        made = cls()
        made._at = at
        made._folder = folder
        made._first = made._newest_checkpoint()
        return made

    def watched(self, transform: Callable[[Tensor], Tensor]) -> WatchedTransform:
        """The transform, which stops helper networks."""
        return WatchedTransform(transform, self)

    def on_train_begin(self, net: Any, X: Any = None, y: Any = None, **kwargs: Any) -> None:
        """From now on each epoch is announced."""
        self._is_told = True

    def on_train_end(self, net: Any, X: Any = None, y: Any = None, **kwargs: Any) -> None:
        """Helper networks may come."""
        self._is_told = False

    def on_epoch_begin(self, net: Any, **kwargs: Any) -> None:
        """Look at the clock."""
        self._check()

    def check_unannounced(self) -> None:
        """Look at the clock in training that callbacks hear nothing of."""
        if not self._is_told:
            self._check()

    def _check(self) -> None:
        if time.time() > self._at and self._newest_checkpoint() != self._first:
            raise OutOfTime

    def _newest_checkpoint(self) -> str:
        return max((path.name for path in self._folder.glob("*.noisyfit")), default="")


class WatchedTransform:
    """A transform of batches that looks at the clock of a `Deadline`."""

    def __init__(self, transform: Callable[[Tensor], Tensor], deadline: Deadline) -> None:
        self.transform = transform
        self.deadline_ = deadline

    def __call__(self, images: Tensor) -> Tensor:
        """Transformed images."""
        self.deadline_.check_unannounced()
        return self.transform(images)


class PlanningClock(Callback):
    """Records for each epoch what came between it and the one before, in seconds.

    "checkpoint" is the time until a checkpoint was written, if one was, "planning" the rest: saying
    what the epoch trains on, and in the first epoch of a resumed fit, putting the checkpoint back.
    """

    _last = 0.0

    @classmethod
    def of(cls, folder: Path) -> PlanningClock:
        """One for a fit with its checkpoints there."""
        made = cls()
        made._folder = folder
        return made

    def on_train_begin(self, net: Any, X: Any = None, y: Any = None, **kwargs: Any) -> None:
        """Begin to count."""
        self._last = time.time()

    def on_epoch_begin(self, net: Any, **kwargs: Any) -> None:
        """Note the time since the last epoch."""
        now = time.time()
        # A folder's time is that of the last file that came or went. It is on the system's own,
        # coarser clock, and on another machine's if the disk is.
        changed = self._folder.stat().st_mtime if self._folder.is_dir() else 0.0
        planned_from = changed if self._last < changed <= now else self._last
        net.history.record("checkpoint", planned_from - self._last)
        net.history.record("planning", now - planned_from)

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Begin to count again."""
        self._last = time.time()


class Stopwatch(Callback):
    """Keeps the seconds that each process worked on a fit, in a file beside its checkpoints.

    It is written before and after each epoch, so a process that is killed counts until then: what
    it did in its last epoch, or in a screening before the first one, is lost.
    """

    @classmethod
    def of(cls, file: Path, folder: Path, **about: Any) -> Stopwatch:
        """Start one for a fit with its checkpoints in a folder; without that, it is a new fit.

        ``about`` says on what the process works.
        """
        made = cls()
        made._file = file
        made._earlier = read_results(file) if folder.is_dir() else []
        made._now = {"seconds": 0.0, "before_training_seconds": None, **about}
        file.parent.mkdir(parents=True, exist_ok=True)
        made._start = time.perf_counter()
        return made

    def on_train_begin(self, net: Any, X: Any = None, y: Any = None, **kwargs: Any) -> None:
        """Note how long it took until the first epoch of the network itself."""
        if self._now["before_training_seconds"] is None:
            self._now["before_training_seconds"] = self._seconds()
        self.write()

    def on_epoch_begin(self, net: Any, **kwargs: Any) -> None:
        """Keep the time."""
        self.write()

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Keep the time, before a checkpoint says that the epoch is done."""
        self.write()

    def write(self) -> list[Line]:
        """Keep the time until now; all processes' entries."""
        self._now["seconds"] = self._seconds()
        pieces = [*self._earlier, self._now]
        rewrite_results(self._file, pieces)
        return pieces

    def _seconds(self) -> float:
        return round(time.perf_counter() - self._start, 2)


def times_of(pieces: list[Line], history: Any) -> Line:
    """Where the time of a fit went, in seconds, from what its processes and epochs took.

    Before training: reading the data and, above all, screening by helper networks. Others: epochs
    done twice because a process ended before their checkpoint, judging the rows, and so on.
    """
    own = [record for record in history if "planning" in record]  # not those of helper networks
    whole = sum(piece["seconds"] for piece in pieces)
    parts = {
        # A process that ended before the first epoch was screening all the time.
        "before_training_seconds": sum(
            piece["seconds"]
            if piece["before_training_seconds"] is None
            else piece["before_training_seconds"]
            for piece in pieces
        ),
        "training_seconds": sum(record["dur"] for record in own),
        "planning_seconds": sum(record["planning"] for record in own),
        "checkpoint_seconds": sum(record["checkpoint"] for record in own),
    }
    # Of a process that was killed some seconds may be missing, which then are others' too few.
    parts["other_seconds"] = max(0.0, whole - sum(parts.values()))
    return {
        "wall_seconds": round(whole, 2),
        **{name: round(seconds, 2) for name, seconds in parts.items()},
        "processes": len(pieces),
        "jobs": max(piece["jobs"] for piece in pieces),
        **{
            name: "; ".join(dict.fromkeys(piece[name] for piece in pieces))
            for name in ("device", "torch")
        },
    }
