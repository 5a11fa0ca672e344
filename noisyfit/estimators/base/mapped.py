"""Memory maps at the door: checked block by block, and never copied as a whole."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils.validation import check_array

from noisyfit.training.rows import is_mapped, needs_conversion

NUMBERS_AT_A_TIME = 2**20


def would_be_copied(values: Any, dtype: Any) -> bool:
    """Whether scikit-learn's checks would copy a memory map to have numbers of ``dtype``."""
    return is_mapped(values) and len(values) > 0 and needs_conversion(values, dtype)


def check_mapped(values: np.ndarray, **options: Any) -> np.ndarray:
    """The map as it is, after `check_array` with these options has passed all of its blocks."""
    size = max(1, NUMBERS_AT_A_TIME // max(1, values[:1].size))
    for first in range(0, len(values), size):
        check_array(values[first : first + size], **options)
    return values
