"""The commands and their options."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from .errors import CommandError
from .report import report

EPILOG = """\
example:
  python -m noisyfit report reviews.csv --label stars --text review -o report.html

Open report.html in a browser, decide about the rows, export the decisions (they are
saved as reviews-csv-decisions.csv, after the title of the page), and apply them:

  import pandas as pd
  from noisyfit.noise import apply_review
  data = pd.read_csv("reviews.csv")
  reviewed = apply_review(
      "reviews-csv-decisions.csv", data["stars"], data.drop(columns="stars")
  )
  reviewed.X, reviewed.y  # without the rows dropped, with the labels corrected
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Parameters
    ----------
    arguments : sequence of str, default=None
        What follows ``python -m noisyfit``. None: the arguments of this process.

    Returns
    -------
    int
        0, 1 if something is wrong with the data or files, 130 if it was interrupted. Wrong
        options end the process with 2, as argparse does.
    """
    options = _parser().parse_args(arguments)
    try:
        report(options)
    except CommandError as error:
        print(f"noisyfit: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("noisyfit: interrupted, nothing was written.", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m noisyfit",
        description="Find wrong labels in a table and review them in a browser.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    command = commands.add_parser(
        "report",
        help="rank the rows of a CSV or Parquet file by how suspicious their labels are",
        description="Rank the rows of a CSV or Parquet file by how suspicious their labels are, "
        "and write one HTML file to review them in. Nothing is sent anywhere.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("data", type=Path, help="a CSV file (any delimiter) or a Parquet file")
    command.add_argument("--label", required=True, help="name of the column with the labels")
    command.add_argument(
        "-o", "--output", type=Path, default=Path("report.html"), help="default: %(default)s"
    )
    command.add_argument("--overwrite", action="store_true", help="replace the output if it exists")
    command.add_argument(
        "--text",
        nargs="+",
        default=[],
        metavar="COLUMN",
        help="columns of free text; long and varied text is recognised without it",
    )
    command.add_argument(
        "--drop",
        nargs="+",
        default=[],
        metavar="COLUMN",
        help="columns that the classifier must not see; the page shows them all the same",
    )
    command.add_argument("--index", metavar="COLUMN", help="column that names the rows")
    command.add_argument(
        "--rows",
        type=_positive,
        metavar="N",
        help="rows to list; default: twice as many as are estimated to be wrong (100 to 10,000)",
    )
    command.add_argument("--title", help="heading of the page; default: the name of the file")
    command.add_argument(
        "--encoding", default="utf-8", help="of a CSV file, e.g. latin-1; default: %(default)s"
    )
    command.add_argument(
        "--random-state",
        type=int,
        default=0,
        metavar="SEED",
        help="seed of folds and classifiers; default: %(default)s",
    )
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is not positive")
    return number
