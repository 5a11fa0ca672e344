"""Mixed columns in a Pipeline
===========================

Census data with mixed columns and wrong labels, inside an ordinary scikit-learn Pipeline.

What you learn: noisyfit's classifiers go where any scikit-learn classifier goes, here behind a
ColumnTransformer that imputes, scales and one-hot encodes the columns of a DataFrame. The task is
Adult: does a person earn over 50,000 dollars a year?

Noise on the training labels, of which nobody is told:

* symmetric: `--rate` of all labels are swapped;
* asymmetric: `--rate` of the people who earn less are said to earn more, never the reverse.

Adult is downloaded by scikit-learn, or read from the folder that NOISYFIT_DATA names.

As follows::

    python examples/tabular.py --noise asymmetric --rate 0.4
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
from _shared import (
    Progress,
    format_table,
    judge_rows,
    load_adult,
    require,
    timed_fit,
    use_one_thread,
)
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from noisyfit import CoresetClassifier, CRUSTClassifier, DMClassifier
from noisyfit.noise import asymmetric_noise, symmetric_noise

POOR, RICH = "<=50K", ">50K"


def make_columns() -> ColumnTransformer:
    """Numbers: median imputed, scaled. Text: missing is a category of its own, one-hot."""
    numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    text = make_pipeline(
        SimpleImputer(strategy="constant", fill_value="missing"),
        OneHotEncoder(handle_unknown="ignore", min_frequency=20, sparse_output=False),
    )
    return ColumnTransformer(
        [
            ("numbers", numbers, make_column_selector(dtype_include="number")),
            ("text", text, make_column_selector(dtype_exclude="number")),
        ]
    )


def make_methods(args: argparse.Namespace, callbacks: list[Any]) -> dict[str, Any]:
    """The classifiers compared, by name."""
    network: dict[str, Any] = {
        "max_epochs": args.epochs,
        "device": args.device,
        "random_state": args.seed,
        "callbacks": callbacks,
    }
    trees = HistGradientBoostingClassifier(random_state=args.seed)
    return {
        "logistic regression": LogisticRegression(max_iter=1000),
        "boosted trees": trees,
        "coreset + trees": CoresetClassifier(trees, random_state=args.seed),
        "cross entropy": DMClassifier(emphasis="cce", normalize=None, **network),
        "DM": DMClassifier(**network),
        "CRUST": CRUSTClassifier(**network),
    }


N_NETWORKS = 3


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--noise", choices=["symmetric", "asymmetric"], default="asymmetric")
    parser.add_argument("--rate", type=float, default=0.4, help="share of wrong labels (0.4)")
    parser.add_argument("--rows", type=int, default=8000, help="rows to train on (8000)")
    parser.add_argument("--epochs", type=int, default=20, help="epochs of the networks (20)")
    parser.add_argument("--device", default="cpu", help="cpu, cuda or mps (default cpu)")
    parser.add_argument("--seed", type=int, default=0, help="draws rows, noise and weights (0)")
    args = parser.parse_args()
    if not 0 <= args.rate < 1:
        parser.error(f"--rate must lie in [0, 1), got {args.rate}")
    if args.rows < 100:
        parser.error(f"--rows must be at least 100, got {args.rows}")
    return args


def main() -> None:
    args = parse_arguments()
    require("tqdm", "pandas")
    use_one_thread()
    X, y = load_adult()
    n_rows = min(args.rows, len(y) // 2)
    X, X_test, y, y_test = train_test_split(
        X, y, train_size=n_rows, stratify=y, random_state=args.seed
    )
    if args.noise == "symmetric":
        y_given, wrong = symmetric_noise(y, args.rate, random_state=args.seed)
    else:
        y_given, wrong = asymmetric_noise(y, args.rate, {POOR: RICH}, random_state=args.seed)
    print(f"Adult: {n_rows} rows to train on, {len(y_test)} to test; {args.noise} noise")

    table = []
    with Progress(N_NETWORKS * args.epochs) as progress:
        for name, classifier in make_methods(args, progress.callbacks).items():
            progress.describe(name)
            pipeline = Pipeline([("columns", make_columns()), ("classifier", classifier)])
            seconds = timed_fit(pipeline, X, y_given)
            probability = pipeline.predict_proba(X_test)[:, 1]  # of RICH, the second class
            rows = judge_rows(classifier, wrong)
            rate = getattr(classifier, "noise_rate_", None)
            accuracy = pipeline.score(X_test, y_test)
            ranking = float(roc_auc_score(y_test == RICH, probability))
            table.append([name, accuracy, ranking, f"{seconds:.1f}", *rows.values(), rate])

    headers = ["method", "test accuracy", "test AUROC", "seconds", "purity", "recall"]
    print(format_table([*headers, "errors found", "noise estimated"], table))
    majority = float(np.mean(y_test == POOR))
    print(
        f"\nWrong labels: {wrong.mean():.3f} of the training rows (no method knows). Always saying"
        f"\n'{POOR}' has the accuracy {majority:.3f}. purity, recall: of the rows kept, and of the"
        "\nrows with right labels; errors found: AUROC of label_quality_ in finding wrong labels."
    )


if __name__ == "__main__":
    main()
