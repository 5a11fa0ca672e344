"""What each part of CRUSTClassifier's default is worth: it is taken out, and the rest trained.

Test accuracy of the final epoch on cases that the default was chosen on, beside cross entropy and
the oracle (cross entropy on the rows whose labels are right). "gap closed" is the sum of the gains
over cross entropy, over that of the oracle's gains. A run goes on where an earlier one was stopped.
Needs the data sets in the folder that NOISYFIT_DATA names.

    python examples/benchmarks/ablation.py            (about 15 minutes)
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parent))
from _data import cases, given_labels, load
from _results import DOCS, append_result, open_results
from _shared import Progress, format_table, require, use_one_thread

from noisyfit import CRUSTClassifier, DMClassifier

CASES = [
    ("letter", "sym .5"),
    ("letter", "asym .4"),
    ("newsgroups", "sym .5"),
    ("newsgroups", "asym .4"),
    ("adult", "sym .4 (two classes)"),
    ("magic", "asym .4"),
]
VARIANTS: dict[str, dict[str, Any]] = {
    "CRUSTClassifier()": {},
    "noise matrix not used (transition_matrix=None)": {"transition_matrix": None},
    "screening on given labels only (screening_epochs=0)": {"screening_epochs": 0},
    "no screening (cross_fit=None)": {"cross_fit": None},
    "rows left out stay out (pseudo_label=None)": {"pseudo_label": None},
    'cross entropy as the loss (criterion="ce")': {"criterion": "ce"},
    "no trimming (trim=None)": {"trim": None},
    'medoids of what is left (selection="greedy")': {"selection": "greedy"},
}


def fit(name: str, data: Any, given: np.ndarray, wrong: np.ndarray, **network: Any) -> Any:
    """The fitted classifier of a row of the table."""
    if name == "oracle":
        plain = DMClassifier("cce", normalize=None, **network)
        return plain.fit(data.X[~wrong], given[~wrong])
    if name == "cross entropy":
        return DMClassifier("cce", normalize=None, **network).fit(data.X, given)
    return CRUSTClassifier(**VARIANTS[name], **network).fit(data.X, given)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    sets = list(dict.fromkeys(name for name, _ in CASES))
    parser.add_argument("--sets", nargs="+", choices=sets, default=sets, help="data sets (all)")
    parser.add_argument("--rows", type=int, default=8000, help="training rows at most (8000)")
    parser.add_argument("--epochs", type=int, default=40, help="epochs (40)")
    parser.add_argument("--results", type=Path, default=DOCS / "results" / "ablation.jsonl")
    args = parser.parse_args()
    require("tqdm")
    use_one_thread()
    found = {
        (line["set"], line["kind"], line["fit"]): line["accuracy"]
        for line in open_results(args.results)
    }
    names = ["cross entropy", "oracle", *VARIANTS]
    chosen = [case for case in CASES if case[0] in args.sets]
    todo = [(*case, name) for case in chosen for name in names if (*case, name) not in found]
    known = {(case.set, case.kind): case for case in cases()}
    data = None
    with Progress(args.epochs * len(todo)) as progress:
        for set_name, kind, name in todo:
            progress.describe(f"{set_name}, {kind}, {name}"[:60])
            if data is None or data.name != set_name:
                data = load(set_name, 0, args.rows)
            given, wrong = given_labels(data, known[set_name, kind], 0)
            classifier = fit(name, data, given, wrong, max_epochs=args.epochs, random_state=0)
            accuracy = float(classifier.score(data.X_test, data.y_test))
            found[set_name, kind, name] = accuracy
            line = {"set": set_name, "kind": kind, "fit": name, "accuracy": accuracy}
            append_result(args.results, line)
            progress.bar.update(args.epochs)

    table = np.array([[found[(*case, name)] for case in chosen] for name in names])
    gain = (table - table[0]).sum(axis=1)
    rows = [
        [name, *map(float, accuracies), float(gain[i] / gain[1])]
        for i, (name, accuracies) in enumerate(zip(names, table, strict=True))
    ]
    headers = ["", *(f"{name} {kind.split(' (')[0]}" for name, kind in chosen), "gap closed"]
    print(format_table(headers, rows, markdown=True))


if __name__ == "__main__":
    main()
