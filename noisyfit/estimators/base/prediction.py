"""What an estimator with a network does with rows: make batches of them, and predict."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted

from noisyfit.estimators.base.datasets import is_dataset, labels_of
from noisyfit.estimators.base.validation import shape_of_a_row, validate_rows
from noisyfit.training.checks import check_batch_size, check_loader_options
from noisyfit.training.network import PlannedNet
from noisyfit.training.predictions import PREDICTION_BATCH_SIZE, joined, probability_blocks
from noisyfit.training.projection import project
from noisyfit.training.rows import Rows, are_images, as_rows
from noisyfit.training.surroundings import plain_torch


class NetworkPrediction:
    """Predicts with ``net_``, for rows like those that it was fitted on."""

    module: Any
    classes_: np.ndarray
    net_: PlannedNet
    projection_: Any
    _row_shape: Any
    _rows_are_bytes: bool
    _prefixed_options: Callable[[str], dict[str, Any]]  # of `PrefixedParameters`

    def _labels(self, X: Any, y: Any) -> Any:
        """The labels as given, or else those that a torch data set holds."""
        return labels_of(X, self._loader_options()) if y is None and is_dataset(X) else y

    def _loader_options(self) -> dict[str, Any]:
        """How to fetch the items of a data set outside of training steps."""
        for prefix in ("iterator_valid", "iterator_train"):
            options = self._prefixed_options(prefix)
            check_loader_options(prefix, options)
            options = {k: v for k, v in options.items() if k not in ("batch_size", "shuffle")}
            if options:
                return options
        return {}

    def _projected(self, X: Any) -> Any:
        return X if self.projection_ is None else project(X, self.projection_)

    def _check_row_shape(self, X: Any) -> None:
        shape = shape_of_a_row(X)
        if shape != self._row_shape:
            raise ValueError(
                f"X has rows of shape {shape}, but {type(self).__name__} is expecting "
                f"{self._row_shape} as in fit."
            )
        if are_images(X) != self._rows_are_bytes:
            kinds = ("bytes (uint8, 0 to 255)", "numbers of another type")
            given, fitted = kinds if are_images(X) else kinds[::-1]
            raise ValueError(
                f"X holds {given}, but {type(self).__name__} was fitted on images of {fitted}; "
                "give images of the same type."
            )

    def _as_rows(
        self, X: Any, device: torch.device, dtype: torch.dtype, autocast: torch.dtype | None
    ) -> Rows:
        X = self._projected(X)
        return as_rows(X, device, dtype, autocast, by_default=self.module is None)

    def _rows_to_predict(self, X: Any) -> Rows:
        """Rows like those of `fit`."""
        check_is_fitted(self)
        dtype = str(self.net_.dtype).removeprefix("torch.")
        X = validate_rows(self, X, dtype=dtype, reset=False, loader_options=self._loader_options())
        self._check_row_shape(X)
        net = self.net_
        return self._as_rows(X, torch.device(net.device), net.dtype, net.autocast)

    def _probability_blocks(self, rows: Rows) -> Iterator[np.ndarray]:
        """Class probabilities of rows in order, some thousand of them at a time."""
        size = self._prefixed_options("iterator_valid").get("batch_size", PREDICTION_BATCH_SIZE)
        size = check_batch_size(size, "iterator_valid__batch_size", len(rows))
        n_before = 0
        for block in probability_blocks(self.net_.module_, rows, batch_size=size):
            finite = np.isfinite(block).all(axis=1)
            if not finite.all():
                raise ValueError(
                    f"The logits of row {n_before + int(finite.argmin())} of X are not finite: its "
                    "values are too large for the network; scale X."
                )
            n_before += len(block)
            yield block

    def predict_proba(self, X: Any) -> np.ndarray:
        """Class probabilities.

        Parameters
        ----------
        X : array-like, sparse matrix, DataFrame, tensor, dict or Dataset of (n_samples, n_features)
            The rows.

        Returns
        -------
        ndarray of shape (n_samples, n_classes), float64
            Probabilities, in the order of `classes_`. Beyond rounding, and not even in that with
            the default network, a row's probabilities don't depend on the rows predicted with it.
        """
        rows = self._rows_to_predict(X)
        with plain_torch(rows.device):
            return joined(self._probability_blocks(rows), len(rows))

    def predict(self, X: Any) -> np.ndarray:
        """Most probable label of each row.

        Parameters
        ----------
        X : array-like, sparse matrix, DataFrame, tensor, dict or Dataset of (n_samples, n_features)
            The rows.

        Returns
        -------
        ndarray of shape (n_samples,)
            Labels, of the type they had in `fit`.
        """
        rows = self._rows_to_predict(X)
        with plain_torch(rows.device):
            codes = [block.argmax(axis=1) for block in self._probability_blocks(rows)]
        return self.classes_[np.concatenate(codes)]

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Share of the rows whose most probable label is the given one.

        Parameters
        ----------
        X : array-like, sparse matrix, DataFrame, tensor, dict or Dataset of (n_samples, n_features)
            The rows.
        y : array-like of shape (n_samples,), default=None
            Their labels. None takes those of a ``Dataset``.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.

        Returns
        -------
        float
            The accuracy.
        """
        y = self._labels(X, y)
        if y is None:
            raise ValueError("y is None and X holds no labels: pass the labels of the rows.")
        accuracy: float = super().score(X, y, sample_weight)  # type: ignore[misc]
        return accuracy
