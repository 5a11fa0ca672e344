"""What a row costs in memory, by the command that fits ten million of them under a bound."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

STRESS = Path(__file__).parent / "stress" / "memory.py"
FEW, MANY = 20_000, 100_000
TASKS = ("crust", "dm")

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="the system says nothing of anonymous memory"
)


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(STRESS), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True)


@cache
def grown(n_rows: int) -> dict[str, Any]:
    """By how much each task made memory grow."""
    done = run("--rows", str(n_rows), "--dtype", "float64", "--linear", "--json", *TASKS)
    assert done.returncode == 0, done.stdout + done.stderr
    figures = json.loads(done.stdout.splitlines()[-2])
    return {task: figures[task]["growth"] for task in TASKS}


# A copy of the features, 32 of them, would be 128 bytes more; one more array of the probabilities
# of 10 classes 80. The pages with these figures are docs/guide/large_data.md and the command's own.
@pytest.mark.parametrize(("task", "expected"), [("crust", 270), ("dm", 308)])
def test_memory_grows_by_the_documented_state_of_a_row_only(task: str, expected: float) -> None:
    per_row = (grown(MANY)[task] - grown(FEW)[task]) / (MANY - FEW)
    assert per_row < expected + 40


def test_the_command_says_when_the_bound_is_too_small() -> None:
    done = run("--rows", "20000", "--limit", "50000000", "--linear", "dm")
    assert done.returncode == 1
    assert "over the bound, or failed: dm" in done.stdout
