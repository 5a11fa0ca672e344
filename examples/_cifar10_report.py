"""What the results on CIFAR-10 say: targets, accuracies, times."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from _cifar10_tables import PUBLISHED, TABLES, TITLES, USERS
from _results import Line
from _shared import format_table

NOT_YET = "not measured yet"
#: Mean accuracy in percent that a method is to reach: (table, method, noise).
LEAST_ACCURACY = {
    ("crust", "crust", "sym20"): 91.1,
    ("crust", "crust", "sym50"): 86.3,
    ("crust", "crust", "sym80"): 58.3,
    ("crust", "crust", "asym40"): 88.8,
    ("dm", "dm", "sym40"): 83.3,
}
LEAST_GAIN = 5.0  # points over cross entropy on CIFAR-10N's "worse" labels
MOST_PLANNING = 0.05
MOST_SECONDS, CARD = 1.5, "H200"


def report(lines: Sequence[Line], picture: str | None = None) -> str:
    """The page's generated part; ``picture`` is that of purity and recall, if there is one."""
    parts = [_measured_on(lines), _targets(lines), *(_accuracies(t, lines) for t in TABLES)]
    if picture is not None:
        parts.append(
            "## How clean the coresets are\n\n"
            f"![Purity and recall of CRUST's coresets on CIFAR-10 over the epochs]({picture})\n\n"
            "Solid: share of right labels in what an epoch trains on (purity); dashed: share of "
            "all right labels that is in it (recall). Lines are means of the seeds, bands go from "
            "the lowest to the highest; the dotted line is the share of right labels in all rows."
        )
    return "\n\n".join([*parts, *_times(lines)])


def _measured_on(lines: Sequence[Line]) -> str:
    if not lines:
        return "**No GPU was at hand so far: nothing is measured yet.**"
    precisions = {line["autocast"] or "float32" for line in lines}
    devices = sorted({f"{line['device']}, torch {line['torch']}" for line in lines})
    return f"Measured on {'; '.join(devices)}; {', '.join(sorted(precisions))}."


def _of(lines: Sequence[Line], table: str, method: str, noise: str) -> list[Line]:
    asked = (table, method, noise)
    return [line for line in lines if (line["table"], line["method"], line["noise"]) == asked]


def _alone(lines: Sequence[Line]) -> list[Line]:
    """Those of fits that had the card to themselves."""
    return [line for line in lines if line["jobs"] == 1]


def _n_seeds(n: int) -> str:
    return f"{n} seed{'s' * (n > 1)}"


# ------------------------------------------------------------------------------------ targets


def _targets(lines: Sequence[Line]) -> str:
    rows: list[list[str]] = []
    for (table, method, noise), least in LEAST_ACCURACY.items():
        found = [100 * line["accuracy"] for line in _of(lines, table, method, noise)]
        of = f"{method}, ResNet-{TABLES[table][0]}, {noise}: accuracy of at least {least}"
        figure = f"{np.mean(found):.2f} ({_n_seeds(len(found))})" if found else None
        rows.append(_target(of, figure, bool(found) and float(np.mean(found)) >= least))
    rows += [_gain(lines), _planning(lines), _epoch(lines)]
    table = format_table(["target", "figure", "reached"], rows, markdown=True)
    return (
        f"## Targets\n\n{table}\n\n"
        "Accuracies in percent, means over the seeds. Planning is predicting and selecting between "
        "epochs; the screening before the first epoch is in the table of times."
    )


def _target(target: str, figure: str | None, reached: bool) -> list[str]:
    if figure is None:
        return [target, NOT_YET, NOT_YET]
    return [target, figure, "yes" if reached else "no"]


def _gain(lines: Sequence[Line]) -> list[str]:
    """The better of the two methods over cross entropy, where all of them have the same seeds."""
    target = f'CIFAR-10N "worse": crust or dm {LEAST_GAIN:g} points above cross entropy'
    by_method = {
        method: {line["seed"]: 100 * line["accuracy"] for line in found}
        for method in ("cross entropy", "crust", "dm")
        if (found := _of(lines, "cifar10n", method, "worse"))
    }
    plain = by_method.pop("cross entropy", {})
    gains = {}
    for method, accuracies in by_method.items():
        seeds = sorted(plain.keys() & accuracies.keys())
        if seeds:
            gain = np.mean([accuracies[seed] - plain[seed] for seed in seeds])
            gains[method] = (float(gain), len(seeds))
    if not gains:
        return _target(target, None, False)
    figure = "; ".join(f"{m} {gain:+.2f} ({_n_seeds(n)})" for m, (gain, n) in gains.items())
    return _target(target, figure, max(gain for gain, _ in gains.values()) >= LEAST_GAIN)


def _planning(lines: Sequence[Line]) -> list[str]:
    """The noise at which planning takes the largest share counts."""
    target = f"crust, ResNet-32: planning takes less than {MOST_PLANNING:.0%} of the training time"
    shares = {}
    for noise in TABLES["crust"][1]:
        runs = _alone(_of(lines, "crust", "crust", noise))
        if runs:
            ratios = [run["planning_seconds"] / run["training_seconds"] for run in runs]
            shares[noise] = float(np.median(ratios))
    if not shares:
        return _target(target, None, False)
    figure = "; ".join(f"{noise} {share:.1%}" for noise, share in shares.items())
    return _target(target, figure, max(shares.values()) < MOST_PLANNING)


def _epoch(lines: Sequence[Line]) -> list[str]:
    """Cross entropy trains on all rows in each epoch."""
    target = f"ResNet-32, all rows: an epoch in less than {MOST_SECONDS} s on an {CARD}"
    runs = [
        line
        for line in _alone(lines)
        if line["table"] in ("crust", "cifar10n")
        and line["method"] == "cross entropy"
        and CARD in line["device"]
    ]
    if not runs:
        return _target(target, None, False)
    seconds = float(np.median([_epoch_seconds(run) for run in runs]))
    return _target(target, f"{seconds:.2f} s", seconds < MOST_SECONDS)


# --------------------------------------------------------------------------------- accuracies


def _accuracies(table: str, lines: Sequence[Line]) -> str:
    """Each cell with what is published, what users got, and ours."""
    depth, noises, methods = TABLES[table]
    rows = [[method, *(_entry(table, method, n, lines) for n in noises)] for method in methods]
    text = format_table(["method", *noises], rows, markdown=True)
    return f"## {TITLES[table]}\n\n{text}\n\nNetwork of {depth} layers."


def _entry(table: str, method: str, noise: str, lines: Sequence[Line]) -> str:
    found = [100 * line["accuracy"] for line in _of(lines, table, method, noise)]
    ours = NOT_YET
    if found:
        spread = f" ± {np.std(found, ddof=1):.1f}" if len(found) > 1 else ""
        ours = f"**{np.mean(found):.1f}{spread}** ({_n_seeds(len(found))})"
    published = PUBLISHED.get((table, method, noise))
    users = USERS.get((table, method, noise))
    pieces = [
        ours,
        *([f"published {published}"] if published else []),
        *([f"users {users}"] if users else []),
    ]
    return "; ".join(pieces)


# -------------------------------------------------------------------------------------- times


def _times(lines: Sequence[Line]) -> list[str]:
    """A table of what was measured on a card that no other fit shared; nothing where nothing is."""
    if not lines:
        return []
    alone = _alone(lines)
    rows = []
    for table, (depth, noises, methods) in TABLES.items():
        for noise in noises:
            for method in methods:
                runs = _of(alone, table, method, noise)
                for device in sorted({run["device"] for run in runs}):
                    here = [run for run in runs if run["device"] == device]
                    rows.append([f"ResNet-{depth}", noise, method, *_costs(here), device])
    headers = ["network", "noise", "method", "epoch, s", "before training", "planning"]
    headers += ["whole fit, s", "fits", "device"]
    text = format_table(headers, rows, markdown=True) if rows else f"Times: {NOT_YET}."
    n_shared = len(lines) - len(alone)
    shared = f" {n_shared} of {len(lines)} fits shared it with others (`--jobs`) and are left out."
    return [
        f"## Times\n\n{text}\n\n"
        "Medians over fits that had the device to themselves."
        + shared
        * bool(n_shared)
        + " Epoch: training alone. Before training: share of the whole fit until the network's "
        "first epoch, mostly screening by helper networks. Planning: share of the whole fit that "
        "predicting and selecting takes between epochs, without the writing of checkpoints. The "
        "whole fit is the time of all processes that worked on it, without loading the images."
    ]


def _costs(runs: Sequence[Line]) -> list[str]:
    def share(of: str) -> str:
        return f"{np.median([run[of] / run['wall_seconds'] for run in runs]):.1%}"

    return [
        f"{np.median([_epoch_seconds(run) for run in runs]):.2f}",
        share("before_training_seconds"),
        share("planning_seconds"),
        f"{np.median([run['wall_seconds'] for run in runs]):.0f}",
        str(len(runs)),
    ]


def _epoch_seconds(run: Line) -> float:
    """Median over the epochs of the network itself, which are those that were planned."""
    own = [
        seconds
        for seconds, planning in zip(run["dur"], run["planning"], strict=True)
        if planning is not None
    ]
    return float(np.median(own))
