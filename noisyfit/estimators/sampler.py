"""GradientMedoidSampler: drops rows, for imbalanced-learn's pipelines."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import OneToOneFeatureMixin
from sklearn.utils import Tags
from sklearn.utils.validation import validate_data

from noisyfit._compat import fit_context, take_rows
from noisyfit.estimators.base.atomic import all_or_nothing
from noisyfit.estimators.base.containers import row_index
from noisyfit.estimators.base.documentation import share_documentation
from noisyfit.estimators.base.validation import to_host
from noisyfit.estimators.medoids import (
    GradientMedoids,
    tag_estimator_needs,
)


@share_documentation
class GradientMedoidSampler(OneToOneFeatureMixin, GradientMedoids):
    """Keep only the medoids of the rows' gradients.

    ``fit_resample`` gives back rows and labels of the type it was given, DataFrames with their
    index. Use it as a step of ``imblearn.pipeline.Pipeline``, which skips it when predicting;
    imbalanced-learn itself is not needed.

    Parameters
    ----------
    {selection_parameters}

    Attributes
    ----------
    {selection_attributes}

    See Also
    --------
    CoresetClassifier : The same in scikit-learn's own pipelines, with weights carried along.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from noisyfit import GradientMedoidSampler
    >>> from noisyfit.noise import symmetric_noise
    >>> X, y = load_iris(return_X_y=True)
    >>> y_given, wrong = symmetric_noise(y, 0.3, random_state=0)
    >>> model = LogisticRegression(max_iter=1000)
    >>> sampler = GradientMedoidSampler(
    ...     selection="all", trim="auto", estimator=model, random_state=0
    ... )
    >>> X_kept, y_kept = sampler.fit_resample(X, y_given)
    >>> bool(wrong[sampler.sample_indices_].mean() < 0.1)
    True
    """

    @all_or_nothing
    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any) -> GradientMedoidSampler:
        """Choose the medoids without returning them; see `fit_resample`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Gradients, or with `estimator` features (sparse too).
        y : array-like of shape (n_samples,)
            Given labels.

        Returns
        -------
        self
            The fitted sampler.
        """
        index = row_index(X, y)
        X, y = validate_data(
            self,
            to_host(X),
            to_host(y),
            dtype=[np.float64, np.float32],
            accept_sparse="csr" if self.estimator is not None else False,
        )
        self._select(X, y, index)
        return self

    def fit_resample(self, X: Any, y: Any) -> tuple[Any, Any]:
        """Choose the medoids and return them.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Gradients, or with `estimator` features (sparse too).
        y : array-like of shape (n_samples,)
            Given labels.

        Returns
        -------
        X_resampled, y_resampled
            The rows `sample_indices_` of X and y, in containers of the same type.
        """
        self.fit(X, y)
        return take_rows(X, self.sample_indices_), take_rows(y, self.sample_indices_)

    def __sklearn_tags__(self) -> Tags:
        """Tell scikit-learn what `fit` needs."""
        tags = tag_estimator_needs(super().__sklearn_tags__(), self.estimator)
        tags.target_tags.required = True
        return tags
