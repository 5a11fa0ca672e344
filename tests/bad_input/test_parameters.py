"""Parameters that are unknown, or not to be had together with the data."""

from __future__ import annotations

import pytest
import torch
from bad_input.estimators import Maker, X, for_all, for_networks, y
from bad_input.outcomes import assert_fit_fails, assert_predicts


@for_all
def test_unknown_keywords(make: Maker) -> None:
    with pytest.raises(TypeError, match="hidden"):
        make(hidden=3)
    with pytest.raises(TypeError, match="modul__hidden"):
        make(modul__hidden=3)
    with pytest.raises(ValueError, match="Invalid parameter 'hidden'"):
        make().set_params(hidden=3)
    with pytest.raises(ValueError, match="Invalid parameter 'modul'"):
        make().set_params(modul__hidden=3)


@for_networks
def test_unknown_keywords_list_the_prefixes(make: Maker) -> None:
    for keyword in ("hidden", "modul__hidden", "module__", "net__q"):
        with pytest.raises(TypeError, match=f"'{keyword}'.*module__, optimizer__"):
            make(**{keyword: 3})


DEVICES = {
    "tpu": "device='tpu' is not a device.*'cpu'",
    "": "device='' is not a device",
    "cuda:-1": "device='cuda:-1' is not a device",
    "xla": "device='xla' is not supported",
    "meta": "device='meta' is not supported",
    "cuda:99": "device='cuda:99' is not available.*device='cpu'",
    "cuda": "device='cuda' is not available.*device='cpu'",
}


@for_networks
@pytest.mark.parametrize("device", DEVICES)
def test_a_device_that_is_not_there(
    make: Maker, device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if device == "cuda":
        monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert_fit_fails(make(device=device), X, y, DEVICES[device])


@for_networks
def test_a_validation_fraction_and_a_rare_class(make: Maker) -> None:
    labels = y.copy()
    labels[0] = 9
    match = "validation_fraction=0.25 needs at least two rows of each\\s+class"
    assert_fit_fails(make(validation_fraction=0.25), X, labels, match)
    labels[:2] = 9  # two rows are enough
    assert_predicts(make(validation_fraction=0.25).fit(X, labels), X, 3)


@for_networks
def test_batches_of_one_row_and_batch_normalisation(make: Maker) -> None:
    assert_fit_fails(make(batch_size=1), X, y, "batch_size")
    assert_predicts(make(batch_size=1, module__batch_norm=False).fit(X[:9], y[:9]), X)
