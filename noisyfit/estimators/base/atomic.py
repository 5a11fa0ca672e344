"""Fits that happen wholly or not at all."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

Method = TypeVar("Method", bound=Callable[..., Any])


class FitInterrupted(KeyboardInterrupt):
    """Ctrl-C has ended a fit early, which left an estimator that can be used."""


def all_or_nothing(fit: Method) -> Method:
    """Let a method that fails leave the estimator's attributes as they were before the call.

    `FitInterrupted` is no failure.
    """

    @functools.wraps(fit)
    def wrapped(self: Any, *args: Any, **kwargs: Any) -> Any:
        before = vars(self).copy()
        try:
            return fit(self, *args, **kwargs)
        except FitInterrupted:
            raise
        except BaseException:
            vars(self).clear()
            vars(self).update(before)
            raise

    return wrapped  # type: ignore[return-value]
