"""What the selector, the sampler and the coreset classifier share: rows in, a coreset out."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from noisyfit._compat import HasMethods, Interval, StrOptions, take_rows
from noisyfit._precision import placed
from noisyfit.estimators.base.containers import with_index
from noisyfit.estimators.base.naming import naming
from noisyfit.estimators.base.validation import as_counts, to_host, validate_device
from noisyfit.estimators.out_of_fold import check_takes_weights, out_of_fold_probabilities
from noisyfit.noise import estimate_noise
from noisyfit.selection import (
    SELECTION_METHODS,
    Coreset,
    gradient_norms,
    logit_gradients,
)
from noisyfit.selection.trim_and_cover import TrimAndCover

SELECTION_CONSTRAINTS: dict[str, list[Any]] = {
    "trim": [StrOptions({"auto"}), Interval(Real, 0, 1, closed="left"), None],
    "selection": [StrOptions(set(SELECTION_METHODS))],
    "fraction": [Interval(Real, 0, 1, closed="right")],
    "group_by": [StrOptions({"given", "predicted"})],
    "cross_fit": [Interval(Integral, 2, None, closed="left"), None],
    "n_jobs": [Integral, None],
    "random_state": ["random_state"],
}


def with_every_class(
    coreset: Coreset, gradients: np.ndarray, codes: np.ndarray, kept: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Rows and weights of a coreset to fit a classifier on: no class may be lost.

    Medoids chosen among predicted classes can leave a given class without any. Its kept row of
    smallest gradient is then added, with a weight of one.
    """
    norms = np.where(kept, gradient_norms(gradients), np.inf)
    lost = np.setdiff1d(codes[kept], codes[coreset.indices])
    added = [int(np.argmin(np.where(codes == code, norms, np.inf))) for code in lost]
    indices = np.concatenate([coreset.indices, np.array(added, dtype=np.int64)])
    return indices, np.concatenate([coreset.weights, np.ones(len(added))])


def validate_gradients(estimator: GradientMedoids, X: Any, *, reset: bool) -> Any:
    """Rows as scikit-learn checks them; sparse ones are for a classifier inside."""
    with naming("X"):
        return validate_data(
            estimator,
            to_host(X),
            reset=reset,
            dtype=[np.float64, np.float32],
            accept_sparse="csr" if estimator.estimator is not None else False,
        )


class GradientMedoids(BaseEstimator):
    """Medoids of gradients that are given as X, or come from a classifier's predictions."""

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **SELECTION_CONSTRAINTS,
        "k": [Interval(Integral, 1, None, closed="left"), None],
        "estimator": [HasMethods(["fit", "predict_proba"]), None],
        "device": [str, torch.device],
    }

    def __init__(
        self,
        k: int | None = None,
        *,
        fraction: float = 0.5,
        selection: str = "auto",
        trim: str | float | None = None,
        estimator: Any = None,
        group_by: str = "given",
        cross_fit: int | None = 5,
        n_jobs: int | None = None,
        device: Any = "cpu",
        random_state: Any = None,
    ) -> None:
        self.k = k
        self.fraction = fraction
        self.selection = selection
        self.trim = trim
        self.estimator = estimator
        self.group_by = group_by
        self.cross_fit = cross_fit
        self.n_jobs = n_jobs
        self.device = device
        self.random_state = random_state

    def _select(
        self, X: Any, y: np.ndarray | None, sample_weight: np.ndarray | None, index: Any
    ) -> None:
        """Set the fitted attributes from validated rows, labels and weights, and the rows' index.

        Rows of weight zero are as if absent.
        """
        device = validate_device(self.device)
        n_rows = X.shape[0]
        rows, counts = np.arange(n_rows), None
        if sample_weight is not None:
            rows = np.flatnonzero(sample_weight)
            counts = as_counts(sample_weight)[rows]
            X, y = take_rows(X, rows), None if y is None else y[rows]
        rng = check_random_state(self.random_state)
        if self.estimator is None:
            self._check_needs_no_estimator()
            codes = None if y is None else np.unique(y, return_inverse=True)[1]
            gradients, groups, clean_share = X, codes, None
        else:
            if y is None:
                raise ValueError(
                    "requires y to be passed, but the target y is None: the gradients of "
                    f"estimator={self.estimator!r} need the given labels."
                )
            classes, codes = np.unique(y, return_inverse=True)
            if len(classes) < 2:
                raise ValueError("y holds one class only; estimator needs at least two classes.")
            if sample_weight is not None:
                check_takes_weights(self.estimator, "sample_weight was given")
            probabilities = out_of_fold_probabilities(
                self.estimator,
                X,
                y,
                classes,
                n_folds=self.cross_fit,
                rng=rng,
                sample_weight=None if sample_weight is None else sample_weight[rows],
                n_jobs=self.n_jobs,
            )
            gradients = logit_gradients(probabilities, codes)
            groups = probabilities.argmax(axis=1) if self.group_by == "predicted" else codes
            clean_share = estimate_noise(probabilities, codes, sample_weight=counts).clean_share
        if self.selection == "all" and self.k is not None:
            raise ValueError(
                f"k={self.k} has no meaning with selection='all', which takes every row left: "
                "set k=None or another selection."
            )
        method = TrimAndCover(self.trim, self.selection, self.fraction, self.k)
        if device.type != "cpu":
            gradients = placed(gradients, device)
        _, coreset = method.select(gradients, codes, groups, clean_share, counts, rng)
        self.medoid_indices_ = rows[coreset.indices]
        self.sample_indices_ = np.sort(self.medoid_indices_)
        self.weights_ = coreset.weights
        labels = np.full(n_rows, -1, dtype=coreset.assignment.dtype)
        labels[rows] = coreset.assignment
        self.labels_ = with_index(labels, index, "labels")
        self._n_rows = n_rows

    def _check_needs_no_estimator(self) -> None:
        for name, value in (("trim", "auto"), ("group_by", "predicted")):
            if getattr(self, name) == value:
                raise ValueError(
                    f"{name}={value!r} needs predictions: set estimator to a classifier, or "
                    f"{name} to another value."
                )

    def get_support(self, indices: bool = False) -> np.ndarray:
        """Which rows of the data given to fit are medoids.

        Parameters
        ----------
        indices : bool, default=False
            Return row numbers instead of a mask.

        Returns
        -------
        ndarray
            Mask of shape (n_samples,), or sorted row numbers of shape (n_medoids,).
        """
        check_is_fitted(self, "medoid_indices_")
        if indices:
            return self.sample_indices_
        mask = np.zeros(self._n_rows, dtype=bool)
        mask[self.sample_indices_] = True
        return mask


def tag_estimator_needs(tags: Any, estimator: Any) -> Any:
    """With a classifier inside, y is needed and sparse X is fine."""
    tags.target_tags.required = estimator is not None
    tags.input_tags.sparse = estimator is not None
    return tags
