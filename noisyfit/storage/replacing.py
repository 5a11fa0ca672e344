"""Files that appear whole or not at all, and are nobody else's business until then."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

#: How the folders are called; one may be left by a process that was killed.
PREFIX, SUFFIX = ".noisyfit.", ".tmp"


@contextmanager
def replacing(path: Path, *, private: bool = False) -> Iterator[IO[bytes]]:
    """A new file; where the block ends well it takes the place of ``path``.

    Until then it lies in a folder beside ``path`` that only its owner can enter. So the file
    itself may have, from the start, the mode it will have in the end, that of the file which it
    replaces or else what the umask says; and nobody can put a link where it is written.

    ``private``: nobody else may read the file, ever.
    """
    path = Path(os.path.realpath(path))  # a link stays a link
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, suffix=SUFFIX, dir=path.parent))
    temporary = folder / path.name
    try:
        with open(temporary, "xb") as file:
            if private:
                os.chmod(temporary, 0o600)
            elif path.exists():
                shutil.copymode(path, temporary)
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        _sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)
        folder.rmdir()


def _sync_folder(folder: Path) -> None:
    """Have the new name survive a loss of power, where folders can be opened (not on Windows)."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
