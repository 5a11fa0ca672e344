"""Noisyfit's criteria, emphasis densities and augmentations, and the callbacks of a net."""

from __future__ import annotations

import copy
import dataclasses
import inspect
from typing import Any

import skorch.callbacks
import skorch.history
from torch import nn

from noisyfit import augmentation, losses, weighting
from noisyfit.losses.emphasis import _DerivativeSize
from noisyfit.persistence.modules import encode_weights, restore_weights
from noisyfit.storage.codec import Codec, Json, Reader, Writer
from noisyfit.storage.errors import LoadError
from noisyfit.training.averaging import WeightAverage
from noisyfit.training.criteria import FunctionCriterion
from noisyfit.training.schedule import CosineSchedule, StepSchedule

_CRITERIA: dict[str, type[nn.Module]] = {
    **{
        name: kind
        for name, kind in vars(losses).items()
        if isinstance(kind, type) and issubclass(kind, nn.Module)
    },
    "FunctionCriterion": FunctionCriterion,
}
_DATACLASSES: dict[str, Any] = {
    **{
        name: kind
        for package in (weighting, augmentation)
        for name, kind in vars(package).items()
        if isinstance(kind, type) and dataclasses.is_dataclass(kind)
    },
    "_DerivativeSize": _DerivativeSize,
}
# Those of skorch that neither read nor write files, with what they were made of.
_CALLBACKS: dict[str, Any] = {
    **{
        name: getattr(skorch.callbacks, name)
        for name in (
            "BatchScoring",
            "EarlyStopping",
            "EpochScoring",
            "EpochTimer",
            "GradientNormClipping",
            "LRScheduler",
            "PassthroughScoring",
            "PrintLog",
            "WarmRestartLR",
        )
    },
    "CosineSchedule": CosineSchedule,
    "StepSchedule": StepSchedule,
}
_PLAIN = frozenset(vars(nn.Module()))


def _is_one_of(classes: dict[str, Any]) -> Any:
    return lambda value: classes.get(type(value).__name__) is type(value)


def _named(classes: dict[str, Any], name: str) -> Any:
    if name not in classes:
        raise LoadError(f"The file names the class {name!r}, which noisyfit.save does not name.")
    return classes[name]


# -------------------------------------------------------------------------------------- criteria


def _encode_criterion(value: nn.Module, writer: Writer) -> dict[str, Json]:
    own = {name: item for name, item in vars(value).items() if name not in _PLAIN}
    return {
        "class": type(value).__name__,
        "attributes": writer.encode_all(own),
        "parameters": writer.encode_all(value._parameters),
        "buffers": writer.encode_all(value._buffers),
        "modules": writer.encode_all(value._modules),
    }


def _decode_criterion(record: dict[str, Json], reader: Reader) -> nn.Module:
    kind = _named(_CRITERIA, record["class"])
    value = kind.__new__(kind)
    nn.Module.__init__(value)
    attributes = reader.decode_all(record["attributes"])
    if any(name in _PLAIN or hasattr(kind, name) for name in attributes):
        raise LoadError(f"The file replaces methods of {kind.__name__} by data: it was changed.")
    vars(value).update(attributes)
    for name, parameter in reader.decode_all(record["parameters"]).items():
        value.register_parameter(name, parameter)
    for name, buffer in reader.decode_all(record["buffers"]).items():
        value.register_buffer(name, buffer)
    for name, module in reader.decode_all(record["modules"]).items():
        value.register_module(name, module)
    return value


# ----------------------------------------------------------------- densities and augmentations


def _encode_fields(value: Any, writer: Writer) -> dict[str, Json]:
    # What is computed from the fields, and kept beside them, is computed again.
    fields = {item.name: getattr(value, item.name) for item in dataclasses.fields(value)}
    return {"class": type(value).__name__, "fields": writer.encode_all(fields)}


def _decode_fields(record: dict[str, Json], reader: Reader) -> Any:
    return _named(_DATACLASSES, record["class"])(**reader.decode_all(record["fields"]))


# ------------------------------------------------------------------------------------- callbacks


def _encode_callback(value: Any, writer: Writer) -> dict[str, Json]:
    defaults = inspect.signature(type(value)).parameters
    options = {
        name: option
        for name, option in value.get_params(deep=False).items()
        if not (name in defaults and option is defaults[name].default)
    }
    active = {"active": value.active} if isinstance(value, StepSchedule) else {}
    options.pop("active", None)
    return {"class": type(value).__name__, "options": writer.encode_all(options), **active}


def _decode_callback(record: dict[str, Json], reader: Reader) -> Any:
    callback = _named(_CALLBACKS, record["class"])(**reader.decode_all(record["options"]))
    if "active" in record:
        callback.active = record["active"]
    return callback


def _encode_average(value: WeightAverage, writer: Writer) -> dict[str, Json]:
    # Its network is one of the kind that the net has, of which there is a description already.
    weights = None if value.module_ is None else encode_weights(value.module_, writer)
    return {"decay": writer.encode(value.decay), "n_steps": value.n_steps_, "weights": weights}


def _decode_average(record: dict[str, Json], reader: Reader) -> WeightAverage:
    average = WeightAverage(reader.decode(record["decay"])).initialize()
    average.n_steps_ = record["n_steps"]
    if record["weights"] is not None:
        assert reader.network is not None
        average.module_ = copy.deepcopy(reader.network).eval()
        restore_weights(average.module_, record["weights"], reader)
    return average


def _encode_history(value: skorch.history.History, writer: Writer) -> dict[str, Json]:
    return {"epochs": writer.encode(list(value))}


def _decode_history(record: dict[str, Json], reader: Reader) -> skorch.history.History:
    return skorch.history.History(reader.decode(record["epochs"]))


CODECS = (
    Codec("criterion", _is_one_of(_CRITERIA), _encode_criterion, _decode_criterion, shared=True),
    Codec("density", _is_one_of(_DATACLASSES), _encode_fields, _decode_fields, shared=True),
    Codec("callback", _is_one_of(_CALLBACKS), _encode_callback, _decode_callback, shared=True),
    Codec(
        "weight average",
        lambda value: type(value) is WeightAverage,
        _encode_average,
        _decode_average,
        shared=True,
    ),
    Codec(
        "history",
        lambda value: type(value) is skorch.history.History,
        _encode_history,
        _decode_history,
        shared=True,
    ),
)
