"""Arrays that grow in files, and the folder that they are in."""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from pathlib import Path
from typing import Any

import numpy as np


class GrowingArray:
    """An array in the ``.npy`` format whose number of rows is known when the last one is written.

    Until `close` the header says that there are none.
    """

    def __init__(
        self, path: Path, row_shape: tuple[int, ...], dtype: Any, *, private: bool
    ) -> None:
        self.path = path
        self.row_shape = row_shape
        self.dtype = np.dtype(dtype)
        self.n_rows = 0
        mode = 0o600 if private else 0o666  # less the umask
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        self.file = os.fdopen(os.open(path, flags, mode), "r+b")
        self._write_header()
        self.start = self.file.tell()

    def append(self, rows: np.ndarray) -> None:
        """Write some rows behind those that there are."""
        np.ascontiguousarray(rows, dtype=self.dtype).tofile(self.file)
        self.n_rows += len(rows)

    def close(self) -> None:
        """Write the number of rows, and have all of it on the disk."""
        self.file.seek(0)
        self._write_header()
        assert self.file.tell() == self.start, "numpy leaves room for the number of rows"
        self.file.flush()
        os.fsync(self.file.fileno())
        self.file.close()

    def discard(self) -> None:
        """Leave the file as it is."""
        self.file.close()

    def _write_header(self) -> None:
        header = {
            "descr": np.lib.format.dtype_to_descr(self.dtype),
            "fortran_order": False,
            "shape": (self.n_rows, *self.row_shape),
        }
        np.lib.format.write_array_header_1_0(self.file, header)


class Folder:
    """Where files are written, under another name until they are whole.

    Without a name it is a private one that is removed with this object, or when Python ends.
    """

    def __init__(self, name: Any) -> None:
        self.temporary = name is None
        if name is None:
            self.path = self.written = Path(tempfile.mkdtemp(prefix="noisyfit-rows-"))
            self._remove = weakref.finalize(self, _remove_own, self.path, os.getpid())
            return
        self.path = Path(name)
        if self.path.exists() and not (self.path.is_dir() and not any(self.path.iterdir())):
            raise FileExistsError(
                f"folder={str(name)!r} exists and is not an empty folder; name another."
            )
        if not self.path.parent.is_dir():
            raise FileNotFoundError(f"folder={str(name)!r}: {self.path.parent} is no folder.")
        self.written = Path(
            tempfile.mkdtemp(prefix=f".{self.path.name}-unfinished-", dir=self.path.parent)
        )

    def finish(self) -> None:
        """Give the folder its name."""
        if self.temporary:
            return
        if self.path.exists():
            self.path.rmdir()
        mask = os.umask(0)
        os.umask(mask)
        self.written.chmod(0o777 & ~mask)
        self.written.rename(self.path)

    def discard(self) -> None:
        """Remove what was written."""
        shutil.rmtree(self.written, ignore_errors=True)

    def close(self) -> None:
        """Remove the folder if it is a temporary one."""
        if self.temporary:
            self._remove()


def _remove_own(path: Path, process: int) -> None:
    if os.getpid() == process:  # not in a process that was forked from the one that owns it
        shutil.rmtree(path, ignore_errors=True)
