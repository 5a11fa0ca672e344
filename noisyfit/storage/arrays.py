"""Arrays: numpy's and scipy's as ``.npy`` members, torch's tensors together as safetensors.

Neither is ever read through pickle. Arrays of objects are lists of what they hold.
"""

from __future__ import annotations

import io
import math
from typing import Any

import numpy as np
import scipy.sparse
import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from noisyfit.storage.codec import Codec, Json, Reader, Writer
from noisyfit.storage.errors import LoadError

WEIGHTS = "weights.safetensors"
# Longer headers would only take time to parse.
_LONGEST_HEADER = 10_000
_SPARSE = {
    name: getattr(scipy.sparse, name)
    for kind in ("csr", "csc", "coo", "bsr")
    for name in (f"{kind}_matrix", f"{kind}_array")
}
_BIT_GENERATORS = ("MT19937", "PCG64", "PCG64DXSM", "Philox", "SFC64")


# ------------------------------------------------------------------------------------------ numpy


def to_npy(array: np.ndarray) -> list[bytes | memoryview]:
    """The bytes of a ``.npy`` file in pieces; those of the array itself are not copied."""
    if array.size and not array.dtype.itemsize:
        raise TypeError(f"noisyfit.save takes no arrays of dtype {array.dtype}, of no bytes.")
    if not (array.flags.c_contiguous or array.flags.f_contiguous):
        array = np.ascontiguousarray(array)
    description = np.lib.format.header_data_from_array_1_0(array)
    header = io.BytesIO()
    try:
        np.lib.format.write_array_header_1_0(header, description)
    except ValueError:  # of very many columns with names
        np.lib.format.write_array_header_2_0(header, description)
    if not array.size:
        return [header.getvalue()]
    content = array.reshape(-1, order="F" if description["fortran_order"] else "C")
    return [header.getvalue(), content.view(np.uint8).data]


def from_npy(data: bytes | bytearray, name: str) -> np.ndarray:
    """Array in the bytes of a ``.npy`` file, which has to be as long as its header says.

    It lies where the bytes are if they can be changed (those of a file are for it alone).
    """
    buffer = io.BytesIO(data[:_LONGEST_HEADER])
    version = np.lib.format.read_magic(buffer)
    read = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }[version]
    shape, fortran, dtype = read(buffer, max_header_size=_LONGEST_HEADER)
    content = len(data) - buffer.tell()
    whole = 0 in shape or (dtype.itemsize > 0 and min(shape, default=1) > 0)
    if dtype.hasobject or not whole or math.prod(shape) * dtype.itemsize != content:
        raise LoadError(
            f"{name} announces an array of shape {shape} and dtype {dtype}, but holds {content} "
            "bytes."
        )
    if 0 in shape:
        return np.zeros(shape, dtype, order="F" if fortran else "C")
    flat = np.frombuffer(data, dtype, offset=buffer.tell())
    return (flat if flat.flags.writeable else flat.copy()).reshape(
        shape, order="F" if fortran else "C"
    )


def _encode_array(value: np.ndarray, writer: Writer) -> dict[str, Json]:
    value = np.asarray(value)  # of a memory map, what it shows
    if value.dtype.hasobject or value.dtype.kind == "T":
        if value.dtype.fields is not None:
            raise TypeError(
                f"{writer.where()} is an array of dtype {value.dtype}; noisyfit.save takes no "
                "structured arrays that hold objects."
            )
        return {
            "shape": list(value.shape),
            "strings": value.dtype.kind == "T",
            **_encode_objects(value.ravel().tolist(), writer),
        }
    return {"member": writer.member("arrays", ".npy", to_npy(value))}


def _encode_objects(items: list[Any], writer: Writer) -> dict[str, Json]:
    if not all(type(item) is str for item in items):
        return {"items": [writer.encode(item, number) for number, item in enumerate(items)]}
    # Labels: few different ones, many times.
    numbers = {item: number for number, item in enumerate(dict.fromkeys(items))}
    codes = np.array([numbers[item] for item in items], dtype=np.int32)
    return {"items": list(numbers), "codes": writer.member("arrays", ".npy", to_npy(codes))}


def _decode_array(record: dict[str, Json], reader: Reader) -> np.ndarray:
    if "member" in record:
        return from_npy(reader.member(record["member"]), record["member"])
    items = reader.decode(record["items"])
    if "codes" in record:
        items = [items[code] for code in from_npy(reader.member(record["codes"]), "codes")]
    if record["strings"]:
        return np.array(items, dtype=np.dtypes.StringDType()).reshape(record["shape"])
    values = np.empty(len(items), dtype=object)
    for number, item in enumerate(items):  # at once, lists among the items would be unpacked
        values[number] = item
    return values.reshape(record["shape"])


def _encode_scalar(value: np.generic, writer: Writer) -> dict[str, Json]:
    return {"member": writer.member("arrays", ".npy", to_npy(np.asarray(value)))}


def _decode_scalar(record: dict[str, Json], reader: Reader) -> Any:
    return from_npy(reader.member(record["member"]), record["member"])[()]


def _encode_masked(value: Any, writer: Writer) -> dict[str, Json]:
    return {"parts": writer.encode([value.data, np.ma.getmaskarray(value), value.fill_value])}


def _decode_masked(record: dict[str, Json], reader: Reader) -> Any:
    data, mask, fill_value = reader.decode(record["parts"])
    return np.ma.MaskedArray(data, mask, fill_value=fill_value)


def _decode_dtype(record: dict[str, Json], reader: Reader) -> np.dtype[Any]:
    return np.dtype(record["name"])


def _encode_generator(value: Any, writer: Writer) -> dict[str, Json]:
    if isinstance(value, np.random.Generator):
        state, legacy = value.bit_generator.state, False
    else:
        state, legacy = value.get_state(legacy=False), True
    return {"legacy": legacy, "state": writer.encode(state, "state")}


def _decode_generator(record: dict[str, Json], reader: Reader) -> Any:
    state = reader.decode(record["state"])
    name = state["bit_generator"]
    if name not in _BIT_GENERATORS:
        raise LoadError(f"The file names {name!r} as a bit generator; numpy has no such one.")
    bit_generator = getattr(np.random, name)()
    if record["legacy"]:
        generator = np.random.RandomState(bit_generator)
        generator.set_state(state)
        return generator
    bit_generator.state = state
    return np.random.Generator(bit_generator)


# ------------------------------------------------------------------------------------------ scipy


def _encode_sparse(value: Any, writer: Writer) -> dict[str, Json]:
    coordinates = value.format == "coo"
    parts = [value.row, value.col] if coordinates else [value.indices, value.indptr]
    record = {"kind": type(value).__name__, "shape": list(value.shape)}
    return {**record, "parts": writer.encode([value.data, *parts])}


def _decode_sparse(record: dict[str, Json], reader: Reader) -> Any:
    data, *where = reader.decode(record["parts"])
    coordinates = tuple(where) if record["kind"].startswith("coo") else None
    parts = (data, *where) if coordinates is None else (data, coordinates)
    matrix = _SPARSE[record["kind"]](parts, shape=tuple(record["shape"]))
    if coordinates is None:
        matrix.check_format(full_check=True)
    return matrix


# ------------------------------------------------------------------------------------------ torch


def write_tensors(tensors: dict[str, Tensor]) -> bytes:
    """Bytes of a safetensors file."""
    return save_tensors(tensors)


def read_tensors(data: bytearray) -> dict[str, Tensor]:
    """Tensors of a safetensors file."""
    try:
        return load_tensors(bytes(data))
    except (SafetensorError, KeyError, RuntimeError) as error:
        raise LoadError(f"{WEIGHTS} is no proper safetensors file ({error}).") from error


def _encode_tensor(value: Tensor, writer: Writer) -> dict[str, Json]:
    if value.layout != torch.strided or value.is_quantized or type(value) not in _TENSORS:
        raise TypeError(
            f"{writer.where()} is a {type(value).__name__} of layout {value.layout}; noisyfit.save "
            "takes dense tensors."
        )
    parameter = isinstance(value, torch.nn.Parameter)
    record = {"parameter": parameter, "requires_grad": value.requires_grad and parameter}
    return {**record, "tensor": writer.tensor(value)}


def _decode_tensor(record: dict[str, Json], reader: Reader) -> Tensor:
    value = reader.tensor(record["tensor"])
    if record["parameter"]:
        return torch.nn.Parameter(value, requires_grad=record["requires_grad"])
    return value


def _decode_torch_dtype(record: dict[str, Json], reader: Reader) -> torch.dtype:
    value = getattr(torch, record["name"])
    if not isinstance(value, torch.dtype):
        raise LoadError(f"The file names {record['name']!r} as a dtype of torch; it is none.")
    return value


_TENSORS = (Tensor, torch.nn.Parameter)

CODECS = (
    Codec("masked array", lambda v: type(v) is np.ma.MaskedArray, _encode_masked, _decode_masked),
    Codec("array", lambda v: type(v) in (np.ndarray, np.memmap), _encode_array, _decode_array),
    Codec("scalar", lambda v: isinstance(v, np.generic), _encode_scalar, _decode_scalar),
    Codec(
        "numpy dtype",
        lambda v: isinstance(v, np.dtype) and v.fields is None and v.kind != "T",
        lambda v, writer: {"name": v.str},
        _decode_dtype,
    ),
    Codec(
        "generator",
        lambda v: type(v) in (np.random.RandomState, np.random.Generator),
        _encode_generator,
        _decode_generator,
        shared=True,
    ),
    Codec("sparse", lambda v: type(v) in _SPARSE.values(), _encode_sparse, _decode_sparse),
    Codec("tensor", lambda v: isinstance(v, Tensor), _encode_tensor, _decode_tensor, shared=True),
    Codec(
        "torch dtype",
        lambda v: isinstance(v, torch.dtype),
        lambda v, writer: {"name": str(v).removeprefix("torch.")},
        _decode_torch_dtype,
    ),
    Codec(
        "device",
        lambda v: isinstance(v, torch.device),
        lambda v, writer: {"name": str(v)},
        lambda record, reader: torch.device(record["name"]),
    ),
)
