"""What selection costs on large data: time, memory above the input, and how well it chooses.

Each case runs in a process of its own, on made-up gradients:

* trim: half of each of ten classes left out by gradient norm, 10,000,000 rows of 10 columns;
* partitioned: half of each class chosen in random parts, from the same rows;
* parts: how near partitioned selection comes to exact greedy on 20,000 rows of one class;
* greedy_50k, greedy_100k: exact greedy in one class of 50,000 rows, k = 25,000, and of 100,000
  rows, k = 10,000 (64 columns);
* epoch: how long CRUSTClassifier() takes on 50,000 rows to choose the rows of an epoch, and to
  train for one.

    python examples/benchmarks/selection_scale.py
    python examples/benchmarks/selection_scale.py --only trim epoch
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[0]))
from _command_line import count
from _selection_measure import PeakMemory, gradients
from _shared import format_table

from noisyfit import CRUSTClassifier
from noisyfit.selection import (
    assign_to_medoids,
    distance_bound,
    gradient_norms,
    greedy_medoids,
    keep_smallest,
    partitioned_medoids,
    select_coreset,
)
from noisyfit.training.coreset import CoresetPhases

N_CLASSES = 10
Row = list[Any]


def measured(name: str, function: Callable[[], Any], repeats: int) -> tuple[Row, Any]:
    """Name, median of the seconds and the largest peak of memory; and what came out last."""
    seconds, peaks, result = [], [], None
    for _ in range(repeats):
        result = None
        with PeakMemory("cpu") as memory:
            start = time.perf_counter()
            result = function()
            seconds.append(time.perf_counter() - start)
        peaks.append(memory.bytes)
    known = [peak for peak in peaks if peak is not None]
    peak = f"{max(known) / 10**6:,.0f}" if known else None
    spread = f"{min(seconds):.3g} to {max(seconds):.3g}"
    return [name, f"{median(seconds):.3g}", spread, peak], result


def logit_like(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels, and gradients p - onehot(y) of a network that knows seven in ten of them."""
    rng = np.random.default_rng(0)
    codes = rng.integers(0, N_CLASSES, n)
    points = rng.standard_normal((n, N_CLASSES), dtype=np.float32)
    for first in range(0, n, 2**20):  # in parts, to leave the memory for what is measured
        part, rows = points[first : first + 2**20], codes[first : first + 2**20]
        every = np.arange(len(part))
        part[every, rows] += np.where(rng.random(len(part)) < 0.7, 2.5, -1.0)
        np.exp(part, out=part)
        part /= part.sum(axis=1, keepdims=True)
        part[every, rows] -= 1
    return points, codes


# ---------------------------------------------------------------------------------------- cases


def trim(scale: float, repeats: int) -> list[Row]:
    points, codes = logit_like(int(10_000_000 * scale))

    def half() -> np.ndarray:
        return keep_smallest(gradient_norms(points), 0.5, codes)

    row, kept = measured(f"trim {len(points):,} rows", half, repeats)
    return [[*row, f"{kept.mean():.3f} kept"]]


def partitioned(scale: float, repeats: int) -> list[Row]:
    points, codes = logit_like(int(10_000_000 * scale))

    def half() -> Any:
        return select_coreset(
            points, fraction=0.5, groups=codes, method="partitioned", random_state=0
        )

    row, coreset = measured(f"partitioned, {len(points):,} rows", half, min(repeats, 1))
    return [[*row, f"{len(coreset.indices):,} chosen"]]


def parts(scale: float, repeats: int) -> list[Row]:
    n = int(20_000 * scale)
    rows = []
    for share in (0.1, 0.5):
        points = gradients("network", n, 0)
        row, exact = measured(
            f"greedy, {n:,} rows, k = {share:.0%}",
            lambda p=points, s=share: greedy_medoids(p, s),
            1,
        )
        rows.append([*row, "1, 1"])
        bound = distance_bound(points)
        reference = assign_to_medoids(points, exact.indices)[1].astype(np.float64)
        for times in (1.0, 2.0):
            row, found = measured(
                f"partitioned, {n:,} rows, k = {share:.0%}, oversampling {times:.0f}",
                lambda p=points, s=share, t=times: partitioned_medoids(
                    p, s, oversampling=t, random_state=0
                ),
                repeats,
            )
            distance = assign_to_medoids(points, found.indices)[1].astype(np.float64)
            objective = (bound - distance).sum() / (bound - reference).sum()
            rows.append([*row, f"{objective:.4f}, {distance.sum() / reference.sum():.3f}"])
    return rows


def greedy_of(n: int, k: int, scale: float) -> list[Row]:
    n, k = int(n * scale), int(k * scale)
    points = gradients("network", n, 0)
    row, found = measured(f"greedy, {n:,} rows, k = {k:,}", lambda: greedy_medoids(points, k), 1)
    return [[*row, f"{len(set(found.indices.tolist())):,} chosen"]]


def greedy_50k(scale: float, repeats: int) -> list[Row]:
    return greedy_of(50_000, 25_000, scale)


def greedy_100k(scale: float, repeats: int) -> list[Row]:
    return greedy_of(100_000, 10_000, scale)


def epoch(scale: float, repeats: int) -> list[Row]:
    """The plan of an epoch is made when it is asked for; until the next it is trained by."""
    choosing: list[float] = []
    training: list[float] = []
    plans = CoresetPhases.plans

    def timed(self: CoresetPhases, *arguments: Any, **options: Any) -> Iterator[Any]:
        inner, sentinel = plans(self, *arguments, **options), object()
        while True:
            start = time.perf_counter()
            plan = next(inner, sentinel)
            if plan is sentinel:
                return
            chosen = time.perf_counter()
            yield plan
            choosing.append(chosen - start)
            training.append(time.perf_counter() - chosen)

    rng = np.random.default_rng(0)
    n = int(50_000 * scale)
    labels = rng.integers(0, N_CLASSES, n)
    centres = rng.standard_normal((N_CLASSES, 64))
    X = (centres[labels] + 2 * rng.standard_normal((n, 64))).astype(np.float32)
    given = np.where(rng.random(n) < 0.3, rng.integers(0, N_CLASSES, n), labels)
    rows = []
    for selection in ("all", "greedy"):
        choosing.clear()
        training.clear()
        CoresetPhases.plans = timed  # type: ignore[method-assign]
        try:
            CRUSTClassifier(selection=selection, max_epochs=3 + repeats, random_state=0).fit(
                X, given
            )
        finally:
            CoresetPhases.plans = plans  # type: ignore[method-assign]
        # The first epochs go by what the screening predicted, and warm the caches.
        for what, seconds in (("choosing the rows", choosing[2:]), ("training", training[2:])):
            middle = median(seconds)
            rows.append(
                [
                    f'one epoch of CRUSTClassifier(selection="{selection}"), {n:,} rows: {what}',
                    f"{middle:.3g}",
                    f"{min(seconds):.3g} to {max(seconds):.3g}",
                    None,
                    f"{middle / median(training[2:]):.2f} of training",
                ]
            )
    return rows


CASES = {case.__name__: case for case in (trim, partitioned, parts, greedy_50k, greedy_100k, epoch)}


def run_case(name: str, threads: int, scale: float, repeats: int) -> list[Row]:
    """Run a case in this process, which should be its own."""
    torch.set_num_threads(threads)
    return CASES[name](scale, repeats)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=CASES, default=list(CASES), help="(all cases)")
    parser.add_argument("--repeats", type=count, default=3, help="of short measurements (3)")
    parser.add_argument("--threads", type=count, default=2, help="threads of torch (2)")
    parser.add_argument("--scale", type=float, default=1.0, help=argparse.SUPPRESS)
    args = parser.parse_args()
    rows = []
    for name in args.only:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as executor:
            task = executor.submit(run_case, name, args.threads, args.scale, args.repeats)
            rows += task.result()
        print(f"{name} is done.", file=sys.stderr)
    print(f"{args.threads} threads, load average {os.getloadavg()[0]:.1f} at the end")
    headers = ["what", "seconds", "least to most", "peak MB above input", ""]
    print(format_table(headers, rows))
    print("parts: objective and distance to the nearest medoid, over those of exact greedy")


if __name__ == "__main__":
    main()
