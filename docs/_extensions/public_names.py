"""Every public name of noisyfit, found in the packages themselves, and the pages about them.

A name that is added to an ``__all__`` has its page without anything being written down twice.
Nothing in here needs Sphinx, so the tests can ask it what it would write.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from textwrap import indent
from types import ModuleType
from typing import Any

import noisyfit

HEADINGS = ("Classes", "Functions", "Constants")
NOT_IMPORTED = {"command_line"}  # ``python -m noisyfit``: used from a shell, see the guide


def public_modules() -> list[ModuleType]:
    """noisyfit, and its subpackages that offer names which noisyfit itself does not."""
    modules = [noisyfit]
    for found in pkgutil.iter_modules(noisyfit.__path__):
        if found.name.startswith("_") or found.name in NOT_IMPORTED or not found.ispkg:
            continue
        module = importlib.import_module(f"noisyfit.{found.name}")
        if set(getattr(module, "__all__", ())) - set(noisyfit.__all__):
            modules.append(module)
    return modules


def names_of(module: ModuleType) -> list[str]:
    """The public names of a module, its subpackages aside."""
    return [name for name in module.__all__ if not inspect.ismodule(getattr(module, name))]


def page_of(module: ModuleType, name: str) -> str:
    """Name of the page about a public name, without folder and suffix."""
    return f"{module.__name__}.{name}"


def summary_of(thing: Any) -> str:
    """First line of a docstring."""
    return (inspect.getdoc(thing) or "").partition("\n")[0]


def summary_of_name(module: ModuleType, name: str) -> str:
    """A line on a public name."""
    thing = getattr(module, name)
    if heading_of(thing) == "Constants":
        return description_of(module, name).partition("\n")[0]
    return summary_of(thing)


def heading_of(thing: Any) -> str:
    """Which part of a module's list a name belongs to."""
    if inspect.isclass(thing):
        return "Classes"
    return "Functions" if callable(thing) else "Constants"


# -------------------------------------------------------------------------------- constants


def description_of(module: ModuleType, name: str) -> str:
    """What the source says of a constant: the string below it, or the ``#:`` lines above."""
    for path in sorted(Path(module.__path__[0]).glob("*.py")):
        source = path.read_text(encoding="utf-8")
        body = ast.parse(source).body
        for statement, below in zip(body, [*body[1:], None], strict=True):
            targets = getattr(statement, "targets", [getattr(statement, "target", None)])
            if not any(isinstance(t, ast.Name) and t.id == name for t in targets):
                continue
            if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant):
                return inspect.cleandoc(str(below.value.value))
            above = source.splitlines()[: statement.lineno - 1]
            comments = list(takewhile(lambda line: line.startswith("#:"), reversed(above)))
            return "\n".join(line.removeprefix("#:").strip() for line in reversed(comments))
    return ""


# ---------------------------------------------------------------------------------- methods


def is_method(member: object) -> bool:
    """Whether what a class holds under a name is a method or a property."""
    return isinstance(member, classmethod | staticmethod | property) or callable(member)


def members_of(thing: type) -> tuple[list[str], list[str]]:
    """Public methods that noisyfit writes, in their order, and the names of those it inherits."""
    own: dict[str, None] = {}
    others: set[str] = set()
    for owner in reversed(thing.__mro__):
        if owner is object:
            continue
        for name in vars(owner):
            # A field of a dataclass may have taken the place of an abstract property.
            if name.startswith("_") or not is_method(inspect.getattr_static(thing, name)):
                continue
            if owner.__module__.split(".")[0] == "noisyfit":
                others.discard(name)
                own.setdefault(name)
            elif name not in own:
                others.add(name)
    # forward is what calling a criterion does: the class documents it.
    own = {name: None for name in own if inspect.getdoc(getattr(thing, name, None))}
    return [name for name in own if name not in ("forward", "extra_repr")], sorted(others)


def inherited_line(thing: type, names: list[str]) -> str:
    """A line on methods that other libraries write and describe."""
    roots = {owner.__module__.split(".")[0] for owner in thing.__mro__}
    if not names or "sklearn" not in roots:
        return ""
    listed = ", ".join(f"``{name}``" for name in names)
    return f"Inherited from scikit-learn, where they are described: {listed}."


# ------------------------------------------------------------------------------------ pages


def underlined(title: str, line: str = "=") -> str:
    """A heading of reStructuredText."""
    return f"{title}\n{line * len(title)}\n"


def name_page(module: ModuleType, name: str) -> str:
    """The page about one public name."""
    thing = getattr(module, name)
    parts = [underlined(name), f".. currentmodule:: {module.__name__}\n"]
    kind = heading_of(thing)
    if kind == "Functions":
        parts.append(f".. autofunction:: {name}\n")
    elif kind == "Constants":
        described = indent(description_of(module, name), "   ")
        parts.append(f".. data:: {name}\n   :value: {thing!r}\n\n{described}\n")
    else:
        parts.append(f".. autoclass:: {name}\n")
        own, inherited = members_of(thing)
        if own:
            parts.append(".. rubric:: Methods\n")
            for member in own:
                static = inspect.getattr_static(thing, member)
                directive = "autoproperty" if isinstance(static, property) else "automethod"
                parts.append(f".. {directive}:: {name}.{member}\n")
        parts.append(inherited_line(thing, inherited))
    return "\n".join(parts).rstrip() + "\n"


def module_page(module: ModuleType) -> str:
    """The page about a module: what it is for, and its names with a line each."""
    names = names_of(module)
    parts = [
        underlined(module.__name__),
        f".. automodule:: {module.__name__}\n   :no-members:\n",
        f".. currentmodule:: {module.__name__}\n",
    ]
    for heading in HEADINGS:
        chosen = [name for name in names if heading_of(getattr(module, name)) == heading]
        if chosen:
            rows = [
                f"   * - :py:obj:`~{page_of(module, name)}`\n     - {summary_of_name(module, name)}"
                for name in chosen
            ]
            table = ".. list-table::\n   :class: api-names\n   :widths: 35 65\n\n"
            parts += [underlined(heading, "-"), table + "\n".join(rows) + "\n"]
    pages = "\n".join(f"   {page_of(module, name)}" for name in names)
    parts.append(f".. toctree::\n   :hidden:\n   :maxdepth: 1\n\n{pages}\n")
    return "\n".join(parts)


def index_page() -> str:
    """The page that lists the modules."""
    modules = public_modules()
    rows = "\n".join(
        f"   * - :doc:`{module.__name__} </api/{module.__name__}>`\n     - {summary_of(module)}"
        for module in modules
    )
    pages = "\n".join(f"   {module.__name__}" for module in modules)
    return "\n".join(
        [
            underlined("API reference"),
            "Everything public. Names that begin with an underscore, and ``noisyfit.training``,\n"
            "are private and may change without notice.\n",
            f".. list-table::\n   :class: api-names\n   :widths: 35 65\n\n{rows}\n",
            f".. toctree::\n   :hidden:\n   :maxdepth: 2\n\n{pages}\n",
        ]
    )


def pages() -> Iterator[tuple[str, str]]:
    """(file name, text) of every page of the reference."""
    yield "index.rst", index_page()
    for module in public_modules():
        yield f"{module.__name__}.rst", module_page(module)
        for name in names_of(module):
            yield f"{page_of(module, name)}.rst", name_page(module, name)


def write_pages(folder: Path) -> None:
    """Write the pages; those that say what they said keep their date, so Sphinx skips them."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = dict(pages())
    for old in folder.glob("*.rst"):
        if old.name not in wanted:
            old.unlink()
    for name, text in wanted.items():
        path = folder / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
