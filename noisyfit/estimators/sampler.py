"""GradientMedoidSampler: drops rows, for imbalanced-learn's pipelines."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from sklearn.base import OneToOneFeatureMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from noisyfit._compat import StrOptions, fit_context, take_rows
from noisyfit.estimators.base.atomic import all_or_nothing
from noisyfit.estimators.base.containers import row_index
from noisyfit.estimators.base.documentation import share_documentation
from noisyfit.estimators.base.validation import validate_labels, validate_sample_weight
from noisyfit.estimators.carried_weights import CarriedWeights
from noisyfit.estimators.medoids import (
    GradientMedoids,
    tag_estimator_needs,
    validate_gradients,
)


@share_documentation
class GradientMedoidSampler(OneToOneFeatureMixin, GradientMedoids):
    """Keep only the medoids of the rows' gradients.

    ``fit_resample`` gives back rows and labels of the type it was given, DataFrames with their
    index. Use it as a step of ``imblearn.pipeline.Pipeline``, which skips it when predicting;
    imbalanced-learn itself is not needed. Weights of rows get past it as `CarriedWeights`.

    Parameters
    ----------
    {selection_parameters}
    weights : {"uniform", "cluster"}, default="uniform"
        Weight that a row kept hands on, see `carry`: its own, or that of all rows it stands for.

    Attributes
    ----------
    {selection_attributes}

    See Also
    --------
    CarriedWeights : Weights for the steps behind the sampler.
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

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **GradientMedoids._parameter_constraints,
        "weights": [StrOptions({"uniform", "cluster"})],
    }
    # With metadata routing, weights given to a pipeline are for its sampler too: who weighs rows
    # means them to count when rows are chosen. (A set_fit_resample_request exists only where
    # imbalanced-learn was imported first.)
    __metadata_request__fit: ClassVar[dict[str, bool]] = {"sample_weight": True}
    __metadata_request__fit_resample: ClassVar[dict[str, bool]] = {"sample_weight": True}

    def __init__(
        self,
        k: int | None = None,
        *,
        fraction: float = 0.5,
        selection: str = "auto",
        trim: str | float | None = None,
        estimator: Any = None,
        group_by: str = "given",
        weights: str = "uniform",
        cross_fit: int | None = 5,
        n_jobs: int | None = None,
        device: Any = "cpu",
        random_state: Any = None,
    ) -> None:
        super().__init__(
            k,
            fraction=fraction,
            selection=selection,
            trim=trim,
            estimator=estimator,
            group_by=group_by,
            cross_fit=cross_fit,
            n_jobs=n_jobs,
            device=device,
            random_state=random_state,
        )
        self.weights = weights

    @all_or_nothing
    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> GradientMedoidSampler:
        """Choose the medoids without returning them; see `fit_resample`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Gradients, or with `estimator` features (sparse too).
        y : array-like of shape (n_samples,)
            Given labels.
        sample_weight : array-like of shape (n_samples,) or CarriedWeights, default=None
            Weights of the rows, not negative: how much each counts when rows are chosen. A weight
            of 0 makes a row as if absent.

        Returns
        -------
        self
            The fitted sampler.
        """
        index = row_index(X, y)
        X = validate_gradients(self, X, reset=True)
        y = validate_labels(y, X)
        weight = None
        if sample_weight is not None:
            if isinstance(sample_weight, CarriedWeights):
                sample_weight = sample_weight.weights
            weight = validate_sample_weight(sample_weight, len(y))
        self._select(X, y, weight, index)
        return self

    def fit_resample(self, X: Any, y: Any, sample_weight: Any = None) -> tuple[Any, Any]:
        """Choose the medoids and return them.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Gradients, or with `estimator` features (sparse too).
        y : array-like of shape (n_samples,)
            Given labels.
        sample_weight : array-like of shape (n_samples,) or CarriedWeights, default=None
            Weights of the rows, not negative: how much each counts when rows are chosen. A weight
            of 0 makes a row as if absent.

        Returns
        -------
        X_resampled, y_resampled
            The rows `sample_indices_` of X and y, in containers of the same type.
        """
        self.fit(X, y, sample_weight)
        if isinstance(sample_weight, CarriedWeights):
            sample_weight.follow(self)
        return take_rows(X, self.sample_indices_), take_rows(y, self.sample_indices_)

    def carry(self, sample_weight: Any = None) -> np.ndarray:
        """Weights of the rows kept, from weights of all rows that were given to `fit`.

        Parameters
        ----------
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, not negative; None means one for each.

        Returns
        -------
        ndarray of shape (n_medoids,), float64
            Weights of the rows `sample_indices_`: their own or, with ``weights="cluster"``, the
            total of the rows that each stands for.
        """
        check_is_fitted(self, "medoid_indices_")
        weight = validate_sample_weight(sample_weight, self._n_rows)
        if self.weights == "uniform":
            return weight[self.sample_indices_]
        covered = self.labels_ >= 0
        n_medoids = len(self.medoid_indices_)
        totals = np.bincount(self.labels_[covered], weight[covered], minlength=n_medoids)
        return totals[np.argsort(self.medoid_indices_)]

    def __sklearn_tags__(self) -> Tags:
        """Tell scikit-learn what `fit` needs."""
        tags = tag_estimator_needs(super().__sklearn_tags__(), self.estimator)
        tags.target_tags.required = True
        return tags
