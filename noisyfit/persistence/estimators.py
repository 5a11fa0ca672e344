"""Estimators: noisyfit's own, and those of scikit-learn that hold one of them."""

from __future__ import annotations

import importlib
from typing import Any

import sklearn
from sklearn.utils.metadata_routing import MetadataRequest

from noisyfit.estimators.base.network import NetworkClassifier
from noisyfit.persistence.foreign import OWN_ESTIMATORS, holds_own, is_foreign, is_own
from noisyfit.persistence.network import check_device, check_network, decode_net, encode_net
from noisyfit.storage.codec import Codec, Json, Reader, Writer
from noisyfit.storage.errors import LoadError

# Classes of scikit-learn that are written part by part where noisyfit's are among the parts. The
# two private ones are what calibration and searches keep; without them those could not be written.
_HOLDERS: dict[str, str] = {
    "AdaBoostClassifier": "sklearn.ensemble",
    "BaggingClassifier": "sklearn.ensemble",
    "CalibratedClassifierCV": "sklearn.calibration",
    "ColumnTransformer": "sklearn.compose",
    "FeatureUnion": "sklearn.pipeline",
    "FixedThresholdClassifier": "sklearn.model_selection",
    "FrozenEstimator": "sklearn.frozen",
    "GridSearchCV": "sklearn.model_selection",
    "OneVsRestClassifier": "sklearn.multiclass",
    "Pipeline": "sklearn.pipeline",
    "RandomizedSearchCV": "sklearn.model_selection",
    "StackingClassifier": "sklearn.ensemble",
    "VotingClassifier": "sklearn.ensemble",
    "_CalibratedClassifier": "sklearn.calibration",
    "_PassthroughScorer": "sklearn.metrics._scorer",
}
# Of imbalanced-learn, for pipelines with a sampler.
_IMBALANCED = "imblearn.pipeline"


# ------------------------------------------------------------------------------------------- own


def _encode_own(value: Any, writer: Writer) -> dict[str, Json]:
    parameters = value.get_params(deep=False)
    if "accelerator" in parameters:  # it belongs to the process that it was made in
        parameters["accelerator"] = None
    attributes = {
        name: item
        for name, item in vars(value).items()
        if name not in parameters and name not in ("_prefixed", "_metadata_request", "net_")
    }
    record: dict[str, Json] = {"class": type(value).__name__}
    trains = isinstance(value, NetworkClassifier)
    with writer.inside(may_be_missing=trains):
        record["parameters"] = writer.encode_all(parameters)
    net = vars(value).get("net_")
    if net is not None:
        n_classes = len(value.classes_)
        record["net"] = encode_net(net, writer, n_classes)
        if record["net"]["network"]["layers"] is None:
            check_network(net, parameters, n_classes)
    record["attributes"] = {}
    for name, item in attributes.items():
        # Beside the parameters it is the only place where a function may lie.
        with writer.inside(may_be_missing=trains and name == "emphasis_"):
            record["attributes"][name] = writer.encode(item, name)
    return {**record, "requests": _requests_of(value)}


def _decode_own(record: dict[str, Json], reader: Reader) -> Any:
    name = record["class"]
    if name not in OWN_ESTIMATORS:
        raise LoadError(
            f"The file holds an estimator called {name!r}; this noisyfit has {[*OWN_ESTIMATORS]}."
        )
    kind = OWN_ESTIMATORS[name]
    outer = reader.parameters, reader.network
    parameters = reader.decode_all(record["parameters"])
    if "device" in parameters and reader.device is not None:
        parameters["device"] = str(check_device(reader.device, reader))
    estimator = kind(**parameters)
    reader.parameters = parameters
    if "net" in record:
        estimator.net_ = decode_net(record["net"], reader)
    _set_attributes(estimator, record["attributes"], reader)
    if "net" in record and record["net"]["network"]["sizes"] is not None:
        _check_classes(estimator, record["net"]["network"]["sizes"])
    reader.parameters, reader.network = outer
    _request(estimator, record["requests"])
    return estimator


def _check_classes(estimator: Any, sizes: dict[str, Any]) -> None:
    if len(estimator.classes_) != sizes["n_classes"]:
        raise LoadError(
            f"The file holds {len(estimator.classes_)} classes, but a network for "
            f"{sizes['n_classes']}: it was changed."
        )


def _set_attributes(estimator: Any, records: dict[str, Json], reader: Reader) -> None:
    """Set what a fit has set, but nothing that would take the place of a method."""
    for name in records:
        if name.startswith("__") or hasattr(type(estimator), name):
            raise LoadError(
                f"The file replaces {name} of {type(estimator).__name__} by data: it was changed."
            )
    vars(estimator).update(reader.decode_all(records))


# -------------------------------------------------------------------------------------- metadata


def _requests_of(estimator: Any) -> dict[str, Json]:
    """What `set_fit_request` and its like have set."""
    requests = vars(estimator).get("_metadata_request")
    if not isinstance(requests, MetadataRequest):
        return {}
    given = {
        method: dict(entries.requests)
        for method, entries in vars(requests).items()
        if getattr(entries, "requests", None)
    }
    return {method: dict(entries) for method, entries in given.items() if entries}


def _request(estimator: Any, requests: dict[str, Json]) -> None:
    with sklearn.config_context(enable_metadata_routing=True):
        for method, entries in requests.items():
            known = {name: value for name, value in entries.items() if value is not None}
            if known and method.isidentifier():
                getattr(estimator, f"set_{method}_request")(**known)


# --------------------------------------------------------------------------------------- holders


def _holder(name: str) -> Any:
    module, _, attribute = name.partition(":")
    known = _HOLDERS.get(attribute) == module or name == f"{_IMBALANCED}:Pipeline"
    if not known:
        raise LoadError(f"The file names {name!r}, which noisyfit.save does not name.")
    try:
        return getattr(importlib.import_module(module), attribute, None)
    except ImportError as error:
        raise ImportError(
            f"The file holds a {attribute} of {module}: install imbalanced-learn to load it."
        ) from error


def _encode_holder(value: Any, writer: Writer) -> dict[str, Json]:
    kind = type(value)
    name = f"{_HOLDERS.get(kind.__name__)}:{kind.__name__}"
    if kind.__module__ == _IMBALANCED and kind.__name__ == "Pipeline":
        name = f"{_IMBALANCED}:Pipeline"
    elif kind.__name__ not in _HOLDERS or _holder(name) is not kind:
        known = sorted(name for name in _HOLDERS if not name.startswith("_"))
        raise TypeError(
            f"noisyfit.save can't write a {kind.__name__} around an estimator of noisyfit; of "
            f"scikit-learn it writes {known}. Save the estimator inside instead."
        )
    state = {k: v for k, v in vars(value).items() if k != "_metadata_request"}
    with writer.inside():
        return {
            "class": name,
            "attributes": writer.encode_all(state),
            "requests": _requests_of(value),
        }


def _decode_holder(record: dict[str, Json], reader: Reader) -> Any:
    kind = _holder(record["class"])
    value = kind.__new__(kind)
    attributes = reader.decode_all(record["attributes"])
    if any(name.startswith("__") or callable(getattr(kind, name, None)) for name in attributes):
        raise LoadError(f"The file replaces methods of {kind.__name__} by data: it was changed.")
    vars(value).update(attributes)
    _request(value, record["requests"])
    return value


CODECS = (
    Codec("estimator", is_own, _encode_own, _decode_own, shared=True),
    Codec(
        "holder",
        lambda value: is_foreign(value) and holds_own(value),
        _encode_holder,
        _decode_holder,
        shared=True,
    ),
)
