"""A derivative of one's own
=========================

Train from a derivative of one's own, which may belong to no loss that can be written down.

Handwritten digits with 40 % of the labels wrong. Derivative manipulation asks only how large the
derivative of a row with respect to the logits shall be, given the probability p of its label:

- "window": 1 for rows in doubt, 0 for those that are learned or contradicted. A step has no
  differentiable loss.
- "DM": exp(beta p^lambda (1 - p)) with a lambda and beta of one's own. Its loss is an integral that
  elementary functions do not express.

In a loop of plain torch, `LogitDerivative` takes the whole derivative, direction included:

- "rival": for rows in the same window, the label's logit goes up and the largest other one down, by
  the same step. Cross entropy lowers all others.

The figures are accuracies on test rows with right labels after the last epoch, means over seeds.

A minute or two::

    python examples/own_emphasis.py
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from _shared import Progress, format_table, load_digits_split, require, use_one_thread
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn

from noisyfit import DMClassifier
from noisyfit.losses import CrossEntropy, LogitDerivative
from noisyfit.noise import symmetric_noise

RATE = 0.4
LOW, HIGH = 0.05, 0.95  # the window begins below the 1/10 that a network starts with
LAMBDA, BETA = 0.5, 12.0
BATCH_SIZE, LEARNING_RATE = 32, 1e-3  # as DMClassifier has them here, and its network as well


def window(p: Tensor) -> Tensor:
    """Weight of rows whose label has probability p: 1 in doubt, else 0."""
    return (p > LOW) & (p < HIGH)


def own_dm(p: Tensor) -> Tensor:
    """Derivative manipulation's weight; `DMEmphasis` has it ready made, by mode and variance."""
    return torch.exp(BETA * p**LAMBDA * (1 - p))


def rival(logits: Tensor, labels: Tensor) -> Tensor:
    """Derivative with respect to the logits: label against its strongest rival, in the window."""
    given = labels.unsqueeze(1)
    p = logits.softmax(dim=1).gather(1, given)
    strongest = logits.scatter(1, given, -torch.inf).argmax(dim=1, keepdim=True)
    direction = torch.zeros_like(logits).scatter(1, given, -1.0).scatter(1, strongest, 1.0)
    return direction * window(p)


# Below each other: the same training, with another derivative.
EMPHASES: dict[str, dict[str, Any]] = {
    "cross entropy": {"emphasis": "cce", "normalize": None},
    "window": {"emphasis": window},
    "DM": {"emphasis": own_dm},
}
CRITERIA: dict[str, Callable[[], nn.Module]] = {
    "cross entropy": lambda: CrossEntropy(reduction="mean"),
    "rival": lambda: LogitDerivative(rival, reduction="mean"),
}


def train_in_plain_torch(
    criterion: nn.Module, X: Tensor, y: Tensor, epochs: int, seed: int, count: Callable[[], None]
) -> nn.Module:
    """Nothing of noisyfit in here but the criterion."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = nn.Sequential(
            *(nn.Linear(X.shape[1], 256), nn.BatchNorm1d(256), nn.ReLU()),
            *(nn.Linear(256, 256), nn.BatchNorm1d(256), nn.ReLU()),
            nn.Linear(256, 10),
        )
        optimizer = torch.optim.Adam(network.parameters(), lr=LEARNING_RATE)
        for _ in range(epochs):
            for rows in torch.randperm(len(X)).split(BATCH_SIZE):
                optimizer.zero_grad()
                criterion(network(X[rows]), y[rows]).backward()
                optimizer.step()
            count()
    return network


def run(seed: int, epochs: int, tiny: bool, progress: Progress) -> dict[tuple[str, str], float]:
    """Test accuracies of all ways to train, by loop and derivative."""
    X, X_test, y, y_test = load_digits_split(seed)
    if tiny:
        X, y = X[:300], y[:300]
    given, _ = symmetric_noise(y, RATE, random_state=seed)
    accuracies: dict[tuple[str, str], float] = {}
    for name, settings in EMPHASES.items():
        progress.describe(f"seed {seed}, DMClassifier, {name}")
        classifier = DMClassifier(
            **settings, max_epochs=epochs, random_state=seed, callbacks=progress.callbacks
        )
        accuracies["DMClassifier", name] = classifier.fit(X, given).score(X_test, y_test)

    scaler = StandardScaler().fit(X)
    X, X_test = (torch.as_tensor(scaler.transform(x), dtype=torch.float32) for x in (X, X_test))
    for name, make in CRITERIA.items():
        progress.describe(f"seed {seed}, plain torch, {name}")
        labels = torch.as_tensor(given)
        network = train_in_plain_torch(make(), X, labels, epochs, seed, progress.bar.update)
        predicted = network.eval()(X_test).argmax(dim=1).numpy()
        accuracies["plain torch", name] = float(np.mean(predicted == y_test))
    return accuracies


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=3, help="seeds 0, 1, ... (3)")
    parser.add_argument("--epochs", type=int, default=40, help="epochs (40)")
    parser.add_argument("--tiny", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.seeds < 1 or args.epochs < 1:
        parser.error(f"--seeds {args.seeds} and --epochs {args.epochs} must be at least 1")
    require("tqdm")
    use_one_thread()
    with Progress(args.seeds * (len(EMPHASES) + len(CRITERIA)) * args.epochs) as progress:
        runs = [run(seed, args.epochs, args.tiny, progress) for seed in range(args.seeds)]
    rows = [[*key, float(np.mean([found[key] for found in runs]))] for key in runs[0]]
    print(format_table(["training", "derivative", "accuracy"], rows))


if __name__ == "__main__":
    main()
