"""Text: sparse TF-IDF from end to end
===================================

Newsgroup posts under wrong groups: sparse TF-IDF from end to end.

What you learn: noisyfit trains on scipy sparse matrices without filling in their zeros, wraps the
linear model that is hard to beat on text, and points at the posts whose label is probably wrong.
The task is 20 newsgroups: to which group was a post sent? Headers are removed (everything up to
the first blank line), as they give the group away.

Noise on the training labels, of which nobody is told:

* symmetric: `--rate` of the posts are filed under any other group;
* asymmetric: `--rate` of the posts of each group are filed under the next one in the alphabet.

The posts are downloaded by scikit-learn, or read from the folder that NOISYFIT_DATA names. By
default 4,000 of the 11,314 training posts and 15 epochs are used, which takes about two minutes
on two cores; `--rows 11314 --epochs 30` uses everything.

As follows::

    python examples/text.py --noise symmetric --rate 0.5
"""

from __future__ import annotations

import argparse
import textwrap
from typing import Any

import numpy as np
from _shared import (
    Progress,
    format_table,
    judge_rows,
    load_newsgroups,
    most_suspicious,
    require,
    timed_fit,
    use_one_thread,
)
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from noisyfit import CoresetClassifier, CRUSTClassifier, DMClassifier
from noisyfit.noise import asymmetric_noise, symmetric_noise

N_WORDS = 20_000


def make_methods(args: argparse.Namespace, callbacks: list[Any]) -> dict[str, Any]:
    """The classifiers compared, by name; all take the sparse matrix as it is."""
    network: dict[str, Any] = {
        "max_epochs": args.epochs,
        "device": args.device,
        "random_state": args.seed,
        "callbacks": callbacks,
    }
    linear = LogisticRegression(C=10.0, max_iter=200, tol=1e-3)
    return {
        "logistic regression": linear,
        "coreset + logistic": CoresetClassifier(linear, random_state=args.seed),
        "cross entropy": DMClassifier(emphasis="cce", normalize=None, **network),
        "DM": DMClassifier(**network),
        "CRUST": CRUSTClassifier(**network),
    }


N_NETWORKS = 3


def show_posts(method: Any, texts: list[str], y_given: np.ndarray, y: np.ndarray) -> None:
    """Print the three posts whose group the fitted method trusts least."""
    for row in most_suspicious(method, 3):
        quality = method.label_quality_[row]
        print(f"\nPost {row}, label quality {quality:.3f}")
        print(f"  given {y_given[row]}, believed {method.transduction_[row]}, in truth {y[row]}")
        beginning = textwrap.shorten(texts[row], 200, placeholder=" ...")
        print(textwrap.indent(textwrap.fill(beginning, 90), "    "))


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--noise", choices=["symmetric", "asymmetric"], default="symmetric")
    parser.add_argument("--rate", type=float, default=0.5, help="share of wrong labels (0.5)")
    parser.add_argument("--rows", type=int, default=4000, help="posts to train on (4000)")
    parser.add_argument("--epochs", type=int, default=15, help="epochs of the networks (15)")
    parser.add_argument("--device", default="cpu", help="cpu, cuda or mps (default cpu)")
    parser.add_argument("--seed", type=int, default=0, help="draws rows, noise and weights (0)")
    args = parser.parse_args()
    if not 0 <= args.rate < 1:
        parser.error(f"--rate must lie in [0, 1), got {args.rate}")
    if args.rows < 200:
        parser.error(f"--rows must be at least 200, got {args.rows}")
    return args


def main() -> None:
    args = parse_arguments()
    require("tqdm")
    use_one_thread()
    texts, y, test_texts, y_test = load_newsgroups()
    rows = np.random.default_rng(args.seed).permutation(len(y))[: args.rows]
    texts, y = [texts[row] for row in rows], y[rows]
    noise = symmetric_noise if args.noise == "symmetric" else asymmetric_noise
    y_given, wrong = noise(y, args.rate, random_state=args.seed)

    words = TfidfVectorizer(
        max_features=N_WORDS, sublinear_tf=True, stop_words="english", dtype=np.float32
    )
    X, X_test = words.fit_transform(texts), words.transform(test_texts)
    share = X.nnz / (X.shape[0] * X.shape[1])
    print(f"20 newsgroups: {X.shape[0]} posts to train on, {X_test.shape[0]} to test, ", end="")
    print(f"{X.shape[1]} words, {share:.2%} of the matrix not zero; {args.noise} noise")

    table = []
    with Progress(N_NETWORKS * args.epochs) as progress:
        methods = make_methods(args, progress.callbacks)
        for name, method in methods.items():
            progress.describe(name)
            seconds = timed_fit(method, X, y_given)
            found = judge_rows(method, wrong)
            rate = getattr(method, "noise_rate_", None)
            accuracy = method.score(X_test, y_test)
            table.append([name, accuracy, f"{seconds:.1f}", *found.values(), rate])

    headers = ["method", "test accuracy", "seconds", "purity", "recall", "errors found"]
    print(format_table([*headers, "noise estimated"], table))
    print(
        f"\nWrong labels: {wrong.mean():.3f} of the training posts (no method knows). purity,"
        "\nrecall: of the posts kept, and of the posts with right labels; errors found: AUROC of"
        "\nlabel_quality_ in finding wrong labels."
    )
    print("\nThe three posts whose label the coreset classifier trusts least:")
    show_posts(methods["coreset + logistic"], texts, y_given, y)


if __name__ == "__main__":
    main()
