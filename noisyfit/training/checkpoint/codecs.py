"""What the training of a method finds out, as JSON and arrays: a closed list."""

from __future__ import annotations

import dataclasses
from collections import OrderedDict
from typing import Any

from noisyfit._peaked import PeakedRows
from noisyfit.noise import NoiseEstimate
from noisyfit.noise.belief import Belief
from noisyfit.selection import Coreset
from noisyfit.storage import arrays, plain
from noisyfit.storage.codec import Codec, Json, Reader, Writer
from noisyfit.storage.errors import LoadError


def _dataclass_codec(kind: Any) -> Codec:
    def encode(value: Any, writer: Writer) -> dict[str, Json]:
        fields = {item.name: getattr(value, item.name) for item in dataclasses.fields(value)}
        return {"fields": writer.encode_all(fields)}

    def decode(record: dict[str, Json], reader: Reader) -> Any:
        return kind(**reader.decode_all(record["fields"]))

    return Codec(kind.__name__, lambda value: type(value) is kind, encode, decode)


def _encode_peaked(value: PeakedRows, writer: Writer) -> dict[str, Json]:
    return {"parts": writer.encode([value.excess, value.background])}


def _decode_peaked(record: dict[str, Json], reader: Reader) -> PeakedRows:
    return PeakedRows(*reader.decode(record["parts"]))


def _refuse(value: Any, writer: Writer) -> dict[str, Json]:
    raise TypeError(f"{writer.where()} is {value!r}, which a checkpoint can't hold.")


def _refuse_tag(record: dict[str, Json], reader: Reader) -> Any:
    raise LoadError("The checkpoint holds an object of an unknown kind.")


CODECS: tuple[Codec, ...] = (
    *plain.CODECS,
    *arrays.CODECS,
    Codec("PeakedRows", lambda value: type(value) is PeakedRows, _encode_peaked, _decode_peaked),
    _dataclass_codec(NoiseEstimate),
    _dataclass_codec(Belief),
    _dataclass_codec(Coreset),
    Codec("other", lambda value: True, _refuse, _refuse_tag),
)


def can_be_written(value: Any) -> bool:
    """Whether an object is one of those on the list, all that it holds included."""
    if type(value) in (type(None), bool, int, float, str):
        return True
    if type(value) in (list, tuple, set, frozenset):
        return all(can_be_written(item) for item in value)
    if isinstance(value, dict):
        return type(value) in (dict, OrderedDict) and all(
            can_be_written(key) and can_be_written(item) for key, item in value.items()
        )
    codec = next(codec for codec in CODECS if codec.fits(value))
    return codec.tag != "other"
