"""Classes by name, and what is not in a file: functions and objects of the user's own.

No name that stands in a file is imported. Classes of torch, skorch and noisyfit are looked up in a
few public modules; a class of the user's own is found again where its module has been imported
already, or else asked for. Functions, which a file could name any of, are always asked for.
"""

from __future__ import annotations

import inspect
import sys
from typing import Any

import skorch.callbacks
import torch
from torch import nn

from noisyfit import losses, weighting
from noisyfit.storage.codec import Codec, Json, Reader, Step, Writer
from noisyfit.storage.errors import LoadError

# Public module: the base that a class in it must have.
_PUBLIC: dict[str, tuple[Any, type[Any]]] = {
    "torch.nn": (nn, nn.Module),
    "torch.optim": (torch.optim, torch.optim.Optimizer),
    "torch.optim.lr_scheduler": (torch.optim.lr_scheduler, torch.optim.lr_scheduler.LRScheduler),
    "noisyfit.losses": (losses, nn.Module),
    "noisyfit.weighting": (weighting, weighting.Emphasis),
    "skorch.callbacks": (skorch.callbacks, skorch.callbacks.Callback),
}
# A class of the user's own is only looked for where it is one of these.
_USABLE = (nn.Module, torch.optim.Optimizer)


def public_name(kind: Any) -> str | None:
    """``torch.nn:Linear``, or None where a class is in none of the public modules."""
    name = getattr(kind, "__name__", None)
    for module, (found_in, base) in _PUBLIC.items():
        if vars(found_in).get(name) is kind and issubclass(kind, base):
            return f"{module}:{name}"
    return None


def public_class(name: str) -> Any:
    """The class that a public name stands for."""
    module, _, attribute = name.partition(":")
    if module in _PUBLIC:
        found_in, base = _PUBLIC[module]
        found = vars(found_in).get(attribute)
        if isinstance(found, type) and issubclass(found, base):
            return found
    raise LoadError(f"The file names the class {name!r}, which is none that noisyfit.save names.")


def _encode_class(value: type[Any], writer: Writer) -> dict[str, Json]:
    name = public_name(value)
    if name is not None:
        return {"public": name}
    return {**_encode_missing(value, writer), "own": f"{value.__module__}:{value.__qualname__}"}


def _decode_class(record: dict[str, Json], reader: Reader) -> Any:
    if "public" in record:
        return public_class(record["public"])
    if record["path"][0] not in reader.given:
        module, _, qualified = record["own"].partition(":")
        found: Any = sys.modules.get(module)
        for piece in qualified.split("."):
            found = vars(found).get(piece) if isinstance(found, type | type(sys)) else None
        own = isinstance(found, type) and issubclass(found, _USABLE)
        # Not what a module has imported from elsewhere.
        if own and (found.__module__, found.__qualname__) == (module, qualified):
            return found
    return _decode_missing(record, reader)


# -------------------------------------------------------------------------------- what is missing


class NotSavedError(AttributeError, TypeError):
    """Something was used that no file holds; the message says how to give it back."""


class NotSaved:
    """Stands for an object that `noisyfit.save` could not write, and that prediction does without.

    It may be kept, copied and pickled; whatever else is done with it raises `NotSavedError`.
    """

    def __init__(self, parameter: str, what: str) -> None:
        self.parameter = parameter
        self.what = what

    def _remedy(self) -> NotSavedError:
        return NotSavedError(
            f"{self.parameter} was {self.what}, which noisyfit.save does not write. Give it back "
            f"by noisyfit.load(..., parameters={{{self.parameter!r}: ...}}), or fit anew."
        )

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Raise `NotSavedError`."""
        raise self._remedy()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # Python asks for those itself, when it copies say
            raise AttributeError(name)
        raise self._remedy()

    def __repr__(self) -> str:
        return f"<not saved: {self.what}; pass it as noisyfit.load(..., parameters=...)>"


def describe(value: Any) -> str:
    """What an object of the user's own is, for people: ``function mypackage.weight``."""
    if isinstance(value, NotSaved):
        return value.what
    if isinstance(value, type):
        return f"class {value.__module__}.{value.__qualname__}"
    if inspect.isroutine(value):
        module, name = getattr(value, "__module__", None), getattr(value, "__qualname__", "?")
        return f"function {name}" if module is None else f"function {module}.{name}"
    return f"instance of {type(value).__module__}.{type(value).__qualname__}"


def _encode_missing(value: Any, writer: Writer) -> dict[str, Json]:
    if not writer.path:
        raise TypeError(
            f"noisyfit.save takes estimators of noisyfit, and of scikit-learn with them inside; "
            f"got {describe(value)}."
        )
    record: dict[str, Json] = {"path": list(writer.path), "what": describe(value)}
    parameter = writer.path[0]
    # The network is built anew from these: the file is of no use without.
    if parameter == "module" or str(parameter).startswith("module__"):
        return {**record, "required": True}
    if not writer.may_be_missing:
        raise TypeError(
            f"{writer.where()} is {value!r}, {describe(value)}, which noisyfit.save can't write. "
            "It takes numbers, strings, dates, containers, arrays, pandas, what noisyfit and "
            "torch.nn make, and estimators of scikit-learn."
        )
    return {**record, "required": False}


def _decode_missing(record: dict[str, Json], reader: Reader) -> Any:
    path, what = record["path"], record["what"]
    parameter = path[0]
    if parameter in reader.given:
        reader.used.add(parameter)
        return _follow(reader.given[parameter], path[1:], parameter)
    if record["required"]:
        raise LoadError(needed(parameter, what))
    reader.left_out[parameter] = what
    return NotSaved(parameter, what)


def needed(parameter: str, what: str) -> str:
    """What to say where the network can't be built without a parameter."""
    keyword = f"module={what.rpartition('.')[2]}"
    if parameter != "module":
        keyword = f"parameters={{{parameter!r}: {what.rpartition('.')[2]}}}"
    kind = what.split(" ")[0]
    if kind == "instance":
        keyword = "module=<an instance of the same architecture>"
    already = ", or import its module before you load" if kind == "class" else ""
    return (
        f"{parameter} was {what}, and the file holds its weights but not its code: pass it as "
        f"noisyfit.load(..., {keyword}){already}."
    )


def _follow(value: Any, path: list[Step], parameter: str) -> Any:
    """The part of a given parameter that is missing in the file."""
    for step in path:
        try:
            if isinstance(step, int) or isinstance(value, dict):
                value = value[step]
            else:
                value = getattr(value, step)
        except (LookupError, TypeError, AttributeError) as error:
            raise LoadError(
                f"parameters={{{parameter!r}: ...}} is not of the form that was saved: its part "
                f"{path} is asked for, got {value!r}."
            ) from error
    return value


CODECS = (Codec("class", lambda v: isinstance(v, type), _encode_class, _decode_class, shared=True),)
#: Takes whatever no other codec takes, so it comes last.
MISSING = Codec("missing", lambda v: True, _encode_missing, _decode_missing, shared=True)
