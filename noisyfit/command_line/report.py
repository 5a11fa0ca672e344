"""The command ``report``: from a file with a table to a page for reviewing its labels."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np

from noisyfit.inspection import LabelReport

from .classifier import N_FITS, classifier_for
from .columns import Columns, prepared, sort_columns
from .errors import CommandError
from .progress import progress_bar
from .table import check_columns, labels_of, read_table


def report(options: argparse.Namespace) -> None:
    """Read, judge, write.

    Parameters
    ----------
    options : Namespace
        As `main` parses them.

    Raises
    ------
    CommandError
        If something is wrong that a user can mend.
    """
    _check_output(options.output, options.overwrite)  # before the work, not after it
    table = read_table(options.data, options.label, options.encoding)
    check_columns(table, [options.label], "--label")
    check_columns(table, options.text, "--text")
    check_columns(table, options.drop, "--drop")
    if options.index is not None:
        check_columns(table, [options.index], "--index")
    labels, rows = labels_of(table, options.label)
    if len(rows) < len(table):
        missing = len(table) - len(rows)
        _say(f"{missing:,} of {len(table):,} rows have no label; they are left out.")
    own = [options.label, *([] if options.index is None else [options.index])]
    features = table.drop(columns=own).iloc[rows].reset_index(drop=True)
    columns = sort_columns(features, options.text, options.drop)
    _describe(columns, labels)
    learnt = prepared(features, columns)
    with progress_bar(N_FITS, "fitting") as step:
        classifier = classifier_for(columns, labels, options.random_state, step)
        try:
            classifier.fit(learnt, labels)
        except ValueError as error:
            raise CommandError(f"the labels can't be judged: {error}") from error
    page = LabelReport.from_estimator(
        classifier,
        learnt,
        labels,
        data=features[[*columns.text, *(c for c in features if c not in columns.text)]],
        index=None if options.index is None else table[options.index].iloc[rows].tolist(),
        row_numbers=rows,
        n_rows="auto" if options.rows is None else options.rows,
        title=options.title or options.data.name,
    )
    try:
        page.save(options.output, overwrite=options.overwrite)
    except OSError as error:
        raise CommandError(f"{options.output} can't be written: {error}") from error
    print(
        f"{options.output}: about {100 * page.noise_rate:.1f} % of {len(rows):,} labels look "
        f"wrong; {len(page.rows):,} rows to review."
    )


def _describe(columns: Columns, labels: np.ndarray) -> None:
    _say(f"{len(labels):,} rows, {len(np.unique(labels)):,} classes; columns: {columns}.")
    for name, reason in columns.ignored.items():
        _say(f"column {name!r} is not learned from: {reason}.")


def _check_output(path: Path, overwrite: bool) -> None:
    if not path.parent.is_dir():
        raise CommandError(f"--output: the folder {path.parent} does not exist.")
    if path.is_dir():
        raise CommandError(f"--output: {path} is a folder; name a file.")
    if path.exists() and not overwrite:
        raise CommandError(f"--output: {path} exists; name another file or add --overwrite.")


def _say(message: Any) -> None:
    print(message, file=sys.stderr)
