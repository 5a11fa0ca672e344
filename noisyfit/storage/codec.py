"""From an object to JSON and back, by a closed list of codecs: what is not on it can't be made.

JSON lists, strings, booleans, null and finite numbers stand for themselves; everything else is a
JSON object with a ``type``, the tag of the codec that made it. Large arrays lie outside of the
JSON, see `noisyfit.storage.arrays`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from noisyfit.storage.errors import LoadError

Json = Any
Step = str | int


@dataclass(frozen=True)
class Codec:
    """How objects of one kind are written and read.

    ``fits`` tells them from others. ``shared`` ones are written once, however many places hold
    them, and are one object again after reading.
    """

    tag: str
    fits: Callable[[Any], bool]
    encode: Callable[[Any, Writer], dict[str, Json]]
    decode: Callable[[dict[str, Json], Reader], Any]
    shared: bool = False


@dataclass
class Writer:
    """Collects what is written: JSON through `encode`, beside it members and tensors."""

    codecs: Sequence[Codec]
    members: dict[str, Any] = field(default_factory=dict)
    """Bytes, or pieces of them, by name."""
    tensors: dict[str, Tensor] = field(default_factory=dict)
    path: list[Step] = field(default_factory=list)
    """Where in the present estimator the object in hand lies, for messages and names."""
    may_be_missing: bool = False
    """Whether objects that can't be written may be left out: predictions do without them."""
    _seen: dict[int, tuple[int, Any]] = field(default_factory=dict)

    def encode(self, value: Any, *steps: Step) -> Json:
        """JSON for an object; ``steps`` lead to it from the one in hand."""
        self.path.extend(steps)
        try:
            return self._encode(value)
        finally:
            del self.path[len(self.path) - len(steps) :]

    def _encode(self, value: Any) -> Json:
        if value is None or type(value) in (bool, int, str):
            return value
        if type(value) is float:
            return value if math.isfinite(value) else {"type": "float", "value": repr(value)}
        if type(value) is list:
            return [self.encode(item, number) for number, item in enumerate(value)]
        if id(value) in self._seen:
            return {"type": "again", "id": self._seen[id(value)][0]}
        codec = next(codec for codec in self.codecs if codec.fits(value))
        record: dict[str, Json] = {"type": codec.tag}
        if codec.shared:
            record["id"] = len(self._seen)
            # The object is kept alive, so that no other one gets its id.
            self._seen[id(value)] = (record["id"], value)
        record.update(codec.encode(value, self))
        return record

    def encode_all(self, values: dict[str, Any], *steps: Step) -> dict[str, Json]:
        """JSON for a dictionary whose keys are plain names."""
        return {name: self.encode(value, *steps, name) for name, value in values.items()}

    @contextmanager
    def inside(self, *path: Step, may_be_missing: bool = False) -> Iterator[None]:
        """Write what follows as parts of an estimator of its own."""
        before = self.path, self.may_be_missing
        self.path, self.may_be_missing = list(path), may_be_missing
        try:
            yield
        finally:
            self.path, self.may_be_missing = before

    def where(self) -> str:
        """The place in hand, as one would write it in Python."""
        names = [f"[{step}]" if isinstance(step, int) else f".{step}" for step in self.path]
        return "".join(names).removeprefix(".") or "the estimator"

    def member(self, folder: str, suffix: str, data: Any) -> str:
        """Name under which some bytes are kept."""
        name = _unused(f"{folder}/{self._label()}", self.members, suffix)
        self.members[name] = data
        return name

    def tensor(self, value: Tensor) -> str:
        """Name under which a tensor is kept."""
        name = _unused(self._label(), self.tensors)
        # A copy of its own: safetensors refuses tensors that share memory.
        self.tensors[name] = value.detach().to("cpu", copy=True).contiguous()
        return name

    def _label(self) -> str:
        words = [re.sub(r"[^A-Za-z0-9_.]+", "_", str(step)).strip(".") for step in self.path]
        return ".".join(word for word in words if word)[-120:].lstrip(".") or "value"


def _unused(name: str, taken: dict[str, Any], suffix: str = "") -> str:
    candidate, number = name + suffix, 1
    while candidate in taken:
        number += 1
        candidate = f"{name}-{number}{suffix}"
    return candidate


@dataclass
class Reader:
    """Makes objects from what `Writer` has collected, and from what the caller gives."""

    codecs: dict[str, Codec]
    members: dict[str, bytearray]
    tensors: dict[str, Tensor]
    given: dict[str, Any] = field(default_factory=dict)
    """Parameters that the caller gives, in place of those that are not in the file."""
    trusted: Sequence[str] = ()
    device: torch.device | None = None
    parameters: dict[str, Any] = field(default_factory=dict)
    """Those of the estimator in hand."""
    network: nn.Module | None = None
    """That of the estimator in hand."""
    used: set[str] = field(default_factory=set)
    """What was taken of ``given``."""
    left_out: dict[str, str] = field(default_factory=dict)
    """Parameters that are neither in the file nor given, and what they were."""
    _seen: dict[int, Any] = field(default_factory=dict)
    _taken: set[str] = field(default_factory=set)

    def decode(self, record: Json) -> Any:
        """The object that some JSON stands for."""
        if record is None or isinstance(record, bool | int | str | float):
            return record
        if isinstance(record, list):
            return [self.decode(item) for item in record]
        tag = record.get("type")
        if tag == "float":
            return {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}[record["value"]]
        if tag == "again":
            return self._seen[record["id"]]
        if not isinstance(tag, str) or tag not in self.codecs:
            raise LoadError(f"The file holds {tag!r}, which is nothing that noisyfit.save writes.")
        codec = self.codecs[tag]
        value = codec.decode(record, self)
        if codec.shared:
            self._seen[record["id"]] = value
        return value

    def decode_all(self, records: dict[str, Json]) -> dict[str, Any]:
        """Objects by name."""
        return {name: self.decode(record) for name, record in records.items()}

    def member(self, name: str) -> bytearray:
        """Bytes that lie beside the JSON."""
        self._taken.add(name)
        return self.members[name]

    def tensor(self, name: str) -> Tensor:
        """A tensor that lies beside the JSON, on the CPU."""
        self._taken.add(name)
        return self.tensors[name].clone()

    def check_all_taken(self) -> None:
        """Raise where something in the file was for nothing."""
        left = sorted({*self.members, *self.tensors} - self._taken)
        if left:
            raise LoadError(f"The file holds {left}, which nothing in it uses: it was changed.")
