"""How a network is built for the data at hand: the default ones, or a user's."""

from __future__ import annotations

import copy
import inspect
import math
from collections.abc import Callable
from typing import Any

from torch import nn

from noisyfit.training.modules.convolution import ConvolutionNet
from noisyfit.training.modules.mlp import MLP
from noisyfit.training.rows import RowForm


def build_module(
    module: type[nn.Module] | nn.Module | Callable[..., nn.Module] | None,
    options: dict[str, Any],
    *,
    form: RowForm,
    n_classes: int,
) -> nn.Module:
    """Make the network: the default, a copy of an instance, or from a class or function.

    A class or function that has parameters called ``in_features`` and ``out_features`` (as
    ``torch.nn.Linear`` has) is given the number of features and of classes for them, unless
    ``options`` say otherwise; one that has ``in_channels`` is given that of images.
    """
    if isinstance(module, nn.Module):
        if options:
            raise ValueError(
                f"module is an instance of {type(module).__name__}, so module__"
                f"{next(iter(options))} can't be applied; pass the class instead."
            )
        return copy.deepcopy(module)
    factory = _default(form) if module is None else module
    if not callable(factory):
        raise TypeError(
            "module must be None, a torch.nn.Module class or instance, or a function that "
            f"returns one; got {module!r}."
        )
    sizes = _sizes(form) | {"out_features": n_classes}
    if factory is MLP:
        sizes["sparse"] = form.kind == "sparse"
    try:
        accepted = set(inspect.signature(factory).parameters)
    except ValueError:  # some built-in types have no signature
        accepted = set()
    arguments = {name: size for name, size in sizes.items() if name in accepted} | options
    try:
        built = factory(**arguments)
    except TypeError as error:
        given = ", ".join(f"module__{name}={value!r}" for name, value in arguments.items())
        raise TypeError(
            f"module={getattr(factory, '__name__', factory)!r} could not be built with "
            f"{given or 'no arguments'}: {error}. Set its other arguments as module__<name>."
        ) from error
    if not isinstance(built, nn.Module):
        raise TypeError(f"module must make a torch.nn.Module, got {type(built).__name__}.")
    return built


def _default(form: RowForm) -> type[nn.Module]:
    if form.kind == "named":
        raise ValueError(
            f"X is a dict of the arrays {list(form.names)}, for which there is no default network: "
            "pass a module whose forward takes these keywords."
        )
    return ConvolutionNet if form.kind == "images" else MLP


def _sizes(form: RowForm) -> dict[str, Any]:
    """Arguments that a network may want to know of the rows."""
    if form.kind == "named":
        return {}
    sizes: dict[str, Any] = {"in_features": math.prod(form.shape)}
    if form.kind == "images":
        sizes["in_channels"] = form.shape[0]
    return sizes
