"""CoresetClassifier: any scikit-learn classifier, trained on the rows that can be trusted."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import scipy.sparse
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin
from sklearn.linear_model import LogisticRegression
from sklearn.utils import Tags, check_random_state, get_tags, indexable
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import (
    check_is_fitted,
    validate_data,
)

from noisyfit._compat import HasMethods, Interval, StrOptions, fit_context
from noisyfit.estimators.base.atomic import all_or_nothing
from noisyfit.estimators.base.containers import row_index, with_index
from noisyfit.estimators.base.naming import naming
from noisyfit.estimators.base.validation import (
    as_counts,
    encode_labels,
    to_host,
    validate_labels,
    validate_sample_weight,
)
from noisyfit.estimators.medoids import (
    SELECTION_CONSTRAINTS,
    with_every_class,
)
from noisyfit.estimators.out_of_fold import (
    aligned_probabilities,
    check_takes_weights,
    fit_clone,
)
from noisyfit.estimators.rounds import Judge, Verdict
from noisyfit.noise import estimate_noise, label_quality
from noisyfit.noise.belief import check_matrix, posterior
from noisyfit.selection import logit_gradients


def _has_decision_function(self: CoresetClassifier) -> bool:
    return hasattr(getattr(self, "estimator_", self.estimator), "decision_function")


class CoresetClassifier(ClassifierMixin, MetaEstimatorMixin, BaseEstimator):
    """Fit any classifier on the coreset of rows whose labels can be trusted.

    Clones of the classifier predict rows that they were not fitted on, which gives the noise
    matrix and, by Bayes' rule, the probability p of each true label given the features *and* the
    label. In each given class the rows whose gradients p - onehot(y) are farthest from zero are
    left out, as many as are estimated to be wrong; they come back under their probable label
    where that is sure. A second round of clones, fitted on what the first round believes, judges
    all rows anew. What is left then, or medoids of it, trains the final classifier.

    Parameters
    ----------
    estimator : scikit-learn classifier with predict_proba, default=None
        The classifier, a Pipeline that ends in one included; None is
        ``LogisticRegression(max_iter=1000)``.
    trim : "auto", float in [0, 1) or None, default="auto"
        Share of each given class left out as untrustworthy. "auto" estimates it for each class.
    selection : str, default="all"
        What covers the rows that are left: "all" of them, or medoids by a method of
        `GradientMedoidSelector`.
    fraction : float in (0, 1], default=0.5
        Share of the rows left that become medoids, where ``selection`` is not "all".
    group_by : {"given", "predicted"}, default="given"
        Whether medoids are chosen for each given or each predicted class.
    weights : {"uniform", "cluster"}, default="uniform"
        Weight of a medoid in the final fit: its row's own, or that of all rows it stands for.
        "cluster" needs an estimator that takes `sample_weight`.
    pseudo_label : float in (0, 1) or None, default=0.8
        Rows left out by ``trim="auto"`` are fitted on under their probable label where its
        probability exceeds this.
    rounds : int, default=2
        How often ``trim="auto"`` has all rows judged: first by clones fitted on the given labels,
        then by clones fitted on what the round before believes.
    transition_matrix : "auto", None or array-like of shape (n_classes, n_classes), default="auto"
        Noise matrix by which ``trim="auto"`` takes the given label as evidence of the true one:
        estimated, not used (the features alone decide), or known, with a row for each true class
        in the order of `classes_`.
    cross_fit : int or None, default=3
        Number of folds for the predictions of the first round, later ones have two. None judges
        rows by a model fitted on them, once, which hides the errors that it has memorised.
    n_jobs : int or None, default=None
        Number of folds fitted at the same time, through joblib.
    random_state : int, RandomState instance or None, default=None
        Draws the folds. Randomness of the estimator is its own parameter.

    Attributes
    ----------
    estimator_ : classifier
        The estimator fitted on the coreset.
    classes_ : ndarray of shape (n_classes,)
        The labels, sorted.
    coreset_indices_ : ndarray of shape (n_coreset,)
        Rows that the final estimator was fitted on.
    coreset_weights_ : ndarray of shape (n_coreset,)
        The number (or total weight) of the rows that each of them stands for.
    label_quality_ : ndarray of shape (n_samples,)
        How far each row's given label is to be trusted: the probability, as believed, that it
        is right, as a mean of all rounds.
    transduction_ : ndarray of shape (n_samples,)
        The label believed to be right for each training row.
    noise_rate_ : float
        Estimated share of wrong labels.
    transition_matrix_ : ndarray of shape (n_classes, n_classes)
        Estimated probabilities of the given label (columns) for each true label (rows).
    n_features_in_ : int
        Number of features seen in `fit`, where X has features.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where X had string column names.

    See Also
    --------
    CRUSTClassifier : The same idea inside the training of a network.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from noisyfit import CoresetClassifier
    >>> from noisyfit.noise import symmetric_noise
    >>> X, y = load_digits(return_X_y=True)
    >>> y_given, wrong = symmetric_noise(y[:1200], 0.5, random_state=0)
    >>> classifier = CoresetClassifier(RandomForestClassifier(random_state=0), random_state=0)
    >>> bool(classifier.fit(X[:1200], y_given).score(X[1200:], y[1200:]) > 0.85)
    True
    >>> bool(wrong[classifier.coreset_indices_].mean() < 0.1)
    True
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **SELECTION_CONSTRAINTS,
        "estimator": [HasMethods(["fit", "predict", "predict_proba"]), None],
        "weights": [StrOptions({"uniform", "cluster"})],
        "pseudo_label": [Interval(Real, 0, 1, closed="neither"), None],
        "transition_matrix": [StrOptions({"auto"}), "array-like", None],
        "rounds": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        estimator: Any = None,
        *,
        trim: str | float | None = "auto",
        selection: str = "all",
        fraction: float = 0.5,
        group_by: str = "given",
        weights: str = "uniform",
        pseudo_label: float | None = 0.8,
        rounds: int = 2,
        transition_matrix: Any = "auto",
        cross_fit: int | None = 3,
        n_jobs: int | None = None,
        random_state: Any = None,
    ) -> None:
        self.estimator = estimator
        self.trim = trim
        self.selection = selection
        self.fraction = fraction
        self.group_by = group_by
        self.weights = weights
        self.pseudo_label = pseudo_label
        self.rounds = rounds
        self.transition_matrix = transition_matrix
        self.cross_fit = cross_fit
        self.n_jobs = n_jobs
        self.random_state = random_state

    @all_or_nothing
    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> CoresetClassifier:
        """Choose the coreset and fit the estimator on it.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or whatever the estimator takes
            The rows; passed to the estimator in the container they come in.
        y : array-like of shape (n_samples,)
            The given labels, of any type.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, not negative; the estimator has to take them too.

        Returns
        -------
        self
            The fitted estimator.
        """
        index = row_index(X, y)
        X = self._validate_rows(X, reset=True)
        y = validate_labels(y, X)
        codes, classes = encode_labels(y, None)
        estimator = LogisticRegression(max_iter=1000) if self.estimator is None else self.estimator
        weight = None
        if sample_weight is not None:
            weight = validate_sample_weight(sample_weight, len(y))
        if weight is not None:
            check_takes_weights(estimator, "sample_weight was given")
        if self.weights == "cluster":
            check_takes_weights(estimator, "weights='cluster' needs it")
        rows = np.arange(len(y)) if weight is None else np.flatnonzero(weight)
        if len(np.unique(codes[rows])) < 2:
            raise ValueError("sample_weight leaves 1 class only; at least two classes must count.")
        rng = check_random_state(self.random_state)

        counts = None if weight is None else as_counts(weight)[rows]
        judge = Judge(
            trim=self.trim,
            selection=self.selection,
            fraction=self.fraction,
            group_by=self.group_by,
            pseudo_label=self.pseudo_label,
            matrix=check_matrix(self.transition_matrix, len(classes)),
            n_rounds=self.rounds,
            n_folds=self.cross_fit,
            n_jobs=self.n_jobs,
        )
        verdict = judge.judge(estimator, X, y, classes, rows, weight, counts, rng)
        chosen, chosen_weights = with_every_class(
            verdict.coreset,
            logit_gradients(verdict.probabilities, codes[rows]),
            codes[rows],
            verdict.kept,
        )
        fitted_on = np.sort(rows[np.concatenate([chosen, np.flatnonzero(verdict.joining)])])
        final_weight = weight
        if self.weights == "cluster":
            final_weight = np.ones(len(y)) if weight is None else weight.copy()
            final_weight[rows[chosen]] = chosen_weights
        labels = verdict.relabelled(y, rows, classes)
        self.estimator_ = fit_clone(estimator, X, labels, final_weight, fitted_on)
        self.classes_ = classes
        self.coreset_indices_ = rows[chosen]
        self.coreset_weights_ = chosen_weights
        self._report_rows(X, codes, rows, verdict, counts, index)
        return self

    def _validate_rows(self, X: Any, *, reset: bool) -> Any:
        """Rows in the container they came in, if it can be indexed; the estimator checks more."""
        with naming("X"):
            (X,) = indexable(to_host(X))
            if isinstance(X, Mapping) and not scipy.sparse.issparse(X):
                raise TypeError("rows as a dict of arrays are for networks, not for an estimator.")
            if X is None or getattr(X, "ndim", 2) == 0 or not hasattr(X, "__getitem__"):
                raise ValueError(f"there are no rows in {X!r}, 0 samples; at least 1 is required.")
            if (X.shape[0] if hasattr(X, "shape") else len(X)) == 0:
                raise ValueError("0 samples are given; at least 1 is required.")
            if getattr(X, "ndim", 2) == 2:
                validate_data(self, X, reset=reset, skip_check_array=True)
            return X

    def _report_rows(
        self,
        X: Any,
        codes: np.ndarray,
        rows: np.ndarray,
        verdict: Verdict,
        counts: np.ndarray | None,
        index: Any,
    ) -> None:
        """Set the per-row attributes; rows of weight 0 are judged by the final estimator."""
        probabilities, belief = verdict.probabilities, verdict.belief
        if belief is None:
            noise = estimate_noise(probabilities, codes[rows], sample_weight=counts)
        else:
            noise = belief.noise
        if len(rows) < len(codes):
            probabilities = aligned_probabilities(self.estimator_, X, self.classes_)
            if belief is not None:
                probabilities = posterior(probabilities, codes, belief.transition)
            probabilities[rows] = verdict.probabilities
        believed = probabilities.argmax(axis=1)
        if self.trim is not None:
            trusted = rows[verdict.kept]
            believed[trusted] = codes[trusted]
        quality = label_quality(probabilities, codes, "self_confidence")
        quality[rows] = verdict.quality
        self.transduction_ = with_index(self.classes_[believed], index, "transduction")
        self.label_quality_ = with_index(quality, index, "label_quality")
        self.noise_rate_ = noise.rate
        self.transition_matrix_ = noise.transition_matrix

    def predict(self, X: Any) -> np.ndarray:
        """Label of each row, by the estimator fitted on the coreset.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or whatever the estimator takes
            The rows.

        Returns
        -------
        ndarray of shape (n_samples,)
            Labels, of the type they had in `fit`.
        """
        check_is_fitted(self, "estimator_")
        X = self._validate_rows(X, reset=False)
        return self.estimator_.predict(X)

    def predict_proba(self, X: Any) -> np.ndarray:
        """Class probabilities, by the estimator fitted on the coreset.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or whatever the estimator takes
            The rows.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Probabilities, in the order of `classes_`.
        """
        check_is_fitted(self, "estimator_")
        X = self._validate_rows(X, reset=False)
        return aligned_probabilities(self.estimator_, X, self.classes_)

    @available_if(_has_decision_function)
    def decision_function(self, X: Any) -> np.ndarray:
        """Decision function of the estimator fitted on the coreset.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or whatever the estimator takes
            The rows.

        Returns
        -------
        ndarray
            As the estimator gives it.
        """
        check_is_fitted(self, "estimator_")
        X = self._validate_rows(X, reset=False)
        return self.estimator_.decision_function(X)

    def __sklearn_tags__(self) -> Tags:
        """Take over what the estimator says about its input."""
        tags = super().__sklearn_tags__()
        if self.estimator is None:
            tags.input_tags.sparse = True
        elif hasattr(self.estimator, "__sklearn_tags__") and not isinstance(self.estimator, type):
            tags.input_tags = get_tags(self.estimator).input_tags
        return tags
