"""Series, indices and data frames of pandas, and its scalars.

pandas is imported only where there is something of it to write or to read.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from noisyfit.storage.codec import Codec, Json, Reader, Writer
from noisyfit.storage.errors import LoadError

# Arrays with a mask beside their values; what pandas calls their dtype.
_MASKED = {
    *(f"{sign}Int{bits}" for sign in ("", "U") for bits in (8, 16, 32, 64)),
    "Float32",
    "Float64",
    "boolean",
}


def is_pandas(value: Any, *names: str) -> bool:
    """Whether an object is of one of these classes of pandas, which need not be installed."""
    kind = type(value)
    return kind.__module__.partition(".")[0] == "pandas" and kind.__name__ in names


def _encode_values(values: Any, writer: Writer) -> dict[str, Json]:
    """Encode a column: what pandas calls an array."""
    import pandas as pd

    dtype = values.dtype
    is_text = isinstance(dtype, pd.StringDtype)
    # Older versions of pandas keep text in arrays of this kind, too.
    is_plain = isinstance(values, pd.arrays.NumpyExtensionArray) and not is_text
    if isinstance(dtype, np.dtype) or is_plain:
        return {"kind": "numpy", "values": writer.encode(np.asarray(values), "values")}
    if isinstance(dtype, pd.CategoricalDtype):
        return {
            "kind": "category",
            "codes": writer.encode(np.asarray(values.codes), "codes"),
            "categories": writer.encode(dtype.categories, "categories"),
            "ordered": dtype.ordered,
        }
    if isinstance(dtype, pd.DatetimeTZDtype):
        return {
            "kind": "zoned",
            "unit": dtype.unit,
            "zone": str(dtype.tz),
            "values": writer.encode(np.asarray(values.asi8), "values"),
        }
    if is_text or str(dtype) in _MASKED:
        missing = np.asarray(pd.isna(values))
        plain = [None if gone else item for item, gone in zip(values, missing, strict=True)]
        return {
            "kind": "nullable",
            "dtype": str(dtype),
            "storage": getattr(dtype, "storage", None),
            "nan": is_text and dtype.na_value is not pd.NA,
            "values": writer.encode(np.array(plain, dtype=object), "values"),
        }
    raise TypeError(
        f"{writer.where()} has the dtype {dtype}, which noisyfit.save can't write; convert it to a "
        "dtype of numpy, to category or to string."
    )


def _decode_values(record: dict[str, Json], reader: Reader) -> Any:
    import pandas as pd

    kind = record["kind"]
    if kind == "category":
        return pd.Categorical.from_codes(
            reader.decode(record["codes"]),
            categories=reader.decode(record["categories"]),
            ordered=record["ordered"],
        )
    values = reader.decode(record["values"])
    if kind == "numpy":
        return values
    if kind == "zoned":
        instants = pd.DatetimeIndex(values.view(f"M8[{record['unit']}]"), tz="UTC")
        return instants.tz_convert(record["zone"]).array
    if kind != "nullable":
        raise LoadError(f"The file holds a column of kind {kind!r}, which pandas has none of.")
    if record["storage"] is not None:
        # Older versions of pandas have one missing value only, and no argument for it.
        na_value = {"na_value": np.nan} if record["nan"] else {}
        dtype: Any = pd.StringDtype(record["storage"], **na_value)
    elif record["dtype"] in _MASKED:
        dtype = record["dtype"]
    else:
        raise LoadError(f"The file names {record['dtype']!r} as a dtype of pandas; it is none.")
    return pd.array(values, dtype=dtype)


def _encode_index(value: Any, writer: Writer) -> dict[str, Json]:
    import pandas as pd

    if isinstance(value, pd.RangeIndex):
        body: dict[str, Json] = {"range": [value.start, value.stop, value.step]}
    elif isinstance(value, pd.MultiIndex):
        levels = [writer.encode(level, "levels") for level in value.levels]
        codes = [writer.encode(np.asarray(code), "codes") for code in value.codes]
        body = {"levels": levels, "codes": codes}
    else:
        body = {"values": _encode_values(value.array, writer)}
        body["frequency"] = getattr(value, "freqstr", None)
    return {**body, "names": writer.encode(list(value.names), "names")}


def _decode_index(record: dict[str, Json], reader: Reader) -> Any:
    import pandas as pd

    names = reader.decode(record["names"])
    if "range" in record:
        return pd.RangeIndex(*record["range"], name=names[0])
    if "levels" in record:
        levels, codes = reader.decode(record["levels"]), reader.decode(record["codes"])
        return pd.MultiIndex(levels, codes, names=names)
    values = _decode_values(record["values"], reader)
    index = pd.Index(values, name=names[0], dtype=values.dtype)
    if record["frequency"] is not None:
        index.freq = record["frequency"]
    return index


def _encode_series(value: Any, writer: Writer) -> dict[str, Json]:
    return {
        "index": writer.encode(value.index, "index"),
        "name": writer.encode(value.name, "name"),
        "values": _encode_values(value.array, writer),
    }


def _decode_series(record: dict[str, Json], reader: Reader) -> Any:
    import pandas as pd

    index, name = reader.decode(record["index"]), reader.decode(record["name"])
    values = _decode_values(record["values"], reader)
    return pd.Series(values, index=index, name=name, dtype=values.dtype)


def _encode_frame(value: Any, writer: Writer) -> dict[str, Json]:
    columns = [_encode_values(value.iloc[:, i].array, writer) for i in range(value.shape[1])]
    return {
        "index": writer.encode(value.index, "index"),
        "columns": writer.encode(value.columns, "columns"),
        "values": columns,
    }


def _decode_frame(record: dict[str, Json], reader: Reader) -> Any:
    import pandas as pd

    index, columns = reader.decode(record["index"]), reader.decode(record["columns"])
    values = [_decode_values(column, reader) for column in record["values"]]
    frame = pd.DataFrame(dict(enumerate(values)), index=index)
    frame.columns = columns
    return frame


def _encode_scalar(value: Any, writer: Writer) -> dict[str, Json]:
    kind = type(value).__name__
    if kind in ("NAType", "NaTType"):
        return {"kind": kind}
    if kind == "Timestamp" and value.tzinfo is not None:
        zone = str(value.tz)
        return {
            "kind": kind,
            "unit": value.unit,
            "zone": zone,
            "value": value.asm8.view("i8").item(),
        }
    return {"kind": kind, "unit": value.unit, "zone": None, "value": value.asm8.view("i8").item()}


def _decode_scalar(record: dict[str, Json], reader: Reader) -> Any:
    import pandas as pd

    kind = record["kind"]
    if kind == "NAType":
        return pd.NA
    if kind == "NaTType":
        return pd.NaT
    if kind == "Timedelta":
        return pd.Timedelta(np.timedelta64(record["value"], record["unit"]))
    if kind != "Timestamp":
        raise LoadError(f"The file holds a {kind!r}, which is no scalar of pandas.")
    value = pd.Timestamp(np.datetime64(record["value"], record["unit"]))
    return value if record["zone"] is None else value.tz_localize("UTC").tz_convert(record["zone"])


def _is_index(value: Any) -> bool:
    return is_pandas(
        value, "Index", "RangeIndex", "MultiIndex", "DatetimeIndex", "TimedeltaIndex",
        "CategoricalIndex",
    )  # fmt: skip


CODECS = (
    Codec("series", lambda v: is_pandas(v, "Series"), _encode_series, _decode_series),
    Codec("index", _is_index, _encode_index, _decode_index),
    Codec("frame", lambda v: is_pandas(v, "DataFrame"), _encode_frame, _decode_frame),
    Codec(
        "pandas scalar",
        lambda v: is_pandas(v, "Timestamp", "Timedelta", "NAType", "NaTType"),
        _encode_scalar,
        _decode_scalar,
    ),
)
