"""What the tables on CIFAR-10 consist of, and what the papers print: for cifar10.py."""

from __future__ import annotations

from _cifar10 import HUMAN

EPOCHS = 120
SYNTHETIC = ("sym20", "sym50", "sym80", "asym40")
#: Depth of the network, noises and methods.
TABLES: dict[str, tuple[int, tuple[str, ...], tuple[str, ...]]] = {
    "crust": (
        32,
        SYNTHETIC,
        (
            "cross entropy",
            "gce",
            "sce",
            "forward",
            "t_revision",
            "l_dmi",
            "dm",
            "crust",
            "crust paper",
            "crust official code",
        ),
    ),
    "dm": (56, ("sym40",), ("cross entropy", "dm (0.5, 12)", "dm (1, 16)", "dm", "crust")),
    "cifar10n": (32, HUMAN, ("cross entropy", "gce", "sce", "dm", "crust")),
}
TITLES = {
    "crust": "CRUST's table: ResNet-32",
    "dm": "DM's table: ResNet-56, 40 % symmetric noise",
    "cifar10n": "The human labels of CIFAR-10N: ResNet-32",
}

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
