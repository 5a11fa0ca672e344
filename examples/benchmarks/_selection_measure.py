"""One measurement of the selection benchmark: the gradients, a selection's time and peak memory.

Run as a process of its own, with a line to be completed and the seconds it may take:

    python examples/benchmarks/_selection_measure.py '[{"data": "network", ...}, 900]'
"""

from __future__ import annotations

import ctypes
import json
import os
import platform
import signal
import sys
import time
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[0]))
from _results import Line
from _selection_peers import METHODS, medoids_of

N_CLASSES, N_COLUMNS = 10, 64
WARM_UP_ROWS = 300
MEASURED = "measured"

# The lines of one case are compared with each other, those of one setting are its repeats.
CASE = ("data", "classes", "rows", "share", "threads", "device")
SETTING = (*CASE, "method")


def case_of(line: Line) -> tuple[Any, ...]:
    """Which lines are compared."""
    return tuple(line[name] for name in CASE)


def setting_of(line: Line) -> tuple[Any, ...]:
    """Which lines are repeats of each other."""
    return tuple(line[name] for name in SETTING)


def limit_threads(n_threads: int) -> dict[str, str]:
    """Environment of a process in which every library uses this many threads."""
    names = ("OMP", "MKL", "OPENBLAS", "NUMBA", "RAYON")
    return {**os.environ, **{f"{name}_NUM_THREADS": str(n_threads) for name in names}}


# ------------------------------------------------------------------------------------ gradients


def gradients(data: str, n: int, label: int, seed: int = 0) -> np.ndarray:
    """Gradients (n, 64) of rows labelled so, by a network that knows seven in ten of them."""
    rng = np.random.default_rng([seed, label])
    if data == "gauss":
        return rng.standard_normal((n, N_COLUMNS), dtype=np.float32)
    last_layer = np.random.default_rng(seed).standard_normal((N_CLASSES, N_COLUMNS))
    logits = rng.standard_normal((n, N_CLASSES)) * rng.gamma(1.5, 1.0, (n, 1))
    logits[:, label] += np.where(rng.random(n) < 0.7, 2.5, -1.0)
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    p[:, label] -= 1
    # The noise gives them the many small directions that a deeper gradient has.
    noise = 0.02 * rng.standard_normal((n, N_COLUMNS))
    return (p @ last_layer / np.sqrt(N_COLUMNS) + noise).astype(np.float32)


def rows_and_groups(data: str, n_classes: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Gradients of n rows of each class, mixed, and their classes."""
    groups = np.repeat(np.arange(n_classes), n)
    points = np.concatenate([gradients(data, n, label) for label in range(n_classes)])
    order = np.random.default_rng(0).permutation(len(groups))
    return points[order], groups[order]


# --------------------------------------------------------------------------------------- memory


class PeakMemory:
    """Bytes that the process holds at most within a ``with`` block, above those before it.

    None where the system does not tell. On a GPU, its memory; else the kernel's count of resident
    memory, whose peak is set back before: `getrusage` would begin with that of the parent process.
    """

    def __init__(self, device: str) -> None:
        self.on_gpu = device != "cpu"
        self.bytes: int | None = None

    def __enter__(self) -> PeakMemory:
        self._before = self._now_and_peak(set_back=True)[0]
        return self

    def __exit__(self, *_: object) -> None:
        peak = self._now_and_peak()[1]
        if peak is not None and self._before is not None:
            self.bytes = peak - self._before

    def _now_and_peak(self, set_back: bool = False) -> tuple[int | None, int | None]:
        if self.on_gpu:
            if set_back:
                torch.cuda.reset_peak_memory_stats()
            return torch.cuda.memory_allocated(), torch.cuda.max_memory_allocated()
        try:
            if set_back:
                give_back_free_memory()
                Path("/proc/self/clear_refs").write_text("5")
            status = Path("/proc/self/status").read_text().splitlines()
        except OSError:  # no Linux
            return None, None
        values = {name: value for name, _, value in (text.partition(":") for text in status)}
        now, peak = (1024 * int(values[name].split()[0]) for name in ("VmRSS", "VmHWM"))
        return now, peak


def give_back_free_memory() -> None:
    """Memory freed before, but kept for later, would make the measurement look small."""
    if hasattr(ctypes.CDLL(None), "malloc_trim"):
        ctypes.CDLL(None).malloc_trim(0)


# ---------------------------------------------------------------------------- one measurement


def measure(line: Line, limit: int) -> Line:
    """Choose medoids once, in this process; returns the line with what was found."""
    method = METHODS[line["method"]]
    torch.set_num_threads(line["threads"])
    points, groups = rows_and_groups(line["data"], line["classes"], line["rows"])

    def choose(n: int) -> np.ndarray | None:
        if line["classes"] > 1:
            return method.by_class(rows[:n], groups[:n], line["share"])
        return method.choose(rows[:n], medoids_of(n, line["share"]))

    rows = points if line["device"] == "cpu" else torch.from_numpy(points).to(line["device"])
    choose(min(WARM_UP_ROWS, len(rows)))
    start = time.perf_counter()
    choose(min(WARM_UP_ROWS, len(rows)))
    small_seconds = time.perf_counter() - start

    load = os.getloadavg()[0]
    with PeakMemory(line["device"]) as memory:
        if hasattr(signal, "setitimer"):  # ends the process, whatever it is doing
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.setitimer(signal.ITIMER_REAL, limit)
        start = time.perf_counter()
        indices = choose(len(rows))
        seconds = time.perf_counter() - start
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, 0)

    total = None
    if indices is not None:
        sizes = [medoids_of(n, line["share"]) for n in np.bincount(groups)]
        check(indices, groups, sizes)
        total = total_distance(points, groups, indices)
    return {
        **line,
        "outcome": MEASURED,
        "seconds": round(seconds, 5),
        "small_seconds": round(small_seconds, 5),
        "peak_bytes": memory.bytes,
        "total_distance": total,
        "load": round(load, 2),
        "machine": machine(line["device"]),
        "versions": {
            name: version(name) for name in ("noisyfit", "torch", "numpy", *method.packages)
        },
        "date": date.today().isoformat(),
    }


def check(indices: np.ndarray, groups: np.ndarray, sizes: list[int]) -> None:
    """Refuse a selection that is not so many distinct rows of every class."""
    if len(np.unique(indices)) != len(indices) or not np.issubdtype(indices.dtype, np.integer):
        raise ValueError("the method chose a row twice, or what are no indices")
    found = np.bincount(groups[indices], minlength=len(sizes)).tolist()
    if found != sizes:
        raise ValueError(f"the method chose {found} rows of the classes, not {sizes}")


def total_distance(points: np.ndarray, groups: np.ndarray, medoids: np.ndarray) -> float:
    """Sum of the distances to the nearest medoid of the class, in float64."""
    rows, total = torch.from_numpy(points).double(), 0.0
    for group in np.unique(groups):
        centres = rows[medoids[groups[medoids] == group]]
        norms = centres.square().sum(dim=1)
        for part in rows[groups == group].split(max(1, 2**22 // len(centres))):
            squared = torch.addmm(norms, part, centres.T, alpha=-2).amin(dim=1)
            total += float((squared + part.square().sum(dim=1)).clamp(min=0).sqrt().sum())
    return total


def machine(device: str) -> str:
    """The processor's name and cores, or the GPU's name."""
    if device != "cpu":
        return torch.cuda.get_device_name(device)
    try:
        info = Path("/proc/cpuinfo").read_text()
        name = info.partition("model name")[2].partition(":")[2].partition("\n")[0].strip()
    except OSError:
        name = ""
    return f"{name or platform.processor() or platform.machine()}, {os.cpu_count()} cores"


if __name__ == "__main__":
    print(json.dumps(measure(*json.loads(sys.argv[1]))))
