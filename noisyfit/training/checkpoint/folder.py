"""Checkpoints in files: written whole or not at all, the newest two kept, one fit at a time."""

from __future__ import annotations

import os
import re
import shutil
import warnings
from pathlib import Path
from typing import IO, Any

from noisyfit.storage.archive import read_archive, write_archive
from noisyfit.storage.codec import Reader, Writer
from noisyfit.storage.document import members_of, object_of, versions
from noisyfit.storage.errors import LoadError
from noisyfit.storage.replacing import PREFIX, SUFFIX
from noisyfit.training.checkpoint.codecs import CODECS

STATE = "state.json"
LOCK = "lock"
FINISHED = "finished"
N_KEPT = 2
_NAME = re.compile(r"checkpoint-(\d{8})\.noisyfit")


class CheckpointFolder:
    """The checkpoints of one fit, in a folder of their own that one process at a time may use.

    Parameters
    ----------
    path : Path
        The folder, made (for this user only) where it is not there.

    Raises
    ------
    ValueError
        If another fit is using the folder, or it holds other files.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if path.exists() and not path.is_dir():
            raise ValueError(f"checkpoint={str(path)!r} is a file; name a folder.")
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        strange = [name for name in sorted(os.listdir(path)) if not _is_ours(name)]
        if strange:
            raise ValueError(
                f"checkpoint={str(path)!r} holds {strange[0]!r}, which is no checkpoint; name a "
                "folder for this fit alone."
            )
        self._lock: IO[bytes] | None = _locked(path / LOCK)
        for name in os.listdir(path):
            if _is_temporary(name):  # of a process that was killed while it wrote
                shutil.rmtree(path / name)

    def close(self) -> None:
        """Let other fits use the folder."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def numbers(self) -> list[int]:
        """Numbers of the checkpoints that are there, the newest first."""
        found = (_NAME.fullmatch(name) for name in os.listdir(self.path))
        return sorted((int(match[1]) for match in found if match), reverse=True)

    def file(self, number: int) -> Path:
        """Where a checkpoint lies."""
        return self.path / f"checkpoint-{number:08d}.noisyfit"

    def latest(self) -> dict[str, Any] | None:
        """State in the newest checkpoint that is whole; None where there is no checkpoint.

        Raises
        ------
        LoadError
            If there are checkpoints, and none can be read.

        Warns
        -----
        UserWarning
            If a newer one is damaged.
        """
        damaged = []
        for number in self.numbers():
            try:
                state = _read(self.file(number))
            except LoadError as error:
                damaged.append(str(error))
                continue
            if damaged:
                warnings.warn(
                    f"{damaged[0]} The fit goes on from the checkpoint before it, "
                    f"{self.file(number).name}.",
                    UserWarning,
                    stacklevel=2,
                )
            return state
        if damaged:
            raise LoadError(
                f"No checkpoint in {str(self.path)!r} can be read; delete the folder to fit from "
                f"the beginning. {damaged[0]}"
            )
        return None

    def write(self, state: dict[str, Any]) -> None:
        """Add a checkpoint, and drop those older than the one before it."""
        numbers = self.numbers()
        writer = Writer(CODECS)
        members = members_of(writer.encode(state), writer, STATE)
        path = self.file(numbers[0] + 1 if numbers else 1)
        write_archive(path, members, versions(), kind="checkpoint", private=True)
        for number in numbers[N_KEPT - 1 :]:
            self.file(number).unlink(missing_ok=True)

    def mark_finished(self) -> None:
        """Note that the fit whose checkpoint is the newest has ended."""
        (self.path / FINISHED).touch(mode=0o600)

    def is_finished(self) -> bool:
        """Whether the fit has ended."""
        return (self.path / FINISHED).exists()

    def clear(self) -> None:
        """Forget the fit."""
        (self.path / FINISHED).unlink(missing_ok=True)
        for number in reversed(self.numbers()):
            self.file(number).unlink()


class FollowedFolder:
    """What a process has that follows another one, whose folder it is: it writes nothing."""

    def write(self, state: dict[str, Any]) -> None:
        """Leave it to the other process."""

    def mark_finished(self) -> None:
        """Leave it to the other process."""

    def close(self) -> None:
        """Leave it to the other process."""


def _is_ours(name: str) -> bool:
    return bool(name in (LOCK, FINISHED) or _NAME.fullmatch(name) or _is_temporary(name))


def _is_temporary(name: str) -> bool:
    return name.startswith(PREFIX) and name.endswith(SUFFIX)


def _read(path: Path) -> dict[str, Any]:
    members = read_archive(path, kind="checkpoint")
    reader = Reader({codec.tag: codec for codec in CODECS}, members, {})
    try:
        state: dict[str, Any] = object_of(reader, STATE)
    except LoadError as error:
        raise LoadError(f"{path} can't be read: {error}") from error
    except Exception as error:  # a file that was made with care may have anything go wrong
        raise LoadError(
            f"{path} can't be read: something in it is not what noisyfit writes "
            f"({type(error).__name__}: {error})."
        ) from error
    return state


def _locked(path: Path) -> IO[bytes]:
    """An open file that no other process, or thread, has locked; the system unlocks it."""
    file = open(path, "ab", opener=lambda name, flags: os.open(name, flags, 0o600))  # noqa: SIM115
    try:
        _lock(file)
    except (BlockingIOError, PermissionError) as error:
        file.close()
        raise ValueError(
            f"checkpoint={str(path.parent)!r} is in use by another fit; give each fit a folder of "
            "its own, as checkpoint='folder/{fit}' does."
        ) from error
    except OSError as error:  # some network drives know no locks
        warnings.warn(
            f"checkpoint={str(path.parent)!r} can't be locked ({error}); see to it that no other "
            "fit uses the folder.",
            UserWarning,
            stacklevel=2,
        )
    return file


try:
    import fcntl

    def _lock(file: IO[bytes]) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)

except ImportError:  # Windows
    import msvcrt

    def _lock(file: IO[bytes]) -> None:
        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
