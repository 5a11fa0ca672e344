"""Rows of the table about shapes."""

from __future__ import annotations

import numpy as np
import scipy.sparse
from bad_input.estimators import CLASSIFIERS, FITTED, MEDOIDS, NETWORKS, X, around_a_classifier, y
from bad_input.outcomes import Case, DoesNotApply, Raises, Works, row
from sklearn.naive_bayes import MultinomialNB

AREA = "shape"
BY_THE_ESTIMATOR = "refused by the estimator inside"
HOLDS_WEIGHTS = DoesNotApply("holds weights only")
IMAGES = np.random.RandomState(0).randn(20, 2, 4)

ROWS = [
    row(
        AREA,
        "no rows",
        "X",
        {FITTED: Raises("0 sample"), "CarriedWeights": HOLDS_WEIGHTS},
        Case(X[:0], y[:0]),
        Case(scipy.sparse.csr_matrix((0, 4)), y[:0], lambda c: around_a_classifier(c)),
    ),
    row(
        AREA,
        "no columns",
        "X",
        {
            FITTED: Raises("0 feature"),
            "CoresetClassifier": Raises("0 feature", BY_THE_ESTIMATOR, names="estimator"),
            "CarriedWeights": HOLDS_WEIGHTS,
        },
        Case(X[:, :0]),
    ),
    row(
        AREA,
        "one column without its second axis",
        "X",
        {
            FITTED: Raises("Reshape your data|2D array"),
            "CoresetClassifier": Raises("2D array", BY_THE_ESTIMATOR, names="estimator"),
            "CarriedWeights": HOLDS_WEIGHTS,
        },
        Case(X[:, 0]),
        Case(X[:, 0].tolist()),
    ),
    row(
        AREA,
        "rows of different lengths",
        "X",
        {
            FITTED: Raises("inhomogeneous"),
            "CoresetClassifier": Raises("inhomogeneous", BY_THE_ESTIMATOR, names="estimator"),
            "CarriedWeights": HOLDS_WEIGHTS,
        },
        Case([[1, 2], [3]] * 20),
    ),
    row(
        AREA,
        "a number or nothing in place of rows",
        "X",
        {FITTED: Raises("", error=(ValueError, TypeError)), "CarriedWeights": HOLDS_WEIGHTS},
        Case(3.0),
        Case(None),
    ),
    row(
        AREA,
        "one row",
        "y",
        {
            CLASSIFIERS: Raises("one class only", "refused: there is one class only"),
            MEDOIDS: Works("the row is the medoid"),
            "CarriedWeights": HOLDS_WEIGHTS,
        },
        Case(X[:1], y[:1]),
    ),
    row(
        AREA,
        "more columns than rows",
        "X",
        {FITTED: Works(), "CarriedWeights": HOLDS_WEIGHTS},
        Case(np.random.RandomState(0).randn(6, 30), y[:6]),
    ),
    row(
        AREA,
        "a million sparse columns",
        "X",
        {
            NETWORKS: Works("fits, sparse as they are"),
            "CoresetClassifier": Works("fits, sparse as they are"),
            MEDOIDS: DoesNotApply("distances between sparse gradients are not computed"),
            "CarriedWeights": HOLDS_WEIGHTS,
        },
        Case(
            scipy.sparse.random(5, 10**6, 1e-5, format="csr", random_state=0),
            np.array([0, 1, 0, 1, 0]),
            lambda column: (
                {"module__hidden": (2,)} if column in NETWORKS else {"estimator": MultinomialNB()}
            ),
        ),
    ),
    row(
        AREA,
        "rows of two axes",
        "X",
        {
            NETWORKS: Works("fits: rows are flattened by the default network"),
            "CoresetClassifier": Raises("dim 3", BY_THE_ESTIMATOR, names="estimator"),
            MEDOIDS: Raises("dim 3"),
            "CarriedWeights": HOLDS_WEIGHTS,
        },
        Case(IMAGES, y[:20]),
    ),
    row(
        AREA,
        "images without pixels",
        "X",
        {
            NETWORKS: Raises(r"0 feature|\(10, "),
            "CoresetClassifier": Raises("dim 3|0 feature", BY_THE_ESTIMATOR, names="estimator"),
            MEDOIDS: Raises("dim 3|0 feature"),
            "CarriedWeights": HOLDS_WEIGHTS,
        },
        Case(np.zeros((10, 2, 0)), y[:10]),
        Case(np.zeros((10, 0, 3)), y[:10]),
    ),
    row(
        AREA,
        "a dict of arrays",
        "X|module",
        {
            NETWORKS: Raises("module", "refused: set a module that has such keywords"),
            "CoresetClassifier": Raises("dict of arrays", error=TypeError),
            MEDOIDS: Raises("", error=(ValueError, TypeError)),
            "CarriedWeights": HOLDS_WEIGHTS,
        },
        Case({"words": X}),
    ),
    row(
        AREA,
        "fewer or more labels than rows",
        "y",
        {
            FITTED: Raises("inconsistent numbers of samples|0 sample"),
            "CarriedWeights": HOLDS_WEIGHTS,
        },
        Case(y=y[:-1]),
        Case(y=np.append(y, 0)),
        Case(y=y[:0]),
    ),
]
