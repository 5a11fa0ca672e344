"""What checkpoints cost: fits with and without them, in turn, in the same run.

python examples/benchmarks/checkpoint_cost.py
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from noisyfit import CRUSTClassifier, DMClassifier


def data(n_rows: int, n_classes: int = 10, n_features: int = 32) -> tuple[np.ndarray, np.ndarray]:
    """Gaussian classes, a third of whose labels are random."""
    rng = np.random.default_rng(0)
    y = rng.integers(n_classes, size=n_rows)
    means = rng.normal(size=(n_classes, n_features))
    X = (means[y] + rng.normal(size=(n_rows, n_features))).astype(np.float32)
    return X, np.where(rng.random(n_rows) < 0.3, rng.integers(n_classes, size=n_rows), y)


def seconds(estimator: Any, X: np.ndarray, y: np.ndarray) -> float:
    """How long a fit takes."""
    start = time.perf_counter()
    estimator.fit(X, y)
    return time.perf_counter() - start


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--rows", type=int, nargs="+", default=[2_000, 20_000])
    parser.add_argument("--epochs", type=int, default=20)
    options = parser.parse_args()
    torch.set_num_threads(1)
    print("estimator          rows   seconds   with checkpoints / without   MB of one   written")
    for kind in (CRUSTClassifier, DMClassifier):
        for n_rows in options.rows:
            X, y = data(n_rows)
            ratios, plain = [], []
            for _ in range(options.repeats):
                estimator = kind(max_epochs=options.epochs, random_state=0)
                plain.append(seconds(estimator, X, y))
                with tempfile.TemporaryDirectory() as folder:
                    estimator.set_params(checkpoint=folder)
                    ratios.append(seconds(estimator, X, y) / plain[-1])
                    last = sorted(Path(folder).glob("*.noisyfit"))[-1]
                    megabytes = os.path.getsize(last) / 1e6
                    n_written = int(last.stem.rpartition("-")[2])
            ratio, low, high = statistics.median(ratios), min(ratios), max(ratios)
            print(
                f"{kind.__name__:16s} {n_rows:6d} {statistics.median(plain):9.1f}   "
                f"{ratio:.2f} ({low:.2f} to {high:.2f}) {megabytes:20.1f} {n_written:9d}"
            )


if __name__ == "__main__":
    main()
