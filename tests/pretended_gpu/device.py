"""A GPU that is not there: tensors that say they lie elsewhere, and whose numbers the CPU holds.

It refuses what a GPU would refuse (tensors of two devices in one operation, numpy arrays of its
tensors) and notes what a GPU would have to be waited for: copies to it and from it, numbers that
the program wants to see, results whose size depends on values. As it computes by the CPU's
kernels and draws from the CPU's generator, fits must come out the same to the last bit.

For a process of its own: torch can't forget a device.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only
from torch.utils.backend_registration import (
    _DummyBackendModule,
    _setup_privateuseone_for_python_backend,
)

NAME = "pretended"
# Sizes of their results depend on values.
_LOOKING = ("_local_scalar_dense", "nonzero", "masked_select", "_unique2", "unique_dim", "equal")


class PretendedTensor(Tensor):
    """A tensor on the device; ``inner`` is the one that the CPU computes with."""

    inner: Tensor

    @staticmethod
    def __new__(cls, inner: Tensor) -> PretendedTensor:
        places = {}
        if inner.layout == torch.strided:
            places = {"strides": inner.stride(), "storage_offset": inner.storage_offset()}
        return Tensor._make_wrapper_subclass(
            cls,
            inner.size(),
            **places,
            dtype=inner.dtype,
            device=torch.device(NAME, 0),
            requires_grad=False,
        )

    def __init__(self, inner: Tensor) -> None:
        self.inner = inner

    @property
    def layout(self) -> torch.layout:
        """Dense, or sparse rows."""
        return self.inner.layout

    def tolist(self) -> Any:
        """The numbers, which have to come to the CPU for that."""
        return self.cpu().tolist()

    def __repr__(self, **kwargs: Any) -> str:
        return f"PretendedTensor({self.inner!r})"

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        with torch.no_grad():
            copy = self.detach().clone().requires_grad_(self.requires_grad)
        if isinstance(self, torch.nn.Parameter):
            copy = torch.nn.Parameter(copy, self.requires_grad)
        memo[id(self)] = copy
        return copy

    @classmethod
    def __torch_dispatch__(
        cls, operation: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        return _compute(operation, args, kwargs or {}, [], True)


class PretendedDevice(TorchDispatchMode):
    """While it is on, tensors can be made on the device.

    Parameters
    ----------
    has_float64 : bool, default=True
        Whether it can hold float64; Apple's GPUs can't.
    """

    def __init__(self, *, has_float64: bool = True) -> None:
        super().__init__()
        self.has_float64 = has_float64
        self.is_watched = False
        #: What a GPU would have been waited for while it was watched, and where.
        self.waits: list[str] = []

    def __torch_dispatch__(
        self, operation: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        waits: list[str] = []
        result = _compute(operation, args, kwargs or {}, waits, self.has_float64)
        if self.is_watched:
            self.waits.extend(f"{_place()}: {wait}" for wait in waits)
        return result

    def __enter__(self) -> PretendedDevice:
        # So that ``torch.tensor(numbers, device=...)`` comes by here, too.
        self._only_lifted = torch._C._only_lift_cpu_tensors()
        torch._C._set_only_lift_cpu_tensors(True)
        super().__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        torch._C._set_only_lift_cpu_tensors(self._only_lifted)
        super().__exit__(*error)

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Take note of what a GPU would have to be waited for inside the block."""
        before, self.is_watched = self.is_watched, True
        try:
            yield
        finally:
            self.is_watched = before


def set_up() -> None:
    """Make the device known to torch; before anything is differentiated."""
    _setup_privateuseone_for_python_backend(rename=NAME, backend_module=_Module())


class _Module(_DummyBackendModule):
    """What torch asks of a device's module."""

    def get_amp_supported_dtype(self) -> list[torch.dtype]:
        return [torch.bfloat16, torch.float16]


def _place() -> str:
    """Where in the package the program is."""
    for frame in reversed(traceback.extract_stack(limit=60)):
        if "/noisyfit/" in frame.filename:
            return f"{frame.filename.rpartition('/noisyfit/')[2]} {frame.name}"
    return "outside of noisyfit"


def _is_ours(device: Any) -> bool:
    return device is not None and torch.device(device).type == NAME


def _compute(
    operation: Any, args: Any, kwargs: dict[str, Any], waits: list[str], has_float64: bool
) -> Any:
    name = operation._schema.name.removeprefix("aten::")
    tensors = [part for part in tree_leaves((args, kwargs)) if isinstance(part, Tensor)]
    ours = [tensor for tensor in tensors if isinstance(tensor, PretendedTensor)]
    others = [t for t in tensors if not isinstance(t, PretendedTensor) and t.ndim]
    target = kwargs.get("device")
    if not ours and not _is_ours(target):
        return operation(*args, **kwargs)
    leaves = target is not None and not _is_ours(target)
    if name in ("_to_copy", "copy_"):
        if others or leaves:
            waits.append(f"{name} of {tuple(tensors[-1].shape)}")
    elif ours and others and name.startswith("index"):
        waits.append(f"{name} by an index on the CPU")
    elif ours and others:
        raise RuntimeError(f"{operation}: tensors on two devices, {[t.device for t in tensors]}")
    if ours and name in _LOOKING:
        waits.append(name)
    if name in ("index", "index_put", "index_put_"):
        masks = [i for i in args[1] if i is not None and i.dtype in (torch.bool, torch.uint8)]
        waits.extend(f"{name} by a mask" for _ in masks)
    if _is_ours(target):
        kwargs = {**kwargs, "device": torch.device("cpu")}
    plain_args, plain = tree_map_only(PretendedTensor, lambda t: t.inner, (args, kwargs))
    result = operation(*plain_args, **plain)
    if result is None or leaves:
        return result
    if operation._schema.name.endswith("_"):
        changed = args[0]
        if isinstance(changed, PretendedTensor) and changed.shape != changed.inner.shape:
            inner = changed.inner  # squeezed, say: so has to be the tensor itself
            with torch._C._DisableTorchDispatch():
                torch.as_strided_(changed, inner.shape, inner.stride(), inner.storage_offset())
        return changed
    if not has_float64 and any(
        isinstance(part, Tensor) and part.dtype == torch.float64 for part in tree_leaves(result)
    ):
        raise TypeError(f"{operation}: this device has no float64")
    return tree_map_only(Tensor, PretendedTensor, result)
