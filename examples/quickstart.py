"""Quickstart: who copes with wrong labels?
========================================

Train on handwritten digits of which half the labels are wrong, and see who copes.

What you learn: how noisyfit's estimators are used, what wrong labels do to ordinary training, and
how well the wrong ones can be found again. 1,257 digits that come with scikit-learn are trained
on, 540 are tested on, under two kinds of noise:

* symmetric: 50 % of the training labels become any other digit;
* asymmetric: 40 % of the labels of each digit become the next digit (0 to 1, ..., 9 to 0).

Nobody is told how many labels are wrong. Test labels are right; the accuracy is that of the last
epoch. "oracle" is cross entropy on the rows whose labels are right, which only a simulation knows.

About a minute; saves quickstart.png::

    python examples/quickstart.py
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from _shared import (
    Progress,
    format_table,
    judge_rows,
    load_digits_split,
    most_suspicious,
    require,
    timed_fit,
    use_one_thread,
)

NOISES = {"symmetric": 0.5, "asymmetric": 0.4}
NETWORKS = ("cross entropy", "DM", "CRUST", "oracle")
COLUMNS = ("accuracy", "seconds", "purity", "recall", "found")
TINY_EPOCHS = 6


def make_methods(seed: int, device: str, callbacks: list[Any], tiny: bool) -> dict[str, Any]:
    """The methods compared, by name. The networks are all the same, with the default settings."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    from noisyfit import CoresetClassifier, CRUSTClassifier, DMClassifier

    network: dict[str, Any] = {"device": device, "random_state": seed, "callbacks": callbacks}
    if tiny:
        network |= {"max_epochs": TINY_EPOCHS, "module__hidden": (16,)}
    # 30 trees per class instead of 100: a third of the time, and they overfit the noise less.
    trees = HistGradientBoostingClassifier(max_iter=2 if tiny else 30, random_state=seed)
    plain = DMClassifier(emphasis="cce", normalize=None, **network)  # = cross entropy
    return {
        "cross entropy": plain,
        "DM": DMClassifier(**network),
        "CRUST": CRUSTClassifier(**network),
        "boosted trees": trees,
        "coreset + trees": CoresetClassifier(trees, random_state=seed),
        "oracle": DMClassifier(emphasis="cce", normalize=None, **network),
    }


def corrupt(kind: str, y: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Noisy labels, and which of them are wrong."""
    from noisyfit.noise import asymmetric_noise, symmetric_noise

    noise = symmetric_noise if kind == "symmetric" else asymmetric_noise
    return noise(y, NOISES[kind], random_state=seed)


def run(
    kind: str, seed: int, args: argparse.Namespace, progress: Progress
) -> tuple[dict[str, dict[str, Any]], list[list[Any]]]:
    """Fit every method once on noisy labels: the figures by method, and CRUST's suspicions."""
    X, X_test, y, y_test = load_digits_split(seed)
    if args.tiny:
        X, y = X[:300], y[:300]
    y_given, wrong = corrupt(kind, y, seed)
    figures: dict[str, dict[str, Any]] = {}
    suspicious: list[list[Any]] = []
    for name, method in make_methods(seed, args.device, progress.callbacks, args.tiny).items():
        progress.describe(f"{kind} noise: {name}")
        if name == "oracle":
            seconds = timed_fit(method, X[~wrong], y[~wrong])
            rows: dict[str, Any] = dict.fromkeys(("purity", "recall", "found"))
        else:
            seconds = timed_fit(method, X, y_given)
            rows = judge_rows(method, wrong)
        figures[name] = {"accuracy": method.score(X_test, y_test), "seconds": seconds, **rows}
        if name == "CRUST":
            suspicious = suspicious_rows(method, y_given, y)
    return figures, suspicious


def suspicious_rows(method: Any, y_given: np.ndarray, y: np.ndarray) -> list[list[Any]]:
    """The five rows whose labels the fitted method trusts least."""
    rows = most_suspicious(method, 5)
    believed, quality = method.transduction_, method.label_quality_
    return [[int(i), int(y_given[i]), int(believed[i]), quality[i], int(y[i])] for i in rows]


def average(runs: list[dict[str, dict[str, Any]]]) -> dict[str, dict[str, float | None]]:
    """Mean of each figure over the seeds; None where a method has no such figure."""

    def mean(name: str, column: str) -> float | None:
        values = [figures[name][column] for figures in runs]
        return None if None in values else float(np.mean(values))

    return {name: {column: mean(name, column) for column in COLUMNS} for name in runs[0]}


def show(figures: dict[str, float | None]) -> list[Any]:
    """The figures in the order of COLUMNS, seconds with one digit."""
    return [f"{figures[c]:.1f}" if c == "seconds" else figures[c] for c in COLUMNS]


def draw(results: dict[str, dict], n_seeds: int, path: Path) -> None:
    """Save bars of the accuracies, one panel per kind of noise, the oracle as a line."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    blue, grey, dark = "#0072B2", "#B3B3B3", "#333333"  # told apart also without colour vision
    figure, axes = plt.subplots(1, 2, figsize=(10, 3.6), sharey=True, layout="constrained")
    for axis, (kind, figures) in zip(axes, results.items(), strict=True):
        names = [name for name in figures if name != "oracle"][::-1]
        values = [figures[name]["accuracy"] for name in names]
        ours = {"DM", "CRUST", "coreset + trees"}
        colors = [blue if name in ours else grey for name in names]
        bars = axis.barh(names, values, height=0.72, color=colors)
        labels = axis.bar_label(bars, fmt="%.2f", padding=-32, fontweight="bold", fontsize=11)
        for name, label in zip(names, labels, strict=True):
            label.set_color("white" if name in ours else dark)
        oracle = figures["oracle"]["accuracy"]
        axis.axvline(oracle, color=dark, linestyle="--", linewidth=1.4)
        axis.annotate(
            f"oracle {oracle:.2f}",
            (oracle, 1),
            (0, 3),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            ha="right",
            color=dark,
        )
        axis.set_title(f"{kind} noise, {NOISES[kind]:.0%} of labels wrong", loc="left", pad=20)
        axis.set_xlim(0, 1)
        axis.set_xlabel("accuracy on test digits with right labels")
        axis.spines[["top", "right", "left"]].set_visible(False)
        axis.tick_params(axis="y", length=0, labelsize=11)
    seeds = "1 seed" if n_seeds == 1 else f"mean of {n_seeds} seeds"
    figure.supxlabel(f"blue: noisyfit; grey: ordinary training; {seeds}", fontsize=9, color=dark)
    figure.savefig(path, dpi=150)
    plt.close(figure)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=1, help="average over so many (default 1)")
    parser.add_argument("--device", default="cpu", help="cpu, cuda or mps (default cpu)")
    parser.add_argument(
        "--output", type=Path, default=Path("quickstart.png"), help="where the picture goes"
    )
    parser.add_argument("--tiny", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.seeds < 1:
        parser.error(f"--seeds must be at least 1, got {args.seeds}")
    if not args.output.absolute().parent.is_dir():
        parser.error(f"--output {args.output}: its folder does not exist")
    return args


def main() -> None:
    args = parse_arguments()
    require("matplotlib", "tqdm")
    use_one_thread()
    epochs = TINY_EPOCHS if args.tiny else 40
    results, suspicions = {}, []
    with Progress(len(NOISES) * args.seeds * len(NETWORKS) * epochs) as progress:
        for kind in NOISES:
            runs = [run(kind, seed, args, progress) for seed in range(args.seeds)]
            results[kind] = average([figures for figures, _ in runs])
            suspicions.append(runs[0][1])

    headers = ["noise", "method", "test accuracy", "seconds", "purity", "recall", "errors found"]
    table = [
        [f"{kind} {NOISES[kind]:.0%}", name, *show(figures)]
        for kind, methods in results.items()
        for name, figures in methods.items()
    ]
    print(format_table(headers, table))
    print(
        "\npurity: share of the rows kept whose labels are right; recall: share of the rows with"
        "\nright labels that are kept; errors found: AUROC of label_quality_ in finding the wrong"
        "\nlabels (0.5 is chance). '-': the method does not say, or keeps every row."
    )
    print("\nThe five labels that CRUST trusts least, under symmetric noise:\n")
    headers = ["row", "given label", "believed label", "label quality", "true label"]
    print(format_table(headers, suspicions[0]))
    draw(results, args.seeds, args.output)
    print(f"\nPicture saved as {args.output}")


if __name__ == "__main__":
    main()
