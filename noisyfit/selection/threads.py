"""Private: work side by side on as many threads as torch is given.

Torch shares out a single large operation between threads. Selection is made of many operations on
blocks that fit the processor's cache, some of them numpy's: those gain more when each thread has
blocks, or whole groups of points, of its own. Torch and numpy compute outside of Python's lock.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import torch


def _one_thread_in_a_forked_process() -> None:
    """Let a forked child compute on one thread: it would wait forever for its parent's others.

    Those of OpenMP, on which torch shares out what it computes, are not there after a fork.
    """
    if torch.get_num_threads() > 1:
        torch.set_num_threads(1)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_one_thread_in_a_forked_process)

Item = TypeVar("Item")
Result = TypeVar("Result")


def side_by_side(
    function: Callable[[Item], Result], items: Sequence[Item], *, at_most: int | None = None
) -> list[Result]:
    """Return ``function(item)`` for each item; each call computes on one thread.

    There are as many threads as `torch.get_num_threads` says, or `at_most` so many; within a call
    it says one, so that calls within calls do not multiply them.
    """
    n_threads = min(torch.get_num_threads(), len(items))
    if at_most is not None:
        n_threads = min(n_threads, at_most)
    with one_thread():
        if n_threads <= 1:
            return [function(item) for item in items]
        # New threads each time: those that wait would be lost in a forked process.
        with ThreadPoolExecutor(
            n_threads, initializer=torch.set_num_threads, initargs=(1,)
        ) as executor:
            return list(executor.map(function, items))


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch compute on one thread: workers do not compete, and sums have one order."""
    before = torch.get_num_threads()
    if before > 1:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        if before > 1:
            torch.set_num_threads(before)
