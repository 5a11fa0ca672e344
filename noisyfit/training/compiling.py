"""Training steps whose forward and backward pass torch has compiled."""

from __future__ import annotations

from collections.abc import Callable
from types import CodeType, FunctionType
from typing import Any
from weakref import WeakValueDictionary

import torch
from torch import nn

COMPILE_MODES = {"default", "reduce-overhead", "max-autotune", "max-autotune-no-cudagraphs"}

# By the networks that it is compiled for: those of one structure share what is compiled.
_codes: WeakValueDictionary[Any, CodeType] = WeakValueDictionary()


class CompiledModule:
    """Calls what torch has compiled of a module, whose weights stay where they are.

    It is compiled in the first call, for batches of that size: of other sizes, ever new ones with
    coresets, it would be compiled again and again.
    """

    def __init__(self, module: nn.Module, mode: str) -> None:
        def forward(*features: Any, **named: Any) -> Any:
            return module(*features, **named)

        self.module = module
        # Of a function: torch would leave its mark on a module, which would be saved with it.
        own = _with_own_code(forward, (mode, *_structure(module)))
        self._compiled = torch.compile(own, mode=mode, dynamic=False)
        self._mode = mode
        self._has_worked = False

    def __call__(self, *features: Any, **named: Any) -> Any:
        """Output of the module."""
        # By CUDA graphs, the step before has left its results where this one writes its own.
        torch.compiler.cudagraph_mark_step_begin()
        if self._has_worked:
            return self._compiled(*features, **named)
        try:
            output = self._compiled(*features, **named)
        except Exception as error:
            self.module(*features, **named)  # what it raises by itself is no matter of compiling
            raise RuntimeError(
                f"torch could not compile the module for compile={self._mode!r}; use "
                f"compile=False. {type(error).__name__}: {error}"
            ) from error
        self._has_worked = True
        return output


def _structure(module: nn.Module) -> tuple[Any, ...]:
    """What networks have in common for which torch would compile the same."""
    tensors = [*module.named_parameters(), *module.named_buffers()]
    return type(module), *((name, some.shape, some.dtype, some.device) for name, some in tensors)


def _with_own_code(function: Any, key: Any) -> Callable[..., Any]:
    """The function with code of its own for each key, for as long as there is such a function.

    torch compiles the same code a few times (eight) and then, for the rest of the process, no more:
    a search over the sizes of networks would get there.
    """
    code = _codes.get(key)
    if code is None:
        code = _codes[key] = function.__code__.replace()
    return FunctionType(code, function.__globals__, function.__name__, None, function.__closure__)
