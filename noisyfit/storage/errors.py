"""What is said about files that can't be read."""

from __future__ import annotations


class LoadError(ValueError):
    """A file can't be loaded: it is damaged, was changed, is too new or needs something passed.

    The message says which, and what to do about it.
    """
