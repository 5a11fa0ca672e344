"""How far a fit has got. What is done is not done again.

A fit is code that runs from top to bottom: it builds networks, has them run series of epochs, and
computes something in between. To go on after a crash, the same code runs again and passes over
what was done: a finished step (`Progress.result`) gives what it gave, a finished series of epochs
(`Progress.run`) is skipped, and the series that was cut off puts everything it works with into the
state of its last checkpoint, the random generators last, and goes on with the epoch after it.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping
from typing import Protocol, TypeVar

import torch

from noisyfit.storage.document import versions
from noisyfit.training.checkpoint.folder import CheckpointFolder, FollowedFolder
from noisyfit.training.checkpoint.identity import FitIdentity
from noisyfit.training.checkpoint.state import State
from noisyfit.training.seeding import generator_states, restore_generators

#: Writing checkpoints may take this share of the time: after one that took long, the next waits.
SHARE_OF_TIME = 0.05

Result = TypeVar("Result")


class Part(Protocol):
    """Something whose state changes from epoch to epoch."""

    def state_dict(self) -> State:
        """Its state as plain values, arrays and tensors."""

    def load_state_dict(self, state: State) -> None:
        """Take over a state."""


class Run:
    """A series of epochs within a fit.

    Parameters
    ----------
    progress : Progress
        That of the fit.
    name : str
        Which series of the fit it is.
    n_epochs : int
        How many epochs it has at most.
    parts : mapping of str to Part
        What changes in it.
    saved : dict or None
        Its state in the checkpoint that the fit goes on from, if it was cut off in this series.
    is_past : bool
        Whether the series was over already then.
    """

    def __init__(
        self,
        progress: Progress,
        name: str,
        n_epochs: int,
        parts: Mapping[str, Part],
        saved: State | None,
        is_past: bool,
    ) -> None:
        self.progress = progress
        self.name = name
        self.n_epochs = n_epochs
        self.parts = parts
        self.is_past = is_past
        self._saved = saved
        self.n_done = 0 if saved is None else int(saved["n_done"])
        self.is_over = saved is not None and bool(saved["is_over"])

    def remaining(self) -> range:
        """Numbers of the epochs that are left to do."""
        return range(self.n_epochs if self.is_over or self.is_past else self.n_done, self.n_epochs)

    def restore(self) -> None:
        """Put the parts and the random generators into their saved states, where there are any."""
        if self._saved is None:
            return
        for name, part in self.parts.items():
            part.load_state_dict(self._saved["parts"][name])
        self.progress.restore_generators(self._saved["generators"])
        self._saved = None  # its arrays are in use now, or no longer needed

    def epoch_done(self, *, is_over: bool = False) -> None:
        """Count an epoch, after which there may be a checkpoint; ``is_over`` ends the series.

        After the last one there always is.
        """
        self.n_done += 1
        self.is_over = is_over or self.n_done >= self.n_epochs
        self.progress.save(self)

    def state(self) -> State:
        """What a checkpoint says of it."""
        return {
            "name": self.name,
            "n_done": self.n_done,
            "is_over": self.is_over,
            "parts": {name: part.state_dict() for name, part in self.parts.items()},
        }


class Progress:
    """Steps and series of epochs of one fit; without a folder, nothing is kept.

    Parameters
    ----------
    folder : CheckpointFolder, FollowedFolder or None
        Where checkpoints go.
    identity : FitIdentity or None
        Which fit it is.
    seed : int
        What the fit draws everything random from.
    device : torch.device
        Whose generator is kept beside that of the CPU.
    saved : dict or None
        The checkpoint to go on from.
    """

    def __init__(
        self,
        folder: CheckpointFolder | FollowedFolder | None = None,
        identity: FitIdentity | None = None,
        seed: int = 0,
        device: torch.device | None = None,
        saved: State | None = None,
    ) -> None:
        self.folder = folder
        self.identity = identity
        self.seed = seed
        self.device = torch.device("cpu") if device is None else device
        self._results: State = {} if saved is None else saved["results"]
        self._saved_run: State | None = None if saved is None else saved["run"]
        self._begun: list[str] = []
        self._next_write = 0.0

    def result(self, name: str, compute: Callable[[], Result]) -> Result:
        """What a step gives, computed unless an earlier process has done so."""
        if self.folder is None:
            return compute()
        if name not in self._results:
            self._results[name] = compute()
        value: Result = self._results[name]
        return value

    def forget(self, name: str) -> None:
        """Drop the result of a step that another result, to come next, makes up for."""
        self._results.pop(name, None)

    def run(self, name: str, n_epochs: int, parts: Mapping[str, Part]) -> Run:
        """Begin the next series of epochs; ``parts`` are all that changes in them.

        No two series of a fit have the same name.
        """
        if self.folder is None:
            return Run(self, name, n_epochs, parts, None, False)
        assert name not in self._begun, name
        self._begun.append(name)
        saved, is_past = None, False
        if self._saved_run is not None:
            is_past = name in self._saved_run["before"]
            if name == self._saved_run["name"]:
                saved, self._saved_run = self._saved_run, None
        return Run(self, name, n_epochs, parts, saved, is_past)

    def restore_generators(self, states: State) -> None:
        """Put the generators where they were."""
        restore_generators(states, self.device)

    def save(self, run: Run) -> None:
        """Write a checkpoint, unless the last one was so costly that it can wait."""
        if self.folder is None or (time.monotonic() < self._next_write and not run.is_over):
            return
        start = time.monotonic()
        assert self.identity is not None
        state = {
            "fit": self.identity.as_dict(),
            "versions": versions(),
            "seed": self.seed,
            "results": self._results,
            "run": {
                **run.state(),
                "before": self._begun[:-1],
                "generators": generator_states(self.device),
            },
        }
        try:
            self.folder.write(state)
        except OSError as error:  # the disk is full, say: better a fit without one than none
            warnings.warn(
                f"A checkpoint could not be written ({error}). The fit goes on, and tries again "
                "later; after a crash it would go on from an earlier one, if there is any.",
                UserWarning,
                stacklevel=2,
            )
        end = time.monotonic()
        self._next_write = end + (end - start) * (1 / SHARE_OF_TIME - 1)

    def finish(self) -> None:
        """Note that the fit has ended."""
        if self.folder is not None:
            self.folder.mark_finished()

    def close(self) -> None:
        """Let go of the folder."""
        if self.folder is not None:
            self.folder.close()


#: Of a fit that keeps no checkpoints.
NO_PROGRESS = Progress()
