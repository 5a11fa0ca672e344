"""Which classifier judges the labels of a table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

from noisyfit.estimators import CoresetClassifier

from .columns import Columns

# Boosting grows a tree for each class in each of its hundred rounds; a forest's trees serve all.
MOST_CLASSES_BOOSTED = 20
MOST_WORDS = 200_000  # and pairs of words, or runs of letters
MOST_CATEGORIES = 250  # boosted trees take 255 of a column; the rarest are taken together
FOLDS, ROUNDS = 5, 2
# Each round fits a clone per fold (later ones have two folds), and then there is the last fit.
N_FITS = FOLDS + 2 * (ROUNDS - 1) + 1


def classifier_for(
    columns: Columns, labels: np.ndarray, random_state: int, fitted: Callable[[], None]
) -> CoresetClassifier:
    """A classifier that judges every row by clones not fitted on it.

    Naive Bayes where there is nothing but text, a linear model where there is text beside other
    columns, else boosted trees, or a forest for very many classes. What ranks wrong labels best
    was measured by ``examples/benchmarks/label_report_precision.py``.

    Parameters
    ----------
    columns : Columns
        What the columns of `columns.prepared` are.
    labels : ndarray of shape (n,)
        The given labels.
    random_state : int
        Seed.
    fitted : callable
        Called after each of the ``N_FITS`` fits.

    Returns
    -------
    CoresetClassifier
        Not fitted yet.
    """
    if columns.text and not columns.numeric and not columns.categorical:
        estimator = _naive_bayes(columns, len(labels))
    elif columns.text:
        estimator = _linear(columns, len(labels))
    else:
        estimator = _trees(columns, len(np.unique(labels)), random_state)
    return CoresetClassifier(
        Counted(estimator, fitted), cross_fit=FOLDS, rounds=ROUNDS, random_state=random_state
    )


def _trees(columns: Columns, n_classes: int, random_state: int) -> Pipeline:
    categories = OrdinalEncoder(
        max_categories=MOST_CATEGORIES, handle_unknown="use_encoded_value", unknown_value=-1
    )
    encoder = ColumnTransformer(
        [
            ("categories", categories, columns.categorical),
            ("numbers", "passthrough", columns.numeric),
        ]
    )
    if n_classes > MOST_CLASSES_BOOSTED:
        forest = RandomForestClassifier(200, min_samples_leaf=3, random_state=random_state)
        return make_pipeline(encoder, forest)
    boosting = HistGradientBoostingClassifier(
        categorical_features=np.arange(len(columns.categorical)), random_state=random_state
    )
    return make_pipeline(encoder, boosting)


def _naive_bayes(columns: Columns, n_rows: int) -> Pipeline:
    each = {"sublinear_tf": True, "min_df": _rarest(n_rows), "dtype": np.float32}
    words = {
        "ngram_range": (1, 2),
        "max_features": MOST_WORDS,
        "token_pattern": r"(?u)\b\w+\b|[^\w\s]",  # marks of punctuation count as words
    }
    letters = {"analyzer": "char_wb", "ngram_range": (2, 5), "max_features": MOST_WORDS}
    encoder = ColumnTransformer(
        [
            (f"{kind} of {name}", TfidfVectorizer(**each, **options), i)
            for i, name in enumerate(columns.used)
            for kind, options in (("words", words), ("letters", letters))
        ]
    )
    return make_pipeline(encoder, MultinomialNB(alpha=0.3))


def _rarest(n_rows: int) -> int:
    """In how many texts a word has to occur."""
    return 2 if n_rows > 500 else 1


def _linear(columns: Columns, n_rows: int) -> Pipeline:
    words = [
        (f"words of {name}", TfidfVectorizer(sublinear_tf=True, min_df=_rarest(n_rows)), i)
        for i, name in enumerate(columns.used)
        if name in columns.text
    ]
    numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    return make_pipeline(
        ColumnTransformer(
            [
                *words,
                ("numbers", numbers, columns.numeric),
                ("categories", OneHotEncoder(handle_unknown="ignore"), columns.categorical),
            ]
        ),
        LogisticRegression(C=10.0, max_iter=1000),
    )


class Counted(ClassifierMixin, BaseEstimator):
    """A classifier that says when a clone of it has been fitted.

    Parameters
    ----------
    estimator : classifier
        What is fitted.
    fitted : callable
        Called after each fit. A function, since clones keep functions as they are.
    """

    def __init__(self, estimator: Any, fitted: Callable[[], None]) -> None:
        self.estimator = estimator
        self.fitted = fitted

    def fit(self, X: Any, y: Any) -> Counted:
        """Fit the classifier, which is a clone's own already."""
        self.estimator.fit(X, y)
        self.classes_ = self.estimator.classes_
        self.fitted()
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """Probabilities of the classifier."""
        return self.estimator.predict_proba(X)

    def predict(self, X: Any) -> np.ndarray:
        """Labels by the classifier."""
        return self.estimator.predict(X)
