"""What has to hold of any call: errors by design, and the surroundings left as they were."""

from __future__ import annotations

import ast
import copy
import functools
import pickle
import random
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import sklearn
import torch

import noisyfit

PACKAGE = Path(noisyfit.__file__).parent
SCIKIT_LEARN = Path(sklearn.__file__).parent


class NotByDesign(AssertionError):
    """An error that a user can't be expected to understand."""


@functools.cache
def lines_that_raise(path: str) -> frozenset[int]:
    """Numbers of the lines of a source file that belong to ``raise`` statements."""
    statements = [
        n for n in ast.walk(ast.parse(Path(path).read_text())) if isinstance(n, ast.Raise)
    ]
    return frozenset(
        line for node in statements for line in range(node.lineno, (node.end_lineno or 0) + 1)
    )


def check_by_design(error: BaseException) -> None:
    """Fail unless an error is one that was meant for the user.

    That is a ValueError or TypeError with a message, raised by a ``raise`` of noisyfit or anywhere
    in scikit-learn. What torch, numpy or skorch raise in the depth of a call, a failing conversion
    in noisyfit's own lines included, was not foreseen.
    """
    if not isinstance(error, ValueError | TypeError):
        raise NotByDesign(f"{type(error).__name__}: {error}") from error
    if not str(error).strip():
        raise NotByDesign(f"{type(error).__name__} without a message") from error
    last = traceback.extract_tb(error.__traceback__)[-1]
    path = Path(last.filename)
    if SCIKIT_LEARN in path.parents:
        return
    if PACKAGE in path.parents and last.lineno in lines_that_raise(last.filename):
        return
    where = f"{last.filename}:{last.lineno}"
    raise NotByDesign(f"{type(error).__name__} from {where}: {error}") from error


def surroundings() -> tuple[Any, ...]:
    """Everything global that a call has to leave as it found it."""
    return (
        pickle.dumps(np.random.get_state()),  # noqa: NPY002 (the global generator is the subject)
        torch.get_rng_state().numpy().tobytes(),
        random.getstate(),
        tuple(sorted(np.geterr().items())),
        torch.get_default_dtype(),
        torch.get_num_threads(),
        torch.is_grad_enabled(),
        torch.are_deterministic_algorithms_enabled(),
    )


def fingerprint(values: Any) -> Any:
    """Something that changes when an input is written to."""
    if isinstance(values, torch.Tensor):
        return values.to_dense().detach().clone().numpy().tobytes()
    if hasattr(values, "tocoo"):
        return values.toarray().tobytes()
    if isinstance(values, dict):
        return {name: fingerprint(value) for name, value in values.items()}
    if isinstance(values, np.ndarray) and values.dtype != object:
        return values.tobytes()
    if hasattr(values, "to_numpy"):
        return fingerprint(values.to_numpy())
    if hasattr(values, "tolist"):
        values = values.tolist()
    return repr(values)


@contextmanager
def nothing_changed(*inputs: Any) -> Iterator[None]:
    """The inputs and everything global are after the block what they were before."""
    prints, before = copy.deepcopy([fingerprint(values) for values in inputs]), surroundings()
    try:
        yield
    finally:
        after = surroundings()
        assert after == before, "a global generator or setting was changed"
        assert [fingerprint(values) for values in inputs] == prints, "an input was written to"


def check_probabilities(probabilities: Any, n_rows: int, n_classes: int) -> None:
    """Rows of finite numbers from 0 to 1 that sum to 1."""
    assert isinstance(probabilities, np.ndarray)
    assert probabilities.shape == (n_rows, n_classes)
    assert np.isfinite(probabilities).all()
    assert probabilities.min(initial=0.0) >= 0
    assert probabilities.max(initial=1.0) <= 1 + 1e-9
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-6)


def check_indices(indices: Any, n_rows: int) -> None:
    """Distinct row numbers."""
    indices = np.asarray(indices)
    assert indices.dtype.kind in "iu"
    assert indices.ndim == 1
    assert len(np.unique(indices)) == len(indices)
    assert ((indices >= 0) & (indices < n_rows)).all()
