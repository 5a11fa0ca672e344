"""Which fit it is: its data and parameters in a form that can be compared and written down."""

from __future__ import annotations

import hashlib
import types
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse
import torch
from skorch.callbacks import Callback
from torch import nn

from noisyfit.training.rows import DatasetItems

_BLOCK_BYTES = 2**26
_DEEPEST = 6


@dataclass(frozen=True)
class FitIdentity:
    """What a fit was asked to do; equal for two fits that would do the same.

    ``data`` are digests by name ("X", "y", "sample_weight", ...), ``parameters`` descriptions.
    """

    estimator: str
    data: dict[str, str]
    parameters: dict[str, str]

    def as_dict(self) -> dict[str, Any]:
        """Plain values, to be written."""
        return {
            "estimator": self.estimator,
            "data": dict(self.data),
            "parameters": dict(self.parameters),
        }

    def key(self) -> str:
        """Sixteen letters that tell it from other fits."""
        pieces = sorted([*self.data.items(), *self.parameters.items()])
        return hashlib.sha256(repr((self.estimator, pieces)).encode()).hexdigest()[:16]

    def differences(self, other: Mapping[str, Any]) -> list[str]:
        """What sets it apart from one that was written down, in words."""
        if self.estimator != other["estimator"]:
            return [f"it is one of {other['estimator']}, not of {self.estimator}"]
        found = []
        for name in sorted({*self.data, *other["data"]}):
            if self.data.get(name) != other["data"].get(name):
                found.append(f"{name} is not the same")
        for name in sorted({*self.parameters, *other["parameters"]}):
            now = self.parameters.get(name, "not given")
            then = other["parameters"].get(name, "not given")
            if now != then:
                found.append(f"{name} was {_short(then)} and is {_short(now)}")
        return found


def _short(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "..."


def digest_of(*values: Any) -> str:
    """SHA-256 of arrays, sparse matrices, dicts of them, tensors or plain values."""
    digest = hashlib.sha256()
    for value in values:
        _feed(digest, value)
    return digest.hexdigest()


def _feed(digest: Any, value: Any) -> None:
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu()
        value = value.float().numpy() if value.dtype == torch.bfloat16 else value.numpy()
    if isinstance(value, np.ndarray) and not value.dtype.hasobject and value.dtype.kind != "T":
        digest.update(f"array {value.dtype.str} {value.shape}".encode())
        if value.ndim and len(value):
            n_rows = max(1, _BLOCK_BYTES // max(1, value[:1].nbytes))
            for first in range(0, len(value), n_rows):
                digest.update(np.ascontiguousarray(value[first : first + n_rows]).view(np.uint8))
        else:
            digest.update(value.tobytes())
    elif scipy.sparse.issparse(value):
        digest.update(f"sparse {value.format} {value.shape}".encode())
        for part in (value.data, value.indices, value.indptr):
            _feed(digest, part)
    elif isinstance(value, Mapping):
        for name, part in value.items():
            digest.update(f"entry {name!r}".encode())
            _feed(digest, part)
    elif isinstance(value, np.ndarray):  # of objects: labels
        digest.update(f"objects {value.shape}".encode())
        for item in value.ravel().tolist():
            digest.update(f"{type(item).__name__} {item!r};".encode())
    elif isinstance(value, DatasetItems):
        _feed(digest, value.dataset)
    elif isinstance(value, torch.utils.data.Dataset):
        # Its items may differ from one time to the next; their number does not.
        digest.update(f"dataset {type(value).__qualname__} {len(value)}".encode())  # type: ignore[arg-type]
    else:
        digest.update(f"{type(value).__name__} {value!r};".encode())


def describe_value(value: Any, depth: int = 0) -> str:
    """A parameter's value as text that is the same in every process, and differs if it does.

    Functions count by their names, code and what they enclose, objects by class and attributes
    (those that a fit sets, with a trailing underscore, are left out).
    """
    if value is None or isinstance(value, bool | int | float | str | bytes | complex | type):
        if isinstance(value, type):
            return f"class {value.__module__}.{value.__qualname__}"
        return repr(value)
    if depth > _DEEPEST:
        return f"<{type(value).__qualname__}>"
    deeper = depth + 1
    if isinstance(value, np.ndarray | torch.Tensor) or scipy.sparse.issparse(value):
        return f"{type(value).__name__} {digest_of(value)[:16]}"
    if isinstance(value, np.generic):
        return repr(value.item())
    if isinstance(value, Mapping):
        items = (
            f"{describe_value(k, deeper)}: {describe_value(v, deeper)}" for k, v in value.items()
        )
        return "{" + ", ".join(items) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(describe_value(item, deeper) for item in value) + "]"
    if isinstance(value, set | frozenset):
        return "{" + ", ".join(sorted(describe_value(item, deeper) for item in value)) + "}"
    if isinstance(value, torch.device | torch.dtype):
        return str(value)
    if isinstance(value, np.random.RandomState | np.random.Generator):
        return type(value).__name__  # the seed drawn from it is compared
    if isinstance(value, nn.Module):
        return f"{value!r} {digest_of(dict(value.state_dict()))[:16]}"
    if isinstance(value, types.MethodType):
        return (
            f"{describe_value(value.__func__, deeper)} of {describe_value(value.__self__, deeper)}"
        )
    if isinstance(value, types.FunctionType):
        enclosed = [cell.cell_contents for cell in value.__closure__ or () if _is_filled(cell)]
        kept = describe_value([value.__defaults__, value.__kwdefaults__, enclosed], deeper)
        digest = hashlib.sha256((_code(value.__code__) + kept).encode()).hexdigest()[:16]
        return f"function {value.__module__}.{value.__qualname__} {digest}"
    if not hasattr(value, "__dict__"):
        return f"<{type(value).__module__}.{type(value).__qualname__}>"
    attributes = {
        name: item
        for name, item in sorted(vars(value).items())
        if not name.endswith("_") and not (isinstance(value, Callback) and name.startswith("_"))
    }
    kind = f"{type(value).__module__}.{type(value).__qualname__}"
    return f"{kind}({describe_value(attributes, deeper)})"


def _is_filled(cell: Any) -> bool:
    try:
        cell.cell_contents  # noqa: B018
    except ValueError:  # a name that is assigned later
        return False
    return True


def _code(code: types.CodeType) -> str:
    constants = [
        _code(item) if isinstance(item, types.CodeType) else describe_value(item)
        for item in code.co_consts
    ]
    return f"{code.co_code.hex()} {code.co_names} {constants}"
