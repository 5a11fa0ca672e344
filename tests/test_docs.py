"""The pages in docs/ and the README: their code runs, their links lead somewhere, and every public
name has a page in the API reference. (Sphinx itself is not needed for this.)
"""

from __future__ import annotations

import ast
import contextlib
import csv
import importlib
import io
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

import gallery
import numpy as np
import public_names
import pytest

import noisyfit

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(
    [
        *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
        *(path for path in DOCS.rglob("*.md") if not {"_build", "gallery"} & set(path.parts)),
    ]
)


def page_name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


# ------------------------------------------------------------------------------ code that is shown


class Block(NamedTuple):
    """A piece of Python on a page, and what the page says that it prints."""

    line: int
    code: str
    output: str | None
    reason_not_run: str | None


BLOCK = re.compile(
    r"(?:^<!-- not run: *(?P<reason>[^\n]*?) *-->\n\n?)?"
    r"^```python\n(?P<code>.*?)^```\n"
    r"(?:\n^```text\n(?P<output>.*?)^```$)?",
    re.DOTALL | re.MULTILINE,
)


def blocks_of(text: str) -> list[Block]:
    return [
        Block(text[: m.start("code")].count("\n"), m["code"], m["output"], m["reason"])
        for m in BLOCK.finditer(text)
    ]


def run_blocks(blocks: list[Block], name: str) -> None:
    """Run a page's blocks in one namespace, and compare what they print with what is shown."""
    namespace: dict[str, object] = {"__name__": name}
    for block in blocks:
        if block.reason_not_run is not None:
            assert block.reason_not_run, f"{name}, line {block.line}: not run for no reason"
            continue
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile("\n" * block.line + block.code, name, "exec"), namespace)
        if block.output is not None:
            assert_about_equal(printed.getvalue(), block.output)


NUMBER = re.compile(r"\d+(?:\.\d*)?|\.\d+")


def assert_about_equal(printed: str, shown: str) -> None:
    """Equal but for white space, and for numbers that differ a little between machines."""
    words = [NUMBER.sub("#", text).split() for text in (printed, shown)]
    assert words[0] == words[1], f"printed:\n{printed}\nshown:\n{shown}"
    numbers = [[float(x) for x in NUMBER.findall(text)] for text in (printed, shown)]
    np.testing.assert_allclose(*numbers, atol=0.05, err_msg=f"printed:\n{printed}")


def write_files_of_readers() -> None:
    """Make the files that pages read as if the reader had them: reviews, and decisions on two."""
    words = {"good": "splendid touching clever warm funny", "bad": "dull slow clumsy cold empty"}
    labels = ["good", "bad"] * 30
    rng = np.random.default_rng(0)
    texts = [" ".join(rng.choice(words[label].split(), 3)) for label in labels]
    labels[4], labels[7] = "bad", "good"  # wrong
    with open("reviews.csv", "w", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *zip(texts, labels, strict=True)])
    with open("label-review-decisions.csv", "w", newline="") as file:
        header = ("row", "given_label", "decision", "new_label")
        decisions = [(4, "bad", "relabel", "good"), (7, "good", "drop", "")]
        csv.writer(file).writerows([header, *decisions])


@pytest.mark.parametrize(
    "page", [page for page in PAGES if "```python" in page.read_text()], ids=page_name
)
def test_code_on_pages_runs_and_prints_what_is_shown(page, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    write_files_of_readers()
    text = page.read_text()
    blocks = blocks_of(text)
    assert len(blocks) == text.count("```python")
    run_blocks(blocks, page_name(page))


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("```python\n1 / 0\n```\n", ZeroDivisionError),
        ("```python\nx = 1\n```\n\nand\n\n```python\nprint(y)\n```\n", NameError),
        ("```python\nprint(0.5)\n```\n\n```text\n0.7\n```\n", AssertionError),
        ("```python\nprint('a')\n```\n\n```text\nb\n```\n", AssertionError),
        ("<!-- not run: -->\n\n```python\n1\n```\n", AssertionError),
    ],
)
def test_the_test_of_code_can_fail(text, error):
    with pytest.raises(error):
        run_blocks(blocks_of(text), "page")


def test_the_test_of_code_lets_good_code_pass():
    run_blocks(
        blocks_of(
            "```python\nx = 0.93\n```\n\n"
            "```python\nprint(x, 'a  b')\n```\n\n```text\n.95 a b\n```\n"
            "<!-- not run: needs a GPU -->\n\n```python\n1 / 0\n```\n"
        ),
        "page",
    )


# ------------------------------------------------------------------------------------------ links


def links_of(text: str) -> list[str]:
    """Targets of Markdown links and images, code left out."""
    text = re.sub(r"^```(?!\{).*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)
    text = re.sub(r"`[^`\n]*`", "", text)
    return re.findall(r"\]\(([^)\s]+)\)", text)


def anchors_of(text: str) -> set[str]:
    """Anchors of a page's headings, as GitHub and MyST make them."""
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", h.lower()).strip().replace(" ", "-") for h in headings}


@cache
def generated_pages() -> set[Path]:
    """Pages that exist only once the documentation is built."""
    examples = (ROOT / "examples").glob("[!_]*.py")
    return {
        *(DOCS / "gallery" / f"{path.stem}.rst" for path in examples),
        DOCS / "gallery" / "index.rst",
        *(DOCS / "api" / name for name, _ in public_names.pages()),
    }


def broken_links(page: Path, text: str) -> list[str]:
    """Links to files or headings that are not there, and addresses that can't be right."""
    broken = []
    for link in links_of(text):
        parts = urlsplit(link)
        if parts.scheme:
            if parts.scheme != "https" or not re.fullmatch(r"[a-z0-9.-]+\.[a-z]+", parts.netloc):
                broken.append(link)
            continue
        target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
        if target in generated_pages() and not parts.fragment:
            continue
        if not target.exists() or (
            parts.fragment and parts.fragment not in anchors_of(target.read_text())
        ):
            broken.append(link)
    return broken


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_links_lead_somewhere(page):
    assert broken_links(page, page.read_text()) == []


@pytest.mark.parametrize(
    "link",
    ["missing.md", "method.md#no-such-heading", "http://example.org", "https://nowhere", "#no"],
)
def test_the_link_test_can_fail(link):
    assert broken_links(DOCS / "accuracy.md", f"See [this]({link}).") == [link]


# ---------------------------------------------------------------------------------- API reference


def every_public_name() -> Iterator[tuple[str, str]]:
    """(module, name) of what the packages export, found without the generator of the pages."""
    package = Path(noisyfit.__file__).parent
    folders = (path.parent for path in package.glob("[!_]*/__init__.py"))
    for folder in (package, *(f for f in folders if f.name != "command_line")):
        dotted = ".".join(["noisyfit", *folder.relative_to(package).parts])
        for name in getattr(importlib.import_module(dotted), "__all__", ()):
            yield dotted, name


def without_page(names: list[tuple[str, str]], pages: dict[str, str]) -> list[str]:
    """Public names that no page documents, under their own module or under noisyfit."""
    missing = []
    for module, name in names:
        if f"noisyfit.{name}" in sys.modules and f"noisyfit.{name}.rst" in pages:
            continue  # a subpackage
        owners = {module, "noisyfit"}
        if not any(
            re.search(
                rf"^\.\. (auto\w+|data):: {name}$", pages.get(f"{owner}.{name}.rst", ""), re.M
            )
            and f"   {owner}.{name}\n" in pages.get(f"{owner}.rst", "")
            for owner in owners
        ):
            missing.append(f"{module}.{name}")
    return missing


def test_every_public_name_has_its_page():
    names = list(every_public_name())
    assert len(names) > 80
    assert without_page(names, dict(public_names.pages())) == []


@pytest.mark.parametrize(
    "lost",
    ["noisyfit.CRUSTClassifier.rst", "noisyfit.noise.rst", "noisyfit.losses.emphasis_of.rst"],
)
def test_the_test_of_pages_can_fail(lost):
    pages = dict(public_names.pages())
    del pages[lost]
    assert without_page(list(every_public_name()), pages)


def test_a_new_public_name_gets_its_page(monkeypatch):
    def brand_new():
        """Do something new."""

    monkeypatch.setattr(noisyfit.noise, "brand_new", brand_new, raising=False)
    monkeypatch.setattr(noisyfit.noise, "__all__", [*noisyfit.noise.__all__, "brand_new"])
    pages = dict(public_names.pages())
    assert ".. autofunction:: brand_new" in pages["noisyfit.noise.brand_new.rst"]
    assert "Do something new." in pages["noisyfit.noise.rst"]


def test_pages_of_classes_list_what_noisyfit_writes():
    page = public_names.name_page(noisyfit, "CRUSTClassifier")
    assert ".. automethod:: CRUSTClassifier.official_code" in page
    assert ".. automethod:: CRUSTClassifier.predict_proba" in page
    assert "automethod:: CRUSTClassifier.get_metadata_routing" not in page
    assert "Inherited from scikit-learn" in page
    assert "``get_metadata_routing``" in page


def test_constants_are_described_by_what_stands_beside_them():
    for module in public_names.public_modules():
        for name in public_names.names_of(module):
            if public_names.heading_of(getattr(module, name)) == "Constants":
                assert public_names.description_of(module, name), name
    page = public_names.name_page(noisyfit.losses, "CRITERION_NAMES")
    assert ":value: ('ce'," in page
    assert "The names that" in page


def test_pages_that_do_not_change_are_not_written_again(tmp_path):
    public_names.write_pages(tmp_path)
    (tmp_path / "noisyfit.gone.rst").write_text("A name that was removed.")
    (tmp_path / "index.rst").write_text("Changed by hand.")
    kept = tmp_path / "noisyfit.noise.rst"
    before = kept.stat().st_mtime_ns
    public_names.write_pages(tmp_path)
    assert kept.stat().st_mtime_ns == before
    assert "API reference" in (tmp_path / "index.rst").read_text()
    assert not (tmp_path / "noisyfit.gone.rst").exists()


# ---------------------------------------------------------------------------------------- gallery


def test_the_gallery_knows_examples_that_exist():
    known = {*gallery.WALK_THROUGHS, *gallery.PROGRAMS, *gallery.OPTIONS, *gallery.NEED_DATA}
    assert known <= {path.name for path in (ROOT / "examples").glob("*.py")}
    assert {
        *gallery.OPTIONS,
        *gallery.NEED_DATA,
        *gallery.TAKE_LONG,
        *gallery.SAVES_A_PICTURE,
    } <= set(gallery.PROGRAMS)


def test_examples_of_the_gallery_have_titles():
    for path in (ROOT / "examples").glob("[!_]*.py"):
        text = ast.get_docstring(ast.parse(path.read_text()), clean=False)
        assert text is not None, path.name
        title, rule, *_ = text.lstrip().split("\n")
        assert rule == "=" * len(title), path.name


def test_programs_save_their_pictures_aside():
    options = gallery.options_of({}, {"src_file": "examples/quickstart.py"})
    assert options[0] == "--output"
    assert DOCS not in Path(options[1]).parents
    assert gallery.options_of({}, {"src_file": "examples/emphasis_curves.py"}) == []


def test_walk_throughs_come_first():
    order = sorted(["text.py", "a_new_one.py", "inspection.py"], key=gallery.place_of)
    assert order == ["inspection.py", "a_new_one.py", "text.py"]


def test_tables_on_pages_are_made_from_the_result_files():
    wanted = re.findall(r"```\{result-table\} (\w+)", "".join(p.read_text() for p in PAGES))
    assert set(wanted) <= {"gap", "auroc", "clean", "cost", "trees", "sparse"}
    assert "gap" in wanted
