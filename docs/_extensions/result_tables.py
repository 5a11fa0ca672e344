"""Tables made from the benchmark's result files when the pages are built.

In a page::

    ```{result-table} gap
    ```

"gap", "auroc", "clean", "cost", "trees" and "sparse" are those of `docs/accuracy.md`, short: all
sets, and as many seeds as most methods were measured with.
"""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import Directive
from docutils.statemachine import StringList
from sphinx.application import Sphinx

DOCS = Path(__file__).resolve().parents[1]
RESULTS = DOCS / "results" / "accuracy.jsonl"
sys.path.append(str(DOCS.parent / "examples" / "benchmarks"))


@cache
def tables() -> dict[str, str]:
    """All tables, as Markdown."""
    import _figures as figures
    import _report as report
    from _results import read_results

    results = figures.by_run(read_results(RESULTS), None)
    main = figures.measured(results, figures.MAIN)
    compared = figures.comparisons(results, main)[0]
    noisy = [run for run in compared.runs if run.kind != "clean"]
    methods = [m for m in compared.methods if m not in ("cross_entropy", "oracle")]
    rating, rated = report.with_auroc(results, compared)
    trees, sparse = (figures.measured(results, f) for f in (figures.TREES, figures.SPARSE))
    gap = figures.per_kind(results, noisy, methods, figures.gap_closed)
    auroc = figures.per_kind(results, rated, rating, figures.mean_auroc)
    return {
        "gap": report.kinds_table(gap, noisy),
        "auroc": report.kinds_table(auroc, rated),
        "clean": report.clean_table(results, main),
        "cost": report.cost_table(results, main, "cross_entropy"),
        "trees": report.accuracy_table(results, trees),
        "sparse": report.accuracy_table(results, sparse),
    }


class ResultTable(Directive):
    """Puts one of the tables into a page."""

    required_arguments = 1
    has_content = False
    option_spec: ClassVar[dict[str, Any]] = {}

    def run(self) -> list[nodes.Node]:
        """Nodes of the table that the argument names."""
        wanted = self.arguments[0]
        if wanted not in tables():
            raise self.error(f"There is no table {wanted!r}; there are {', '.join(tables())}.")
        environment = self.state.document.settings.env
        environment.note_dependency(str(RESULTS))
        lines = StringList(tables()[wanted].splitlines(), source=str(RESULTS))
        container = nodes.container()
        self.state.nested_parse(lines, self.content_offset, container)
        return container.children


def setup(app: Sphinx) -> dict[str, Any]:
    """Tell Sphinx about the directive."""
    app.add_directive("result-table", ResultTable)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
