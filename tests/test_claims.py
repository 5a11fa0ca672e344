"""Every row of the tables in docs/ whose last column is called "test" has tests that exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
PAGES = {
    name: (HERE.parent / "docs" / f"{name}.md").read_text()
    for name in ("compositions", "inputs", "promises", "saving")
}


def rows_of(page: str) -> list[list[str]]:
    """Cells of the tables whose last column is of tests."""
    rows: list[list[str]] = []
    inside = False
    for line in page.splitlines():
        if line.endswith("| test |"):
            inside = True
        elif not line.startswith("|"):
            inside = False
        elif inside and not line.startswith("| ---"):
            rows.append([cell.strip() for cell in line.strip("|").split(" | ")])
    return rows


DEFINED = {
    node.name
    for path in HERE.rglob("test_*.py")
    for node in ast.walk(ast.parse(path.read_text()))
    if isinstance(node, ast.FunctionDef)
}
ROWS = {f"{name}: {row[0]}": row for name, page in PAGES.items() for row in rows_of(page)}


def unknown_tests(text: str) -> list[str]:
    """Tests that a text names and that are not there; all of it, if it names none."""
    named = re.findall(r"`(test_\w+)`", text)
    return [name for name in named if name not in DEFINED] if named else [text]


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_the_tests_of_a_row_exist(row: list[str]) -> None:
    assert unknown_tests(row[-1]) == []


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_all_tests_named_on_a_page_exist(page: str) -> None:
    assert unknown_tests(page) == []


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_the_commands_on_a_page_exist(page: str) -> None:
    commands = re.findall(r"`python ([\w/]+\.py)", page)
    assert [path for path in commands if not (HERE.parent / path).is_file()] == []


def test_the_tables_are_found_and_their_test_can_fail() -> None:
    assert len(ROWS) > 90
    assert unknown_tests("`test_nothing_of_the_kind`")
    assert unknown_tests("")
