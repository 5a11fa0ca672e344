"""Recipes for X: plain values that a falsifying example prints, and that `build` makes X of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import scipy.sparse
import torch
from hypothesis import strategies as st

DRAWS = {
    "normal": lambda rng, shape: rng.randn(*shape),
    "whole": lambda rng, shape: rng.randint(-3, 4, shape).astype(float),
    "mostly zero": lambda rng, shape: rng.randn(*shape) * (rng.rand(*shape) < 0.3),
    "zero": lambda rng, shape: np.zeros(shape),
    "constant": lambda rng, shape: np.full(shape, 7.0),
    "one row": lambda rng, shape: np.repeat(rng.randn(1, *shape[1:]), shape[0], axis=0),
    "huge": lambda rng, shape: rng.randn(*shape) * 1e30,
    "tiny": lambda rng, shape: rng.randn(*shape) * 1e-30,
    "subnormal": lambda rng, shape: rng.randn(*shape) * 1e-310,
    "far away": lambda rng, shape: rng.randn(*shape) + 1e6,
    "bytes": lambda rng, shape: rng.randint(0, 256, shape).astype(float),
    "columns of many scales": lambda rng, shape: (
        rng.randn(*shape) * np.logspace(-20, 20, int(np.prod(shape[1:]))).reshape(shape[1:])
    ),
}
SPECIAL_VALUES = {"NaN": np.nan, "inf": np.inf, "-inf": -np.inf, "1e300": 1e300, "-1e38": -1e38}
USUAL_TYPES = ("float64", "float32", "float16", ">f8", "int64", "int8", "uint8", "bool", "object")
ODD_TYPES = ("complex128", "U8", "S8", "datetime64[s]", "longdouble")
USUAL_CONTAINERS = (
    "array",
    "Fortran order",
    "negative strides",
    "read only",
    "list",
    "DataFrame",
    "polars",
    "tensor",
    "csr_matrix",
    "csc_array",
    "coo_array",
    "memory of another",
)
ODD_CONTAINERS = ("sparse tensor", "dict", "masked array", "scalar", "None", "generator", "matrix")


def contained(values: np.ndarray, container: str) -> Any:
    """The array in another container, or in one that can't hold it, the array itself."""
    flat = values.ndim == 2
    if container == "Fortran order":
        return np.asfortranarray(values)
    if container == "negative strides":
        return values[::-1].copy()[::-1]
    if container == "memory of another":
        return np.repeat(values, 2, axis=0)[::2]
    if container == "read only":
        values = values.copy()
        values.setflags(write=False)
        return values
    if container == "list":
        return values.tolist()
    if container == "DataFrame" and flat and values.dtype.isnative:  # pandas can't take of others
        return pd.DataFrame(values, columns=[f"column {i}" for i in range(values.shape[1])])
    if container == "polars" and flat and values.dtype.kind in "fiub" and values.itemsize <= 8:
        native = values.astype(values.dtype.newbyteorder("="))
        native = native.astype(np.float32) if native.dtype == np.float16 else native
        return pl.DataFrame(native, schema=[f"column {i}" for i in range(values.shape[1])])
    native = values.dtype.isnative and values.dtype != np.longdouble
    if container in ("tensor", "sparse tensor") and values.dtype.kind in "fiubc" and native:
        tensor = torch.from_numpy(values.copy())
        return tensor if container == "tensor" else tensor.to_sparse()
    sparse = container.split("_")[0] in ("csr", "csc", "coo") and flat and native
    if sparse and values.dtype.kind in "fiub" and values.dtype != np.float16:
        return getattr(scipy.sparse, container)(values)
    if container == "dict":
        return {"features": values}
    if container == "masked array":
        return np.ma.masked_array(values, mask=np.zeros(values.shape, dtype=bool))
    if container == "matrix" and flat:
        return np.asmatrix(values)
    return {"scalar": 3.0, "None": None, "generator": iter([1, 2])}.get(container, values)


@dataclass(frozen=True)
class Features:
    """What X is to be like."""

    n_rows: int
    row_shape: tuple[int, ...]
    seed: int
    draw: str = "normal"
    dtype: str = "float64"
    container: str = "array"
    special: str | None = None

    def values(self) -> np.ndarray:
        shape = (self.n_rows, *self.row_shape)
        rng = np.random.RandomState(self.seed)
        with np.errstate(all="ignore"):
            values = DRAWS[self.draw](rng, shape)
            if self.special is not None and values.size:
                values.flat[rng.randint(values.size)] = SPECIAL_VALUES[self.special]
            return values.astype(self.dtype)

    def build(self) -> Any:
        return contained(self.values(), self.container)


@st.composite
def features(draw: st.DrawFn, most_rows: int = 16, odd: bool | None = None) -> Features:
    """Mostly tables of finite numbers; one in four has something odd."""
    if odd is None:
        odd = draw(st.sampled_from([False, False, False, True]))
    row_shape = (draw(st.integers(1, 4)),)
    given: dict[str, Any] = {
        "n_rows": draw(st.sampled_from(range(most_rows, 1, -1))),
        "seed": draw(st.integers(0, 2**16)),
        "draw": draw(st.sampled_from(["normal"] * 4 + list(DRAWS))),
        "dtype": draw(st.sampled_from(["float64"] * 4 + list(USUAL_TYPES))),
        "container": draw(st.sampled_from(["array"] * 4 + list(USUAL_CONTAINERS))),
    }
    if odd:
        what = draw(st.sampled_from(["special", "dtype", "container", "shape", "rows"]))
        if what == "special":
            given["special"] = draw(st.sampled_from(list(SPECIAL_VALUES)))
        elif what == "dtype":
            given["dtype"] = draw(st.sampled_from(ODD_TYPES))
        elif what == "container":
            given["container"] = draw(st.sampled_from(ODD_CONTAINERS))
        elif what == "rows":
            given["n_rows"] = draw(st.integers(0, 2))
        else:
            shapes = [(), (0,), (2, 3), (1, 4, 4), (4, 4, 3), (3, 1, 1), (2, 0), (40,)]
            row_shape = draw(st.sampled_from(shapes))
    return Features(row_shape=row_shape, **given)
