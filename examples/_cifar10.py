"""CIFAR-10 and its noisy labels: for cifar10.py."""

from __future__ import annotations

import functools
import importlib.util
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
from _shared import stop

from noisyfit.noise import asymmetric_noise, symmetric_noise

CLASSES = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)
# What a class is mistaken for: trucks for automobiles, birds for airplanes, deer for horses, and
# cats and dogs for each other (Patrini et al. 2017), each with the probability of the rate.
MISTAKEN = {9: 1, 2: 0, 4: 7, 3: 5, 5: 3}
HUMAN = ("aggre", "random1", "worse")  # of CIFAR-10N
Images = tuple[np.ndarray, np.ndarray]


@functools.cache
def load_cifar10(folder: str | None, n_shards: int = 5) -> tuple[Images, Images]:
    """Training and test images (n, 32, 32, 3), bytes, and labels, in the official order.

    The folder is the one given or the one that NOISYFIT_DATA names. It holds the shards
    cifar10_train_0.npz to _4.npz and cifar10_test.npz, or cifar-10-batches-bin, the official binary
    version, or cifar-10-batches-py, the Python version, whose pickles torchvision checks and reads.
    """
    place = data_folder(folder)
    if (place / "cifar10_test.npz").exists():
        names = [f"cifar10_train_{number}.npz" for number in range(n_shards)]
        return _images(place, [*names, "cifar10_test.npz"], _shard)
    if (place / "cifar-10-batches-bin").exists():
        names = [f"data_batch_{number}.bin" for number in range(1, n_shards + 1)]
        return _images(place / "cifar-10-batches-bin", [*names, "test_batch.bin"], _batch)
    if (place / "cifar-10-batches-py").exists():
        return _by_torchvision(place)
    stop(
        f"There is no CIFAR-10 in {place}: name a folder with cifar-10-batches-bin or "
        "cifar-10-batches-py in it, by --data or NOISYFIT_DATA "
        "(torchvision.datasets.CIFAR10(folder, download=True) makes one)."
    )


def data_folder(folder: str | None) -> Path:
    """The folder given, or the one that NOISYFIT_DATA names."""
    place = Path(folder or os.environ.get("NOISYFIT_DATA") or "data")
    if not place.is_dir():
        stop(f"{place} is not a folder; name that of CIFAR-10 by --data or NOISYFIT_DATA.")
    return place


def _images(place: Path, names: list[str], read: Callable[[Path], Images]) -> tuple[Images, Images]:
    """What is in the files of training images and, the last one, of test images."""
    for name in names:
        if not (place / name).exists():
            stop(f"{place} has a part of CIFAR-10 only: {name} is missing.")
    *parts, test = (read(place / name) for name in names)
    images, labels = (np.concatenate(part) for part in zip(*parts, strict=True))
    return (images, labels), test


def _shard(path: Path) -> Images:
    with np.load(path, allow_pickle=False) as stored:
        # Green, and the differences of red and blue from it; each as differences of neighbours.
        sums = np.cumsum(stored["delta"], axis=3, dtype=np.uint8)
        colours = np.cumsum(sums, axis=2, dtype=np.uint8)
        labels = stored["y"].astype(np.int64)
    images = np.stack([colours[1] + colours[0], colours[0], colours[2] + colours[0]], axis=-1)
    return images, labels


def _batch(path: Path) -> Images:
    records = np.fromfile(path, dtype=np.uint8).reshape(-1, 1 + 3 * 32 * 32)
    images = records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(images), records[:, 0].astype(np.int64)


def _by_torchvision(place: Path) -> tuple[Images, Images]:
    if importlib.util.find_spec("torchvision") is None:
        stop(
            f"{place / 'cifar-10-batches-py'} holds pickles, which torchvision checks and reads: "
            "pip install torchvision, or take the official binary version, cifar-10-batches-bin."
        )
    from torchvision.datasets import CIFAR10

    parts = [CIFAR10(place, train=train) for train in (True, False)]
    train, test = ((part.data, np.array(part.targets, dtype=np.int64)) for part in parts)
    return train, test


def given_labels(noise: str, y: np.ndarray, folder: str | None, seed: int) -> np.ndarray:
    """Labels as a run is given them: "clean", "sym20", "asym40" and the like, or CIFAR-10N's."""
    if noise == "clean":
        return y
    if noise in HUMAN:
        path = data_folder(folder) / "cifar10n_labels.npz"
        if not path.exists():
            stop(f"The human labels of CIFAR-10N are read from {path}, which is not there.")
        with np.load(path, allow_pickle=False) as stored:
            return stored[noise][: len(y)].astype(np.int64)
    rate = float(noise.lstrip("asym")) / 100
    if noise.startswith("asym"):
        return asymmetric_noise(y, rate, MISTAKEN, random_state=seed)[0]
    return symmetric_noise(y, rate, random_state=seed)[0]
