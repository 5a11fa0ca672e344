"""Instalments by `partial_fit`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from bad_input.estimators import Maker, X, for_incremental, y
from bad_input.outcomes import EITHER, assert_predicts, assert_unfitted


@for_incremental
class TestPartialFit:
    def test_a_class_without_a_row(self, make: Maker) -> None:
        estimator = make().partial_fit(X, y, classes=[0, 1, 5])
        assert estimator.classes_.tolist() == [0, 1, 5]
        assert_predicts(estimator, X, 3)
        assert_predicts(estimator.partial_fit(X, 5 * y), X, 3)

    def test_labels_that_the_first_call_did_not_name(self, make: Maker) -> None:
        estimator = make().partial_fit(X, y)
        before = estimator.predict_proba(X)
        with pytest.raises(ValueError, match=r"labels \[6\].*not among classes.*first call"):
            estimator.partial_fit(X, y * 6)
        with pytest.raises(ValueError, match=r"classes=\[0, 1, 6\] differs.*pass the same"):
            estimator.partial_fit(X, y, classes=[0, 1, 6])
        with pytest.raises(ValueError, match="X has 3 features"):
            estimator.partial_fit(X[:, :3], y)
        np.testing.assert_array_equal(estimator.predict_proba(X), before)

    @pytest.mark.parametrize(
        ("classes", "match"),
        [
            ([0, 3], r"labels \[1\].*not among classes"),
            ([0], "classes.*two"),
            ([], "classes"),
            ([0, 1, np.nan], "classes.*NaN"),
            ([[0, 1]], "classes.*1d"),
            ([0, "a", None], "classes"),
            (3, "classes"),
        ],
        ids=["too few", "one", "none", "NaN", "2-D", "mixed", "number"],
    )
    def test_bad_classes(self, make: Maker, classes: Any, match: str) -> None:
        estimator = make()
        with pytest.raises(EITHER, match=f"(?i){match}"):
            estimator.partial_fit(X, y if classes != [0] else 0 * y, classes=classes)
        assert_unfitted(estimator)

    def test_one_class_in_the_first_call(self, make: Maker) -> None:
        estimator = make()
        with pytest.raises(ValueError, match="one class only"):
            estimator.partial_fit(X, 0 * y)
        assert_unfitted(estimator)
        # The failed call binds to nothing, not even to the number of features.
        assert_predicts(estimator.partial_fit(X[:, :2], y), X[:, :2])

    def test_one_row(self, make: Maker) -> None:
        """Batch normalisation can't train on it; without, it works."""
        estimator = make(module__batch_norm=False).partial_fit(X[:1], y[:1], classes=[0, 1])
        assert_predicts(estimator, X)
        estimator = make()
        with pytest.raises(ValueError, match="batch_norm"):
            estimator.partial_fit(X[:1], y[:1], classes=[0, 1])
        assert_unfitted(estimator)

    def test_weights_that_leave_nothing(self, make: Maker) -> None:
        with pytest.raises(ValueError, match="sample_weight is zero for every row"):
            make().partial_fit(X, y, sample_weight=np.zeros(40))
        with pytest.raises(ValueError, match="class_weight"):
            make(class_weight={0: 0.0}).partial_fit(X, 0 * y, classes=[0, 1])

    def test_class_weight_of_a_class_that_is_not_in_the_batch(self, make: Maker) -> None:
        for class_weight in ({0: 1.0, 1: 2.0}, "balanced"):
            estimator = make(class_weight=class_weight)
            assert_predicts(estimator.partial_fit(X, 0 * y, classes=[0, 1]), X)

    def test_divergence_in_the_first_call(self, make: Maker) -> None:
        estimator = make(lr=1e30)
        with pytest.raises(ValueError, match="diverged"):
            estimator.partial_fit(X, y)
        assert_unfitted(estimator)
