"""How many of the rows listed first really have a wrong label.

Exactly 10 % of the labels are flipped, each to any other class. The list is as long as the number
of flipped labels; printed is the share of it that was flipped, for each seed. Labels that are wrong
or doubtful in the set itself count as false alarms, so no list gets near 1: the row "true labels"
ranks by held-out probabilities of the same classifier *fitted on the labels before they were
flipped*. With two classes that is about as far as the classifier can get; with more, the noise
matrix that "coreset" estimates is a help which "held out" and "true labels" do without.

Texts become TF-IDF of words and of characters; tables keep their categories. All training rows are
used, or so many as --rows says. The last lines say how accurate a classifier has to be for a share
of .6 if its probabilities are exact.

    python examples/benchmarks/label_report_precision.py --sets adult mr --seeds 3
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy.special import expit
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import (
    ExtraTreesClassifier,
    HistGradientBoostingClassifier,
    VotingClassifier,
)
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import OneHotEncoder

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parent))
from _command_line import count
from _data import SETS, data_path
from _shared import format_table, require, use_one_thread

from noisyfit import CoresetClassifier
from noisyfit.noise import symmetric_noise

TABLES = {
    "adult": "adult.npz",
    "bank": "bank_marketing.npz",
    "magic": "magic.npz",
    "satimage": "satimage.npz",
    "letter": "letter.npz",
}
TEXTS = ("mr", "agnews", "newsgroups", "imdb")
N_FOLDS = 5
RATE = 0.1


# ------------------------------------------------------------------------------------- recipes


def text_features() -> Any:
    """Words, pairs of words, and runs of two to five characters inside words."""
    return make_union(
        TfidfVectorizer(
            sublinear_tf=True,
            min_df=2,
            ngram_range=(1, 2),
            token_pattern=r"(?u)\b\w+\b|[^\w\s]",
            dtype=np.float32,
        ),
        TfidfVectorizer(
            sublinear_tf=True,
            min_df=2,
            ngram_range=(2, 5),
            analyzer="char_wb",
            max_features=200_000,
            dtype=np.float32,
        ),
    )


def boosting() -> Any:
    return HistGradientBoostingClassifier(categorical_features="from_dtype", random_state=0)


def boosting_and_trees() -> Any:
    """Boosted and randomised trees err in different places; their mean errs less."""
    encode = make_column_transformer(
        (
            OneHotEncoder(handle_unknown="infrequent_if_exist", max_categories=50),
            make_column_selector(dtype_include="category"),
        ),
        remainder="passthrough",
        sparse_threshold=0,
    )
    trees = ExtraTreesClassifier(100, min_samples_leaf=3, random_state=0)
    return VotingClassifier(
        [("boosting", boosting()), ("trees", make_pipeline(encode, trees))], voting="soft"
    )


def naive_bayes() -> Any:
    return MultinomialNB(alpha=0.3)


def logistic_regression() -> Any:
    return LogisticRegression(max_iter=1000)


CLASSIFIERS: dict[str, dict[str, Callable[[], Any]]] = {
    "table": {"boosting": boosting, "boosting + trees": boosting_and_trees},
    "text": {"logistic regression": logistic_regression, "naive Bayes": naive_bayes},
}


# ----------------------------------------------------------------------------------- measuring


class Problem(NamedTuple):
    """Rows with given labels, of which ``wrong`` are not the ``true`` ones."""

    X: Any
    true: np.ndarray
    given: np.ndarray
    wrong: np.ndarray
    seed: int


def read(name: str, max_rows: int | None) -> tuple[str, Any, np.ndarray]:
    """Kind, features and labels of the training rows of a set, or of a sample of them."""
    if name in TEXTS:
        texts, y = SETS[name]()[:2]
        rows = sample(len(y), max_rows)
        return "text", text_features().fit_transform([texts[i] for i in rows]).tocsr(), y[rows]
    import pandas as pd

    z = np.load(data_path(TABLES[name]), allow_pickle=False)
    table = pd.DataFrame(z["X"][~z["is_test"]].astype(np.float64))
    table.columns = table.columns.astype(str)
    for column in z["categorical_columns"]:
        table[str(column)] = table[str(column)].astype("category")
    rows = sample(len(table), max_rows)
    return "table", table.iloc[rows].reset_index(drop=True), z["y"][~z["is_test"]][rows]


def sample(n: int, max_rows: int | None) -> np.ndarray:
    return np.sort(np.random.default_rng(0).permutation(n)[:max_rows])


def coreset_quality(estimator: Any, problem: Problem, **options: Any) -> np.ndarray:
    classifier = CoresetClassifier(estimator, random_state=problem.seed, **options)
    return classifier.fit(problem.X, problem.given).label_quality_


def held_out_quality(estimator: Any, problem: Problem, labels: np.ndarray) -> np.ndarray:
    """Probability of the given label, by clones fitted on ``labels`` of other rows."""
    folds = StratifiedKFold(N_FOLDS, shuffle=True, random_state=problem.seed)
    p = cross_val_predict(estimator, problem.X, labels, cv=folds, method="predict_proba")
    return p[np.arange(len(p)), np.searchsorted(np.unique(labels), problem.given)]


RANKINGS: dict[str, Callable[[Any, Problem], np.ndarray]] = {
    "held out": lambda e, problem: held_out_quality(e, problem, problem.given),
    "coreset, one round": lambda e, problem: coreset_quality(
        e, problem, rounds=1, cross_fit=N_FOLDS
    ),
    "coreset": lambda e, problem: coreset_quality(e, problem, cross_fit=N_FOLDS),
    "true labels": lambda e, problem: held_out_quality(e, problem, problem.true),
}


def precision(quality: np.ndarray, wrong: np.ndarray) -> float:
    """Share of wrong labels among as many rows of lowest quality as there are wrong labels."""
    return float(wrong[np.argsort(quality, kind="stable")[: wrong.sum()]].mean())


def exact_classifier(spread: float, n: int = 400_000) -> tuple[float, float]:
    """Accuracy and precision where log-odds are normal and probabilities exact (two classes)."""
    generator = np.random.default_rng(0)
    log_odds = generator.normal(scale=spread, size=n)
    true = generator.random(n) < expit(log_odds)
    wrong = generator.random(n) < RATE
    quality = np.where(true ^ wrong, log_odds, -log_odds)
    return float(((log_odds > 0) == true).mean()), precision(quality, wrong)


def measure(name: str, args: argparse.Namespace) -> list[list[Any]]:
    kind, X, y = read(name, args.rows)
    rows = []
    for label, make in CLASSIFIERS[kind].items():
        if args.classifiers and label not in args.classifiers:
            continue
        for ranking, rank in RANKINGS.items():
            if args.rankings and ranking not in args.rankings:
                continue
            found, seconds = [], []
            for seed in range(args.seeds):
                given, wrong = symmetric_noise(y, RATE, random_state=seed)
                start = time.perf_counter()
                quality = rank(make(), Problem(X, y, given, wrong, seed))
                seconds.append(time.perf_counter() - start)
                found.append(precision(quality, wrong))
            row = [name, len(y), label, ranking, float(np.mean(found))]
            row += [" ".join(f"{share:.3f}" for share in found), round(float(np.mean(seconds)), 1)]
            rows.append(row)
            print(*row, file=sys.stderr, flush=True)
    return rows


HEADERS = ("set", "rows", "classifier", "ranking", "precision", "by seed", "seconds")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = [*TABLES, *TEXTS]
    parser.add_argument("--sets", nargs="+", choices=names, default=names, help="data sets (all)")
    parser.add_argument("--rankings", nargs="+", choices=list(RANKINGS), help="rankings (all)")
    known = [label for each in CLASSIFIERS.values() for label in each]
    parser.add_argument("--classifiers", nargs="+", choices=known, help="classifiers (all)")
    parser.add_argument("--seeds", type=count, default=3, help="so many seeds (3)")
    parser.add_argument("--rows", type=count, help="at most so many rows of each set (all)")
    args = parser.parse_args()
    require("pandas")
    use_one_thread()
    rows = [row for name in args.sets for row in measure(name, args)]
    print(format_table(HEADERS, rows))
    print("\nexact probabilities, two classes:")
    for spread in (1.5, 2.0, 2.5, 3.0, 4.0):
        accuracy, share = exact_classifier(spread)
        print(f"  accuracy {accuracy:.3f}: precision {share:.3f}")


if __name__ == "__main__":
    main()
