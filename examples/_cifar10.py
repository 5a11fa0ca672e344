"""CIFAR-10, its noisy labels, and what the papers print: for cifar10.py."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from _shared import require, stop

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


def load_cifar10(folder: str | None, n_shards: int = 5) -> tuple[Images, Images]:
    """Training and test images (n, 32, 32, 3), bytes, and labels, in the official order.

    The folder is the one given or the one that NOISYFIT_DATA names. It holds either the shards
    cifar10_train_0.npz to _4.npz and cifar10_test.npz, or cifar-10-batches-py as torchvision
    downloads it.
    """
    place = Path(folder or os.environ.get("NOISYFIT_DATA") or "data")
    if (place / "cifar10_test.npz").exists():
        train = [_shard(place / f"cifar10_train_{number}.npz") for number in range(n_shards)]
        images, labels = (np.concatenate(part) for part in zip(*train, strict=True))
        return (images, labels), _shard(place / "cifar10_test.npz")
    if (place / "cifar-10-batches-py").exists():
        return _from_torchvision(place)
    stop(
        f"There is no CIFAR-10 in {place}: name a folder with cifar-10-batches-py in it, by --data "
        "or NOISYFIT_DATA (torchvision.datasets.CIFAR10(folder, download=True) makes one)."
    )


def _shard(path: Path) -> Images:
    with np.load(path, allow_pickle=False) as stored:
        # Green, and the differences of red and blue from it; each as differences of neighbours.
        sums = np.cumsum(stored["delta"], axis=3, dtype=np.uint8)
        colours = np.cumsum(sums, axis=2, dtype=np.uint8)
        labels = stored["y"].astype(np.int64)
    images = np.stack([colours[1] + colours[0], colours[0], colours[2] + colours[0]], axis=-1)
    return images, labels


def _from_torchvision(place: Path) -> tuple[Images, Images]:
    require("torchvision")
    from torchvision.datasets import CIFAR10

    parts = [CIFAR10(place, train=train) for train in (True, False)]
    train, test = ((part.data, np.array(part.targets, dtype=np.int64)) for part in parts)
    return train, test


def given_labels(noise: str, y: np.ndarray, folder: str | None, seed: int) -> np.ndarray:
    """Labels as a run is given them: "clean", "sym20", "asym40" and the like, or CIFAR-10N's."""
    if noise == "clean":
        return y
    if noise in HUMAN:
        path = Path(folder or os.environ.get("NOISYFIT_DATA") or "data") / "cifar10n_labels.npz"
        if not path.exists():
            stop(f"The human labels of CIFAR-10N are read from {path}, which is not there.")
        with np.load(path, allow_pickle=False) as stored:
            return stored[noise][: len(y)].astype(np.int64)
    rate = float(noise.lstrip("asym")) / 100
    if noise.startswith("asym"):
        return asymmetric_noise(y, rate, MISTAKEN, random_state=seed)[0]
    return symmetric_noise(y, rate, random_state=seed)[0]


# (table, method, noise): what is printed, in percent; of DM's table the final accuracy.
PUBLISHED: dict[tuple[str, str, str], str] = {
    **{
        ("crust", "crust paper", noise): figure
        for noise, figure in zip(
            ("sym20", "sym50", "sym80", "asym40"),
            ("91.1 ± 0.2", "86.3 ± 0.3", "58.3 ± 1.8", "88.8 ± 0.4"),
            strict=True,
        )
    },
    **{
        ("crust", "l_dmi", noise): figure
        for noise, figure in zip(
            ("sym20", "sym50", "sym80", "asym40"),
            ("84.3 ± 0.4", "78.8 ± 0.5", "36.2 ± 1.6", "84.8 ± 0.7"),
            strict=True,
        )
    },
    **{
        ("crust", "t_revision", noise): figure
        for noise, figure in zip(
            ("sym20", "sym50", "sym80", "asym40"),
            ("79.3 ± 0.5", "78.5 ± 0.6", "20.9 ± 2.2", "76.3 ± 0.8"),
            strict=True,
        )
    },
    ("dm", "cross entropy", "sym40"): "60.9",
    ("dm", "dm (0.5, 12)", "sym40"): "79.9",
    ("dm", "dm (1, 16)", "sym40"): "83.3",
}
# What users of the authors' code got (issue 2 of its repository), best epoch on the test set.
USERS: dict[tuple[str, str, str], str] = {
    ("crust", "crust official code", "sym20"): "85.0 to 85.6",
    ("crust", "crust official code", "sym80"): "34.2",
}
