"""Every row of the table in docs/compositions.md has tests behind it, and they exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
PAGE = HERE.parents[1] / "docs" / "compositions.md"
HEADER = "| composition | works | how | test |"


def rows_of(page: str) -> list[list[str]]:
    lines = page.splitlines()
    rows = []
    for line in lines[lines.index(HEADER) + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split(" | ")])
    return rows


def names_of_tests() -> set[str]:
    return {
        node.name
        for path in HERE.glob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef)
    }


ROWS = rows_of(PAGE.read_text())


def unknown_tests(row: list[str]) -> list[str]:
    """Tests that a row names and that are not there; all of it, if it names none."""
    named = re.findall(r"`(\w+)`", row[3])
    return [name for name in named if name not in names_of_tests()] if named else [row[3]]


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_the_tests_of_a_row_exist(row: list[str]) -> None:
    assert len(row) == 4
    assert unknown_tests(row) == []


def test_the_table_is_found_and_its_test_can_fail() -> None:
    assert len(ROWS) > 30
    assert unknown_tests(["a", "b", "c", "`test_nothing_of_the_kind`"])
    assert unknown_tests(["a", "b", "c", ""])
