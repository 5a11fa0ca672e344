"""The house as it was drawn: imports run one way, public names are documented, files are short."""

from __future__ import annotations

import ast
import dataclasses
import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import noisyfit

PACKAGE = Path(noisyfit.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))

# What each part of the package may import of the others. The front door may import everything.
ARROWS: dict[str, set[str]] = {
    "_blocks": set(),
    "_compat": set(),
    "_peaked": set(),
    "_precision": set(),
    "_version": set(),
    "augmentation": set(),
    "selection": {"_blocks", "_peaked", "_precision"},
    "weighting": set(),
    "memory_maps": set(),
    "noise": {"_blocks", "_compat", "_peaked"},
    # Displays and reports from predictions need an estimate; a report is a file, too.
    "inspection": {"noise", "weighting", "losses", "storage", "_compat"},
    "callbacks": {"noise"},
    "losses": {"weighting", "_precision"},
    "storage": {"_version"},
    "training": {
        "selection",
        "losses",
        "weighting",
        "noise",
        "storage",
        "_blocks",
        "_compat",
        "_peaked",
        "_precision",
    },
    "estimators": {
        "training",
        "selection",
        "losses",
        "weighting",
        "noise",
        "_blocks",
        "_compat",
        "_peaked",
        "_precision",
        "_version",
    },
    "persistence": {
        "augmentation",
        "estimators",
        "training",
        "losses",
        "weighting",
        "storage",
    },
}
# The command line is a second front door.
ARROWS["__main__"] = {"command_line"}
ARROWS["command_line"] = set(ARROWS)
OPTIONAL = {
    "matplotlib",
    "pandas",
    "polars",
    "tqdm",
    "cleanlab",
    "kmedoids",
    "imblearn",
    "pyarrow",
    "skops",
    "accelerate",
}
PUBLIC_FOLDERS = (
    "augmentation",
    "callbacks",
    "inspection",
    "losses",
    "memory_maps",
    "noise",
    "persistence",
    "selection",
    "weighting",
)
MAX_LINES = 450
LONGER_FOR_A_REASON: dict[str, str] = {}


def name_of(path: Path) -> str:
    return path.relative_to(PACKAGE.parent).as_posix()


def part_of(module: str) -> str:
    """The folder (or single file) of the package that a dotted module name lies in."""
    pieces = module.split(".")
    return pieces[1] if len(pieces) > 1 else "__init__"


def module_name(path: Path) -> str:
    dotted = path.relative_to(PACKAGE.parent).with_suffix("").as_posix().replace("/", ".")
    return dotted.removesuffix(".__init__")


def imported_modules(source: str, path: Path) -> Iterator[str]:
    """Every module that a source imports, anywhere in it, relative imports resolved.

    ``from noisyfit import x`` counts as ``noisyfit.x``.
    """
    package = module_name(path).split(".")
    if path.name != "__init__.py":
        package = package[:-1]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            origin = ".".join([*base, *([node.module] if node.module else [])])
            if origin == "noisyfit":
                yield from (f"noisyfit.{alias.name}" for alias in node.names)
            else:
                yield origin


def forbidden_imports(source: str, path: Path) -> list[str]:
    """Imports of noisyfit's own parts that run against the arrows."""
    own = part_of(module_name(path))
    if own == "__init__":
        return []
    wanted = {m for m in imported_modules(source, path) if m.split(".")[0] == "noisyfit"}
    allowed = ARROWS[own] | {own}
    return sorted(module for module in wanted if part_of(module) not in allowed)


def run_at_import(tree: ast.AST) -> Iterator[ast.AST]:
    """Nodes that are executed when a module is imported: not the bodies of functions."""
    for child in ast.iter_child_nodes(tree):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        yield child
        yield from run_at_import(child)


def optional_imports(source: str) -> set[str]:
    """Packages of the extras that a source imports as soon as it is imported itself."""
    found: set[str] = set()
    for node in run_at_import(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return found & OPTIONAL


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_imports_run_one_way(path: Path) -> None:
    assert forbidden_imports(path.read_text(), path) == []


def test_every_part_has_its_arrows() -> None:
    parts = {part_of(module_name(path)) for path in MODULES} - {"__init__"}
    assert parts <= set(ARROWS)


@pytest.mark.parametrize(
    ("where", "source"),
    [
        ("selection/greedy.py", "from noisyfit.noise import estimate_noise"),
        ("selection/greedy.py", "import noisyfit.training.rows"),
        ("selection/greedy.py", "from noisyfit import losses"),
        ("selection/greedy.py", "from ..noise import estimate_noise"),
        ("selection/greedy.py", "from .. import noise"),
        ("selection/__init__.py", "from ..noise import estimate_noise"),
        ("weighting/families.py", "from noisyfit.losses.base import RowCriterion"),
        ("noise/estimate.py", "def f():\n    from noisyfit.selection import keep_smallest"),
        ("losses/robust.py", "from noisyfit.selection import keep_smallest"),
        ("training/plan.py", "from noisyfit.estimators.crust import CRUSTClassifier"),
        ("training/plan.py", "from noisyfit import CRUSTClassifier"),
        ("_compat.py", "import noisyfit.noise"),
    ],
)
def test_the_arrow_test_can_fail(where: str, source: str) -> None:
    assert forbidden_imports(source, PACKAGE / where)


@pytest.mark.parametrize(
    ("where", "source"),
    [
        ("selection/greedy.py", "from noisyfit.selection.inputs import as_points\nimport torch"),
        ("noise/estimate.py", "from .counting import count"),
        ("noise/__init__.py", "from .counting import count"),
        ("estimators/dm.py", "from noisyfit.training.plan import EpochPlan"),
        ("__init__.py", "from noisyfit.estimators import DMClassifier"),
    ],
)
def test_the_arrow_test_lets_arrows_pass(where: str, source: str) -> None:
    assert not forbidden_imports(source, PACKAGE / where)


def test_only_the_front_door_and_persistence_import_the_estimators() -> None:
    importers = {
        name_of(path)
        for path in MODULES
        if part_of(module_name(path)) not in ("estimators", "command_line", "persistence")
        and any(
            module.startswith("noisyfit.estimators")
            for module in imported_modules(path.read_text(), path)
        )
    }
    assert importers == {"noisyfit/__init__.py"}


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_packages_of_the_extras_are_not_imported_at_import(path: Path) -> None:
    assert optional_imports(path.read_text()) == set()


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import pandas as pd", {"pandas"}),
        ("from matplotlib.pyplot import plot", {"matplotlib"}),
        ("try:\n    import tqdm\nexcept ImportError:\n    pass", {"tqdm"}),
        ("class A:\n    import polars", {"polars"}),
        ("def f():\n    import pandas", set()),
        ("if TYPE_CHECKING:\n    import pandas", set()),
    ],
)
def test_the_extras_test_can_fail(source: str, found: set[str]) -> None:
    assert optional_imports(source) == found


@pytest.mark.parametrize(
    "path", [path for path in MODULES if path.name != "_compat.py"], ids=name_of
)
def test_private_names_of_scikit_learn_come_through_compat(path: Path) -> None:
    private = [
        f"{node.module}.{alias.name}"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("sklearn")
        for alias in node.names
        if any(piece.startswith("_") for piece in f"{node.module}.{alias.name}".split("."))
    ]
    assert private == []


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_global_generators_of_numpy_are_not_used(path: Path) -> None:
    allowed = {"RandomState", "Generator", "default_rng", "SeedSequence"}
    used = set(re.findall(r"\bnp\.random\.(\w+)", path.read_text())) - allowed
    assert used == set()


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_files_are_short(path: Path) -> None:
    n_lines = len(path.read_text().splitlines())
    assert n_lines <= MAX_LINES or name_of(path) in LONGER_FOR_A_REASON


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_no_paths_of_one_machine(path: Path) -> None:
    assert re.findall(r"/home/|/root/|/tmp\b|shared/data", path.read_text()) == []


def test_package_says_that_it_is_typed() -> None:
    assert (PACKAGE / "py.typed").is_file()


# --------------------------------------------------------------------------------- public names


def public_objects() -> Iterator[tuple[str, object]]:
    """(dotted name, object) of everything public."""
    for folder in ("", *PUBLIC_FOLDERS):
        if folder and not (PACKAGE / folder / "__init__.py").exists():
            continue
        module = importlib.import_module(f"noisyfit.{folder}".rstrip("."))
        assert module.__doc__, f"{module.__name__} has no docstring"
        for name in module.__all__:
            yield f"{module.__name__}.{name}", getattr(module, name)


def public_callables() -> Iterator[tuple[str, object]]:
    """Public functions and classes, and the public methods that noisyfit itself writes."""
    for name, thing in public_objects():
        if inspect.isfunction(thing) or inspect.isclass(thing):
            yield name, thing
        if inspect.isclass(thing):
            for method, function in inspect.getmembers(thing, inspect.isfunction):
                ours = (function.__module__ or "").startswith("noisyfit")
                if ours and not method.startswith("_"):
                    yield f"{name}.{method}", function


def parameters_of(thing: object) -> list[str]:
    # A class's own __init__ may be inherited from a class of torch that documents itself.
    if inspect.isclass(thing) and thing.__init__ in (object.__init__, ValueError.__init__):
        return []
    parameters = inspect.signature(thing).parameters.values()  # type: ignore[arg-type]
    return [p.name for p in parameters if p.name not in ("self", "cls")]


CALLABLES = dict(public_callables())


def test_public_names_exist_and_are_sorted_once() -> None:
    names = [name for name, _ in public_objects()]
    assert len(names) == len(set(names))
    assert len(CALLABLES) > 60  # the tests below have something to look at


@pytest.mark.parametrize("name", CALLABLES)
def test_public_names_have_docstrings(name: str) -> None:
    assert inspect.getdoc(CALLABLES[name])


@pytest.mark.parametrize("name", CALLABLES)
def test_parameters_are_documented(name: str) -> None:
    thing = CALLABLES[name]
    parameters = parameters_of(thing)
    if not parameters or name.endswith((".forward", ".extra_repr")):
        return  # a criterion is called through its class, which documents what it takes
    text = inspect.getdoc(thing) or ""
    # Results that are dataclasses or named tuples are read, not made: they list attributes.
    result = inspect.isclass(thing) and (
        dataclasses.is_dataclass(thing) or issubclass(thing, tuple)
    )
    heading = "Attributes" if result and "Parameters\n-" not in text else "Parameters"
    assert missing_parameters(text, heading, parameters) == []


def missing_parameters(text: str, heading: str, parameters: list[str]) -> list[str]:
    """Parameters that have no entry under a heading of a numpydoc docstring."""
    pieces = re.split(r"^(\w[\w ]*)\n-{3,}\n", text, flags=re.MULTILINE)
    section = dict(zip(pieces[1::2], pieces[2::2], strict=True)).get(heading, "")
    entries = re.findall(r"^([*\w][*\w, ]*?)(?: :.*)?$", section, flags=re.MULTILINE)
    documented = {name.strip(" *") for entry in entries for name in entry.split(",")}
    return [name for name in parameters if name not in documented]


def test_the_documentation_test_can_fail() -> None:
    text = (
        "Do.\n\nParameters\n----------\na, b : int\n    Or c.\n**d : dict\n\nReturns\n-------\ne\n"
    )
    assert missing_parameters(text, "Parameters", ["a", "b", "d"]) == []
    assert missing_parameters(text, "Parameters", ["a", "c", "e"]) == ["c", "e"]
