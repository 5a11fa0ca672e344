"""Estimators that can be trained on one part of the data after the other."""

from __future__ import annotations

import abc
from typing import Any, TypeVar

import numpy as np

from noisyfit._compat import fit_context
from noisyfit.estimators.base.atomic import all_or_nothing
from noisyfit.estimators.base.network import NetworkClassifier
from noisyfit.estimators.base.resuming import check_same_fit
from noisyfit.estimators.base.validation import (
    encode_labels,
    validate_classes,
    validate_sample_weight,
)
from noisyfit.training.data import LabeledRows
from noisyfit.training.distributed import processes_of
from noisyfit.training.seeding import draw_seed, isolated_seed
from noisyfit.training.settings import NetworkSettings

Self = TypeVar("Self", bound="IncrementalClassifier")


class IncrementalClassifier(NetworkClassifier):
    """Adds `partial_fit`; a subclass says what one epoch is (`_train_once`).

    Methods whose later phases need what an earlier one found out about all rows have none.
    """

    @abc.abstractmethod
    def _train_once(
        self, data: LabeledRows, settings: NetworkSettings, seed: int, fresh: bool
    ) -> None:
        """Train one epoch on the rows of one call of `partial_fit`."""

    @all_or_nothing
    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self: Self, X: Any, y: Any = None, classes: Any = None, sample_weight: Any = None
    ) -> Self:
        """Train one epoch on a part of the data, going on from the current weights.

        The learning rate stays constant, since nobody knows how many calls are to come.

        Parameters
        ----------
        X : array-like, sparse matrix, DataFrame, tensor, dict or Dataset of (n_samples, n_features)
            Some rows.
        y : array-like of shape (n_samples,), default=None
            Their given labels. None takes those of a ``Dataset``.
        classes : array-like of shape (n_classes,), default=None
            All labels that will ever occur; needed in the first call unless y has them all.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, not negative.

        Returns
        -------
        self
            The estimator.
        """
        fresh = not self.__sklearn_is_fitted__()
        X, y = self._validate(X, self._labels(X, y), fresh=fresh)
        known = None if classes is None else validate_classes(classes)
        if not fresh:
            if known is not None and not np.array_equal(known, self.classes_):
                raise ValueError(
                    f"classes={known.tolist()!r} differs from the classes of the first call "
                    f"({self.classes_.tolist()!r}); pass the same, or nothing."
                )
            known = self.classes_
        if fresh:
            self.projection_ = None  # the first part of the data may be too small to tell
        codes, all_classes = encode_labels(y, known)
        weights = validate_sample_weight(sample_weight, len(y))
        processes = processes_of(self.accelerator)
        seed = processes.from_main(draw_seed(self.random_state))
        check_same_fit(self, X, codes, all_classes, weights, processes, fresh=fresh)
        data, settings = self._prepare(
            X, y, codes, all_classes, weights, seed, processes=processes, one_class_will_do=True
        )
        self.classes_ = all_classes
        with isolated_seed(seed, settings.device):
            self._train_once(data, settings, seed, fresh)
        return self
