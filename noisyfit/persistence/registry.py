"""All codecs, in the order in which they are asked."""

from __future__ import annotations

from typing import Any

from noisyfit.persistence import estimators, foreign, frames, modules, names, objects
from noisyfit.storage import arrays, plain
from noisyfit.storage.codec import Codec, Reader, Writer

CODECS: tuple[Codec, ...] = (
    *plain.CODECS,
    *arrays.CODECS,
    *frames.CODECS,
    *objects.CODECS,
    *estimators.CODECS,
    *foreign.CODECS,
    *modules.CODECS,
    *names.CODECS,
    names.MISSING,
)


def new_writer() -> Writer:
    """A writer that knows all codecs."""
    return Writer(CODECS)


def new_reader(members: dict[str, bytearray], tensors: dict[str, Any], **options: Any) -> Reader:
    """A reader that knows all codecs."""
    return Reader({codec.tag: codec for codec in CODECS}, members, tensors, **options)
