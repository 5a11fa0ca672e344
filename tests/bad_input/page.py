"""Writes docs/bad_input.md from the table: ``python tests/bad_input/page.py``."""

from __future__ import annotations

import sys
from collections import defaultdict
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS.parent)]

from bad_input.estimators import COLUMNS, MEDOIDS, NETWORKS  # noqa: E402
from bad_input.outcomes import (  # noqa: E402
    Case,
    DoesNotApply,
    Outcome,
    Raises,
    Row,
    TestedBy,
    Works,
)
from bad_input.table import AREAS  # noqa: E402

PAGE = TESTS.parent / "docs" / "bad_input.md"
GROUPS: dict[str, tuple[str, ...]] = {
    "networks": NETWORKS,
    "`CoresetClassifier`": ("CoresetClassifier",),
    "selector, sampler": MEDOIDS,
    "`CarriedWeights`": ("CarriedWeights",),
}

TOP = """\
# What happens to bad input

Every mistake below either ends in an error that names the parameter and says what to do, or has
the result that stands here: never a hang, a NaN that nobody tells of, or a result of another
shape. An estimator whose `fit` was refused is as it was before. "Networks" are the eight
classifiers that train one ({networks}), "selector" and "sampler" are `GradientMedoidSelector` and
`GradientMedoidSampler`.

This page is written by `python tests/bad_input/page.py` from the data that the tests in
`tests/bad_input/` are made from; all {n_cells} cells are tried ({n_refused} refusals, {n_results}
results, {n_others} in tests of their own) or give a reason why there is nothing to try ({n_none}).
"""

TITLES = {
    "shape": "Shapes",
    "dtype": "Types and containers",
    "values": "Values of X",
    "labels": "Labels",
    "weights": "Weights",
    "parameters": "Parameters",
    "files": "Files",
    "devices": "Devices",
}
TEXTS = {
    "weights": "What is said of weights where nothing else stands holds of `sample_weight`.",
    "parameters": """\
Refused by all that have the parameter, with an error that names it (`InvalidParameterError`, which
is a `ValueError`, or `TypeError`). Keywords that an estimator does not have are refused when it is
made.""",
    "files": "What `noisyfit.load` says of files; see also [saving and loading](saving.md).",
}

BOTTOM = """\
## Training that diverges

A loss that becomes NaN or infinite is found out at the end of its epoch, weights that the last
step of an epoch has spoiled in the same epoch, in all phases and in helper networks too
(`test_divergence.py`). Finite weights whose logits are infinite are found out before predictions
are used to select rows or to estimate noise, at the end of training, or by the loss of the next
epoch. `fit` raises a `ValueError` that names the epoch and the phase:

> The train loss became nan in epoch 3 (coreset): training diverged. Lower lr (now 10.0), scale
> the features, or clip gradients with skorch.callbacks.GradientNormClipping.

## Fuzzing

`python tests/fuzz/nightly.py --examples 10000` draws examples at random: arrays of all types,
layouts and containers with special values, labels, weights and parameters of every estimator, and
arguments of the functions in `noisyfit.selection`, `noisyfit.noise`, `noisyfit.losses` and
`noisyfit.weighting`. Each either ends in a `ValueError` or `TypeError` that was raised on purpose,
or all that comes out is well formed: probabilities finite and of sum 1, row numbers in range, the
same again by the same seed; and inputs, global generators, types and threads are as they were. The
ordinary tests run a few examples of each.
"""


def said_of(outcome: Outcome) -> str:
    if isinstance(outcome, DoesNotApply):
        return f"does not apply: {outcome.reason}"
    return outcome.says


def cell(row: Row, columns: tuple[str, ...]) -> str:
    """What a group of columns does; where they differ, the exceptions first."""
    said = defaultdict(list)
    for column in columns:
        said[said_of(row.cells[column])].append(column)
    if len(said) == 1:
        return next(iter(said))
    *few, (rest, _) = sorted(said.items(), key=lambda pair: len(pair[1]))
    named = [f"{', '.join(f'`{column}`' for column in some)}: {text}" for text, some in few]
    return "; ".join([*named, f"others: {rest}"])


def table(head: list[str], rows: list[list[str]]) -> str:
    escaped = [[text.replace("|", "\\|") for text in row] for row in rows]
    lines = [head, ["---"] * len(head), *escaped]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def area_table(rows: list[Row]) -> str:
    """A table with one column for each group that any of the rows applies to."""
    groups = {
        name: columns
        for name, columns in GROUPS.items()
        if not all(isinstance(row.cells[c], DoesNotApply) for row in rows for c in columns)
    }
    body = [[row.kind, *(cell(row, columns) for columns in groups.values())] for row in rows]
    return table(["you give", *groups], body)


def shown(case: Case) -> str:
    """The options of a case, as far as they can be shown in a line."""
    assert isinstance(case.options, dict)
    values = [repr(value) for value in case.options.values()]
    return ", ".join(
        f"`{v}`" for v in values if len(v) < 40 and " at 0x" not in v and "\n" not in v
    )


def parameter_table(rows: list[Row]) -> str:
    body = []
    for row in rows:
        refusing = [c for c in COLUMNS if isinstance(row.cells[c], Raises)]
        of_networks = [column for column in refusing if column in NETWORKS]
        by = [f"`{column}`" for column in refusing]
        if len(of_networks) == len(NETWORKS):
            by = ["networks", *(f"`{c}`" for c in refusing if c not in NETWORKS)]
        examples = ", ".join(text for text in map(shown, row.cases) if text)
        body.append([row.kind if " " in row.kind else f"`{row.kind}`", examples, ", ".join(by)])
    return table(["parameter", "refused, for example", "by"], body)


def page() -> str:
    outcomes = [
        outcome for rows in AREAS.values() for row in rows for outcome in row.cells.values()
    ]
    text = TOP.format(
        networks=", ".join(f"`{name}`" for name in NETWORKS),
        n_cells=f"{len(outcomes):,}",
        n_refused=sum(isinstance(outcome, Raises) for outcome in outcomes),
        n_results=sum(isinstance(outcome, Works) for outcome in outcomes),
        n_others=sum(isinstance(outcome, TestedBy) for outcome in outcomes),
        n_none=sum(isinstance(outcome, DoesNotApply) for outcome in outcomes),
    )
    parts = [text]
    for area, rows in AREAS.items():
        shown_as = parameter_table(rows) if area == "parameters" else area_table(rows)
        parts += [
            f"## {TITLES[area]}\n",
            *([TEXTS[area] + "\n"] if area in TEXTS else []),
            shown_as,
        ]
        parts[-1] += "\n"
    return "\n".join([*parts, BOTTOM])


if __name__ == "__main__":
    PAGE.write_text(page())
    print(f"wrote {PAGE}")
