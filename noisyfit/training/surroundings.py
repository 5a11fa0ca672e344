"""What belongs to the process or to the caller's thread, and has to be otherwise for a while."""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch

# Threads that change what belongs to the whole process take turns.
_locks: dict[str, Any] = {}


def _renew_locks() -> None:
    _locks.update(process=threading.RLock(), warnings=threading.RLock())


_renew_locks()
if hasattr(os, "register_at_fork"):
    # A forked child must not inherit the lock of another thread.
    os.register_at_fork(after_in_child=_renew_locks)


def only_thread() -> Any:
    """The lock of all that changes torch's state of the process."""
    return _locks["process"]


@contextmanager
def plain_torch(device: torch.device) -> Iterator[None]:
    """Have torch as it is when nothing was set, whatever the caller has set, inside the block.

    So a fit inside of ``torch.no_grad()``, ``torch.autocast`` or ``torch.device``, or after
    ``torch.set_default_dtype(torch.float64)``, gives what it gives anywhere else.
    """
    with ExitStack() as stack:
        if torch.get_default_dtype() != torch.float32:
            stack.enter_context(only_thread())
            stack.callback(torch.set_default_dtype, torch.get_default_dtype())
            torch.set_default_dtype(torch.float32)
        if torch.get_default_device().type != "cpu":
            stack.enter_context(torch.device("cpu"))
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.enable_grad())
        for kind in {"cpu", device.type}:
            if torch.amp.is_autocast_available(kind):
                stack.enter_context(torch.autocast(kind, enabled=False))
        yield


@contextmanager
def without_warning(message: str = "") -> Iterator[None]:
    """Leave out warnings that begin with ``message``, in one thread at a time.

    Python's filters belong to the process: threads that change them at the same time leave them
    changed.
    """
    with _locks["warnings"], warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=message)
        yield
