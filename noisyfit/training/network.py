"""The skorch net behind every network estimator: runs planned epochs, predicts from rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import numpy as np
import skorch
import torch
from skorch.callbacks import Callback, EpochTimer, PrintLog
from skorch.exceptions import SkorchException
from torch import Tensor, nn

from noisyfit.losses import CrossEntropy, DeterminantMutualInformation, RowCriterion
from noisyfit.losses.checks import values_are_known
from noisyfit.losses.expected import expected_losses
from noisyfit.training.checks import (
    check_batch_normalisation,
    check_batch_size,
    check_loader_options,
    check_row_losses,
    logits_of,
)
from noisyfit.training.compiling import CompiledModule
from noisyfit.training.distributed import ALONE, Processes
from noisyfit.training.divergence import divergence, weights_are_finite
from noisyfit.training.plan import BatchIterator, BatchTargets, EpochPlan, PlannedBatches
from noisyfit.training.predictions import PREDICTION_BATCH_SIZE, predict_logits
from noisyfit.training.rows import Features, RowForm, Rows, apply_module


class EpochWatcher(Protocol):
    """Is told of every epoch of a training run, and may end it."""

    def begin_epoch(self) -> None:
        """Take note of an epoch that begins."""

    def end_epoch(self) -> bool:
        """Take note of an epoch that is over; True asks to stop."""


class EpochKeeper(Protocol):
    """Remembers a series of epochs, so that a later process can go on with it."""

    def restore(self) -> None:
        """Put everything back into the state of an earlier process, where there was one."""

    def epoch_done(self, *, is_over: bool = False) -> None:
        """Remember an epoch; ``is_over`` says that none is to follow."""


class PlannedNet(skorch.NeuralNet):
    """A skorch net whose epochs follow an `EpochPlan` instead of a whole data set.

    skorch keeps what it is good at: optimizer, callbacks, history, parameters. Batches are cut
    from `Rows`; the criterion returns one loss per row, and a batch's loss is the weighted
    mean of them.
    """

    callbacks_: list[tuple[str, Callback]]
    stop_requested_: bool = False
    diverged_: bool = False
    plan_: EpochPlan | None
    validation_plan_: EpochPlan | None
    row_form_: RowForm  # what the network was built for
    processes_: Processes = ALONE  # those that train it together, while they do
    usual_size_: int | None = None  # of a batch, unless their sizes differ by design
    _compiled: CompiledModule | None = None

    def __init__(
        self,
        *args: Any,
        dtype: torch.dtype = torch.float32,
        autocast: torch.dtype | None = None,
        memory_format: str | None = None,
        compile_mode: str | None = None,
        transform: Callable[[Any], Any] | None = None,
        **kwargs: Any,
    ) -> None:
        self.dtype = dtype
        self.autocast = autocast
        self.memory_format = memory_format
        self.compile_mode = compile_mode
        self.transform = transform
        super().__init__(*args, **kwargs)

    def initialize_module(self, *args: Any, **kwargs: Any) -> PlannedNet:
        """Make the module, its weights in the memory format asked for."""
        super().initialize_module(*args, **kwargs)
        if self.memory_format is not None:
            self.module_.to(memory_format=getattr(torch, self.memory_format))
        return self

    def initialize_optimizer(self, *args: Any, **kwargs: Any) -> PlannedNet:
        """Make the optimizer, and what scales losses so that small gradients survive float16."""
        super().initialize_optimizer(*args, **kwargs)
        self.scaler_ = torch.amp.GradScaler(
            torch.device(self.device).type, enabled=self.autocast == torch.float16
        )
        return self

    @property
    def _default_callbacks(self) -> list[tuple[str, Any]]:
        return [("epoch_timer", EpochTimer()), ("print_log", PrintLog())]

    def train(
        self,
        rows: Rows,
        plans: Iterable[EpochPlan],
        validation: EpochPlan | None = None,
        watcher: EpochWatcher | None = None,
        keeper: EpochKeeper | None = None,
    ) -> PlannedNet:
        """Run one epoch per plan, until they end or a callback or the ``watcher`` asks to stop.

        ``plans`` may be a generator: each plan is asked for when the epoch before it is over,
        so it can depend on what the network has learned. With a ``keeper`` they are those of the
        epochs that are left to do.
        """
        self.processes_ = rows.processes
        self.validation_plan_ = validation
        self.plan_ = None
        self.stop_requested_ = False
        self.diverged_ = False
        self.notify("on_train_begin", X=rows, y=None)
        if keeper is not None:
            keeper.restore()
        for plan in plans:
            check_batch_normalisation(self.module_, len(plan), "an epoch of a single row")
            self.processes_.check_same_arrays(
                "the rows of an epoch, or their weights", (plan.rows, plan.weights)
            )
            self.plan_ = plan
            if watcher is not None:
                watcher.begin_epoch()
            self.fit_loop(rows, epochs=1)
            if watcher is not None and watcher.end_epoch():
                self.stop_requested_ = True
            self.stop_requested_ = self.processes_.any(self.stop_requested_)
            if keeper is not None:
                keeper.epoch_done(is_over=self.stop_requested_)
            if self.stop_requested_:
                break
        if self.plan_ is not None:
            self._check_finite(rows, self.plan_.rows[:PREDICTION_BATCH_SIZE])
        self.wind_up(rows)
        return self

    def wind_up(self, rows: Rows) -> None:
        """End a training run, in the middle of an epoch if need be."""
        self.module_.eval()
        self.notify("on_train_end", X=rows, y=None)
        self.plan_ = self.validation_plan_ = None  # they hold arrays as long as the data set
        self.processes_ = ALONE

    def forget_unfinished_epoch(self) -> int:
        """Drop the record of an epoch that did not come to its end; number of those that did."""
        if len(self.history) and "train_loss" not in self.history[-1]:
            del self.history[-1]
        return len(self.history)

    def _check_finite(self, rows: Rows, index: np.ndarray) -> None:
        """Raise where the very last step diverged, which no loss shows."""
        if not predict_logits(self.module_, rows, index).isfinite().all():
            self.raise_diverged("The logits are not finite")

    def raise_diverged(self, finding: str) -> None:
        """Raise for something that is not finite; there is nothing to predict with any more."""
        self.diverged_ = True  # weights are trained in place: there is nothing to go back to
        remedy = 'take autocast="bfloat16", ' if self.autocast == torch.float16 else ""
        phase = self.history[-1].get("phase", "training") if len(self.history) else "training"
        raise divergence(finding, len(self.history), phase, self.lr, remedy)

    @contextmanager
    def temporary_callback(self, name: str, callback: Callback) -> Iterator[None]:
        """Have ``callback`` called inside the block only, and not stored with the net."""
        self.callbacks_.append((name, callback.initialize()))
        try:
            yield
        finally:
            self.callbacks_ = [pair for pair in self.callbacks_ if pair[1] is not callback]

    def notify(self, method_name: str, **kwargs: Any) -> None:
        """Call the callbacks; skorch's EarlyStopping speaks by raising KeyboardInterrupt."""
        if method_name != "on_epoch_end":
            super().notify(method_name, **kwargs)
            return
        try:
            super().notify(method_name, **kwargs)
        except KeyboardInterrupt:
            self.stop_requested_ = True
        except (KeyError, SkorchException) as error:
            if "valid_" in str(error) and self.validation_plan_ is None:
                raise ValueError(
                    f"one of the callbacks needs validation rows ({error}): set "
                    "validation_fraction."
                ) from error
            raise

    def on_epoch_begin(self, net: Any, **kwargs: Any) -> None:
        """Note the phase and the number of rows in the history."""
        super().on_epoch_begin(net, **kwargs)
        assert self.plan_ is not None
        self.history.record("phase", self.plan_.phase)
        self.history.record("n_rows", len(self.plan_))

    def get_split_datasets(self, X: Rows, y: Any = None, **fit_params: Any) -> tuple[Any, Any]:
        """Batches of the plan in force and of the validation rows, if any."""
        device = torch.device(self.device)
        assert self.plan_ is not None
        train = PlannedBatches(X, self.plan_, self.dtype, device, self.transform)
        if self.validation_plan_ is None:
            return train, None
        return train, PlannedBatches(X, self.validation_plan_, self.dtype, device)

    def get_iterator(self, dataset: PlannedBatches, training: bool = False) -> BatchIterator:
        """Iterate over batches; options of a DataLoader come as ``iterator_train__*``."""
        prefix = "iterator_train" if training else "iterator_valid"
        options = dict(self.get_params_for(prefix))
        check_loader_options(prefix, options)
        size = options.pop("batch_size", self.batch_size)
        size = size if dataset.batch_size is None else dataset.batch_size
        size = check_batch_size(size, prefix + "__batch_size", len(dataset))
        shuffle = options.pop("shuffle", training)
        return BatchIterator(dataset, size, shuffle=shuffle, loader_options=options)

    def get_loss(  # noqa: D102
        self, y_pred: Tensor, y_true: BatchTargets, X: Any = None, training: bool = False
    ) -> Tensor:
        logits = logits_of(y_pred)
        if y_true.partner_codes is None:
            return self._losses(logits, y_true.labels, y_true.weights, y_true.rows, training).mean()
        assert y_true.share is not None
        own = self._losses(
            logits, y_true.labels, y_true.share * y_true.weights, y_true.rows, training
        )
        rest = (1 - y_true.share) * y_true.weights
        other = self._losses(logits, y_true.partner_codes, rest, y_true.rows, training)
        return (own + other).mean()

    def _losses(
        self, logits: Tensor, labels: Tensor, weights: Tensor, rows: Tensor, training: bool
    ) -> Tensor:
        """Weighted losses of the rows, or the one loss of a criterion of the whole batch."""
        criterion = self.criterion_
        if isinstance(criterion, DeterminantMutualInformation):
            if training:
                return criterion(logits, labels, weights)
            criterion = CrossEntropy()  # the information depends on the size of the batch
        if isinstance(criterion, RowCriterion) and not training:
            criterion = criterion.for_validation()
        if isinstance(criterion, RowCriterion) and criterion.needs_rows:
            return criterion(logits, labels, rows, weights)
        if labels.is_floating_point():
            return expected_losses(criterion, logits, labels) * weights
        if isinstance(criterion, RowCriterion):
            # It multiplies by the weights itself: some normalise over the batch by them.
            return criterion(logits, labels, weights)
        losses = criterion(logits, labels)
        check_row_losses(losses, labels)
        return losses * weights

    def predict(self, X: Any) -> np.ndarray:
        """Class codes of `Rows`, or of what skorch's scoring callbacks pass."""
        if not isinstance(X, Rows):
            return self.predict_proba(X).argmax(axis=1)
        # A block at a time: of many classes, the logits of all rows would not fit into memory.
        blocks = torch.arange(len(X)).split(PREDICTION_BATCH_SIZE)
        codes = [predict_logits(self.module_, X, block.numpy()).argmax(dim=1) for block in blocks]
        return torch.cat(codes).cpu().numpy()

    def infer(self, x: Features, **fit_params: Any) -> Any:
        """Forward pass (skorch's own would not know the sparse CSR layout)."""
        return apply_module(self._forward_for(x), x, self.autocast)

    def _forward_for(self, features: Features) -> Callable[..., Any]:
        """What computes a batch: a compiled module those of the usual size, in training."""
        if self.compile_mode is None or not self.module_.training:
            return self.module_
        some = next(iter(features.values())) if isinstance(features, dict) else features
        if len(some) != self.usual_size_:
            return self.module_
        if self._compiled is None or self._compiled.module is not self.module_:
            self._compiled = CompiledModule(self.module_, self.compile_mode)
        return self._compiled

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_compiled": None}

    def batch_output(self, features: Features, targets: BatchTargets) -> Any:
        """Output for all rows of a batch; of several processes, each has computed its share."""
        processes = self.processes_
        if not processes.are_many:
            return self.infer(features)
        n_rows = len(targets.rows)
        with processes.own_stream(), processes.whole_batch(n_rows):
            output = self.infer(features)
        return self.gather_output(output, n_rows)

    def gather_output(self, output: Any, n_rows: int) -> Any:
        """Output for all rows of a batch, from what each process has got for its share."""
        return self.processes_.gather_rows(logits_of(output), n_rows)

    def validation_step(self, batch: Any, **fit_params: Any) -> dict[str, Any]:
        """Loss and output of a batch that is not learned from."""
        self._set_training(False)
        features, targets = batch
        with torch.no_grad():
            output = self.batch_output(features, targets)
            loss = self.get_loss(output, targets, X=features, training=False)
        return {"loss": loss, "y_pred": output}

    def train_step_single(self, batch: Any, **fit_params: Any) -> dict[str, Any]:
        """Loss and gradients of a batch (those of float16 in spite of its small range)."""
        self._set_training(True)
        features, targets = batch
        output = self.batch_output(features, targets)
        loss = self.get_loss(output, targets, X=features, training=True)
        self.scaler_.scale(loss).backward()
        self.processes_.add_gradients(self.module_.parameters())
        if self.scaler_.is_enabled():
            self.scaler_.unscale_(self.optimizer_)  # callbacks see, and clip, the true ones
        return {"loss": loss, "y_pred": output}

    def _step_optimizer(self, step_fn: Callable[[], Tensor]) -> None:
        """Step, unless a gradient of float16 overflowed: then the scale is lowered instead."""
        if not self.scaler_.is_enabled():
            super()._step_optimizer(step_fn)
            return
        step_fn()
        self.scaler_.step(self.optimizer_)
        self.scaler_.update()

    def _set_training(self, training: bool = True) -> None:
        """Switch the mode where it is another one; skorch goes through all modules every step."""
        for name in self._modules + self._criteria:
            module = getattr(self, name + "_")
            if isinstance(module, nn.Module) and module.training != training:
                module.train(training)

    def run_single_epoch(
        self, iterator: Any, training: bool, prefix: str, step_fn: Any, **fit_params: Any
    ) -> None:
        """Run over the batches and record their mean loss, synchronising once, at the end."""
        if iterator is None:
            return
        if training:
            self.usual_size_ = iterator.batch_size
        losses: list[Tensor] = []
        sizes: list[int] = []
        n_rows = len(iterator.batches.rows)
        correct = torch.zeros((), dtype=torch.int64, device=self.device)
        for batch in self.processes_.with_own_draws(iterator, prefix, len(self.history)):
            features, targets = batch
            # Callbacks, skorch's scoring among them, know batches as pairs of X and y.
            told = {"batch": (features, targets.labels), "training": training}
            self.notify("on_batch_begin", **told)
            with values_are_known(n_rows):
                step = step_fn(batch, **fit_params)
            losses.append(step["loss"].detach())
            sizes.append(len(targets.labels))
            if not training:
                correct += (logits_of(step["y_pred"]).argmax(1) == targets.labels).sum()
            self.notify("on_batch_end", **told, rows=targets.rows, **step)
        mean = float(np.average(torch.stack(losses).cpu().double().numpy(), weights=sizes))
        if not np.isfinite(mean):
            self.raise_diverged(f"The {prefix} loss became {mean}")
        if training and not weights_are_finite(self.module_, self.criterion_):
            self.raise_diverged("The weights are not finite")
        self.history.record(prefix + "_loss", mean)
        self.history.record(prefix + "_batch_count", len(sizes))
        if not training:
            self.history.record("valid_acc", int(correct) / sum(sizes))
