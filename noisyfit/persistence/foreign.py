"""Estimators that are not noisyfit's, through skops, which has a list of what it trusts.

skops is an optional package; it is imported only where there is such an estimator.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from typing import Any

from sklearn.base import BaseEstimator

from noisyfit import estimators
from noisyfit.storage.archive import check_stored
from noisyfit.storage.codec import Codec, Json, Reader, Writer
from noisyfit.storage.errors import LoadError

# noisyfit's estimators, by name.
OWN_ESTIMATORS: dict[str, Any] = {
    name: getattr(estimators, name)
    for name in estimators.__all__
    if issubclass(getattr(estimators, name), BaseEstimator)
}


def is_own(value: Any) -> bool:
    """Whether an object is an estimator of noisyfit."""
    return OWN_ESTIMATORS.get(type(value).__name__) is type(value)


def is_foreign(value: Any) -> bool:
    """Whether an object is an estimator of another package, or anything else of scikit-learn."""
    packages = {kind.__module__.partition(".")[0] for kind in type(value).__mro__}
    if isinstance(value, type) or "noisyfit" in packages:
        return False
    return isinstance(value, BaseEstimator) or type(value).__module__.startswith("sklearn.")


def holds_own(value: Any) -> bool:
    """Whether there is an estimator of noisyfit somewhere in an object of scikit-learn."""
    seen: set[int] = set()

    def parts(item: Any) -> Iterator[Any]:
        if isinstance(item, dict):
            yield from item.values()
        elif isinstance(item, list | tuple):
            yield from item
        elif is_foreign(item):
            yield from getattr(item, "__dict__", {}).values()

    def search(item: Any) -> bool:
        if is_own(item):
            return True
        if id(item) in seen:
            return False
        seen.add(id(item))
        return any(search(part) for part in parts(item))

    return search(value)


def _skops(why: str) -> Any:
    try:
        import skops.io
    except ImportError as error:
        raise ImportError(
            f"{why} needs the package skops; install it by pip install 'noisyfit[save]'."
        ) from error
    return skops.io


def _encode_foreign(value: Any, writer: Writer) -> dict[str, Json]:
    kind = f"{type(value).__module__}.{type(value).__qualname__}"
    io_ = _skops(f"Saving {writer.where()}, of class {kind},")
    try:
        data = io_.dumps(value)
    except Exception as error:  # skops has no exception of its own for what it can't write
        raise TypeError(
            f"{writer.where()} is of class {kind}, which skops can't write: {error}"
        ) from error
    return {"class": kind, "member": writer.member("skops", ".skops", data)}


def _decode_foreign(record: dict[str, Json], reader: Reader) -> Any:
    io_ = _skops(f"Loading a {record['class']}")
    # All of the file's at once, so that one error names all that is to be trusted.
    members = {name: data for name, data in reader.members.items() if name.startswith("skops/")}
    untrusted: set[str] = set()
    for name, data in members.items():
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            check_stored(archive, len(data), name)
        untrusted.update(io_.get_untrusted_types(data=data))
    unknown = sorted(untrusted - set(reader.trusted))
    if unknown:
        raise LoadError(
            f"The file holds a {record['class']}, and parts of the types {unknown}, which skops "
            "does not trust unasked. If you trust whoever wrote the file, pass "
            f"noisyfit.load(..., trusted={unknown})."
        )
    return io_.loads(reader.member(record["member"]), trusted=sorted(untrusted))


CODECS = (Codec("skops", is_foreign, _encode_foreign, _decode_foreign, shared=True),)
