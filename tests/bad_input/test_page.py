"""The page for users says what the table holds."""

from __future__ import annotations

from bad_input.page import PAGE, page
from bad_input.table import TABLE


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text() == page(), "run python tests/bad_input/page.py"


def test_every_row_is_on_the_page() -> None:
    text = page()
    assert all(row.kind.replace("|", "\\|") in text for row in TABLE)
