"""Writes the pages of the API reference before Sphinx reads them, and links bare public names."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import public_names
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.nodes import make_refnode


def write_reference(app: Sphinx) -> None:
    """Write the pages of the reference where Sphinx will read them."""
    public_names.write_pages(Path(app.srcdir) / "api")


def unique_names() -> dict[str, str]:
    """Full names of the public names that only one module has."""
    full = {
        page: name
        for module in public_names.public_modules()
        for name in public_names.names_of(module)
        for page in [public_names.page_of(module, name)]
    }
    times = Counter(full.values())
    return {name: page for page, name in full.items() if times[name] == 1}


def resolve_bare_name(
    app: Sphinx, env: Any, node: nodes.Element, contnode: nodes.TextElement
) -> nodes.reference | None:
    """Link `CRUSTClassifier` from any module, without the module being named."""
    if node.get("refdomain") != "py":
        return None
    name, _, member = node["reftarget"].partition(".")
    page = unique_names().get(name)
    if page is None:
        return None
    objects = env.get_domain("py").objects
    for target in (f"{page}.{member}".rstrip("."), page):
        if target in objects:
            found = objects[target]
            return make_refnode(
                app.builder, node["refdoc"], found.docname, found.node_id, contnode, target
            )
    return None


def setup(app: Sphinx) -> dict[str, Any]:
    """Tell Sphinx when to call what."""
    app.connect("builder-inited", write_reference)
    app.connect("missing-reference", resolve_bare_name)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
