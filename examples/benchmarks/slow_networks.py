"""What becomes of networks that learn slowly: residual networks by SGD, half of the labels wrong.

Images in half of their resolution, a network of eight layers, SGD of rate .1 with two steps down:
small enough for a CPU. On 5,000 images of Fashion-MNIST the network learns all there is and then
the wrong labels. On 10,000 images of CIFAR-10, shifted and mirrored, it never gets that far. Final
accuracy on the test images, and how well the fit tells right from wrong labels (AUROC).

    python examples/benchmarks/slow_networks.py --data fashion
    python examples/benchmarks/slow_networks.py --data cifar
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import roc_auc_score

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[0]))
from _cifar10 import load_cifar10
from _data import data_path
from _resnet import CifarResNet
from _shared import format_table, use_one_thread

from noisyfit import CRUSTClassifier, DMClassifier, RobustLossClassifier
from noisyfit.augmentation import RandomCropAndFlip
from noisyfit.noise import symmetric_noise

METHODS: dict[str, Callable[..., Any]] = {
    "cross entropy": lambda **training: RobustLossClassifier("ce", **training),
    "right labels only": lambda **training: RobustLossClassifier("ce", **training),
    "dm": DMClassifier,
    "crust": CRUSTClassifier,
    "crust without screening": lambda **training: CRUSTClassifier(cross_fit=None, **training),
}
ROWS = {"fashion": 5_000, "cifar": 10_000}


def load(name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """All images (n, H, W, C) and labels for training, and those for testing."""
    if name == "cifar":
        (X, y), (X_test, y_test) = load_cifar10(None)
        return X, y, X_test, y_test
    with np.load(data_path("fashion_mnist.npz"), allow_pickle=False) as stored:
        images = [np.repeat(stored[part][..., None], 3, axis=3) for part in ("x_train", "x_test")]
        labels = [stored[part].astype(np.int64) for part in ("y_train", "y_test")]
    return images[0], labels[0], images[1], labels[1]


def halved(images: np.ndarray) -> np.ndarray:
    """Means of two by two pixels."""
    n, height, width, channels = images.shape
    blocks = images.reshape(n, height // 2, 2, width // 2, 2, channels)
    return blocks.mean(axis=(2, 4)).astype(np.uint8)


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", choices=ROWS, default="fashion")
    parser.add_argument("--rows", type=int, help="training images (fashion 5000, cifar 10000)")
    parser.add_argument("--test-rows", type=int, default=10_000, help="test images (10000)")
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--noise", type=float, default=0.5, help="share of wrong labels (.5)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    options = parser.parse_args()
    use_one_thread()
    X, y, X_test, y_test = load(options.data)
    n_rows = options.rows or ROWS[options.data]
    rows = np.random.default_rng(options.seed).permutation(len(y))[:n_rows]
    X, y = halved(X[rows]), y[rows]
    X_test, y_test = halved(X_test[: options.test_rows]), y_test[: options.test_rows]
    given, wrong = symmetric_noise(y, options.noise, random_state=options.seed)
    training = {
        "module": CifarResNet,
        "module__depth": 8,
        "max_epochs": options.epochs,
        "lr": 0.1,
        "lr_schedule": {
            round(options.epochs * 2 / 3): 0.1,
            round(options.epochs * 5 / 6): 0.1,
        },
        "optimizer": "sgd",
        "batch_size": 128,
        "train_transform": RandomCropAndFlip(padding=2) if options.data == "cifar" else None,
        "autocast": "bfloat16",
        "random_state": options.seed,
    }
    table = []
    for name in options.methods:
        start = time.perf_counter()
        weights = (~wrong).astype(float) if name == "right labels only" else None
        fitted = METHODS[name](**training).fit(X, given, sample_weight=weights)
        seconds = time.perf_counter() - start
        table.append(
            [
                name,
                float(fitted.score(X_test, y_test)),
                float(roc_auc_score(~wrong, fitted.label_quality_)),
                float(fitted.noise_rate_),
                round(seconds),
            ]
        )
        print(f"{name}: {table[-1][1]:.3f}", file=sys.stderr, flush=True)
    print(
        f"{options.data}, {n_rows} images, {options.noise:.0%} of the labels wrong, "
        f"{options.epochs} epochs, seed {options.seed}\n"
    )
    print(
        format_table(
            ["method", "accuracy", "AUROC", "estimated share", "seconds"], table, markdown=True
        )
    )


if __name__ == "__main__":
    main()
