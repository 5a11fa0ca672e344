"""One HTML file out of the template's parts: nothing it holds is fetched, or run, but our script.

Three things keep hostile data harmless: data are JSON in a block that browsers don't run, with
every character that could end the block escaped; the script shows text as text only; and the
page's content security policy allows our style and script by their hashes, pictures from the file
itself, and nothing else.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from importlib.resources import files
from typing import Any

SCRIPTS = ("csv", "data", "decisions", "filters", "cards", "dialogs", "review", "keyboard")


def render_page(title: str, summary: str, data: dict[str, Any]) -> str:
    """The whole page.

    Parameters
    ----------
    title : str
        Heading and title.
    summary : str
        HTML that stands above the rows.
    data : dict
        What the script reads, see `template/data.js`.

    Returns
    -------
    str
        HTML.
    """
    encoded = as_json_block(data)
    # The key under which a browser keeps the decisions: those of another report are not mixed in.
    fingerprint = hashlib.sha256(encoded.encode()).hexdigest()[:20]
    style = _template("report.css")
    scripts = "\n".join(_template(f"{name}.js") for name in SCRIPTS)
    script = f'"use strict";\n(() => {{\n{scripts}\n}})();\n'
    parts = {
        "title": html.escape(title),
        "policy": html.escape(_policy(style, script)),
        "style": style,
        "summary": summary,
        "fingerprint": fingerprint,
        "data": encoded,
        "script": script,
    }
    # In one pass, so that no data are taken for a place to fill.
    page = re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], _template("report.html"))
    # Half a surrogate pair, in the name of a file say, is nothing that UTF-8 can write.
    return page.encode("utf-8", "replace").decode()


def as_json_block(data: Any) -> str:
    r"""JSON that can stand inside a ``<script>`` element.

    Parameters
    ----------
    data : object
        Whatever JSON can hold.

    Returns
    -------
    str
        JSON of ASCII characters without ``<``, ``>`` and ``&``.

    Examples
    --------
    >>> as_json_block("</script>")
    '"\\u003c/script\\u003e"'
    """
    encoded = json.dumps(data, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    for character in "<>&":
        encoded = encoded.replace(character, f"\\u{ord(character):04x}")
    return encoded


def _policy(style: str, script: str) -> str:
    return "; ".join(
        [
            "default-src 'none'",
            f"style-src '{_hash(style)}'",
            f"script-src '{_hash(script)}'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        ]
    )


def _hash(source: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()


def _template(name: str) -> str:
    return (files(__package__) / "template" / name).read_text(encoding="utf-8")
