"""How to build a network and its optimizer: the estimator's parameters, without the estimator."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import nn

from noisyfit._precision import has_float64
from noisyfit.training.checks import (
    check_batch_normalisation,
    check_callback_options,
    check_module,
    check_optimizer,
    check_single_step,
)
from noisyfit.training.data import LabeledRows
from noisyfit.training.modules import MLP, ConvolutionNet, build_module
from noisyfit.training.network import PlannedNet
from noisyfit.training.schedule import CosineSchedule, StepSchedule
from noisyfit.training.twins import TwinNet, Twins

# name: class and the options that differ from torch's defaults. The fused steps do in one pass
# over memory what the plain ones do in ten; on sparse text, with millions of weights, that
# decides the speed of the whole fit.
OPTIMIZERS: dict[str, tuple[type[torch.optim.Optimizer], dict[str, Any]]] = {
    "adam": (torch.optim.Adam, {"weight_decay": 1e-4, "fused": True}),
    "adamw": (torch.optim.AdamW, {"weight_decay": 1e-2, "fused": True}),
    "sgd": (torch.optim.SGD, {"momentum": 0.9, "weight_decay": 5e-4, "fused": True}),
}


@dataclass(frozen=True)
class NetworkSettings:
    """Everything that `build` needs beside the data and the criterion."""

    module: type[nn.Module] | nn.Module | Callable[..., nn.Module] | None
    optimizer: str | type[torch.optim.Optimizer]
    lr: float
    lr_schedule: str | dict[int, float]
    batch_size: int
    device: torch.device
    dtype: torch.dtype
    autocast: torch.dtype | None = None
    memory_format: str | None = None
    compile_mode: str | None = None
    transform: Callable[[Any], Any] | None = None
    verbose: int = 0
    callbacks: list[Any] = field(default_factory=list)
    module_options: dict[str, Any] = field(default_factory=dict)
    optimizer_options: dict[str, Any] = field(default_factory=dict)
    net_options: dict[str, Any] = field(default_factory=dict)

    def constant_rate(self) -> NetworkSettings:
        """The same without a schedule: for training that may be continued at any time."""
        return replace(self, lr_schedule="constant")

    def quiet(self) -> NetworkSettings:
        """The same without the user's callbacks, printing and schedule: for helper networks."""
        options = {k: v for k, v in self.net_options.items() if not k.startswith("callbacks__")}
        return replace(self.constant_rate(), callbacks=[], verbose=0, net_options=options)

    def build(
        self,
        data: LabeledRows,
        criterion: nn.Module,
        n_epochs: int,
        extra_callbacks: list[tuple[str, Any]] | None = None,
        *,
        twins: bool = False,
    ) -> PlannedNet:
        """An initialised net sized for ``data``, with a schedule over ``n_epochs``.

        With ``twins`` it holds two networks, see `TwinNet`.
        """
        module = Twins(lambda: self._module(data)) if twins else self._module(data)
        check_module(module, data)
        check_batch_normalisation(module, self.batch_size, "batch_size=1")
        callbacks = [*(extra_callbacks or []), *self.callbacks]
        if self.lr_schedule == "cosine":
            callbacks.append(("lr_schedule", CosineSchedule(n_epochs)))
        elif isinstance(self.lr_schedule, dict):
            callbacks.append(("lr_schedule", StepSchedule(self.lr_schedule)))
        optimizer, options = self.optimizer, self.optimizer_options
        if isinstance(optimizer, str):
            optimizer, defaults = OPTIMIZERS[optimizer]
            options = {**_possible(optimizer, defaults, module), **options}
        check_optimizer(
            optimizer, {"lr": self.lr, **options}, module, list(OPTIMIZERS), self.optimizer
        )
        if self.autocast == torch.float16:
            check_single_step(optimizer, self.optimizer)
        net = (TwinNet if twins else PlannedNet)(
            module,
            criterion=self.on_device(criterion),
            optimizer=optimizer,
            lr=self.lr,
            batch_size=self.batch_size,
            device=str(self.device),
            dtype=self.dtype,
            autocast=self.autocast,
            memory_format=self.memory_format,
            compile_mode=self.compile_mode,
            transform=self.transform,
            verbose=self.verbose,
            callbacks=callbacks,
            train_split=None,
            **{f"optimizer__{name}": value for name, value in options.items()},
            **self.net_options,
        ).initialize()
        net.row_form_ = data.rows.form
        data.rows.processes.start_alike(net.module_)
        check_callback_options(
            self.net_options, [*net._default_callbacks, *callbacks, *net.callbacks_]
        )
        return net

    def on_device(self, criterion: nn.Module) -> nn.Module:
        """The criterion on the device, in the precision that it has there."""
        if not has_float64(self.device):
            criterion = copy.deepcopy(criterion).float()  # matrices of corrections are float64
        return criterion.to(self.device)

    def _module(self, data: LabeledRows) -> nn.Module:
        module = build_module(
            self.module,
            self.module_options,
            form=data.rows.form,
            n_classes=data.n_classes,
        ).to(self.dtype)
        if isinstance(module, MLP | ConvolutionNet) and data.column_statistics is not None:
            module.standardize_inputs(*data.column_statistics)
        return module


def _possible(
    optimizer: type[torch.optim.Optimizer], defaults: dict[str, Any], module: nn.Module
) -> dict[str, Any]:
    """The options, without the fused steps where torch has none for the device.

    torch 2.4 has none for Apple's GPUs.
    """
    try:
        optimizer(module.parameters(), **defaults)
    except RuntimeError:
        return {name: value for name, value in defaults.items() if name != "fused"}
    return defaults
