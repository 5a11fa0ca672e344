"""The skorch net behind every network estimator: runs planned epochs, predicts from rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import skorch
import torch
from skorch.callbacks import Callback, EpochTimer, PrintLog
from torch import Tensor, nn

from noisyfit.training.plan import BatchIterator, BatchTargets, EpochPlan, PlannedBatches
from noisyfit.training.rows import Rows

PREDICTION_BATCH_SIZE = 256


class PlannedNet(skorch.NeuralNet):
    """A skorch net whose epochs follow an `EpochPlan` instead of a whole data set.

    skorch keeps what it is good at: optimizer, callbacks, history, parameters. Batches are cut
    from `Rows`; the criterion returns one loss per row, and a batch's loss is the weighted
    mean of them.
    """

    callbacks_: list[tuple[str, Callback]]
    plan_: EpochPlan | None
    validation_plan_: EpochPlan | None

    def __init__(self, *args: Any, dtype: torch.dtype = torch.float32, **kwargs: Any) -> None:
        self.dtype = dtype
        super().__init__(*args, **kwargs)

    @property
    def _default_callbacks(self) -> list[tuple[str, Any]]:
        return [("epoch_timer", EpochTimer()), ("print_log", PrintLog())]

    def train(
        self, rows: Rows, plans: Iterable[EpochPlan], validation: EpochPlan | None = None
    ) -> PlannedNet:
        """Run one epoch per plan, until they end or a callback asks to stop.

        ``plans`` may be a generator: each plan is asked for when the epoch before it is over,
        so it can depend on what the network has learned.
        """
        self.validation_plan_ = validation
        self.stop_requested_ = False
        self.notify("on_train_begin", X=rows, y=None)
        for self.plan_ in plans:
            self.fit_loop(rows, epochs=1)
            if self.stop_requested_:
                break
        self.notify("on_train_end", X=rows, y=None)
        self.plan_ = self.validation_plan_ = None  # they hold arrays as long as the data set
        return self

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
        train = PlannedBatches(X, self.plan_, self.dtype, device)
        if self.validation_plan_ is None:
            return train, None
        return train, PlannedBatches(X, self.validation_plan_, self.dtype, device)

    def get_iterator(self, dataset: PlannedBatches, training: bool = False) -> BatchIterator:
        """Iterate over batches; options of a DataLoader come as ``iterator_train__*``."""
        options = dict(self.get_params_for("iterator_train" if training else "iterator_valid"))
        size = options.pop("batch_size", self.batch_size)
        size = len(dataset) if size == -1 else size
        shuffle = options.pop("shuffle", training)
        return BatchIterator(dataset, size, shuffle=shuffle, loader_options=options)

    def get_loss(  # noqa: D102
        self, y_pred: Tensor, y_true: BatchTargets, X: Any = None, training: bool = False
    ) -> Tensor:
        logits = y_pred[0] if isinstance(y_pred, tuple) else y_pred
        losses = self.criterion_(logits, y_true.codes)
        if y_true.partner_codes is not None:
            assert y_true.share is not None
            partner_losses = self.criterion_(logits, y_true.partner_codes)
            losses = y_true.share * losses + (1 - y_true.share) * partner_losses
        return (losses * y_true.weights).mean()

    def infer(self, x: Tensor, **fit_params: Any) -> Any:
        """Forward pass (skorch's own would not know the sparse CSR layout)."""
        return self.module_(x)

    def run_single_epoch(
        self, iterator: Any, training: bool, prefix: str, step_fn: Any, **fit_params: Any
    ) -> None:
        """Run over the batches and record their mean loss, synchronising once, at the end."""
        if iterator is None:
            return
        losses: list[Tensor] = []
        sizes: list[int] = []
        correct = torch.zeros((), dtype=torch.int64, device=self.device)
        for batch in iterator:
            self.notify("on_batch_begin", batch=batch, training=training)
            step = step_fn(batch, **fit_params)
            losses.append(step["loss"].detach())
            sizes.append(len(batch[1].codes))
            if not training:
                logits = step["y_pred"][0] if isinstance(step["y_pred"], tuple) else step["y_pred"]
                correct += (logits.argmax(1) == batch[1].codes).sum()
            self.notify("on_batch_end", batch=batch, training=training, **step)
        mean = float(np.average(torch.stack(losses).cpu().double().numpy(), weights=sizes))
        if not np.isfinite(mean):
            raise ValueError(
                f"The {prefix} loss became {mean} in epoch {len(self.history)}: training diverged. "
                f"Lower lr (now {self.lr}), scale the features, or clip gradients with "
                "skorch.callbacks.GradientNormClipping."
            )
        self.history.record(prefix + "_loss", mean)
        self.history.record(prefix + "_batch_count", len(sizes))
        if not training:
            self.history.record("valid_acc", int(correct) / sum(sizes))


@torch.no_grad()
def predict_logits(
    module: nn.Module,
    rows: Rows,
    index: np.ndarray | None = None,
    *,
    batch_size: int = PREDICTION_BATCH_SIZE,
    fixed_size: bool = True,
) -> Tensor:
    """Logits (n, classes) of the rows (all, or those of ``index``), in evaluation mode."""
    was_training = module.training
    module.eval()
    try:
        parts = []
        for block, n_real in rows.blocks(batch_size, index, fixed_size=fixed_size):
            output = module(block)
            parts.append((output[0] if isinstance(output, tuple) else output)[:n_real])
    finally:
        module.train(was_training)
    return torch.cat(parts)


def predict_probabilities(
    module: nn.Module, rows: Rows, index: np.ndarray | None = None, **options: Any
) -> np.ndarray:
    """Class probabilities (n, classes) as float64, softmax taken in float64."""
    return predict_logits(module, rows, index, **options).double().softmax(1).cpu().numpy()
