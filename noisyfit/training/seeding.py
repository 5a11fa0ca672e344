"""Randomness that starts from one seed and leaves the global generators as found."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from sklearn.utils import check_random_state

RandomState = int | np.random.RandomState | None


def draw_seed(random_state: RandomState) -> int:
    """One integer seed from scikit-learn's three forms of ``random_state``."""
    return int(check_random_state(random_state).randint(np.iinfo(np.int32).max))


# The generators that dropout and weight initialisation read belong to the whole process, so fits
# in several threads take turns. A forked child must not inherit the lock of another thread.
_turn = threading.RLock()


def _renew_lock() -> None:
    global _turn
    _turn = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)


@contextmanager
def isolated_seed(seed: int, device: torch.device) -> Iterator[None]:
    """Seed torch inside the block and restore its global generators afterwards.

    Dropout and weight initialisation read torch's global generator, so it has to be seeded;
    the caller's stream must not notice.
    """
    devices = [device] if device.type == "cuda" else []
    with _turn, torch.random.fork_rng(devices=devices):
        # Not torch.manual_seed: it seeds every GPU, whose state would not be restored.
        torch.default_generator.manual_seed(seed)
        if device.type == "cuda":
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)
        yield
