"""Randomness that starts from one seed and leaves the global generators as found."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from sklearn.utils import check_random_state
from torch import Tensor

from noisyfit.training.surroundings import only_thread, plain_torch

RandomState = int | np.random.RandomState | None


def draw_seed(random_state: RandomState) -> int:
    """One integer seed from scikit-learn's three forms of ``random_state``."""
    return int(check_random_state(random_state).randint(np.iinfo(np.int32).max))


def generator_states(device: torch.device) -> dict[str, Tensor]:
    """Where torch's generators are that a fit draws from."""
    states = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        states["device"] = torch.cuda.get_rng_state(device)
    elif device.type == "mps":
        states["device"] = torch.mps.get_rng_state()
    return states


def restore_generators(states: dict[str, Tensor], device: torch.device) -> None:
    """Put torch's generators where they were."""
    torch.set_rng_state(states["cpu"])
    if device.type == "cuda":
        torch.cuda.set_rng_state(states["device"], device)
    elif device.type == "mps":
        torch.mps.set_rng_state(states["device"])


def seed_generators(seed: int, device: torch.device) -> None:
    """Seed torch's generators that a fit draws from.

    Not by torch.manual_seed: it seeds every GPU, whose state would not be restored.
    """
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        with torch.cuda.device(device):
            torch.cuda.manual_seed(seed)
    elif device.type == "mps":
        torch.mps.manual_seed(seed)


@contextmanager
def kept_generators(device: torch.device) -> Iterator[None]:
    """Restore torch's generators afterwards, whatever is drawn inside the block."""
    states = generator_states(device)
    try:
        yield
    finally:
        restore_generators(states, device)


@contextmanager
def isolated_seed(seed: int, device: torch.device) -> Iterator[None]:
    """Seed torch inside the block and restore its global generators afterwards.

    Dropout and weight initialisation read torch's global generators, so they have to be seeded;
    the caller's stream must not notice. They belong to the whole process, so fits in several
    threads take turns.
    """
    with only_thread(), plain_torch(device), kept_generators(device):
        seed_generators(seed, device)
        yield
