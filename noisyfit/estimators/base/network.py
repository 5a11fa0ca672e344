"""The base of every estimator that trains a network."""

from __future__ import annotations

import abc
import os
from collections.abc import Callable, Iterable, Mapping
from numbers import Integral, Real
from typing import Any, ClassVar, TypeVar

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.model_selection import train_test_split
from sklearn.utils import Tags
from torch import nn

from noisyfit._compat import (
    CallbackSupportMixin,
    HasMethods,
    Interval,
    Options,
    StrOptions,
    fit_context,
)
from noisyfit.estimators.base.atomic import FitInterrupted, all_or_nothing
from noisyfit.estimators.base.containers import row_index
from noisyfit.estimators.base.parameters import PrefixedParameters
from noisyfit.estimators.base.prediction import NetworkPrediction
from noisyfit.estimators.base.resuming import begin_progress
from noisyfit.estimators.base.row_reports import RowReports
from noisyfit.estimators.base.tasks import FitTask
from noisyfit.estimators.base.validation import (
    as_counts,
    check_dtype,
    combine_weights,
    encode_labels,
    shape_of_a_row,
    validate_autocast,
    validate_callbacks,
    validate_compile,
    validate_device,
    validate_rows_and_labels,
    validate_sample_weight,
)
from noisyfit.training.checkpoint import NO_PROGRESS, NetState, Part, Progress
from noisyfit.training.checks import check_batch_size, check_lr_schedule
from noisyfit.training.compiling import COMPILE_MODES
from noisyfit.training.data import LabeledRows
from noisyfit.training.distributed import ALONE, Processes, processes_of
from noisyfit.training.divergence import DivergenceError
from noisyfit.training.network import PlannedNet
from noisyfit.training.plan import EpochPlan
from noisyfit.training.projection import principal_directions
from noisyfit.training.rows import are_images
from noisyfit.training.schedule import CosineSchedule, StepSchedule
from noisyfit.training.seeding import RandomState, isolated_seed
from noisyfit.training.settings import OPTIMIZERS, NetworkSettings

Self = TypeVar("Self", bound="NetworkClassifier")


class NetworkClassifier(
    CallbackSupportMixin,
    PrefixedParameters,
    NetworkPrediction,
    RowReports,
    ClassifierMixin,
    BaseEstimator,
    abc.ABC,
):
    """Validates, trains on planned epochs and predicts; a subclass says how to train.

    A subclass implements `_train`.
    """

    classes_: np.ndarray
    net_: PlannedNet
    # In `fit` only:
    _fit_task: FitTask | None = None
    _progress: Progress = NO_PROGRESS

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "module": [callable, type(None)],
        "max_epochs": [Interval(Integral, 1, None, closed="left")],
        "lr": [Interval(Real, 0, None, closed="neither")],
        "lr_schedule": [StrOptions({"cosine", "constant"}), dict],
        "batch_size": [
            Interval(Integral, 1, None, closed="left"),
            Options(Integral, {-1}),
            StrOptions({"auto"}),
        ],
        "optimizer": [StrOptions(set(OPTIMIZERS)), callable],
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "train_transform": [callable, None],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither"), None],
        "warm_start": ["boolean"],
        "callbacks": [list, tuple, None],
        "checkpoint": [str, os.PathLike, None],
        "dtype": [StrOptions({"float32", "float64"})],
        "autocast": [StrOptions({"bfloat16", "float16"}), None],
        "memory_format": [StrOptions({"channels_last"}), None],
        "compile": ["boolean", StrOptions(COMPILE_MODES)],
        "device": [str, torch.device],
        "accelerator": [HasMethods(["gather", "prepare"]), None],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        *,
        module: Any = None,
        max_epochs: int = 40,
        lr: float = 1e-3,
        lr_schedule: str | dict[int, float] = "cosine",
        batch_size: int | str = "auto",
        optimizer: Any = "adam",
        class_weight: Any = None,
        train_transform: Any = None,
        validation_fraction: Any = None,
        warm_start: bool = False,
        callbacks: Any = None,
        checkpoint: Any = None,
        dtype: str = "float32",
        autocast: str | None = None,
        memory_format: str | None = None,
        compile: bool | str = False,
        device: Any = "cpu",
        accelerator: Any = None,
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
        self.train_transform = train_transform
        self.validation_fraction = validation_fraction
        self.warm_start = warm_start
        self.callbacks = callbacks
        self.checkpoint = checkpoint
        self.dtype = dtype
        self.autocast = autocast
        self.memory_format = memory_format
        self.compile = compile
        self.device = device
        self.accelerator = accelerator
        self.random_state = random_state
        self.verbose = verbose
        self._set_prefixed(prefixed)

    @abc.abstractmethod
    def _train(self, data: LabeledRows, settings: NetworkSettings, seed: int, fresh: bool) -> None:
        """Train by the method, on a fresh network or the present one; set what the fit tells."""

    def _n_planned_epochs(self) -> int:
        """Epochs of a fit in all its phases, those of helper networks not counted."""
        return self.max_epochs

    # ------------------------------------------------------------------------------- training

    @all_or_nothing
    @fit_context(prefer_skip_nested_validation=True)
    def fit(self: Self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Train on rows whose labels may be wrong.

        Parameters
        ----------
        X : array-like, sparse matrix, DataFrame, tensor, dict or Dataset of (n_samples, n_features)
            The rows. Images of bytes (uint8), of shape (n, height, width, channels) or with the
            channels second or absent, become numbers from 0 to 1 with the channels second; other
            arrays of more dimensions go to the module as they are. Of a dict (each value an array
            with one entry per row) the keys are keywords of the module's forward. Items of a torch
            ``Dataset`` (map-style) are x or (x, y) and are fetched batch by batch.
        y : array-like of shape (n_samples,), default=None
            The given labels, of any type. None takes those of a ``Dataset``.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, not negative. A weight of 0 leaves a row out of training.

        Returns
        -------
        self
            The fitted estimator.
        """
        y = self._labels(X, y)
        processes = processes_of(self.accelerator)
        self._fit_task = FitTask(self, X, y, sample_weight, self._n_planned_epochs(), processes)
        fresh = not (self.warm_start and self.__sklearn_is_fitted__())
        index = row_index(X, y)
        X, y = self._validate(X, y, fresh=fresh)
        codes, classes = encode_labels(y, None if fresh else self.classes_)
        weights = validate_sample_weight(sample_weight, len(y))
        if fresh:
            # Any other module is given sparse rows as they are.
            self.projection_ = None
            if self.module is None:
                self.projection_ = processes.on_main(lambda: principal_directions(X, weights))
        device = processes.device or validate_device(self.device)
        progress = begin_progress(
            self, X, codes, classes, weights, device, processes=processes, fresh=fresh
        )
        try:
            data, settings = self._prepare(
                X, y, codes, classes, weights, progress.seed, index=index, processes=processes
            )
            self.classes_ = classes
            self._progress = progress
            with isolated_seed(progress.seed, device):
                self._train(data, settings, progress.seed, fresh)
            self._end_fit(self._fit_task)
            progress.finish()
        finally:
            progress.close()
        return self

    def _end_fit(self, task: FitTask) -> None:
        self.interrupted_ = task.interrupted
        task.end()
        del self._fit_task, self._progress
        if self.interrupted_:
            again = " Fit again, on the same data, to go on." if self.checkpoint else ""
            raise FitInterrupted(
                f"{type(self).__name__}.fit was interrupted. The estimator can be used as it was "
                f"after {self.n_iter_} epochs; its attribute interrupted_ is True.{again}"
            )

    def _validate(self, X: Any, y: Any, *, fresh: bool) -> tuple[Any, np.ndarray]:
        """Rows and labels, checked against those of an earlier fit that is to be continued."""
        X, y = validate_rows_and_labels(
            self,
            X,
            y,
            dtype=self.dtype,
            reset=fresh,
            loader_options=self._loader_options(),
        )
        if fresh:
            self._row_shape, self._rows_are_bytes = shape_of_a_row(X), are_images(X)
            return X, y
        self._check_row_shape(X)
        in_training = {
            "dtype": (getattr(torch, self.dtype), self.net_.dtype),
            "autocast": (self.autocast and getattr(torch, self.autocast), self.net_.autocast),
            "memory_format": (self.memory_format, self.net_.memory_format),
        }
        for name, (wanted, found) in in_training.items():
            if wanted != found:
                raise ValueError(
                    f"{name}={getattr(self, name)!r} differs from that of the network in training "
                    f"({found}); fit anew with warm_start=False."
                )
        return X, y

    def _prepare(
        self,
        X: Any,
        y: np.ndarray,
        codes: np.ndarray,
        classes: np.ndarray,
        sample_weight: np.ndarray,
        seed: int,
        *,
        index: Any = None,
        processes: Processes = ALONE,
        one_class_will_do: bool = False,
    ) -> tuple[LabeledRows, NetworkSettings]:
        """Everything a training run needs, checked."""
        device = processes.device or validate_device(self.device)
        check_dtype(self.dtype, device)
        autocast = validate_autocast(self.autocast, self.dtype, device)
        weights = combine_weights(sample_weight, self.class_weight, y, classes)
        n_present = len(np.unique(codes[weights > 0]))
        if n_present == 0:
            raise ValueError(
                f"class_weight={self.class_weight!r} gives every row a weight of zero; at least "
                "one row must count."
            )
        if n_present < 2 and not one_class_will_do:
            raise ValueError(
                f"Rows of positive weight (sample_weight times class_weight) hold {n_present} "
                "class(es) only; a classifier needs rows of at least two classes."
            )
        rows = self._as_rows(X, device, getattr(torch, self.dtype), autocast)
        rows.processes = processes
        data = LabeledRows(
            rows,
            codes,
            weights,
            as_counts(sample_weight),
            len(classes),
            None if one_class_will_do else self._hold_out(codes, weights, seed),
            index,
        )
        for prefix in ("iterator_train", "iterator_valid"):
            size = self._prefixed_options(prefix).get("batch_size", -1)
            check_batch_size(size, f"{prefix}__batch_size", len(codes))
        batch_size = self._prefixed_options("iterator_train").get("batch_size", self.batch_size)
        settings = NetworkSettings(
            module=self.module,
            optimizer=self.optimizer,
            lr=self.lr,
            lr_schedule=check_lr_schedule(self.lr_schedule),
            batch_size=self._batch_size(len(data.used)),
            device=device,
            dtype=getattr(torch, self.dtype),
            autocast=autocast,
            memory_format=self.memory_format,
            compile_mode=validate_compile(self.compile, rows, batch_size),
            transform=self.train_transform,
            verbose=self.verbose if processes.is_main else 0,
            callbacks=validate_callbacks(self.callbacks),
            module_options=self._prefixed_options("module"),
            optimizer_options=self._prefixed_options("optimizer"),
            net_options={
                f"{prefix}__{name}": value
                for prefix in ("callbacks", "iterator_train", "iterator_valid")
                for name, value in self._prefixed_options(prefix).items()
            },
        )
        return data, settings

    def _batch_size(self, n_rows: int) -> int:
        if self.batch_size == "auto":
            return min(128, max(16, n_rows // 40))
        return int(self.batch_size)

    def _validation_share(self, n_rows_of_classes: np.ndarray) -> float | None:
        """Share of the rows to hold out, or None."""
        return self.validation_fraction

    def _hold_out(self, codes: np.ndarray, weights: np.ndarray, seed: int) -> np.ndarray | None:
        used = np.flatnonzero(weights > 0)
        counts = np.bincount(codes[used])
        share = self._validation_share(counts[counts > 0])
        if share is None:
            return None
        if counts[counts > 0].min() < 2:
            raise ValueError(
                f"validation_fraction={self.validation_fraction} needs at least two rows of each "
                "class, to have one on either side; leave it None or drop the rare classes."
            )
        try:
            _, held_out = train_test_split(
                used, test_size=share, stratify=codes[used], random_state=seed
            )
        except ValueError as error:
            raise ValueError(
                f"validation_fraction={self.validation_fraction} of {len(used)} rows leaves one "
                f"side without a row of each class; choose another share, or None ({error})."
            ) from error
        return np.sort(held_out)

    def _start(
        self,
        data: LabeledRows,
        settings: NetworkSettings,
        criterion: nn.Module,
        fresh: bool = True,
        **options: Any,
    ) -> None:
        """Have ``net_`` train on ``criterion`` from now on, as a new net where ``fresh``.

        ``options`` are those of `NetworkSettings.build`.
        """
        if fresh:
            self.net_ = settings.build(data, criterion, self.max_epochs, **options)
        else:
            self.net_.criterion_ = settings.on_device(criterion)

    def _run(
        self,
        data: LabeledRows,
        plans: Callable[[range], Iterable[EpochPlan]],
        n_epochs: int | None = None,
        lr: float | None = None,
        *,
        name: str = "training",
        parts: Mapping[str, Part] | None = None,
    ) -> None:
        """Run the planned epochs on ``net_``, with a schedule of its own from the full rate.

        ``plans`` gives the plans of the epochs of a range; all that changes in them, beside the
        net, are ``parts``. ``n_epochs`` and ``lr`` are those of the estimator unless a phase, by
        its ``name``, has others. Once Ctrl-C or a callback of scikit-learn has asked to stop, no
        further phase is run.
        """
        task = self._fit_task
        if task is not None and task.stopped:
            return
        n_epochs = self.max_epochs if n_epochs is None else n_epochs
        watched: dict[str, Part] = {} if task is None else {"task": task}
        kept = {"net": NetState(self.net_), **watched, **(parts or {})}
        run = self._progress.run(name, n_epochs, kept)
        if run.is_past:
            return
        # A schedule of an earlier fit has left its last learning rate in the optimizer.
        self.net_.set_params(lr=self.lr if lr is None else lr)
        for group in self.net_.optimizer_.param_groups:
            group["initial_lr"] = group["lr"]  # which torch's schedulers go by
        for _, callback in self.net_.callbacks_:
            if isinstance(callback, CosineSchedule):
                callback.n_epochs = n_epochs
            elif isinstance(callback, StepSchedule):
                callback.active = lr is None
        try:
            self.net_.train(data.rows, plans(run.remaining()), data.validation_plan(), task, run)
        except DivergenceError:  # a plan can find it out as well as the net
            self.net_.diverged_ = True
            raise
        except KeyboardInterrupt:
            if (
                task is None
                or data.rows.processes.are_many  # which wait for this one
                or not self.net_.forget_unfinished_epoch()
            ):
                raise  # there is nothing to use yet
            task.interrupt()
            self.net_.wind_up(data.rows)
        self.history_ = self.net_.history
        self.n_iter_ = len(self.history_)

    def __getstate__(self) -> dict[str, Any]:
        """Leave the accelerator behind, which belongs to the process that it was made in."""
        return {**super().__getstate__(), "accelerator": None}

    def __sklearn_is_fitted__(self) -> bool:
        """Say whether there is a network to predict with."""
        net = getattr(self, "net_", None)
        return net is not None and not net.diverged_

    def __sklearn_tags__(self) -> Tags:
        """Tell scikit-learn that sparse input is welcome."""
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
