"""Results of a benchmark as a file of JSON lines, from which a stopped run goes on."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from _shared import stop

DOCS = Path(__file__).resolve().parents[2] / "docs"
Line = dict[str, Any]


def open_results(path: Path) -> list[Line]:
    """The results measured so far; a line that a killed run did not finish writing is cut off."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists():
        content = path.read_bytes()
        if not content.endswith(b"\n"):
            os.truncate(path, content.rfind(b"\n") + 1)
    return read_results(path)


def read_results(path: Path) -> list[Line]:
    """All results; a last line that was being written when the run was killed does not count."""
    if not path.exists():
        return []
    *whole, _unfinished = path.read_text(encoding="utf-8").split("\n")
    lines = []
    for number, text in enumerate(whole, 1):
        try:
            lines.append(json.loads(text))
        except json.JSONDecodeError as error:
            stop(f"{path}, line {number} is no JSON ({error}); mend or remove it.")
    return lines


def append_result(path: Path, line: Line) -> None:
    """Add a line at once, in one write."""
    with path.open("ab") as file:
        file.write(json.dumps(line).encode() + b"\n")


def rewrite_results(path: Path, lines: Iterable[Line]) -> None:
    """Replace the file, which is at any time either the old or the new one."""
    unfinished = path.with_name(f"{path.name}.{os.getpid()}")
    unfinished.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    unfinished.replace(path)
