"""The file: a zip of named members that is written whole or not at all, and read with suspicion.

Members are stored uncompressed, so what is read can't be larger than the file. The manifest lists
them all with their SHA-256; that of the manifest is the comment of the zip.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import struct
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from noisyfit._version import __version__
from noisyfit.storage.errors import LoadError
from noisyfit.storage.replacing import replacing

FORMAT = 1
"""Version of the format; one more with every change that older versions could not read."""

MANIFEST = "manifest.json"
_MEMBER_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*(/[A-Za-z0-9_-][A-Za-z0-9_.-]*)?")
# No file that noisyfit writes has a time in it: the same estimator gives the same bytes.
_TIME = (1980, 1, 1, 0, 0, 0)
_PIECE = 2**20
# What zipfile raises for bytes that are no proper zip, found by flipping them.
_ZIP_ERRORS = (
    zipfile.BadZipFile,
    NotImplementedError,
    RuntimeError,
    EOFError,
    OSError,
    OverflowError,
    ValueError,
    struct.error,
    MemoryError,
)


Content = bytes | bytearray | Sequence[bytes | memoryview]
"""What a member holds, in one piece or several."""


def write_archive(
    path: Path,
    members: dict[str, Content],
    versions: dict[str, str],
    kind: str = "estimator",
    *,
    private: bool = False,
) -> None:
    """Write members to a file that takes the place of ``path`` only when it is complete.

    ``private``: nobody else may read it.
    """
    manifest = {
        "what": f"noisyfit {kind}",
        "format": FORMAT,
        "noisyfit": __version__,
        "written_with": versions,
        "sha256": {name: _sha256(content) for name, content in members.items()},
    }
    listing = json.dumps(manifest, indent=1).encode()
    with (
        replacing(path, private=private) as file,
        zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive,
    ):
        for name, content in {MANIFEST: listing, **members}.items():
            assert _MEMBER_NAME.fullmatch(name), name
            entry = zipfile.ZipInfo(name, _TIME)
            entry.external_attr = 0o600 << 16
            entry.file_size = sum(len(piece) for piece in _pieces(content))
            with archive.open(entry, "w") as member:
                for piece in _pieces(content):
                    member.write(piece)
        archive.comment = _sha256(listing).encode()


def _pieces(content: Content) -> Sequence[bytes | bytearray | memoryview]:
    return [content] if isinstance(content, bytes | bytearray) else content


def joined(content: Content) -> bytearray:
    """The bytes of a member in one piece."""
    return bytearray().join(_pieces(content))


def _sha256(content: Content) -> str:
    digest = hashlib.sha256()
    for piece in _pieces(content):
        digest.update(piece)
    return digest.hexdigest()


def read_archive(path: Path, kind: str = "estimator") -> dict[str, bytearray]:
    """Members of a file of that kind that is whole and unchanged; raises `LoadError` otherwise."""
    members, comment = _members(path)
    if MANIFEST not in members:
        raise LoadError(f"{path} has no {MANIFEST}: noisyfit has not written it.")
    manifest = _parse_manifest(bytes(members.pop(MANIFEST)), comment, path, kind)
    expected = manifest["sha256"]
    missing, extra = sorted(set(expected) - set(members)), sorted(set(members) - set(expected))
    if missing:
        raise LoadError(f"{path} lacks {missing}, which its manifest lists; copy or save it again.")
    if extra:
        raise LoadError(
            f"{path} holds {extra}, which its manifest does not list: it was changed after it was "
            "written. Save it again."
        )
    for name, data in members.items():
        if _sha256(data) != expected[name]:
            raise LoadError(
                f"{name} in {path} is not what was written (its SHA-256 differs): the file is "
                "damaged or was changed. Copy or save it again."
            )
    return members


def _parse_manifest(listing: bytes, comment: bytes, path: Path, kind: str) -> dict[str, Any]:
    changed = LoadError(
        f"The {MANIFEST} of {path} is not what was written: the file is damaged or was changed. "
        "Copy or save it again."
    )
    try:
        manifest = json.loads(listing)
    except (ValueError, RecursionError) as error:
        raise changed from error
    if not isinstance(manifest, dict) or manifest.get("what") != f"noisyfit {kind}":
        raise LoadError(f"{path} was not written by noisyfit as the file of one {kind}.")
    version = manifest.get("format")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise changed
    # Before all else: a newer format may check itself in another way.
    if version > FORMAT:
        raise LoadError(
            f"{path} has format {version}, written by noisyfit {manifest.get('noisyfit')}; this is "
            f"noisyfit {__version__}, which reads formats up to {FORMAT}. Upgrade noisyfit to "
            f"{manifest.get('noisyfit')} or newer."
        )
    if comment != _sha256(listing).encode():
        raise changed
    sums = manifest.get("sha256")
    if not isinstance(sums, dict) or not all(isinstance(entry, str) for entry in sums.values()):
        raise changed
    return manifest


def _members(path: Path) -> tuple[dict[str, bytearray], bytes]:
    """All members of a zip, by name, and its comment."""
    members = {}
    with open(path, "rb") as file:  # where there is none, Python's own error says so
        try:
            with zipfile.ZipFile(file) as archive:
                check_stored(archive, os.fstat(file.fileno()).st_size, str(path))
                for entry in archive.infolist():
                    content = bytearray()
                    with archive.open(entry) as member:  # zipfile compares its checksum at the end
                        while piece := member.read(_PIECE):
                            content += piece
                    members[entry.filename] = content
                return members, archive.comment
        except LoadError:
            raise
        except _ZIP_ERRORS as error:
            raise LoadError(
                f"{path} is no complete zip file ({error}): it was not written by noisyfit, or "
                "is damaged or truncated. Copy or save it again."
            ) from error


def check_stored(archive: zipfile.ZipFile, size: int, source: str) -> None:
    """Raise unless members have harmless names and, together, no more bytes than the file."""
    seen: set[str] = set()
    total = 0
    for entry in archive.infolist():
        if not _MEMBER_NAME.fullmatch(entry.filename):
            raise LoadError(
                f"{source} holds a member called {entry.filename!r}, which is no name that "
                "noisyfit gives."
            )
        if entry.filename in seen:
            raise LoadError(f"{source} holds two members called {entry.filename!r}.")
        seen.add(entry.filename)
        total += entry.file_size
        if entry.compress_type != zipfile.ZIP_STORED or total > size:
            raise LoadError(
                f"{entry.filename!r} in {source} would unpack to {entry.file_size} bytes from a "
                f"file of {size}; noisyfit writes members as they are, so the file was not "
                "written by it or was changed."
            )
