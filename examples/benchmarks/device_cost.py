"""What an epoch of a residual network takes on a device, and what changes it.

`RobustLossClassifier("ce")` trains the CIFAR network on random images, shifted and mirrored on the
device: as it is, with channels last in memory, in half precision, compiled, and with all of it. A
plain torch loop that does the same beside it: images as bytes on the device, batches cut by a
permutation drawn there, SGD with ``fused=True``, nothing fetched before the end of the epoch.

All run by turns; times are medians over the epochs but the first of each fit, in which torch
compiles and chooses its kernels. Ratios are to noisyfit as it is. Target: an epoch of ResNet-32 on
50,000 images under 1.5 seconds on one H200.

    python examples/benchmarks/device_cost.py --device cuda --rows 50000
    python examples/benchmarks/device_cost.py --rows 1024 --rounds 3
"""

from __future__ import annotations

import argparse
import platform
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from _resnet import CifarResNet
from _shared import format_table

from noisyfit import RobustLossClassifier
from noisyfit.augmentation import RandomCropAndFlip

SGD = {"momentum": 0.9, "weight_decay": 5e-4, "fused": True}
LAST = {"memory_format": "channels_last"}
HALF = {"autocast": "bfloat16"}
SETTINGS: dict[str, dict[str, Any]] = {
    "as it is": {},
    "channels last": LAST,
    "half precision": HALF,
    "half precision, channels last": {**HALF, **LAST},
    "compiled": {"compile": True},
    "compiled, half precision, channels last": {**HALF, **LAST, "compile": True},
}
ON_GPUS: dict[str, dict[str, Any]] = {
    "CUDA graphs": {"compile": "reduce-overhead"},
    "CUDA graphs, half precision, channels last": {**HALF, **LAST, "compile": "reduce-overhead"},
}
BY_HAND = "plain torch loop"


def fitted_epochs(X: np.ndarray, y: np.ndarray, options: Any, changes: Any) -> list[float]:
    """Seconds of the epochs of a fit but the first."""
    classifier = RobustLossClassifier(
        "ce",
        module=CifarResNet,
        module__depth=options.depth,
        max_epochs=options.epochs + 1,
        lr=0.1,
        lr_schedule="constant",
        optimizer="sgd",
        batch_size=options.batch_size,
        train_transform=RandomCropAndFlip(padding=4),
        device=options.device,
        random_state=0,
        **changes,
    )
    return [record["dur"] for record in classifier.fit(X, y).history_][1:]


def looped_epochs(X: np.ndarray, y: np.ndarray, options: Any) -> list[float]:
    """Seconds of the epochs of a plain loop but the first."""
    images, codes = torch.from_numpy(X).to(options.device), torch.from_numpy(y).to(options.device)
    network = CifarResNet(depth=options.depth).to(options.device).train()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, **SGD)
    augment = RandomCropAndFlip(padding=4)
    seconds = []
    for _ in range(options.epochs + 1):
        start = time.perf_counter()
        losses = []
        for rows in torch.randperm(len(codes), device=options.device).split(options.batch_size):
            batch = augment(images[rows].permute(0, 3, 1, 2).contiguous().float().div_(255))
            loss = nn.functional.cross_entropy(network(batch), codes[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.detach())
        torch.stack(losses).mean().item()  # waits for the device
        seconds.append(time.perf_counter() - start)
    return seconds[1:]


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--rows", type=int, default=2048, help="images (2048)")
    parser.add_argument("--depth", type=int, default=32, help="layers of the network (32)")
    parser.add_argument("--batch-size", type=int, default=128, help="rows of a batch (128)")
    parser.add_argument("--epochs", type=int, default=2, help="epochs timed in each fit (2)")
    parser.add_argument("--rounds", type=int, default=3, help="fits of each setting (3)")
    parser.add_argument("--threads", type=int, default=1, help="torch threads (1)")
    parser.add_argument("--settings", nargs="+", choices=[*SETTINGS, *ON_GPUS], help="only these")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    on_gpu = torch.device(options.device).type == "cuda"
    chosen = {**SETTINGS, **(ON_GPUS if on_gpu else {})}
    if options.settings:
        chosen = {name: chosen[name] for name in ("as it is", *options.settings) if name in chosen}
    rng = np.random.default_rng(0)
    X = rng.integers(256, size=(options.rows, 32, 32, 3), dtype=np.uint8)
    y = rng.integers(10, size=options.rows)
    seconds: dict[str, list[float]] = {name: [] for name in (*chosen, BY_HAND)}
    for _ in range(options.rounds):
        for name, changes in chosen.items():
            seconds[name] += fitted_epochs(X, y, options, changes)
        seconds[BY_HAND] += looped_epochs(X, y, options)
    medians = {name: float(np.median(values)) for name, values in seconds.items()}
    plain = medians["as it is"]
    where = torch.cuda.get_device_name(options.device) if on_gpu else platform.machine()
    print(
        f"ResNet-{options.depth}, {options.rows} images, batches of {options.batch_size}; {where}, "
        f"torch {torch.__version__}, {options.threads} thread(s); medians of "
        f"{options.epochs * options.rounds} epochs; ratio: the line's time over that of noisyfit "
        "as it is\n"
    )
    rows = [[name, value, value / plain] for name, value in medians.items()]
    print(format_table(["noisyfit", "seconds an epoch", "ratio"], rows, markdown=True))


if __name__ == "__main__":
    main()
