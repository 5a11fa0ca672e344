"""What training is like between two epochs, as plain values and tensors, and back."""

from __future__ import annotations

import warnings
from typing import Any

from skorch.callbacks import Callback
from skorch.history import History

from noisyfit.training.averaging import WeightAverage
from noisyfit.training.checkpoint.codecs import can_be_written
from noisyfit.training.network import PlannedNet

State = dict[str, Any]


class Noted(dict[str, Any]):
    """Plain values that a method notes between epochs."""

    def state_dict(self) -> State:
        """The values."""
        return dict(self)

    def load_state_dict(self, state: State) -> None:
        """Take the values of an earlier process."""
        self.update(state)


class NetState:
    """Weights, optimizer, criterion, callbacks and history of a net."""

    def __init__(self, net: PlannedNet) -> None:
        self.net = net

    def state_dict(self) -> State:
        """All of them; tensors are those of the net, not copies."""
        net = self.net
        return {
            "module": dict(net.module_.state_dict()),
            "criterion": dict(net.criterion_.state_dict()),
            "optimizer": net.optimizer_.state_dict(),
            "scaler": net.scaler_.state_dict(),
            "callbacks": {name: _callback_state(callback) for name, callback in net.callbacks_},
            "history": list(net.history),
            "stop_requested": net.stop_requested_,
        }

    def load_state_dict(self, state: State) -> None:
        """Make the net what it was."""
        net = self.net
        net.module_.load_state_dict(state["module"])
        if state["criterion"]:  # a criterion of a warm-up has none
            net.criterion_.load_state_dict(state["criterion"])
        net.optimizer_.load_state_dict(state["optimizer"])
        net.scaler_.load_state_dict(state["scaler"])
        net.history_ = History(state["history"])
        net.stop_requested_ = state["stop_requested"]
        for name, callback in net.callbacks_:
            if isinstance(callback, WeightAverage):
                callback.follow(net.module_)
            if name in state["callbacks"]:  # another process of the fit may have had others
                _restore_callback(name, callback, state["callbacks"][name])


# -------------------------------------------------------------------------------------- callbacks


def _callback_state(callback: Callback) -> State:
    """What its ``state_dict`` gives or, without one, the attributes whose names end in ``_``."""
    if hasattr(callback, "state_dict"):
        return {"own": callback.state_dict()}
    attributes: State = {}
    with_state: State = {}
    left_out = []
    for name, value in vars(callback).items():
        if not name.endswith("_") or name.startswith("_") or isinstance(value, type):
            continue
        if can_be_written(value):
            attributes[name] = value
        elif hasattr(value, "load_state_dict"):  # a scheduler of torch's, say
            state = value.state_dict()
            with_state[name] = {key: item for key, item in state.items() if can_be_written(item)}
        elif not callable(value):
            left_out.append(name)
    return {"attributes": attributes, "with_state": with_state, "left_out": left_out}


def _restore_callback(name: str, callback: Callback, state: State) -> None:
    if "own" in state:
        callback.load_state_dict(state["own"])
        return
    vars(callback).update(state["attributes"])
    for attribute, own in state["with_state"].items():
        getattr(callback, attribute).load_state_dict(own)
    if state["left_out"]:
        warnings.warn(
            f"The callback {name!r} ({type(callback).__name__}) begins anew with "
            f"{', '.join(state['left_out'])}, which a checkpoint can't hold; give it state_dict "
            "and load_state_dict.",
            UserWarning,
            stacklevel=2,
        )
