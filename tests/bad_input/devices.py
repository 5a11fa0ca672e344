"""Rows of the table about devices."""

from __future__ import annotations

from typing import Any

import torch
from bad_input.estimators import COLUMNS, NETWORKS
from bad_input.outcomes import Case, DoesNotApply, Outcome, Raises, Row, row

AREA = "devices"


def devices(kind: str, match: str, *names: Any) -> Row:
    cells: dict[tuple[str, ...] | str, Outcome] = {
        COLUMNS: DoesNotApply("has no parameter device"),
        (*NETWORKS, "GradientMedoidSelector", "GradientMedoidSampler"): Raises(match),
    }
    return row(AREA, kind, "device", cells, *(Case(options={"device": name}) for name in names))


ROWS = [
    devices("a name of no device", "is not a device.*'cpu'", "tpu", "", "cuda:-1"),
    devices(
        "a kind that is not supported", "is not supported: use", "xla", "meta", torch.device("meta")
    ),
    devices("a GPU that is not there", "is not available.*device='cpu'", "cuda:99"),
]
