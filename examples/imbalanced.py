"""Rare classes
============

Rare classes with wrong labels: class weights and emphasis together.

Handwritten digits of which 5 to 9 are rare (one in eight is kept), with 30 % of the labels wrong.
`class_weight="balanced"` weighs the classes, the emphasis of DM (or the coreset of CRUST) weighs
the rows inside them. The test rows have all classes in equal numbers; "rare" is the accuracy on
the rare ones.

About a minute::

    python examples/imbalanced.py
"""

from __future__ import annotations

import argparse

import numpy as np
from _shared import Progress, format_table, require, use_one_thread
from sklearn.datasets import load_digits
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import train_test_split

from noisyfit import CRUSTClassifier, DMClassifier
from noisyfit.noise import symmetric_noise

RATE = 0.3
RARE = [5, 6, 7, 8, 9]
KEPT = 8  # one rare row in so many is kept
METHODS = {
    "cross entropy": lambda **o: DMClassifier("cce", normalize=None, **o),
    "DM": lambda **o: DMClassifier(**o),
    "CRUST": lambda **o: CRUSTClassifier(**o),
}


def load(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Training rows with rare classes, test rows without."""
    X, y = load_digits(return_X_y=True)
    X, X_test, y, y_test = train_test_split(X, y, test_size=0.4, stratify=y, random_state=seed)
    rare = np.flatnonzero(np.isin(y, RARE))
    dropped = np.delete(rare, np.arange(0, len(rare), KEPT))
    return np.delete(X, dropped, axis=0), np.delete(y, dropped), X_test, y_test


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=3, help="seeds 0, 1, ... (3)")
    parser.add_argument("--epochs", type=int, default=40, help="epochs (40)")
    args = parser.parse_args()
    require("tqdm")
    use_one_thread()
    results: dict[tuple[str, str], list[tuple[float, float]]] = {}
    with Progress(args.seeds * len(METHODS) * 2 * args.epochs) as progress:
        for seed in range(args.seeds):
            X, y, X_test, y_test = load(seed)
            given, _ = symmetric_noise(y, RATE, random_state=seed)
            for name, make in METHODS.items():
                for class_weight in (None, "balanced"):
                    progress.describe(f"seed {seed}, {name}")
                    classifier = make(
                        class_weight=class_weight,
                        max_epochs=args.epochs,
                        random_state=seed,
                        callbacks=progress.callbacks,
                    )
                    predicted = classifier.fit(X, given).predict(X_test)
                    rare = np.isin(y_test, RARE)
                    results.setdefault((name, class_weight or "none"), []).append(
                        (
                            float(balanced_accuracy_score(y_test, predicted)),
                            float(np.mean(predicted[rare] == y_test[rare])),
                        )
                    )
    rows = [
        [*key, *(float(np.mean([values[i] for values in found])) for i in range(2))]
        for key, found in results.items()
    ]
    print(format_table(["method", "class weights", "balanced accuracy", "rare"], rows))


if __name__ == "__main__":
    main()
