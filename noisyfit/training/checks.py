"""What a user's module, optimizer and batches have to be like, with errors that say so."""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any

import torch
from torch import Tensor, nn

from noisyfit.training.data import LabeledRows
from noisyfit.training.rows import Features, apply_module

# Settings of a DataLoader that would change which rows a batch holds.
PLANNED_OPTIONS = {"sampler", "batch_sampler", "drop_last"}


def first_output(output: Any) -> Any:
    """The logits of a module that gives several outputs, or its only output.

    They are the first of a tuple, or what is called ``logits``, as Hugging Face models do.
    """
    if isinstance(output, Mapping) and "logits" in output:
        return output["logits"]
    if hasattr(output, "logits"):
        return output.logits
    return output[0] if isinstance(output, tuple) and output else output


def logits_of(output: Any) -> Tensor:
    """The logits of a module's output, in single precision at least: losses need that."""
    logits: Tensor = first_output(output)
    return logits.to(torch.promote_types(logits.dtype, torch.float32))


def check_batch_size(size: Any, name: str, n_rows: int) -> int:
    """A positive number of rows; -1 stands for all of them."""
    if not isinstance(size, Integral) or (size < 1 and size != -1):
        raise ValueError(f"{name} must be a positive int, or -1 for all rows; got {size!r}.")
    return n_rows if size == -1 else int(size)


def check_lr_schedule(schedule: str | dict[int, float]) -> str | dict[int, float]:
    """A name, or milestones: positive factors by the epoch from which on they apply."""
    if isinstance(schedule, dict):
        for epoch, factor in schedule.items():
            real = isinstance(factor, Real) and not isinstance(factor, bool)
            if not (isinstance(epoch, Integral) and epoch > 0 and real and 0 < factor < math.inf):
                raise ValueError(
                    "lr_schedule as a dict must map numbers of epochs to positive factors, such as "
                    f"{{80: 0.1, 100: 0.1}}; got {schedule!r}."
                )
    return schedule


def check_loader_options(prefix: str, options: dict[str, Any]) -> None:
    """Raise for options of a DataLoader that the plan of an epoch decides."""
    for name in PLANNED_OPTIONS & set(options):
        raise ValueError(f"{prefix}__{name} can't be set: the estimator decides the batches.")


def check_row_losses(losses: Any, codes: Tensor) -> None:
    """Raise unless a criterion gave one differentiable loss per row."""
    if not isinstance(losses, Tensor) or losses.shape != codes.shape:
        kind = tuple(losses.shape) if isinstance(losses, Tensor) else type(losses).__name__
        raise ValueError(
            f"criterion must give one loss per row, a tensor of shape {tuple(codes.shape)}, "
            f"got {kind}."
        )
    if torch.is_grad_enabled() and not losses.requires_grad:
        raise ValueError(
            "the losses of criterion have no grad_fn: nothing would be learned; don't detach them."
        )


def check_batch_normalisation(module: nn.Module, n_rows: int, cause: str) -> None:
    """Raise where batch normalisation would meet a batch of one row."""
    norm = nn.modules.batchnorm._BatchNorm
    if n_rows == 1 and any(isinstance(part, norm) for part in module.modules()):
        raise ValueError(
            f"{cause} can't train batch normalisation; use at least 2 rows, or "
            "module__batch_norm=False."
        )


def check_optimizer(
    optimizer: Any, options: dict[str, Any], module: nn.Module, known: list[str], given: Any
) -> None:
    """Raise unless ``optimizer`` is an optimizer class that takes the options."""
    if not (isinstance(optimizer, type) and issubclass(optimizer, torch.optim.Optimizer)):
        raise TypeError(
            f"optimizer must be one of {known} or a torch.optim.Optimizer class, got {given!r}."
        )
    try:
        optimizer(module.parameters(), **options)
    except (TypeError, ValueError) as error:
        listed = ", ".join(f"optimizer__{name}={value!r}" for name, value in options.items())
        raise type(error)(
            f"optimizer={given!r} could not be built with {listed}: {error}"
        ) from error


def check_single_step(optimizer: type[torch.optim.Optimizer], given: Any) -> None:
    """Raise for an optimizer that computes gradients several times in a step, as LBFGS does."""
    closure = inspect.signature(optimizer.step).parameters.get("closure")
    if closure is not None and closure.default is closure.empty:
        raise ValueError(
            f"optimizer={given!r} asks for gradients more than once a step, which "
            'autocast="float16" can\'t scale; use autocast="bfloat16" or None.'
        )


def check_callback_options(options: dict[str, Any], callbacks: list[Any]) -> None:
    """Raise for ``callbacks__<name>`` of a name that no callback has."""
    names = {item[0] for item in callbacks if isinstance(item, tuple)}
    for option in options:
        prefix, _, rest = option.partition("__")
        if prefix == "callbacks" and rest.split("__")[0] not in names:
            raise ValueError(f"{option} names no callback; there are {sorted(names)}.")


def _shape(batch: Features) -> Any:
    if isinstance(batch, dict):
        return {name: tuple(values.shape) for name, values in batch.items()}
    return tuple(batch.shape)


def check_module(module: nn.Module, data: LabeledRows) -> None:
    """Raise unless the module turns two rows into one logit per class each."""
    if not any(parameter.requires_grad for parameter in module.parameters()):
        raise ValueError("module has no parameters to train.")
    batch = data.rows.take(torch.from_numpy(data.used[:2]))
    module = module.to(data.rows.device)
    training = module.training
    try:
        output = apply_module(module.eval(), batch, data.rows.autocast)
    except Exception as error:
        mixed = "" if data.rows.autocast is None else f" under autocast to {data.rows.autocast}"
        raise ValueError(
            f"module={type(module).__name__} fails on a batch of X of shape {_shape(batch)}"
            f"{mixed}: {error}"
        ) from error
    finally:
        module.train(training)
    logits = first_output(output)
    if not isinstance(logits, torch.Tensor):
        raise TypeError(f"module must give a tensor of logits, got {type(logits).__name__}.")
    if not logits.is_floating_point():
        raise TypeError(f"module must give logits of floating point, got {logits.dtype}.")
    n_rows = min(2, len(data.used))
    if logits.shape != (n_rows, data.n_classes):
        raise ValueError(
            f"module gives an output of shape {tuple(logits.shape)} for {n_rows} rows; it "
            f"must give for each row one logit for each of the {data.n_classes} classes."
        )
    if not logits.requires_grad:
        raise ValueError("module gives logits without grad_fn: it can't be trained.")
