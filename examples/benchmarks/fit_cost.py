"""What a fit of DMClassifier costs beside a hand-written torch loop that does the same steps.

The loop is an ordinary, competent one: standardise the columns once, cut each batch from the
tensors with a slice of a fresh permutation, the same network of two hidden layers of 256 with
batch normalisation, DM's loss in closed form, Adam with the same settings and a cosine schedule
over the epochs. It checks nothing, records nothing and scores no labels; `DMClassifier.fit` does
all that within the ratio. It is timed with Adam as torch has it by default and with
``fused=True``, which noisyfit uses; and plain skorch, whose DataLoader collates row by row, trains
the same network with the same loss and fused Adam.

All run interleaved in one process; ratios are of medians, of the time on the wall and of the time
the process got on the CPU, which other work on the machine disturbs less. Target: at most 1.25.

    python examples/benchmarks/fit_cost.py
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from skorch import NeuralNetClassifier
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from _shared import format_table

from noisyfit import DMClassifier

N_CLASSES, N_FEATURES, VARIANCE = 10, 64, 12.0
# Integral of exp(12 p (1 - p)) over [0, 1], by which DM's weights are divided.
INTEGRAL = (
    math.exp(VARIANCE / 4) * math.sqrt(math.pi / VARIANCE) * math.erf(math.sqrt(VARIANCE) / 2)
)
ADAM = {"lr": 1e-3, "weight_decay": 1e-4}


def make_network() -> nn.Module:
    """The default network of noisyfit, written by hand."""
    return nn.Sequential(
        nn.Linear(N_FEATURES, 256),
        nn.BatchNorm1d(256),
        nn.ReLU(),
        nn.Linear(256, 256),
        nn.BatchNorm1d(256),
        nn.ReLU(),
        nn.Linear(256, N_CLASSES),
    )


def dm_loss(logits: Tensor, target: Tensor) -> Tensor:
    """DM with mode 0.5 and variance 12: half w(p) (logsumexp of the others - the label's logit)."""
    column = target[:, None]
    p = logits.detach().softmax(1).gather(1, column)
    weight = (VARIANCE * p * (1 - p)).exp() / INTEGRAL
    others = logits.scatter(1, column, -math.inf).logsumexp(1, keepdim=True)
    return (0.5 * weight * (others - logits.gather(1, column))).mean()


class DMLoss(nn.Module):
    """`dm_loss` as a module, for skorch."""

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Mean loss of the batch."""
        return dm_loss(logits, target)


def hand_written(X: np.ndarray, y: np.ndarray, batch_size: int, epochs: int, fused: bool) -> None:
    """Train the network with a plain loop."""
    features, target = torch.from_numpy(X), torch.from_numpy(y)
    features = (features - features.mean(0)) / features.std(0)
    network = make_network()
    optimizer = torch.optim.Adam(network.parameters(), fused=fused or None, **ADAM)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=epochs)
    network.train()
    for _ in range(epochs):
        order = torch.randperm(len(features))
        for start in range(0, len(order), batch_size):
            rows = order[start : start + batch_size]
            loss = dm_loss(network(features[rows]), target[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        schedule.step()


def noisyfit_fit(X: np.ndarray, y: np.ndarray, batch_size: int, epochs: int) -> None:
    """Fit a DMClassifier with its defaults."""
    DMClassifier(max_epochs=epochs, batch_size=batch_size, random_state=0).fit(X, y)


def skorch_fit(X: np.ndarray, y: np.ndarray, batch_size: int, epochs: int) -> None:
    """Fit plain skorch."""
    NeuralNetClassifier(
        make_network(),
        criterion=DMLoss,
        optimizer=torch.optim.Adam,
        optimizer__weight_decay=ADAM["weight_decay"],
        optimizer__fused=True,
        lr=ADAM["lr"],
        max_epochs=epochs,
        batch_size=batch_size,
        iterator_train__shuffle=True,
        train_split=None,
        verbose=0,
    ).fit(X, y)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=20_000, help="training rows (20000)")
    parser.add_argument("--epochs", type=int, default=3, help="epochs of a fit (3)")
    parser.add_argument("--repeats", type=int, default=7, help="fits of each kind (7)")
    parser.add_argument("--threads", type=int, default=1, help="torch threads (1)")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    generator = np.random.default_rng(0)
    X = generator.standard_normal((args.rows, N_FEATURES)).astype(np.float32)
    y = (X @ generator.standard_normal((N_FEATURES, N_CLASSES))).argmax(1)

    table = []
    for batch_size in (128, 512):
        setting = (X, y, batch_size, args.epochs)
        kinds: dict[str, Callable[[], None]] = {
            "DMClassifier.fit": lambda s=setting: noisyfit_fit(*s),
            "hand-written loop": lambda s=setting: hand_written(*s, fused=False),
            "hand-written loop, fused Adam": lambda s=setting: hand_written(*s, fused=True),
            "plain skorch": lambda s=setting: skorch_fit(*s),
        }
        times: dict[str, list[tuple[float, float]]] = {kind: [] for kind in kinds}
        for repeat in range(args.repeats + 1):
            for kind, fit in kinds.items():
                wall, cpu = time.perf_counter(), time.process_time()
                fit()
                if repeat:  # the first round warms up
                    spent = (time.perf_counter() - wall, time.process_time() - cpu)
                    times[kind].append(spent)
        medians = {kind: np.median(spent, axis=0) for kind, spent in times.items()}
        ours = medians["DMClassifier.fit"]
        for kind, median in medians.items():
            table.append([batch_size, kind, *median.tolist(), *(ours / median).tolist()])
    print(f"{args.rows} x {N_FEATURES}, {args.epochs} epochs, {args.threads} thread(s), medians of")
    print(f"{args.repeats} interleaved fits; ratio: DMClassifier.fit over the line's own time\n")
    headers = ["batch", "what", "seconds", "CPU seconds", "ratio", "CPU ratio"]
    print(format_table(headers, table, markdown=True))


if __name__ == "__main__":
    main()
