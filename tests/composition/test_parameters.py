"""Parameters by prefix, clones and copies."""

from __future__ import annotations

import copy
import io
import pickle

import joblib
import numpy as np
import pytest
from composition.common import assert_same_predictions, every_classifier, every_network
from sklearn.base import clone


@every_network
def test_clone_keeps_prefixed_parameters_and_forgets_the_fit(make, blobs):
    original = make(module__dropout=0.1, optimizer__weight_decay=0.5).fit(*blobs)
    cloned = clone(original)
    assert cloned.get_params() == original.get_params()
    assert cloned.get_params()["optimizer__weight_decay"] == 0.5
    assert not hasattr(cloned, "net_")
    cloned.set_params(module__dropout=0.2)
    assert original.get_params()["module__dropout"] == 0.1


@every_network
def test_set_params_reaches_the_network_and_the_optimizer(make, blobs):
    estimator = make().set_params(module__hidden=(3,), optimizer__weight_decay=0.25, lr=0.125)
    estimator.set_params(lr_schedule="constant").fit(*blobs)
    assert next(estimator.net_.module_.parameters()).shape == (3, 5)
    group = estimator.net_.optimizer_.param_groups[0]
    assert group["weight_decay"] == 0.25
    assert group["lr"] == 0.125


@every_network
def test_both_representations_show_prefixed_parameters(make):
    estimator = make(module__hidden=(77,))
    assert "module__hidden=(77,)" in repr(estimator)
    assert "module__hidden" in estimator._repr_html_()
    assert "(77,)" in estimator._repr_html_()


@every_network
def test_unknown_parameters_are_refused(make, blobs):
    with pytest.raises(TypeError, match=r"no parameter 'modul__hidden'.*module__"):
        make(modul__hidden=(3,))
    with pytest.raises(ValueError, match="Invalid parameter 'hidden'"):
        make().set_params(hidden=(3,))
    with pytest.raises(TypeError, match="module__hiden"):
        make(module__hiden=(3,)).fit(*blobs)
    with pytest.raises(TypeError, match="wieght_decay"):
        make(optimizer__wieght_decay=0.1).fit(*blobs)


def by_joblib(estimator):
    file = io.BytesIO()
    joblib.dump(estimator, file)
    file.seek(0)
    return joblib.load(file)


COPIES = {
    "pickle": lambda estimator: pickle.loads(pickle.dumps(estimator)),
    "joblib": by_joblib,
    "deepcopy": copy.deepcopy,
}


@every_classifier
@pytest.mark.parametrize("duplicate", COPIES.values(), ids=COPIES)
def test_copies_of_a_fitted_estimator_predict_the_same(duplicate, make, blobs):
    original = make().fit(*blobs)
    duplicated = duplicate(original)
    assert_same_predictions(original, duplicated, blobs[0])
    np.testing.assert_array_equal(original.label_quality_, duplicated.label_quality_)


@every_network
@pytest.mark.parametrize("duplicate", COPIES.values(), ids=COPIES)
def test_copies_can_go_on_learning(duplicate, make, blobs):
    original = make().fit(*blobs)
    duplicated = duplicate(original)
    assert_same_predictions(original.partial_fit(*blobs), duplicated.partial_fit(*blobs), blobs[0])
