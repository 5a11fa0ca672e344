"""A trained net: network, criterion, optimizer, callbacks and history, ready to train on."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor, nn

from noisyfit.persistence.modules import (
    build_layers,
    encode_weights,
    layers_of,
    restore_weights,
)
from noisyfit.persistence.names import NotSaved, describe
from noisyfit.storage.codec import Json, Reader, Writer
from noisyfit.storage.errors import LoadError
from noisyfit.training.averaging import WeightAverage
from noisyfit.training.criteria import FunctionCriterion
from noisyfit.training.modules import build_module
from noisyfit.training.network import PlannedNet
from noisyfit.training.rows import RowForm
from noisyfit.training.seeding import isolated_seed
from noisyfit.training.twins import TwinNet, Twins

_NETS: dict[str, type[PlannedNet]] = {"PlannedNet": PlannedNet, "TwinNet": TwinNet}
_SETTINGS = ("lr", "batch_size", "dtype", "autocast", "memory_format", "compile_mode", "verbose")
_OPTION_PREFIXES = ("optimizer__", "callbacks__", "iterator_train__", "iterator_valid__")
# Set in training, and read by what comes after it.
_STATE = ("diverged_", "stop_requested_", "drop_share")


def encode_net(net: PlannedNet, writer: Writer, n_classes: int) -> dict[str, Json]:
    """Write a net, which was built for so many classes."""
    if net.diverged_:
        raise ValueError("The training of the network has diverged: there is nothing to save.")
    parameters = net.get_params(deep=False)
    options = {k: v for k, v in parameters.items() if k.startswith(_OPTION_PREFIXES)}
    with writer.inside("net_", may_be_missing=True):
        record = {
            "class": type(net).__name__,
            "device": str(net.device),
            "network": _encode_network(net, writer, n_classes),
            "criterion": _encode_criterion(net.criterion_, writer),
            "settings": {name: writer.encode(getattr(net, name), name) for name in _SETTINGS},
            "options": writer.encode_all(options),
            "callbacks": writer.encode(net.callbacks, "callbacks"),
            "state": {name: vars(net)[name] for name in _STATE if name in vars(net)},
            "history": writer.encode(net.history, "history"),
            "scaler": net.scaler_.state_dict(),
        }
        return {**record, "optimizer": _encode_optimizer(net, writer)}


def decode_net(record: dict[str, Json], reader: Reader) -> PlannedNet:
    """The net that `encode_net` has written, on the device asked for or the one it was on."""
    device = check_device(torch.device(record["device"]), reader)
    settings = reader.decode_all(record["settings"])
    network = _decode_network(record["network"], settings["dtype"], reader).to(device)
    reader.network = network
    optimizer = reader.decode(record["optimizer"]["class"])
    options = reader.decode_all(record["options"])
    if isinstance(optimizer, NotSaved):
        options = {k: v for k, v in options.items() if not k.startswith("optimizer__")}
    if record["class"] not in _NETS:
        raise LoadError(f"The file names the net {record['class']!r}, which noisyfit has none of.")
    callbacks = _without_missing(reader.decode(record["callbacks"]))
    averages = [(average, average.module_, average.n_steps_) for average in _averages(callbacks)]
    net = _NETS[record["class"]](
        network,
        criterion=_decode_criterion(record["criterion"], reader),
        optimizer=torch.optim.SGD if isinstance(optimizer, NotSaved) else optimizer,
        device=str(device),
        callbacks=callbacks,
        transform=reader.parameters.get("train_transform"),
        train_split=None,
        **settings,
        **options,
    ).initialize()
    for average, module, n_steps in averages:  # which initialising has made to forget
        average.module_, average.n_steps_ = module, n_steps
    net.row_form_ = _decode_form(record["network"]["sizes"])
    net.history_ = reader.decode(record["history"])
    vars(net).update({name: record["state"][name] for name in _STATE if name in record["state"]})
    net.plan_ = net.validation_plan_ = None
    if record.get("scaler"):  # files of earlier versions have none
        net.scaler_.load_state_dict(record["scaler"])
    if isinstance(optimizer, NotSaved):
        net.optimizer = net.optimizer_ = optimizer
    else:
        net.optimizer_ = _decode_optimizer(net, record["optimizer"], reader)
    return net


def check_device(device: torch.device, reader: Reader) -> torch.device:
    """The device to load to, which this machine has to have."""
    device = device if reader.device is None else reader.device
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise LoadError(
            f"The estimator is to be loaded to device={str(device)!r}, which this machine does not "
            "have; pass noisyfit.load(..., device='cpu')."
        ) from error
    return device


def _averages(callbacks: list[Any]) -> list[WeightAverage]:
    items = [item[1] if isinstance(item, tuple) else item for item in callbacks]
    return [item for item in items if isinstance(item, WeightAverage)]


def _without_missing(callbacks: Any) -> list[Any]:
    pairs = [item if isinstance(item, tuple) else (None, item) for item in callbacks or []]
    present = [(name, item) for name, item in pairs if not isinstance(item, NotSaved)]
    return [item if name is None else (name, item) for name, item in present]


# --------------------------------------------------------------------------------------- network


def _encode_network(net: PlannedNet, writer: Writer, n_classes: int) -> dict[str, Json]:
    module = net.module_
    one = module.first if isinstance(module, Twins) else module
    layers = layers_of(one, writer)
    writer.path.append("module_")
    weights = encode_weights(module, writer)
    writer.path.pop()
    return {
        "layers": layers,
        "twins": isinstance(module, Twins),
        "training": module.training,
        "sizes": {"form": asdict(net.row_form_), "n_classes": n_classes},
        **weights,
    }


def _decode_network(record: dict[str, Json], dtype: torch.dtype, reader: Reader) -> nn.Module:
    form = _decode_form(record["sizes"])

    def make() -> nn.Module:
        if record["layers"] is not None:
            return build_layers(record["layers"], reader)
        return _build(reader.parameters, form, record["sizes"]["n_classes"])

    with isolated_seed(0, torch.device("cpu")):
        network = _pair(make) if record["twins"] else make()
    network = network.to(dtype)
    restore_weights(network, record, reader)
    return network.train(record["training"])


def _pair(make: Callable[[], nn.Module]) -> Twins:
    """Two networks whose weights are yet to come: `Twins` itself draws them, until they differ."""
    twins = Twins.__new__(Twins)
    nn.Module.__init__(twins)
    twins.first, twins.second = make(), make()
    return twins


def _decode_form(sizes: dict[str, Json]) -> RowForm:
    form = sizes["form"]
    return RowForm(form["kind"], tuple(form["shape"]), tuple(form["names"]))


def _build(parameters: dict[str, Any], form: RowForm, n_classes: int) -> nn.Module:
    """The network of an estimator's parameters, as a fit builds it."""
    start = "module__"
    options = {k.removeprefix(start): v for k, v in parameters.items() if k.startswith(start)}
    return build_module(parameters["module"], options, form=form, n_classes=n_classes)


def check_network(net: PlannedNet, parameters: dict[str, Any], n_classes: int) -> None:
    """Raise where an estimator's parameters, by which `load` builds it, make another network."""
    network = net.module_
    with isolated_seed(0, torch.device("cpu")):
        rebuilt = _build(parameters, net.row_form_, n_classes)
    fitted = network.first if isinstance(network, Twins) else network
    shapes = [
        {name: tuple(value.shape) for name, value in module.state_dict().items()}
        for module in (rebuilt, fitted)
    ]
    if shapes[0] != shapes[1]:
        raise ValueError(
            f"module={parameters['module']!r} and its options now make another network than the "
            "fitted one, so it could not be loaded; set them as they were in fit, or fit anew."
        )


# ------------------------------------------------------------------------------------- criterion


def _encode_criterion(criterion: nn.Module, writer: Writer) -> dict[str, Json]:
    record = writer.encode(criterion, "criterion_")
    # Of a class of the user's own: it was made from the parameter.
    own = record["type"] == "module" and record["layers"] is None
    return {"what": describe(criterion), "criterion": None if own else record}


def _decode_criterion(record: dict[str, Json], reader: Reader) -> nn.Module:
    if record["criterion"] is not None:
        return reader.decode(record["criterion"])
    parameter = reader.parameters.get("criterion")
    if isinstance(parameter, nn.Module):
        return copy.deepcopy(parameter)
    return FunctionCriterion(NotSaved("criterion", record["what"]))


# ------------------------------------------------------------------------------------- optimizer


def _named_tensors(net: PlannedNet) -> Iterator[tuple[str, Tensor]]:
    """What is trained, by names that do not change."""
    for part in ("module_", "criterion_"):
        for name, parameter in getattr(net, part).named_parameters():
            yield f"{part}.{name}", parameter


def _encode_optimizer(net: PlannedNet, writer: Writer) -> dict[str, Json]:
    record: dict[str, Json] = {"class": _encode_kind(net.optimizer, writer)}
    if isinstance(net.optimizer, NotSaved):
        return record
    names = {id(tensor): name for name, tensor in _named_tensors(net)}
    # A criterion of an earlier phase may have left parameters in the optimizer.
    groups = [
        [names.get(id(tensor)) or writer.encode(tensor, "left") for tensor in group["params"]]
        for group in net.optimizer_.param_groups
    ]
    state = net.optimizer_.state_dict()
    return {**record, "groups": groups, "state": writer.encode(state, "optimizer_")}


def _encode_kind(optimizer: Any, writer: Writer) -> Json:
    with writer.inside("optimizer", may_be_missing=True):
        return writer.encode(optimizer)


def _decode_optimizer(net: PlannedNet, record: dict[str, Json], reader: Reader) -> Any:
    named = dict(_named_tensors(net))
    groups = [
        {"params": [named[t] if isinstance(t, str) else reader.decode(t) for t in group]}
        for group in record["groups"]
    ]
    accepted = inspect.signature(net.optimizer).parameters
    options = {
        name.removeprefix("optimizer__"): value
        for name, value in net.get_params(deep=False).items()
        if name.startswith("optimizer__") and name.count("__") == 1
    }
    options.pop("param_groups", None)
    if "lr" in accepted:
        options.setdefault("lr", net.lr)
    optimizer = net.optimizer(groups, **options)
    state = reader.decode(record["state"])
    _check_state(optimizer, state)
    optimizer.load_state_dict(state)
    return optimizer


def _check_state(optimizer: torch.optim.Optimizer, state: dict[str, Any]) -> None:
    """Raise where the running means of an optimizer are not of the shape of the weights."""
    tensors = [tensor for group in optimizer.param_groups for tensor in group["params"]]
    for number, entries in state["state"].items():
        for name, value in entries.items():
            if not isinstance(value, Tensor) or value.dim() == 0:
                continue
            if isinstance(number, int) and value.numel() != tensors[number].numel():
                raise LoadError(
                    f"The optimizer's {name} in the file has shape {tuple(value.shape)}, but its "
                    f"weight has {tuple(tensors[number].shape)}."
                )
