"""Private: say how far long work has got."""

from __future__ import annotations

import threading
import time

# Seconds from one message to the next, by verbosity.
_PAUSE = {1: 5.0, 2: 0.0}


class Progress:
    """Counts of pieces of work done, printed now and then; threads may step at the same time.

    Parameters
    ----------
    what : str
        Names the work in messages.
    total : int
        Number of pieces.
    verbose : int
        0 prints nothing, 1 every five seconds, 2 or more after every piece.
    """

    def __init__(self, what: str, total: int, verbose: int) -> None:
        self.what = what
        self.total = total
        self._pause = _PAUSE[min(verbose, 2)] if verbose > 0 else None
        self._lock = threading.Lock()
        self._done = 0
        self._start = self._last = time.monotonic()

    def step(self, n: int = 1) -> None:
        """Note that n more pieces are done."""
        if self._pause is None:
            return
        with self._lock:
            self._done += n
            now = time.monotonic()
            if now - self._last < self._pause:
                return
            self._last = now
            seconds = now - self._start
            left = seconds / self._done * (self.total - self._done)
            print(
                f"[{self.what}] {self._done} of {self.total} done in {seconds:.0f} s, "
                f"about {left:.0f} s left",
                flush=True,
            )
