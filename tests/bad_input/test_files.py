"""Truncated files of every estimator; what else can be wrong with one is in test_persistence."""

from __future__ import annotations

from pathlib import Path

import pytest
from bad_input.estimators import Maker, X, for_all, y
from bad_input.outcomes import assert_predicts

import noisyfit
from noisyfit.storage.errors import LoadError


@for_all
def test_truncated_files_of_every_estimator_are_refused(make: Maker, tmp_path: Path) -> None:
    path = tmp_path / "estimator.noisyfit"
    fitted = make().fit(X, y)
    noisyfit.save(fitted, path)
    whole = path.read_bytes()
    again = noisyfit.load(path)
    if hasattr(again, "predict_proba"):
        assert_predicts(again, X)
    for n_bytes in (0, 1, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:n_bytes])
        with pytest.raises(LoadError, match=path.name):
            noisyfit.load(path)
