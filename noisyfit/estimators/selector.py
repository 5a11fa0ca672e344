"""GradientMedoidSelector: a transformer whose landmarks are gradient medoids."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.metrics import euclidean_distances
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from noisyfit._compat import fit_context, take_rows
from noisyfit.estimators.base.atomic import all_or_nothing
from noisyfit.estimators.base.containers import row_index
from noisyfit.estimators.base.documentation import share_documentation
from noisyfit.estimators.base.validation import validate_labels
from noisyfit.estimators.medoids import (
    GradientMedoids,
    tag_estimator_needs,
    validate_gradients,
)


@share_documentation
class GradientMedoidSelector(ClassNamePrefixFeaturesOutMixin, TransformerMixin, GradientMedoids):
    """Choose medoids of the rows' gradients; transform rows to distances from the medoids.

    The number of rows is kept, as a transformer in a Pipeline must: to drop rows, use
    `get_support`, `GradientMedoidSampler` in an imbalanced-learn pipeline, or
    `CoresetClassifier`.

    Parameters
    ----------
    {selection_parameters}

    Attributes
    ----------
    {selection_attributes}

    Examples
    --------
    >>> import numpy as np
    >>> from noisyfit import GradientMedoidSelector
    >>> gradients = np.array([[0.0], [1.0], [2.0], [9.0], [10.0]])
    >>> selector = GradientMedoidSelector(k=2).fit(gradients)
    >>> selector.medoid_indices_, selector.weights_
    (array([2, 3]), array([3., 2.]))
    >>> selector.transform([[4.0]])
    array([[2., 5.]])
    """

    @all_or_nothing
    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None) -> GradientMedoidSelector:
        """Choose the medoids.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Gradients, or with `estimator` features (sparse too).
        y : array-like of shape (n_samples,), default=None
            Given labels; needed with `estimator`.

        Returns
        -------
        self
            The fitted selector.
        """
        index = row_index(X, y)
        X = validate_gradients(self, X, reset=True)
        if y is not None:
            y = validate_labels(y, X)
        self._select(X, y, None, index)
        self.medoids_ = take_rows(X, self.medoid_indices_)
        self._n_features_out = len(self.medoid_indices_)
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Euclidean distances from the medoids, in the space of X.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of the same kind as in `fit`.

        Returns
        -------
        ndarray of shape (n_samples, n_medoids)
            Distances from the medoids in the order of `medoid_indices_`.
        """
        check_is_fitted(self, "medoids_")
        X = validate_gradients(self, X, reset=False)
        return euclidean_distances(X, self.medoids_)

    def __sklearn_tags__(self) -> Tags:
        """Tell scikit-learn what `fit` needs."""
        return tag_estimator_needs(super().__sklearn_tags__(), self.estimator)
