"""The few names of scikit-learn that are not public, in one place.

scikit-learn's own estimators, and those of imbalanced-learn, validate their parameters and cut
rows with these helpers; they have been stable since version 1.3.
"""

from sklearn.base import _fit_context as fit_context
from sklearn.utils import _safe_indexing as take_rows
from sklearn.utils._param_validation import HasMethods, Interval, Options, StrOptions

__all__ = ["HasMethods", "Interval", "Options", "StrOptions", "fit_context", "take_rows"]
