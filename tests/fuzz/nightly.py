"""Run every fuzz target on many examples: ``python tests/fuzz/nightly.py --examples 10000``.

Prints for each target how many examples ran, how many of them were refused by design, and the
first example that failed; the exit code is not 0 if any did, or hung. Another ``--seed`` gives
other examples, the same one the same.
"""

from __future__ import annotations

import argparse
import math
import signal
import sys
import time
import traceback
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2])]

import torch  # noqa: E402
from fuzz.estimators import FITTED, REFUSED  # noqa: E402
from fuzz.targets import TARGETS, Target  # noqa: E402
from hypothesis import HealthCheck, Phase, given, seed, settings  # noqa: E402

MOST_SECONDS = 300  # an example takes milliseconds; one that takes so long hangs


class Hangs(Exception):
    """An example that does not end."""


def interrupt(*_: Any) -> None:
    raise Hangs(f"an example took more than {MOST_SECONDS} s")


def examples_of(total: int) -> dict[str, int]:
    """How many examples each target gets, at least so many in all."""
    shares = sum(target.share for target in TARGETS.values())
    return {name: math.ceil(total * target.share / shares) for name, target in TARGETS.items()}


def run(target: Target, n_examples: int, number: int) -> tuple[Counter[str], str | None]:
    """What became of the examples, and the report of the smallest one that failed."""
    outcomes: Counter[str] = Counter()

    @seed(number)
    @settings(
        max_examples=n_examples,
        deadline=None,
        database=None,
        print_blob=True,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(target.strategy)
    def fuzz(case: Any) -> None:
        signal.alarm(MOST_SECONDS)
        try:
            outcomes[target.check(case)] += 1
        finally:
            signal.alarm(0)

    try:
        fuzz()
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt | SystemExit):
            raise
        return outcomes, "".join(traceback.format_exception(error))
    return outcomes, None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=10_000, help="in all, shared by targets")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="targets whose names contain this")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    signal.signal(signal.SIGALRM, interrupt)
    warnings.simplefilter("ignore")
    total: Counter[str] = Counter()
    failed = []
    began = time.perf_counter()
    print(f"{'target':32} {'examples':>8} {'completed':>9} {'refused':>8} {'seconds':>8}")
    for name, n_examples in examples_of(arguments.examples).items():
        if arguments.only not in name:
            continue
        start = time.perf_counter()
        outcomes, report = run(TARGETS[name], n_examples, arguments.seed)
        total += outcomes
        print(
            f"{name:32} {outcomes.total():8} {outcomes[FITTED]:9} {outcomes[REFUSED]:8} "
            f"{time.perf_counter() - start:8.1f}",
            flush=True,
        )
        if report is not None:
            failed.append(name)
            print(report, flush=True)
    print(
        f"{'all':32} {total.total():8} {total[FITTED]:9} {total[REFUSED]:8} "
        f"{time.perf_counter() - began:8.1f}"
    )
    if failed:
        print(f"FAILED: {', '.join(failed)}")
        return 1
    if not arguments.only and total.total() < arguments.examples:
        print(f"FAILED: only {total.total()} of {arguments.examples} examples ran")
        return 1
    print(f"all {total.total()} examples passed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
