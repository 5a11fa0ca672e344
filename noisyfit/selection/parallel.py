"""Private: work on some rows at a time, in joblib's workers, whatever its backend."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from typing import Any, TypeAlias, TypeVar

import numpy as np
import torch
from joblib import Parallel, delayed, effective_n_jobs
from joblib.parallel import get_active_backend

from noisyfit.selection.inputs import IndexVector, as_points, to_tensor
from noisyfit.selection.progress import Progress
from noisyfit.selection.threads import side_by_side

# How often tasks are run again whose worker process was killed.
_REPETITIONS = 3

_ROWS_AT_A_TIME = 2**16

#: Some rows of points: an array, a tensor, or a function that reads them from a file.
SomeRows: TypeAlias = np.ndarray | torch.Tensor | Callable[[], np.ndarray]

Key = TypeVar("Key", bound=Hashable)
Result = TypeVar("Result")


class Rows:
    """Points (n, d), of which tasks take some rows along or, from a file, the rows' place in it.

    Parameters
    ----------
    points : array or tensor of shape (n, d)
        Is checked at once, but not read from a file for that: see `as_rows`.
    """

    def __init__(self, points: Any) -> None:
        values = points.detach() if isinstance(points, torch.Tensor) else np.asarray(points)
        if values.ndim != 2 or 0 in values.shape:
            as_points(points)  # says what is wrong
        if isinstance(values, torch.Tensor) and values.device.type == "cpu":
            values = (values.float() if values.dtype == torch.bfloat16 else values).numpy()
        self.values = values
        self._read = _reader(values) if isinstance(values, np.ndarray) else None
        n_checked = len(values) if self._read is None else 1
        for first in range(0, n_checked, _ROWS_AT_A_TIME):
            as_points(values[first : min(first + _ROWS_AT_A_TIME, n_checked)])

    def __len__(self) -> int:
        return len(self.values)

    @property
    def in_file(self) -> bool:
        """Whether the points are those of a memory map, which workers read themselves."""
        return self._read is not None

    def check(self) -> None:
        """Raise unless all points are finite numbers, those in a file too."""
        for first in range(0, len(self.values), _ROWS_AT_A_TIME):
            as_points(self.values[first : first + _ROWS_AT_A_TIME], "gradients")

    @property
    def on_device(self) -> bool:
        """Whether the points are on another device than the processor."""
        return isinstance(self.values, torch.Tensor)

    def take(self, rows: IndexVector) -> SomeRows:
        """These rows, to be sent to a worker."""
        if self._read is not None:
            return partial(self._read, rows)
        if isinstance(self.values, torch.Tensor):
            return self.values[to_tensor(rows, self.values)]
        return self.values[rows]


class PartOfRows:
    """Some rows of a source, which are taken only when they are worked on.

    Parameters
    ----------
    source : object
        Has ``take(rows)``, as `Rows` has.
    rows : ndarray of int64
        Which of its rows.
    """

    on_device = False

    def __init__(self, source: Any, rows: IndexVector) -> None:
        self.source = source
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, rows: IndexVector) -> SomeRows:
        """These of its rows, to be sent to a worker."""
        some: SomeRows = self.source.take(self.rows[rows])
        return some

    def load(self) -> torch.Tensor:
        """All of its rows, in memory and checked."""
        return as_rows(self.source.take(self.rows))


def as_rows(some: SomeRows) -> torch.Tensor:
    """Return what `Rows.take` took, in the worker, read and checked."""
    return as_points(some() if callable(some) and not isinstance(some, torch.Tensor) else some)


def _reader(values: np.ndarray) -> Callable[[IndexVector], np.ndarray] | None:
    """Return what reads rows of a memory map, or of a view of one; None for other arrays."""
    memory = values
    while isinstance(memory.base, np.ndarray):
        memory = memory.base
    # A map of mode "c" may hold changes that its file does not.
    if not isinstance(memory, np.memmap) or memory.filename is None or memory.mode == "c":
        return None
    here, start = (array.__array_interface__["data"][0] for array in (values, memory))
    offset = memory.offset + here - start
    return partial(_read, str(memory.filename), values.shape, values.dtype, offset, values.strides)


def _read(
    filename: str,
    shape: tuple[int, ...],
    dtype: np.dtype,
    offset: int,
    strides: tuple[int, ...],
    rows: IndexVector,
) -> np.ndarray:
    """Copy some rows of an array that lies in a file, and no others, into memory."""
    file = np.memmap(filename, mode="r")
    return np.ndarray(shape, dtype, file, offset, strides)[rows]


def run_tasks(
    function: Callable[[Any], Result],
    make_task: Callable[[Key], Any],
    keys: Sequence[Key],
    *,
    n_jobs: int | None,
    progress: Progress,
) -> list[Result]:
    """Return ``function(make_task(key))`` for each key, computed by joblib's workers.

    Tasks are made as workers get free. Where a worker process is killed, those not done are run
    again; more than three times, it is an error. Where nothing is said of workers, torch's threads
    do the work.
    """
    if n_jobs is None and effective_n_jobs(None) == 1:

        def work(key: Key) -> Result:
            result = function(make_task(key))
            progress.step()
            return result

        return side_by_side(work, keys)

    # A generator keeps the results that there are when a worker is killed.
    streams = getattr(get_active_backend()[0], "supports_return_generator", False)
    parallel = Parallel(
        n_jobs=n_jobs,
        return_as="generator" if streams else "list",
        batch_size=1,
        max_nbytes=None,  # memory maps of all that tasks carry would be a copy of the points
    )
    done: dict[Key, Result] = {}
    killed = 0
    while missing := [key for key in keys if key not in done]:
        jobs = (delayed(function)(make_task(key)) for key in missing)
        try:
            for key, result in zip(missing, parallel(jobs), strict=True):
                done[key] = result
                progress.step()
        except BrokenProcessPool as error:
            killed += 1
            undone = f"{len(keys) - len(done)} of {len(keys)} tasks"
            if killed > _REPETITIONS:
                raise RuntimeError(
                    f"worker processes were killed {killed} times, with {undone} undone; if it was "
                    "for want of memory, a smaller n_jobs or part_size may help."
                ) from error
            message = f"A worker process was killed: {undone} are run again."
            warnings.warn(message, RuntimeWarning, stacklevel=5)
    return [done[key] for key in keys]
