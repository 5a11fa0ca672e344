"""What the selector, the sampler and the coreset classifier share: rows in, a coreset out."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, column_or_1d

from noisyfit._compat import HasMethods, Interval, StrOptions
from noisyfit.estimators.out_of_fold import out_of_fold_probabilities
from noisyfit.noise import NoiseEstimate, estimate_noise
from noisyfit.selection import (
    Coreset,
    gradient_norms,
    keep_smallest,
    logit_gradients,
    select_coreset,
)

SELECTION_CONSTRAINTS: dict[str, list[Any]] = {
    "trim": [StrOptions({"auto"}), Interval(Real, 0, 1, closed="left"), None],
    "selection": [StrOptions({"all", "greedy", "central", "random"})],
    "fraction": [Interval(Real, 0, 1, closed="right")],
    "group_by": [StrOptions({"given", "predicted"})],
    "cross_fit": [Interval(Integral, 2, None, closed="left"), None],
    "n_jobs": [Integral, None],
    "random_state": ["random_state"],
}


@dataclass(frozen=True)
class TrimAndCover:
    """The two steps of CRUST on given gradients: leave out the far rows, cover the others."""

    trim: str | float | None
    selection: str
    fraction: float
    k: int | None = None

    def select(
        self,
        gradients: np.ndarray,
        codes: np.ndarray | None,
        groups: np.ndarray | None,
        clean_share: np.ndarray | None,
        sample_weight: np.ndarray | None,
        rng: np.random.RandomState,
    ) -> tuple[np.ndarray, Coreset]:
        """Mask of the rows kept (n,), and the coreset chosen among them."""
        kept = np.ones(len(gradients), dtype=bool)
        if self.trim is not None:
            share = clean_share if self.trim == "auto" else 1.0 - float(self.trim)
            kept = keep_smallest(
                gradient_norms(gradients), share, codes, sample_weight=sample_weight
            )
        by_fraction = self.k is None and self.selection != "all"
        coreset = select_coreset(
            gradients,
            k=None if self.selection == "all" else self.k,
            fraction=self.fraction if by_fraction else None,
            method=self.selection,
            groups=groups,
            candidates=kept,
            sample_weight=sample_weight,
            random_state=rng,
        )
        return kept, coreset


class GradientMedoids:
    """Mixin: medoids of gradients that are given as X, or come from a classifier's predictions.

    For estimators with the parameters k, fraction, selection, trim, estimator, group_by,
    cross_fit, n_jobs and random_state.
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **SELECTION_CONSTRAINTS,
        "k": [Interval(Integral, 1, None, closed="left"), None],
        "estimator": [HasMethods(["fit", "predict_proba"]), None],
    }

    def _select(
        self,
        X: Any,
        codes: np.ndarray | None,
        rng: np.random.RandomState,
    ) -> None:
        """Set the fitted attributes from validated rows and class codes."""
        noise: NoiseEstimate | None = None
        groups = codes
        estimator = self.estimator  # type: ignore[attr-defined]
        if estimator is None:
            self._check_needs_no_estimator()
            gradients = X
        else:
            if codes is None:
                raise ValueError(
                    "requires y to be passed, but the target y is None: the gradients of "
                    f"estimator={estimator!r} need the given labels."
                )
            n_classes = int(codes.max()) + 1
            probabilities = out_of_fold_probabilities(
                estimator,
                X,
                codes,
                n_classes,
                n_folds=self.cross_fit,  # type: ignore[attr-defined]
                rng=rng,
                n_jobs=self.n_jobs,  # type: ignore[attr-defined]
            )
            gradients = logit_gradients(probabilities, codes)
            if self.trim == "auto":  # type: ignore[attr-defined]
                noise = estimate_noise(probabilities, codes)
            if self.group_by == "predicted":  # type: ignore[attr-defined]
                groups = probabilities.argmax(axis=1)
        method = TrimAndCover(self.trim, self.selection, self.fraction, self.k)  # type: ignore[attr-defined]
        share = None if noise is None else noise.clean_share
        _, coreset = method.select(gradients, codes, groups, share, None, rng)
        self.medoid_indices_ = coreset.indices
        self.sample_indices_ = np.sort(coreset.indices)
        self.weights_ = coreset.weights
        self.labels_ = coreset.assignment
        self._n_rows = len(coreset.assignment)

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
        check_is_fitted(self)
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


def encode_or_none(y: Any) -> np.ndarray | None:
    """Class codes of the labels; None stands for no labels."""
    if y is None:
        return None
    y = column_or_1d(y, warn=True)
    check_classification_targets(y)
    return np.unique(y, return_inverse=True)[1].astype(np.int64)


SELECTION_PARAMETERS = """\
k : int or None, default=None
        Number of medoids in all, shared between the groups in proportion to their rows; None
        goes by `fraction`.
    fraction : float in (0, 1], default=0.5
        Share of each group's rows (those left after trimming) that become medoids.
    selection : {"greedy", "central", "random", "all"}, default="greedy"
        "greedy" is exact greedy facility location, the CRUST paper's algorithm; "central" takes
        the rows nearest to all others, as the paper's code does; "random" takes any rows; "all"
        takes every row that is left after trimming.
    trim : "auto", float in [0, 1) or None, default=None
        Share of each class (of all rows, without y) left out first: those whose gradients are
        farthest from zero. "auto" estimates it for each class and needs `estimator`.
    estimator : scikit-learn classifier or None, default=None
        Without it the rows of X are the gradients. With it they are features, and the gradients
        are p - onehot(y) with p from clones of the estimator that did not see the row.
    group_by : {"given", "predicted"}, default="given"
        Whether medoids are chosen for each given class (without y: from all rows at once) or,
        with `estimator`, for each predicted class.
    cross_fit : int or None, default=5
        Number of folds for the estimator's predictions; None judges rows by a model that was
        fitted on them, which hides the errors that it has memorised.
    n_jobs : int or None, default=None
        Number of folds fitted at the same time, through joblib.
    random_state : int, RandomState instance or None, default=None
        Draws the folds, and the rows of ``selection="random"``."""

SELECTION_ATTRIBUTES = """\
medoid_indices_ : ndarray of shape (n_medoids,)
        Rows chosen, class by class in the order of selection.
    sample_indices_ : ndarray of shape (n_medoids,)
        The same rows, sorted.
    weights_ : ndarray of shape (n_medoids,)
        Number of the rows that each of `medoid_indices_` stands for.
    labels_ : ndarray of shape (n_samples,)
        Position in `medoid_indices_` of each row's medoid; -1 for rows trimmed away.
    n_features_in_ : int
        Number of features seen in `fit`."""


def document_selection(cls: type) -> type:
    """Put the shared parameters and attributes into a class docstring."""
    assert cls.__doc__ is not None
    cls.__doc__ = cls.__doc__.replace("{selection_parameters}", SELECTION_PARAMETERS).replace(
        "{selection_attributes}", SELECTION_ATTRIBUTES
    )
    return cls
