"""The names of scikit-learn that are not public, or not in all its versions, in one place.

scikit-learn's own estimators, and those of imbalanced-learn, validate their parameters and cut
rows with these helpers; they have been stable since version 1.3. `sklearn.callback` came with
version 1.9: before it there is no ``set_callbacks``, and a fit has no tasks to report.
"""

from typing import Any

from sklearn.base import _fit_context as fit_context
from sklearn.utils import _safe_indexing as take_rows
from sklearn.utils._param_validation import HasMethods, Interval, Options, StrOptions

try:
    from sklearn.callback import CallbackSupportMixin
except ImportError:

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Nothing: this scikit-learn has no callbacks."""


def begin_fit_task(estimator: Any, **options: Any) -> Any:
    """Context of the fit that begins, for scikit-learn's callbacks; None where there are none.

    ``options`` are those of ``CallbackSupportMixin._init_callback_context``.
    """
    begin = getattr(estimator, "_init_callback_context", None)
    return None if begin is None else begin(**options)


__all__ = [
    "CallbackSupportMixin",
    "HasMethods",
    "Interval",
    "Options",
    "StrOptions",
    "begin_fit_task",
    "fit_context",
    "take_rows",
]
