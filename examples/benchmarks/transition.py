"""How exact an estimated noise matrix is, and what its errors cost forward correction.

The first table is the mean absolute error over the entries of the noise matrix, for each way to
estimate it: from held-out predictions of three networks, trained for few epochs, as
`ForwardClassifier` does it ("auto" is its default), and from those of one network for the rows it
was trained on for forty epochs, as in the papers. The second is the test accuracy of
`ForwardClassifier` told the identity (which is cross entropy), an estimate, and the true matrix.
Digits, and where NOISYFIT_DATA is set letter and Fashion-MNIST (8,000
rows), with 50 % symmetric and 40 % asymmetric noise.

    python examples/benchmarks/transition.py
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[0]))
from _data import load
from _shared import data_folder, format_table, load_digits_split, use_one_thread

from noisyfit import ForwardClassifier
from noisyfit.noise import asymmetric_noise, symmetric_noise, transition_matrix

Split = tuple[Any, Any, np.ndarray, np.ndarray]
METHODS = ("auto", "anchor", "joint", "confident_joint", "anchor_points", "percentile")
NOISES: dict[str, tuple[Callable[..., Any], float]] = {
    "sym .5": (symmetric_noise, 0.5),
    "asym .4": (asymmetric_noise, 0.4),
}


def read(name: str) -> Callable[[int], Split]:
    """Reader of a data set by seed."""

    def split(seed: int) -> Split:
        data = load(name, seed)
        return data.X, data.X_test, data.y, data.y_test

    return split


def estimate(method: str, split: Split, y_given: np.ndarray, **options: Any) -> np.ndarray:
    """The matrix that `ForwardClassifier` estimates, without training for long on it."""
    classifier = ForwardClassifier(method, max_epochs=1, validation_fraction=None, **options)
    return classifier.fit(split[0], y_given).transition_matrix_


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=2, help="mean of so many (2)")
    parser.add_argument("--tiny", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    use_one_thread()
    network: dict[str, Any] = {"module__hidden": (16,)} if args.tiny else {}
    long = 4 if args.tiny else 40
    sets: dict[str, Callable[[int], Split]] = {"digits": load_digits_split}
    if data_folder() is not None and not args.tiny:
        sets |= {name: read(name) for name in ("letter", "fashion_mnist")}

    errors: dict[str, dict[str, list[float]]] = {}
    accuracy: dict[str, dict[str, list[float]]] = {}
    for name, split_by in sets.items():
        for noise, (corrupt, rate) in NOISES.items():
            case = f"{name}, {noise}"
            for seed in range(args.seeds):
                print(f"{case}, seed {seed} ...", file=sys.stderr)
                split = split_by(seed)
                X, X_test, y, y_test = split
                y_given, _ = corrupt(y, rate, random_state=seed)
                true = transition_matrix(y, y_given)
                options = {"random_state": seed, **network}
                for method in METHODS:
                    found = estimate(method, split, y_given, **options)
                    row = errors.setdefault(f"held out: {method}", {})
                    row.setdefault(case, []).append(np.abs(found - true).mean())
                own = {"cross_fit": None, "estimation_epochs": long, **options}
                for method in ("anchor", "percentile"):
                    found = estimate(method, split, y_given, **own)
                    row = errors.setdefault(f"rows trained on: {method}", {})
                    row.setdefault(case, []).append(np.abs(found - true).mean())
                for label, matrix in (
                    ("the identity", np.eye(len(true))),
                    ("estimated (auto)", "auto"),
                    ("the true one", true),
                ):
                    classifier = ForwardClassifier(matrix, max_epochs=long, **options)
                    score = classifier.fit(X, y_given).score(X_test, y_test)
                    accuracy.setdefault(label, {}).setdefault(case, []).append(score)

    for title, figures in (
        ("mean absolute error of the matrix", errors),
        ("accuracy of forward correction, matrix", accuracy),
    ):
        cases = list(next(iter(figures.values())))
        rows = [
            [label, *(float(np.mean(found[case])) for case in cases)]
            for label, found in figures.items()
        ]
        print()
        print(format_table([title, *cases], rows, markdown=True))


if __name__ == "__main__":
    main()
