"""Accuracy with defaults on digits and Fashion-MNIST: what every change has to keep up.

70/30 split of scikit-learn's digits with 50 % symmetric and 40 % asymmetric noise, and 8,000 rows
of Fashion-MNIST (where NOISYFIT_DATA is set) with 50 % symmetric noise: final epoch, defaults, no
noise rate given, mean of the seeds, with the standard deviation between seeds.

    python examples/benchmarks/foundation.py
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from _shared import (
    data_folder,
    format_table,
    judge_rows,
    load_digits_split,
    load_fashion_mnist_split,
    timed_fit,
    use_one_thread,
)

from noisyfit import CRUSTClassifier, DMClassifier
from noisyfit.noise import asymmetric_noise, symmetric_noise


def make_methods(seed: int, **network: Any) -> dict[str, Any]:
    network["random_state"] = seed
    return {
        "cross entropy": DMClassifier("cce", normalize=None, **network),
        "DM": DMClassifier(**network),
        "CRUST": CRUSTClassifier(**network),
        "oracle": DMClassifier("cce", normalize=None, **network),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=3, help="mean of so many (3)")
    parser.add_argument("--rows", type=int, default=8000, help="rows of Fashion-MNIST (8000)")
    parser.add_argument("--tiny", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    use_one_thread()
    network: dict[str, Any] = {"max_epochs": 6, "module__hidden": (16,)} if args.tiny else {}
    cases: list[tuple[str, Any, Any, float]] = [
        ("digits, symmetric 50 %", load_digits_split, symmetric_noise, 0.5),
        ("digits, asymmetric 40 %", load_digits_split, asymmetric_noise, 0.4),
    ]
    if data_folder() is not None and not args.tiny:

        def load_fashion(seed: int) -> Any:
            return load_fashion_mnist_split(args.rows, seed)

        cases.append(("Fashion-MNIST, symmetric 50 %", load_fashion, symmetric_noise, 0.5))

    table = []
    for case, load, noise, rate in cases:
        found: dict[str, list[list[float | None]]] = {}
        for seed in range(args.seeds):
            print(f"{case}, seed {seed} ...", file=sys.stderr)
            X, X_test, y, y_test = load(seed)
            y_given, wrong = noise(y, rate, random_state=seed)
            for name, method in make_methods(seed, **network).items():
                rows: dict[str, Any] = dict.fromkeys(("purity", "recall", "found"))
                if name == "oracle":
                    seconds = timed_fit(method, X[~wrong], y[~wrong])
                else:
                    seconds = timed_fit(method, X, y_given)
                    rows = judge_rows(method, wrong)
                accuracy = method.score(X_test, y_test)
                figures = [accuracy, rows["purity"], rows["recall"], rows["found"], seconds]
                found.setdefault(name, []).append(figures)
        for name, runs in found.items():
            columns = list(zip(*runs, strict=True))
            means = [None if None in column else float(np.mean(column)) for column in columns]
            spread = float(np.std(columns[0]))
            table.append([case, name, means[0], spread, *means[1:4], f"{means[4]:.1f}"])
    headers = ["case", "method", "accuracy", "+-", "purity", "recall", "errors found", "seconds"]
    print(format_table(headers, table, markdown=True))


if __name__ == "__main__":
    main()
