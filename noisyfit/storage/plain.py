"""Python's own values: containers, bytes, dates, and numbers that JSON does not know."""

from __future__ import annotations

import datetime
from collections import OrderedDict
from pathlib import Path, PurePath
from typing import Any

from sklearn.utils import Bunch

from noisyfit.storage.codec import Codec, Json, Reader, Writer

_DATES: dict[str, type[Any]] = {
    "date": datetime.date,
    "datetime": datetime.datetime,
    "time": datetime.time,
}


def _encode_items(value: Any, writer: Writer) -> dict[str, Json]:
    # Sets have no order; that of the file is to depend on nothing but what they hold.
    items = sorted(value, key=repr) if isinstance(value, set | frozenset) else value
    return {"items": [writer.encode(item, number) for number, item in enumerate(items)]}


def _encode_dict(value: dict[Any, Any], writer: Writer) -> dict[str, Json]:
    if all(type(key) is str for key in value):
        return {"entries": writer.encode_all(value)}
    # Keys of any other kind, and their order, are kept as pairs.
    pairs = [
        [writer.encode(key, "key"), writer.encode(item, str(key))] for key, item in value.items()
    ]
    return {"pairs": pairs}


def _decode_dict(record: dict[str, Json], reader: Reader) -> dict[Any, Any]:
    if "entries" in record:
        return reader.decode_all(record["entries"])
    return {reader.decode(key): reader.decode(item) for key, item in record["pairs"]}


def _encode_timezone(zone: datetime.tzinfo | None, writer: Writer) -> Json:
    if zone is None:
        return None
    name = getattr(zone, "key", None)  # of zoneinfo.ZoneInfo
    if isinstance(name, str):
        return name
    offset = zone.utcoffset(None)
    if type(zone) is not datetime.timezone or offset is None:
        raise TypeError(
            f"{writer.where()} has the time zone {zone!r}; noisyfit.save knows those of zoneinfo "
            "and of datetime.timezone."
        )
    return offset.total_seconds()


def _decode_timezone(record: Json) -> datetime.tzinfo | None:
    if record is None:
        return None
    if isinstance(record, str):
        from zoneinfo import ZoneInfo

        return ZoneInfo(record)
    return datetime.timezone(datetime.timedelta(seconds=record))


def _encode_date(value: Any, writer: Writer) -> dict[str, Json]:
    zone = getattr(value, "tzinfo", None)
    record = {"kind": type(value).__name__, "zone": _encode_timezone(zone, writer)}
    local = value if zone is None else value.replace(tzinfo=None)
    return {**record, "value": local.isoformat(), "fold": getattr(value, "fold", 0)}


def _decode_date(record: dict[str, Json], reader: Reader) -> Any:
    kind = _DATES[record["kind"]]
    value = kind.fromisoformat(record["value"])
    if kind is datetime.date:
        return value
    return value.replace(tzinfo=_decode_timezone(record["zone"]), fold=record["fold"])


def _items_codec(kind: type[Any]) -> Codec:
    return Codec(
        kind.__name__,
        lambda value: type(value) is kind,
        _encode_items,
        lambda record, reader: kind(reader.decode(record["items"])),
    )


CODECS = (
    _items_codec(tuple),
    _items_codec(set),
    _items_codec(frozenset),
    Codec("dict", lambda value: type(value) is dict, _encode_dict, _decode_dict),
    Codec(
        "ordered dict",
        lambda value: type(value) is OrderedDict,
        _encode_dict,
        lambda record, reader: OrderedDict(_decode_dict(record, reader)),
    ),
    Codec(
        "bunch",
        lambda value: type(value) is Bunch,
        _encode_dict,
        lambda record, reader: Bunch(**_decode_dict(record, reader)),
    ),
    Codec(
        "bytes",
        lambda value: type(value) is bytes,
        lambda value, writer: {"hex": value.hex()},
        lambda record, reader: bytes.fromhex(record["hex"]),
    ),
    Codec(
        "complex",
        lambda value: type(value) is complex,
        lambda value, writer: {"parts": writer.encode([value.real, value.imag])},
        lambda record, reader: complex(*reader.decode(record["parts"])),
    ),
    Codec(
        "path",
        lambda value: isinstance(value, PurePath),
        lambda value, writer: {"value": str(value)},
        lambda record, reader: Path(record["value"]),
    ),
    Codec("date", lambda value: type(value) in _DATES.values(), _encode_date, _decode_date),
    Codec(
        "timedelta",
        lambda value: type(value) is datetime.timedelta,
        lambda value, writer: {"parts": [value.days, value.seconds, value.microseconds]},
        lambda record, reader: datetime.timedelta(*record["parts"]),
    ),
)
