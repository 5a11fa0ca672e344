"""Plain torch loops with the network, the optimizer and the schedule of noisyfit's estimators."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from noisyfit.training.modules import MLP
from noisyfit.training.rows import DenseRows
from noisyfit.training.scaling import input_statistics

BATCH_SIZE = 128
HIDDEN = (256, 256)
RAMP_EPOCHS = 10  # Co-teaching drops its full share from this epoch on

# Losses of the rows of a batch, from logits, codes and the rows' numbers in the training data.
Criterion = Callable[[Tensor, Tensor, Tensor], Tensor]


def loop(
    X: Tensor,
    y: Tensor,
    criterion: Criterion,
    *,
    n_classes: int,
    epochs: int,
    seed: int,
    hidden: tuple[int, ...] = HIDDEN,
) -> MLP:
    """Train the default network, leaving torch's global random state as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network, optimizer, schedule = _start(X, n_classes, epochs, hidden)
        for _ in range(epochs):
            for rows in _batches(len(y)):
                _step(optimizer, criterion(network(X[rows]), y[rows], rows).mean())
            schedule.step()
    return network.eval()


def co_teaching_loop(
    X: Tensor,
    y: Tensor,
    rate: float,
    *,
    n_classes: int,
    epochs: int,
    seed: int,
    hidden: tuple[int, ...] = HIDDEN,
) -> tuple[MLP, MLP]:
    """Train two networks, each on the rows of a batch whose loss the other finds smallest."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        pair = [_start(X, n_classes, epochs, hidden) for _ in range(2)]
        for epoch in range(1, epochs + 1):
            kept_share = 1 - rate * min(epoch / RAMP_EPOCHS, 1)
            for rows in _batches(len(y)):
                losses = [
                    cross_entropy(network(X[rows]), y[rows], reduction="none")
                    for network, _, _ in pair
                ]
                n_kept = max(1, int(kept_share * len(rows)))
                small = [loss.detach().topk(n_kept, largest=False).indices for loss in losses]
                _step(pair[0][1], losses[0][small[1]].mean())
                _step(pair[1][1], losses[1][small[0]].mean())
            for _, _, schedule in pair:
                schedule.step()
    return pair[0][0].eval(), pair[1][0].eval()


def _start(X: Tensor, n_classes: int, epochs: int, hidden: tuple[int, ...]) -> tuple[Any, ...]:
    network = MLP(X.shape[1], n_classes, hidden=hidden)
    statistics = input_statistics(DenseRows(X.numpy(), X.device), np.ones(len(X)))
    assert statistics is not None  # of a table
    network.standardize_inputs(*statistics)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3, weight_decay=1e-4, fused=True)
    return network, optimizer, torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=epochs)


def _batches(n_rows: int) -> Iterator[Tensor]:
    """Numbers of the rows of each batch; batch normalisation can't take a batch of one."""
    batches = list(torch.randperm(n_rows).split(BATCH_SIZE))
    if len(batches) > 1 and len(batches[-1]) == 1:
        batches[-2:] = [torch.cat(batches[-2:])]
    return iter(batches)


def _step(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def warm_up() -> None:
    """Train a little, so that what torch does once is not timed with the first fit."""
    X, y = torch.arange(2048.0).reshape(256, 8), torch.arange(256) % 2
    loop(X, y, lambda logits, y, rows: cross_entropy(logits, y), n_classes=2, epochs=2, seed=0)
