"""An object as the members of an archive: JSON, arrays and tensors beside it."""

from __future__ import annotations

import json
import platform
from importlib.metadata import version
from typing import Any

from noisyfit.storage.archive import Content
from noisyfit.storage.arrays import WEIGHTS, read_tensors, write_tensors
from noisyfit.storage.codec import Json, Reader, Writer

# Whose version is noted, for people: "numpy", "torch" and what else makes predictions.
_NOTED = ("numpy", "scipy", "scikit-learn", "torch", "skorch")


def versions() -> dict[str, str]:
    """Versions on which figures depend."""
    return {"python": platform.python_version(), **{name: version(name) for name in _NOTED}}


def members_of(record: Json, writer: Writer, name: str) -> dict[str, Content]:
    """Members of what a writer has collected; the JSON is called ``name``."""
    members = {name: json.dumps(record, allow_nan=False).encode(), **writer.members}
    if writer.tensors:
        members[WEIGHTS] = write_tensors(writer.tensors)
    return members


def object_of(reader: Reader, name: str) -> Any:
    """The object whose JSON is called ``name``; nothing in the reader's members is left over."""
    record = json.loads(reader.members.pop(name))
    if WEIGHTS in reader.members:
        reader.tensors = read_tensors(reader.members.pop(WEIGHTS))
    value = reader.decode(record)
    reader.check_all_taken()
    return value
