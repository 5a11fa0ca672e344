"""Which CRUST? What each way of selecting a coreset keeps, at 50 % symmetric noise.

The first table reproduces the purity figures of the README: the share of right labels among the
half of each given class that a selector takes, from gradients p - onehot(y) of the default network
after five epochs on the noisy labels, in batches of 128. "cluster weights" is the same share with
each medoid of greedy facility location counted by the size of its cluster.

The second table is the test accuracy after a whole fit: CRUST with its defaults, as published
(coverage medoids of predicted classes, cluster weights, mixup), and as the official code has it
(most central rows of given classes, equal weights).

    python examples/benchmarks/which_crust.py           (digits; with NOISYFIT_DATA also
                                                         Fashion-MNIST, 8,000 rows)
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from _shared import (
    data_folder,
    format_table,
    load_digits_split,
    load_fashion_mnist_split,
    use_one_thread,
)

from noisyfit import CRUSTClassifier, DMClassifier
from noisyfit.noise import symmetric_noise
from noisyfit.selection import (
    gradient_norms,
    keep_smallest,
    logit_gradients,
    module_gradients,
    select_coreset,
)

RATE = 0.5
WARMUP = 5
# What the published and the official versions have in common.
WITHOUT_TRIMMING: dict[str, Any] = {
    "trim": None,
    "criterion": "ce",
    "pseudo_label": None,
    "warmup_epochs": WARMUP,
    "fraction": 0.5,
}


def make_classifiers(seed: int, **network: Any) -> dict[str, Any]:
    """The versions of CRUST compared, and cross entropy."""
    paper = {"selection": "greedy", "group_by": "predicted", "weights": "cluster", "mixup": 1.0}
    network["random_state"] = seed
    return {
        "cross entropy": DMClassifier("cce", normalize=None, **network),
        "CRUST, as published": CRUSTClassifier(**WITHOUT_TRIMMING, **paper, **network),
        "CRUST, official code": CRUSTClassifier(selection="central", **WITHOUT_TRIMMING, **network),
        "CRUST, noisyfit's defaults": CRUSTClassifier(**network),
    }


def purities(X: Any, y_given: np.ndarray, wrong: np.ndarray, seed: int) -> dict[str, float]:
    """Share of right labels in the half of each class that each selector takes."""
    warm = DMClassifier(
        "cce",
        normalize=None,
        max_epochs=WARMUP,
        lr_schedule="constant",
        batch_size=128,
        random_state=seed,
    )
    gradients = logit_gradients(warm.fit(X, y_given).predict_proba(X), y_given)
    rows = torch.from_numpy(np.asarray(X, dtype=np.float32))
    of_weights = module_gradients(warm.net_.module_, rows, y_given)

    def coreset(method: str, points: Any = gradients) -> Any:
        return select_coreset(
            points, fraction=0.5, method=method, groups=y_given, random_state=seed
        )

    greedy = coreset("greedy")
    small = keep_smallest(gradient_norms(gradients), 0.5, y_given)
    return {
        "random": np.mean(~wrong[coreset("random").indices]),
        "facility location, exact greedy (the paper)": np.mean(~wrong[greedy.indices]),
        "the same with cluster weights": np.average(~wrong[greedy.indices], weights=greedy.weights),
        "central (the official code)": np.mean(~wrong[coreset("central").indices]),
        "column subset of logit gradients": np.mean(~wrong[coreset("columns").indices]),
        "column subset of last-layer gradients": np.mean(
            ~wrong[coreset("columns", of_weights).indices]
        ),
        "smallest gradient norm (noisyfit)": np.mean(~wrong[small]),
    }


def collect(figures: dict[str, list[float]], new: dict[str, float]) -> None:
    for name, value in new.items():
        figures.setdefault(name, []).append(float(value))


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
    sets: dict[str, Any] = {"digits": load_digits_split}
    if data_folder() is not None and not args.tiny:
        sets["Fashion-MNIST"] = lambda seed: load_fashion_mnist_split(args.rows, seed)

    purity: dict[str, dict[str, list[float]]] = {name: {} for name in sets}
    accuracy: dict[str, dict[str, list[float]]] = {name: {} for name in sets}
    for name, load in sets.items():
        for seed in range(args.seeds):
            X, X_test, y, y_test = load(seed)
            y_given, wrong = symmetric_noise(y, RATE, random_state=seed)
            print(f"{name}, seed {seed} ...", file=sys.stderr)
            collect(purity[name], purities(X, y_given, wrong, seed))
            for method, classifier in make_classifiers(seed, **network).items():
                score = classifier.fit(X, y_given).score(X_test, y_test)
                collect(accuracy[name], {method: score})

    for title, figures in (
        ("purity of the selected half", purity),
        ("test accuracy after a whole fit", accuracy),
    ):
        rows = [
            [row, *(float(np.mean(figures[name][row])) for name in sets)]
            for row in figures["digits"]
        ]
        print()
        print(format_table([title, *sets], rows, markdown=True))


if __name__ == "__main__":
    main()
