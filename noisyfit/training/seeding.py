"""Randomness that starts from one seed and leaves the global generators as found."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from sklearn.utils import check_random_state

from noisyfit.training.surroundings import only_thread, plain_torch

RandomState = int | np.random.RandomState | None


def draw_seed(random_state: RandomState) -> int:
    """One integer seed from scikit-learn's three forms of ``random_state``."""
    return int(check_random_state(random_state).randint(np.iinfo(np.int32).max))


@contextmanager
def isolated_seed(seed: int, device: torch.device) -> Iterator[None]:
    """Seed torch inside the block and restore its global generators afterwards.

    Dropout and weight initialisation read torch's global generator, so it has to be seeded;
    the caller's stream must not notice. It belongs to the whole process, so fits in several
    threads take turns.
    """
    devices = [device] if device.type == "cuda" else []
    with only_thread(), plain_torch(device), torch.random.fork_rng(devices=devices):
        # Not torch.manual_seed: it seeds every GPU, whose state would not be restored.
        torch.default_generator.manual_seed(seed)
        if device.type == "cuda":
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)
        yield
