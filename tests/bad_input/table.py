"""The table: what every estimator does about every kind of input, area by area."""

from __future__ import annotations

from bad_input import devices, dtypes, files, labels, parameters, shapes, values, weights
from bad_input.outcomes import Row

AREAS = {
    module.AREA: module.ROWS
    for module in (shapes, dtypes, values, labels, weights, parameters, files, devices)
}
TABLE: list[Row] = [row for rows in AREAS.values() for row in rows]
