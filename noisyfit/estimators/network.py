"""The base of every estimator that trains a network."""

from __future__ import annotations

import abc
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from numbers import Integral, Real
from typing import Any, ClassVar, TypeVar

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.model_selection import train_test_split
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted
from torch import nn

from noisyfit._compat import Interval, Options, StrOptions, fit_context
from noisyfit.estimators.parameters import PrefixedParameters
from noisyfit.estimators.validation import (
    as_counts,
    combine_weights,
    encode_labels,
    to_host,
    validate_device,
    validate_rows,
    validate_rows_and_labels,
    validate_sample_weight,
)
from noisyfit.noise import NoiseEstimate, label_quality
from noisyfit.training.data import LabeledRows
from noisyfit.training.network import (
    PREDICTION_BATCH_SIZE,
    PlannedNet,
    predict_logits,
    predict_probabilities,
)
from noisyfit.training.plan import EpochPlan
from noisyfit.training.rows import as_rows
from noisyfit.training.seeding import RandomState, draw_seed, isolated_seed
from noisyfit.training.settings import OPTIMIZERS, NetworkSettings

Self = TypeVar("Self", bound="NetworkClassifier")

NETWORK_PARAMETERS = """\
module : torch.nn.Module class or instance, callable, or None, default=None
        The network, giving logits of shape (n, n_classes). None is a multilayer perceptron with
        two hidden layers of 256, batch normalisation and standardised inputs, sized in `fit`
        (sparse X gets a sparse first layer). A class or function that has parameters
        ``in_features`` and ``out_features``, as ``torch.nn.Linear`` has, is given the sizes;
        its other arguments are set as ``module__<name>``. An instance is copied, so its weights
        are where training starts.
    max_epochs : int, default=40
        Passes over the training rows; the fitted network is that of the last epoch.
    lr : float, default=1e-3
        Learning rate of the optimizer.
    lr_schedule : {"cosine", "constant"}, default="cosine"
        Learning rate over the epochs: falling to zero along a cosine, or unchanged.
    batch_size : int or "auto", default="auto"
        Rows of a training step; -1 puts all rows in one step. "auto" is 128, or less for small
        data, a fortieth of the rows, so that an epoch has some 40 steps; at least 16.
    optimizer : {"adam", "adamw", "sgd"} or torch.optim.Optimizer class, default="adam"
        "adam" has weight decay 1e-4, "adamw" 1e-2, "sgd" 5e-4 and momentum 0.9; change them
        with ``optimizer__<name>``. A class comes with torch's own defaults.
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes, multiplied with `sample_weight`.
    validation_fraction : float or None, default=None
        Share of the rows, stratified by class, that is not trained on; their loss and accuracy
        (under the given labels) are recorded in `history_` for early stopping.
    warm_start : bool, default=False
        Whether `fit` goes on from the current weights instead of starting anew.
    callbacks : list or None, default=None
        skorch callbacks, as instances or (name, instance) pairs.
    dtype : {"float32", "float64"}, default="float32"
        Precision of the network; X is converted to it.
    device : str or torch.device, default="cpu"
        Where to train and predict: "cpu", "cuda", "cuda:1", "mps".
    random_state : int, RandomState instance or None, default=None
        Source of initial weights, order of rows and all else random; an int makes fits
        reproducible. The global generators are left as they were.
    verbose : int, default=0
        1 prints a line per epoch.
    **prefixed : keywords
        Options by prefix: ``module__*``, ``optimizer__*``, ``callbacks__*``,
        ``iterator_train__*`` and ``iterator_valid__*`` (options of a torch DataLoader)."""

NETWORK_ATTRIBUTES = """\
classes_ : ndarray of shape (n_classes,)
        The labels, sorted.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, where X had string column names.
    n_iter_ : int
        Number of epochs run.
    history_ : skorch.history.History
        One record per epoch: losses, phase, number of rows, duration.
    net_ : skorch.NeuralNet
        The fitted net; the network itself is ``net_.module_``.
    label_quality_ : ndarray of shape (n_samples,)
        How far each row's given label is to be trusted, from 0 (surely wrong) to 1; set by `fit`.
    transduction_ : ndarray of shape (n_samples,)
        The label believed to be right for each training row; set by `fit`.
    noise_rate_ : float
        Estimated share of wrong labels; set by `fit`.
    transition_matrix_ : ndarray of shape (n_classes, n_classes)
        Estimated probabilities of the given label (columns) for each true label (rows)."""


def document_network(cls: type) -> type:
    """Put the shared parameters and attributes into a class docstring."""
    assert cls.__doc__ is not None
    cls.__doc__ = cls.__doc__.replace("{network_parameters}", NETWORK_PARAMETERS).replace(
        "{network_attributes}", NETWORK_ATTRIBUTES
    )
    return cls


class NetworkClassifier(PrefixedParameters, ClassifierMixin, BaseEstimator, abc.ABC):
    """Validates, trains on planned epochs and predicts; a subclass says how to train.

    A subclass implements `_criterion`, `_train` (a whole fit) and `_train_once` (one epoch, for
    `partial_fit`).
    """

    classes_: np.ndarray
    net_: PlannedNet

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "module": [callable, type(None)],
        "max_epochs": [Interval(Integral, 1, None, closed="left")],
        "lr": [Interval(Real, 0, None, closed="neither")],
        "lr_schedule": [StrOptions({"cosine", "constant"})],
        "batch_size": [
            Interval(Integral, 1, None, closed="left"),
            Options(Integral, {-1}),
            StrOptions({"auto"}),
        ],
        "optimizer": [StrOptions(set(OPTIMIZERS)), callable],
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither"), None],
        "warm_start": ["boolean"],
        "callbacks": [list, tuple, None],
        "dtype": [StrOptions({"float32", "float64"})],
        "device": [str, torch.device],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        *,
        module: Any = None,
        max_epochs: int = 40,
        lr: float = 1e-3,
        lr_schedule: str = "cosine",
        batch_size: int | str = "auto",
        optimizer: Any = "adam",
        class_weight: Any = None,
        validation_fraction: float | None = None,
        warm_start: bool = False,
        callbacks: Any = None,
        dtype: str = "float32",
        device: Any = "cpu",
        random_state: RandomState = None,
        verbose: int = 0,
        **prefixed: Any,
    ) -> None:
        self.module = module
        self.max_epochs = max_epochs
        self.lr = lr
        self.lr_schedule = lr_schedule
        self.batch_size = batch_size
        self.optimizer = optimizer
        self.class_weight = class_weight
        self.validation_fraction = validation_fraction
        self.warm_start = warm_start
        self.callbacks = callbacks
        self.dtype = dtype
        self.device = device
        self.random_state = random_state
        self.verbose = verbose
        self._set_prefixed(prefixed)

    # ------------------------------------------------------------------ what a method supplies

    @abc.abstractmethod
    def _criterion(self) -> nn.Module:
        """The loss, one value per row."""

    @abc.abstractmethod
    def _train(self, data: LabeledRows, settings: NetworkSettings, seed: int, fresh: bool) -> None:
        """Train for ``max_epochs`` and set the method's fitted attributes."""

    @abc.abstractmethod
    def _train_once(self, data: LabeledRows, settings: NetworkSettings, seed: int) -> None:
        """Train one epoch on the rows of one call of `partial_fit`."""

    # ------------------------------------------------------------------------------- training

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self: Self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train on rows whose labels may be wrong.

        Parameters
        ----------
        X : array-like, sparse matrix, DataFrame or tensor of shape (n_samples, n_features)
            The rows; arrays of more dimensions (images) go to the module as they are.
        y : array-like of shape (n_samples,)
            The given labels, of any type.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, not negative. A weight of 0 leaves a row out of training.

        Returns
        -------
        self
            The fitted estimator.
        """
        fresh = not (self.warm_start and hasattr(self, "net_"))
        X, y = validate_rows_and_labels(self, X, y, dtype=self.dtype, reset=fresh)
        codes, classes = encode_labels(y, None if fresh else self.classes_)
        weights = validate_sample_weight(sample_weight, len(y))
        data, settings, seed = self._prepare(X, y, codes, classes, weights)
        with isolated_seed(seed, settings.device), self._undone_on_error():
            self.classes_ = classes
            self._train(data, settings, seed, fresh)
        return self

    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self: Self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None
    ) -> Self:
        """Train one epoch on a part of the data, going on from the current weights.

        The learning rate stays constant, since nobody knows how many calls are to come.

        Parameters
        ----------
        X : array-like, sparse matrix, DataFrame or tensor of shape (n_samples, n_features)
            Some rows.
        y : array-like of shape (n_samples,)
            Their given labels.
        classes : array-like of shape (n_classes,), default=None
            All labels that will ever occur; needed in the first call unless y has them all.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, not negative.

        Returns
        -------
        self
            The estimator.
        """
        fresh = not hasattr(self, "net_")
        X, y = validate_rows_and_labels(self, X, y, dtype=self.dtype, reset=fresh)
        known = None if classes is None else np.unique(to_host(classes))
        if not fresh:
            if known is not None and not np.array_equal(known, self.classes_):
                raise ValueError(
                    f"classes={known.tolist()!r} differs from the classes of the first call "
                    f"({self.classes_.tolist()!r}); pass the same, or nothing."
                )
            known = self.classes_
        codes, all_classes = encode_labels(y, known)
        weights = validate_sample_weight(sample_weight, len(y))
        data, settings, seed = self._prepare(
            X, y, codes, all_classes, weights, one_class_will_do=True
        )
        with isolated_seed(seed, settings.device), self._undone_on_error():
            self.classes_ = all_classes
            self._train_once(data, settings, seed)
        return self

    @contextmanager
    def _undone_on_error(self) -> Iterator[None]:
        """Leave the attributes as they were when training fails: no half-fitted estimator."""
        before = self.__dict__.copy()
        try:
            yield
        except Exception:
            self.__dict__.clear()
            self.__dict__.update(before)
            raise

    def _prepare(
        self,
        X: Any,
        y: np.ndarray,
        codes: np.ndarray,
        classes: np.ndarray,
        sample_weight: np.ndarray,
        *,
        one_class_will_do: bool = False,
    ) -> tuple[LabeledRows, NetworkSettings, int]:
        """Everything a training run needs, checked."""
        device = validate_device(self.device)
        weights = combine_weights(sample_weight, self.class_weight, y, classes)
        n_present = len(np.unique(codes[weights > 0]))
        if n_present < 2 and not one_class_will_do:
            raise ValueError(
                f"Rows of positive sample_weight hold {n_present} class(es) only; a classifier "
                "needs rows of at least two classes."
            )
        seed = draw_seed(self.random_state)
        data = LabeledRows(
            as_rows(X, device),
            codes,
            weights,
            as_counts(sample_weight),
            len(classes),
            None if one_class_will_do else self._hold_out(codes, weights, seed),
        )
        settings = NetworkSettings(
            module=self.module,
            optimizer=self.optimizer,
            lr=self.lr,
            lr_schedule=self.lr_schedule,
            batch_size=self._batch_size(len(data.used)),
            device=device,
            dtype=getattr(torch, self.dtype),
            verbose=self.verbose,
            callbacks=list(self.callbacks or []),
            module_options=self._prefixed_options("module"),
            optimizer_options=self._prefixed_options("optimizer"),
            net_options={
                f"{prefix}__{name}": value
                for prefix in ("callbacks", "iterator_train", "iterator_valid")
                for name, value in self._prefixed_options(prefix).items()
            },
        )
        return data, settings, seed

    def _batch_size(self, n_rows: int) -> int:
        if self.batch_size == "auto":
            return min(128, max(16, n_rows // 40))
        return int(self.batch_size)

    def _hold_out(self, codes: np.ndarray, weights: np.ndarray, seed: int) -> np.ndarray | None:
        if self.validation_fraction is None:
            return None
        used = np.flatnonzero(weights > 0)
        counts = np.bincount(codes[used])
        if counts[counts > 0].min() < 2:
            raise ValueError(
                f"validation_fraction={self.validation_fraction} needs at least two rows of each "
                "class, to have one on either side; leave it None or drop the rare classes."
            )
        _, held_out = train_test_split(
            used, test_size=self.validation_fraction, stratify=codes[used], random_state=seed
        )
        return np.sort(held_out)

    def _build(
        self,
        data: LabeledRows,
        settings: NetworkSettings,
        n_epochs: int,
        extra_callbacks: list[tuple[str, Any]] | None = None,
    ) -> PlannedNet:
        """A fresh net as ``net_``, checked to give logits of the right shape."""
        self.net_ = settings.build(data, self._criterion(), n_epochs, extra_callbacks)
        logits = predict_logits(self.net_.module_, data.rows, data.used[:2])
        if logits.shape[1:] != (data.n_classes,):
            raise ValueError(
                f"module gives an output of shape {tuple(logits.shape)} for two rows; it must "
                f"give one logit for each of the {data.n_classes} classes."
            )
        return self.net_

    def _run(self, data: LabeledRows, plans: Iterable[EpochPlan]) -> None:
        """Run the planned epochs on ``net_``, from the full learning rate."""
        validation = None
        if data.validation is not None:
            held_out = data.validation
            validation = EpochPlan(held_out, data.codes[held_out], data.weights[held_out])
        # A schedule of an earlier fit has left its last learning rate in the optimizer.
        self.net_.set_params(lr=self.lr)
        self.net_.train(data.rows, plans, validation)
        self.history_ = self.net_.history
        self.n_iter_ = len(self.history_)

    def _report_rows(
        self,
        data: LabeledRows,
        probabilities: np.ndarray,
        noise: NoiseEstimate,
        trusted: np.ndarray | None = None,
    ) -> None:
        """Set what the fit says about its rows, from probabilities (n_samples, n_classes).

        The believed label is the most probable one, or the given one where ``trusted``.
        """
        believed = probabilities.argmax(axis=1)
        if trusted is not None:
            believed = np.where(trusted, data.codes, believed)
        self.transduction_ = self.classes_[believed]
        self.label_quality_ = label_quality(probabilities, data.codes)
        self.noise_rate_ = noise.rate
        self.transition_matrix_ = noise.transition_matrix

    # ----------------------------------------------------------------------------- prediction

    def predict_proba(self, X: Any) -> np.ndarray:
        """Class probabilities.

        Parameters
        ----------
        X : array-like, sparse matrix, DataFrame or tensor of shape (n_samples, n_features)
            The rows.

        Returns
        -------
        ndarray of shape (n_samples, n_classes), float64
            Probabilities, in the order of `classes_`. A row's probabilities don't depend on
            the rows that it is predicted with.
        """
        check_is_fitted(self, "net_")
        X = validate_rows(self, X, dtype=self.dtype, reset=False)
        rows = as_rows(X, torch.device(self.net_.device))
        size = self._prefixed_options("iterator_valid").get("batch_size", PREDICTION_BATCH_SIZE)
        return predict_probabilities(self.net_.module_, rows, batch_size=size)

    def predict(self, X: Any) -> np.ndarray:
        """Most probable label of each row.

        Parameters
        ----------
        X : array-like, sparse matrix, DataFrame or tensor of shape (n_samples, n_features)
            The rows.

        Returns
        -------
        ndarray of shape (n_samples,)
            Labels, of the type they had in `fit`.
        """
        probabilities = self.predict_proba(X)
        return self.classes_[probabilities.argmax(axis=1)]

    def __sklearn_tags__(self) -> Tags:
        """Tell scikit-learn that sparse input is welcome."""
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


__all__ = ["NetworkClassifier", "document_network"]
