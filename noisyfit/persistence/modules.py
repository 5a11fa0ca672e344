"""Networks: how they are built, and the weights they have.

A network of torch.nn's own layers, the default network among them, is described by the classes and
arguments of its parts. Of any other only the weights are written; its code stays with the user.
"""

from __future__ import annotations

import copy
import inspect
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from noisyfit.persistence.names import MISSING, describe, public_class, public_name
from noisyfit.storage.archive import joined
from noisyfit.storage.codec import Codec, Json, Reader, Writer
from noisyfit.storage.errors import LoadError
from noisyfit.training.modules import MLP, ConvolutionNet, SparseLinear

# Built from their parts; all others build theirs themselves.
_CONTAINERS = (nn.Sequential, nn.ModuleList)
_OWN: dict[str, type[nn.Module]] = {
    "ConvolutionNet": ConvolutionNet,
    "MLP": MLP,
    "SparseLinear": SparseLinear,
}
_NOT_KEPT = ("self", "device", "dtype")
_PLAIN = frozenset(vars(nn.Module()))


# ---------------------------------------------------------------------------------------- layers


def layers_of(module: nn.Module, writer: Writer) -> Json | None:
    """Classes and arguments of a network's parts; None where building them anew gives another."""
    members, tensors = dict(writer.members), dict(writer.tensors)
    record = _layers(module, writer)
    if record is not None and _is_rebuilt(module, writer, record):
        return record
    writer.members, writer.tensors = members, tensors  # without what it had for arguments
    return None


def _layers(module: nn.Module, writer: Writer) -> Json | None:
    kind = type(module)
    name = kind.__name__ if _OWN.get(kind.__name__) is kind else public_name(kind)
    if name is None:
        return None
    if kind in _CONTAINERS:
        parts = {child: _layers(part, writer) for child, part in module.named_children()}
        return None if None in parts.values() else {"class": name, "parts": parts}
    arguments = {}
    for argument, parameter in inspect.signature(kind).parameters.items():
        # A layer has its arguments as attributes, but for its bias, which is there or not.
        if argument in vars(module):
            value = vars(module)[argument]
        elif argument in module._parameters:
            value = module._parameters[argument] is not None
        elif argument in module._buffers:
            value = module._buffers[argument]
        else:
            continue
        if argument in _NOT_KEPT or value is parameter.default:
            continue
        if not _is_plain(value):
            return None
        arguments[argument] = value
    return {"class": name, "arguments": writer.encode_all(arguments)}


def _is_plain(value: Any) -> bool:
    if isinstance(value, tuple | list):
        return all(_is_plain(item) for item in value)
    return value is None or isinstance(
        value, bool | int | float | str | np.generic | torch.Size | Tensor
    )


def build_layers(record: Json, reader: Reader) -> nn.Module:
    """The network that `layers_of` has described, with weights yet to come (`restore_weights`).

    They take no memory until then, so a file that announces more weights than it has is harmless.
    """
    with torch.device("meta"):
        return _build(record, reader)


def _build(record: Json, reader: Reader) -> nn.Module:
    name = record["class"]
    kind = _OWN[name] if name in _OWN else public_class(name)
    if not issubclass(kind, nn.Module):
        raise LoadError(f"The file names {name!r} as a layer, which it is not.")
    if kind not in _CONTAINERS:
        return kind(**reader.decode_all(record["arguments"]))
    module = kind()
    for child, part in record["parts"].items():
        module.add_module(child, _build(part, reader))
    return module


def _is_rebuilt(module: nn.Module, writer: Writer, record: Json) -> bool:
    """Whether a description tells all there is to tell."""
    from noisyfit.persistence.registry import new_reader

    try:
        members = {name: joined(data) for name, data in writer.members.items()}
        rebuilt = build_layers(record, new_reader(members, writer.tensors))
    except (LookupError, TypeError, ValueError, RuntimeError, AssertionError):
        return False  # torch says in its own ways that arguments are missing
    n_kept = len(rebuilt.state_dict())
    n_tensors = sum(len(list(tensors)) for tensors in (rebuilt.parameters(), rebuilt.buffers()))
    return n_kept == n_tensors and _own_state(rebuilt) == _own_state(module)


def _own_state(module: nn.Module) -> list[Any]:
    """What two modules have to have in common to be of one kind, but for their weights."""
    state: list[Any] = [repr(module), len(list(module.parameters()))]
    for name, part in module.named_modules():
        hooks = [len(value) for key, value in vars(part).items() if key.endswith("_hooks")]
        other = {key: repr(value) for key, value in vars(part).items() if key not in _PLAIN}
        parameters = [(key, _shape(value)) for key, value in part._parameters.items()]
        # The default networks have buffers once they have seen data.
        own = type(part) in _OWN.values()
        buffers = [] if own else [(key, _shape(value)) for key, value in part._buffers.items()]
        state.append((name, type(part), hooks, other, parameters, buffers))
    return state


def _shape(value: Tensor | None) -> Any:
    return None if value is None else tuple(value.shape)


# --------------------------------------------------------------------------------------- weights


def encode_weights(module: nn.Module, writer: Writer) -> dict[str, Json]:
    """Weights and buffers of a network, and which of them were not to be trained."""
    state = module.state_dict()
    names = {}
    for name, value in state.items():
        if not isinstance(value, Tensor):
            raise TypeError(
                f"{writer.where()} keeps {name!r}, {describe(value)}, in its state_dict; "
                "noisyfit.save takes tensors there."
            )
        writer.path.append(name)
        names[name] = writer.tensor(value)
        writer.path.pop()
    for name, parameter in module.named_parameters():
        if not parameter.isfinite().all():
            raise ValueError(f"{writer.where()}.{name} holds values that are not finite; fit anew.")
    frozen = [name for name, value in module.named_parameters() if not value.requires_grad]
    return {"weights": names, "frozen": frozen}


def restore_weights(module: nn.Module, record: dict[str, Json], reader: Reader) -> None:
    """Give a network the weights of `encode_weights`, which have to fit it."""
    weights = {name: reader.tensor(member) for name, member in record["weights"].items()}
    _make_room(module, weights)
    present = module.state_dict()
    if set(present) != set(weights):
        missing, extra = sorted(set(present) - set(weights)), sorted(set(weights) - set(present))
        raise LoadError(
            f"The weights in the file do not fit the {type(module).__name__}: it has {missing}, "
            f"which the file lacks, and the file has {extra}, which it lacks. Pass the module, "
            "and its options, that were fitted."
        )
    for name, value in weights.items():
        there = present[name]
        if there.shape != value.shape or there.dtype != value.dtype:
            raise LoadError(
                f"The weights in the file do not fit the {type(module).__name__}: its {name} is "
                f"{tuple(there.shape)}, {there.dtype}, that of the file {tuple(value.shape)}, "
                f"{value.dtype}. Pass the module, and its options, that were fitted."
            )
    module.load_state_dict(weights, assign=any(value.is_meta for value in present.values()))
    for name, parameter in module.named_parameters():
        if not parameter.isfinite().all():
            raise LoadError(f"The weights {name} in the file are not all finite.")
        parameter.requires_grad_(name not in record["frozen"])


def _make_room(module: nn.Module, weights: dict[str, Tensor]) -> None:
    """Have buffers that are None, as those of the default network are at first, take a value."""
    for prefix, part in module.named_modules():
        for name, value in part._buffers.items():
            full = f"{prefix}.{name}" if prefix else name
            if value is None and full in weights:
                part._buffers[name] = torch.empty_like(weights[full])


# ------------------------------------------------- modules that stand somewhere as they are


def _encode_module(value: nn.Module, writer: Writer) -> dict[str, Json]:
    layers = layers_of(value, writer)
    record: dict[str, Json] = {"layers": layers}
    if layers is None:
        record["missing"] = MISSING.encode(value, writer)
        # What is asked for as a parameter comes with the weights that it had.
        if not record["missing"]["required"]:
            return record
    dtypes = {tensor.dtype for tensor in value.parameters() if tensor.is_floating_point()}
    dtype = dtypes.pop() if len(dtypes) == 1 else None
    return {**record, "dtype": writer.encode(dtype), **encode_weights(value, writer)}


def _decode_module(record: dict[str, Json], reader: Reader) -> Any:
    if record["layers"] is None:
        module = MISSING.decode(record["missing"], reader)
        if "weights" not in record:
            return module
        if not isinstance(module, nn.Module):
            raise LoadError(
                f"module was an instance ({record['missing']['what']}), but {describe(module)} was "
                "passed; pass an instance of the same architecture."
            )
        module = copy.deepcopy(module)
    else:
        module = build_layers(record["layers"], reader)
        dtype = reader.decode(record["dtype"])
        module = module if dtype is None else module.to(dtype)
    restore_weights(module, record, reader)
    return module


CODECS = (
    Codec(
        "module", lambda v: isinstance(v, nn.Module), _encode_module, _decode_module, shared=True
    ),
)
