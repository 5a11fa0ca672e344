"""How far the command is, on standard error."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def progress_bar(total: int, what: str) -> Iterator[Callable[[], None]]:
    """Show a bar by tqdm, or lines where it is not installed.

    Parameters
    ----------
    total : int
        Number of steps.
    what : str
        What is being done.

    Yields
    ------
    callable
        To call after each step.
    """
    try:
        from tqdm import tqdm
    except ImportError:
        done = 0

        def step() -> None:
            nonlocal done
            done += 1
            print(f"{what}: {done} of {total}", file=sys.stderr)

        yield step
        return
    with tqdm(total=total, desc=what, file=sys.stderr) as bar:

        def update() -> None:
            bar.update()

        yield update
