"""Errors that say which parameter they are about."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def naming(parameter: str, *others: str) -> Iterator[None]:
    """Have errors of the block begin with the name of a parameter, unless they name one.

    scikit-learn's validation often does not say what it is that it has found something wrong with,
    and neither do conversions. ``others`` are further names that an error may be left with.
    """
    try:
        yield
    except (TypeError, ValueError) as error:
        if any(re.search(rf"\b{name}\b", str(error)) for name in (parameter, *others)):
            raise
        # Not type(error): subclasses such as UnicodeDecodeError are made of more than a message.
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(f"{parameter}: {error}") from error
