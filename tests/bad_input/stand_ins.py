"""Broken classifiers."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin


class ForgetsAClass(ClassifierMixin, BaseEstimator):
    """Its probabilities do not add up; a stand-in for a broken classifier."""

    def fit(self, X: Any, y: Any) -> ForgetsAClass:
        self.classes_ = np.unique(y)
        return self

    def predict(self, X: Any) -> np.ndarray:
        return np.zeros(len(X), int)

    def predict_proba(self, X: Any) -> np.ndarray:
        return np.full((len(X), len(self.classes_)), np.nan)
