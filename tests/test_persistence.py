"""Saving and loading: the same predictions again, and an error for everything else."""

from __future__ import annotations

import copy
import datetime
import io
import json
import os
import pickle
import subprocess
import sys
import types
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hypothesis.extra.numpy as numpy_strategies
import imblearn.pipeline
import joblib
import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.base import BaseEstimator, clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import make_blobs
from sklearn.ensemble import BaggingClassifier, RandomForestClassifier, VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import Callback, EarlyStopping, GradientNormClipping, LRScheduler
from torch import Tensor, nn

import noisyfit
from noisyfit import (
    CoresetClassifier,
    CoTeachingClassifier,
    CRUSTClassifier,
    DMClassifier,
    GradientMedoidSampler,
    GradientMedoidSelector,
    RobustLossClassifier,
    TRevisionClassifier,
    load,
    save,
)
from noisyfit.augmentation import RandomCropAndFlip
from noisyfit.losses import (
    ActivePassiveLoss,
    GeneralizedCrossEntropy,
    SymmetricCrossEntropy,
    emphasis_of,
)
from noisyfit.persistence import LoadError
from noisyfit.persistence.names import NotSaved, NotSavedError
from noisyfit.persistence.registry import new_reader, new_writer
from noisyfit.storage import archive
from noisyfit.weighting import BetaEmphasis, CallableEmphasis

X, CODES = make_blobs(90, n_features=4, centers=3, cluster_std=3.0, random_state=0)
X = X.astype(np.float32)
Y = np.array(["ash", "birch", "cedar"])[CODES]
FEW: dict[str, Any] = {"max_epochs": 2, "batch_size": 45, "random_state": 0}
SMALL: dict[str, Any] = {**FEW, "module__hidden": (6,)}
SPARSE = scipy.sparse.random(90, 530, 0.05, format="csr", random_state=0, dtype=np.float32)

ESTIMATORS: dict[str, Any] = {
    name: kind
    for name, kind in vars(noisyfit).items()
    if isinstance(kind, type) and issubclass(kind, BaseEstimator) and name in noisyfit.__all__
}
NETWORKS = [name for name, kind in ESTIMATORS.items() if "max_epochs" in kind().get_params()]


WRONG_SIZES = {"form": {"kind": "table", "shape": [4], "names": []}, "n_classes": 4}


class Own(nn.Module):
    """A network of the user's own."""

    def __init__(self, in_features: int, out_features: int, width: int = 5, act: Any = None):
        super().__init__()
        self.first = nn.Linear(in_features, width)
        self.last = nn.Linear(width, out_features)
        self.act = torch.tanh if act is None else act

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return self.last(self.act(self.first(features)))


def make_own(in_features: int, out_features: int) -> nn.Module:
    return Own(in_features, out_features)


class OwnCriterion(nn.Module):
    def forward(self, logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return nn.functional.cross_entropy(logits, target, reduction="none")


class OwnOptimizer(torch.optim.SGD):
    pass


class OwnCallback(Callback):
    pass


def own_weight(p: torch.Tensor) -> torch.Tensor:
    return 1 - p


def fitted(estimator: Any, rows: Any = X) -> Any:
    fit = getattr(estimator, "fit", None) or estimator.fit_resample
    fit(rows, Y)
    return estimator


@pytest.fixture(scope="module")
def trained() -> dict[str, Any]:
    """Every estimator, fitted; not to be fitted again by any test."""
    made = {}
    for name, kind in ESTIMATORS.items():
        options = {**SMALL} if name in NETWORKS else {"random_state": 0}
        if "cross_fit" in kind().get_params() and name in NETWORKS:
            options["cross_fit"] = None  # quicker
        made[name] = fitted(kind(**options))
    return made


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "estimator.noisyfit"


def again(estimator: Any, path: Path, **options: Any) -> Any:
    save(estimator, path)
    return load(path, **options)


def same(first: Any, second: Any) -> bool:
    """Whether two values are of one type and equal, bit for bit, NaN included."""
    if type(first) is not type(second):
        return False
    if isinstance(first, dict):
        keys = [*map(repr, first)] == [*map(repr, second)]
        return keys and all(map(same, first.values(), second.values()))
    if isinstance(first, list | tuple):
        return len(first) == len(second) and all(map(same, first, second))
    if isinstance(first, np.ndarray):
        if first.dtype != second.dtype or first.shape != second.shape:
            return False
        if first.dtype.hasobject:
            return same(first.ravel().tolist(), second.ravel().tolist())
        return first.tobytes() == second.tobytes()
    if isinstance(first, np.generic):
        return first.dtype == second.dtype and first.tobytes() == second.tobytes()
    if isinstance(first, float | complex | set | frozenset):
        return repr(first) == repr(second) or first == second
    if isinstance(first, pd.Series | pd.Index | pd.DataFrame):
        kind = {pd.Series: "series", pd.DataFrame: "frame"}.get(type(first), "index")
        getattr(pd.testing, f"assert_{kind}_equal")(first, second)
        return True
    if scipy.sparse.issparse(first):
        return first.format == second.format and same(first.toarray(), second.toarray())
    if isinstance(first, datetime.datetime | datetime.time):
        return repr(first) == repr(second)  # equal ones may be of another fold
    if isinstance(first, np.random.RandomState):
        return same(first.get_state(legacy=False), second.get_state(legacy=False))
    if isinstance(first, np.random.Generator):
        return same(first.bit_generator.state, second.bit_generator.state)
    if isinstance(first, torch.Tensor):
        return first.dtype == second.dtype and torch.equal(first, second)
    if first is pd.NaT or first is pd.NA:
        return first is second
    return bool(first == second)


def copied(value: Any) -> Any:
    """A value written and read, without a file."""
    writer = new_writer()
    record = json.loads(json.dumps(writer.encode({"value": value}), allow_nan=False))
    members = {name: archive.joined(content) for name, content in writer.members.items()}
    return new_reader(members, writer.tensors).decode(record)["value"]


def assert_predicts_the_same(first: Any, second: Any, rows: Any = X) -> None:
    assert same(first.predict(rows), second.predict(rows))
    if hasattr(first, "predict_proba"):
        assert same(first.predict_proba(rows), second.predict_proba(rows))


# ------------------------------------------------------------------------------------ round trips


@pytest.mark.parametrize("name", ESTIMATORS)
def test_everything_comes_back(name: str, trained: dict[str, Any], path: Path) -> None:
    before = trained[name]
    after = again(before, path)
    assert type(after) is type(before)
    assert same(after.get_params(), before.get_params())
    assert set(vars(after)) == set(vars(before))
    for attribute, value in vars(before).items():
        if attribute not in ("net_", "_teacher", "emphasis_", "estimator_"):
            assert same(getattr(after, attribute), value), attribute
    if hasattr(before, "predict"):
        assert_predicts_the_same(before, after)
        assert after.score(X, Y) == before.score(X, Y)
    if hasattr(before, "transform"):
        assert same(after.transform(X), before.transform(X))
    assert repr(clone(after)) == repr(clone(before))


@pytest.mark.parametrize("name", ["CRUSTClassifier", "CoTeachingClassifier", "CoresetClassifier"])
def test_what_was_loaded_can_be_saved_and_pickled(
    name: str, trained: dict[str, Any], path: Path, tmp_path: Path
) -> None:
    before = trained[name]
    after = again(before, path)
    first = path.read_bytes()
    save(after, path)
    assert name == "CoresetClassifier" or path.read_bytes() == first  # skops names by memory
    joblib.dump(after, tmp_path / "joblib")
    for copy_ in (pickle.loads(pickle.dumps(after)), joblib.load(tmp_path / "joblib")):
        assert_predicts_the_same(before, copy_)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_unfitted_estimators_come_back(name: str, path: Path) -> None:
    assert repr(again(ESTIMATORS[name](), path)) == repr(ESTIMATORS[name]())


def test_a_fresh_process_predicts_the_same(trained: dict[str, Any], path: Path) -> None:
    before = trained["CRUSTClassifier"]
    save(before, path)
    np.save(path.with_suffix(".npy"), X)
    source = (
        "import sys, numpy as np, noisyfit\n"
        "estimator = noisyfit.load(sys.argv[1])\n"
        "rows = np.load(sys.argv[1].replace('.noisyfit', '.npy'))\n"
        "sys.stdout.write(estimator.predict_proba(rows).tobytes().hex())\n"
    )
    root = str(Path(noisyfit.__file__).parent.parent)
    environment = {**os.environ, "PYTHONPATH": root}
    done = subprocess.run(
        [sys.executable, "-c", source, str(path)],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == before.predict_proba(X).tobytes().hex()


def partial_fit(estimator: Any) -> Any:
    return estimator.partial_fit(X, Y)


def fit_on(estimator: Any) -> Any:
    return estimator.set_params(warm_start=True).fit(X, Y)


@pytest.mark.parametrize(
    ("estimator", "go_on"),
    [
        (DMClassifier(**SMALL), partial_fit),
        (DMClassifier(**SMALL, optimizer="sgd", lr_schedule={1: 0.5}), fit_on),
        (DMClassifier(**SMALL, optimizer=torch.optim.RMSprop, dtype="float64"), partial_fit),
        (DMClassifier(**SMALL, optimizer=OwnOptimizer), partial_fit),
        (DMClassifier(**SMALL, callbacks=[GradientNormClipping(0.1)]), partial_fit),
        (CRUSTClassifier(0.2, **SMALL), partial_fit),
        (CRUSTClassifier(0.2, **SMALL), fit_on),
        (CoTeachingClassifier(cross_fit=None, **SMALL), fit_on),
        (TRevisionClassifier(cross_fit=None, **SMALL), fit_on),
        (RobustLossClassifier(ActivePassiveLoss(), **SMALL), fit_on),
    ],
    ids=lambda value: getattr(value, "__name__", None) or type(value).__name__,
)
def test_training_goes_on_as_it_would_have(
    estimator: Any, go_on: Callable[[Any], Any], path: Path
) -> None:
    before = fitted(clone(estimator))
    after = again(before, path)
    assert_predicts_the_same(go_on(before), go_on(after))


@pytest.mark.parametrize(
    "rows", [X.astype(float), SPARSE, SPARSE.tocsc()[:, :20], pd.DataFrame(X, columns=[*"abcd"])]
)
def test_containers_of_rows(rows: Any, path: Path) -> None:
    before = fitted(DMClassifier(**SMALL), rows)
    after = again(before, path)
    assert_predicts_the_same(before, after, rows)
    assert same(vars(after).get("feature_names_in_"), vars(before).get("feature_names_in_"))


# ------------------------------------------------------------------------------------- parameters


def test_random_states_come_back_where_they_were() -> None:
    for state in (np.random.RandomState(3), np.random.default_rng(3)):
        state.uniform(size=5)
        loaded = copied(state)
        assert same(loaded.uniform(size=5), state.uniform(size=5))


@pytest.mark.parametrize(
    "parameters",
    [
        {"class_weight": {"ash": 1.0, "birch": np.float32(2), "cedar": 3}},
        {"lr_schedule": {1: 0.1}, "lr": np.float64(0.01), "batch_size": np.int64(20)},
        {"module__hidden": np.array([7]), "iterator_valid__batch_size": 50},
        {"emphasis": BetaEmphasis.from_mode(0.3, 4.0)},
        {"emphasis": emphasis_of(SymmetricCrossEntropy())},
        {"module": nn.Linear, "module__bias": False},
        {"module": nn.Sequential(nn.Linear(4, 5), nn.LeakyReLU(0.2), nn.Linear(5, 3))},
        {"callbacks__print_log": None, "callbacks": [("stop", EarlyStopping("train_loss"))]},
        {"callbacks": [LRScheduler(torch.optim.lr_scheduler.StepLR, step_size=1)]},
    ],
    ids=lambda parameters: next(iter(parameters)),
)
def test_parameters(parameters: dict[str, Any], path: Path) -> None:
    options = {**SMALL, **parameters}
    if "module" in parameters:
        del options["module__hidden"]
    before = fitted(DMClassifier(**options))
    after = again(before, path)
    assert_predicts_the_same(before, after)
    assert_predicts_the_same(fitted(clone(before)), fitted(clone(after)))


@pytest.mark.parametrize(
    "criterion",
    [
        nn.CrossEntropyLoss(reduction="none", weight=torch.tensor([1.0, 2.0, 3.0])),
        GeneralizedCrossEntropy,
        OwnCriterion,
    ],
)
def test_criteria(criterion: Any, path: Path) -> None:
    before = fitted(RobustLossClassifier(criterion, **SMALL))
    after = again(before, path)
    assert_predicts_the_same(fit_on(before), fit_on(after))


def test_metadata_requests(path: Path) -> None:
    import sklearn

    with sklearn.config_context(enable_metadata_routing=True):
        before = DMClassifier().set_fit_request(sample_weight=True)
        after = again(before, path)
        for estimator in (before, after):
            assert estimator.get_metadata_routing().fit.requests == {"sample_weight": True}


# ------------------------------------------------------------------------- networks of one's own


def test_a_class_is_found_where_its_module_is_imported(path: Path) -> None:
    before = fitted(CoTeachingClassifier(cross_fit=None, module=Own, module__width=7, **FEW))
    after = again(before, path)
    assert after.module is Own
    assert_predicts_the_same(before, after)


def test_a_class_is_asked_for_where_its_module_is_not_imported(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = types.ModuleType("elsewhere")
    kind = type("Net", (Own,), {"__module__": "elsewhere", "__qualname__": "Net"})
    elsewhere.Net = kind  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "elsewhere", elsewhere)
    before = fitted(DMClassifier(module=kind, **FEW))
    save(before, path)
    assert load(path).module is kind
    monkeypatch.delitem(sys.modules, "elsewhere")
    with pytest.raises(LoadError, match=r"class elsewhere\.Net.*module=Net.*import its module"):
        load(path)
    assert_predicts_the_same(before, load(path, module=kind))


@pytest.mark.parametrize("name", ["system", "Path", "Thread"])
def test_only_networks_are_found_by_name(name: str, path: Path) -> None:
    save(DMClassifier(module=Own), path)
    module = {"system": "os", "Path": "pathlib", "Thread": "threading"}[name]

    def change(record: Any) -> None:
        record["parameters"]["module"]["own"] = f"{module}:{name}"

    forge(path, change)
    with pytest.raises(LoadError, match="module=Own"):
        load(path)


def test_functions_are_asked_for(path: Path) -> None:
    before = fitted(DMClassifier(module=make_own, **FEW))
    save(before, path)
    with pytest.raises(LoadError, match=r"function .*make_own.*module=make_own"):
        load(path)
    assert_predicts_the_same(before, load(path, module=make_own))


def test_options_that_are_functions_are_asked_for(path: Path) -> None:
    before = fitted(DMClassifier(module=Own, module__act=torch.relu, **FEW))
    save(before, path)
    with pytest.raises(LoadError, match=r"parameters=\{'module__act': relu\}"):
        load(path)
    assert_predicts_the_same(before, load(path, parameters={"module__act": torch.relu}))


def test_instances_are_asked_for_and_get_the_weights_they_had(path: Path) -> None:
    before = fitted(CRUSTClassifier(0.2, module=Own(4, 3), **FEW))
    save(before, path)
    with pytest.raises(LoadError, match=r"instance of .*Own.*same architecture"):
        load(path)
    with pytest.raises(LoadError, match=r"do not fit the Own.*first\.weight is \(9, 4\)"):
        load(path, module=Own(4, 3, 9))
    with pytest.raises(LoadError, match="pass an instance"):
        load(path, module=Own)
    given = Own(4, 3)
    untouched = copy.deepcopy(given.state_dict())
    after = load(path, module=given)
    assert_predicts_the_same(before, after)
    assert all(map(torch.equal, untouched.values(), given.state_dict().values()))
    assert_predicts_the_same(fitted(clone(before)), fitted(clone(after)))


def test_shared_weights_stay_shared_or_are_asked_for(path: Path) -> None:
    layer = nn.Linear(4, 4)
    before = fitted(
        DMClassifier(module=nn.Sequential(layer, nn.ReLU(), layer, nn.Linear(4, 3)), **FEW)
    )
    save(before, path)
    with pytest.raises(LoadError, match="instance of torch"):
        load(path)


def test_tied_weights_stay_tied_or_are_asked_for(path: Path) -> None:
    module = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4), nn.Linear(4, 3))
    module[2].weight = module[0].weight
    save(fitted(DMClassifier(module=module, **FEW)), path)
    with pytest.raises(LoadError, match="instance of torch"):
        load(path)


def test_frozen_weights_stay_frozen(path: Path) -> None:
    module = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3))
    module[0].weight.requires_grad_(False)
    after = again(fitted(DMClassifier(module=module, **FEW)), path)
    needed = [p.requires_grad for p in after.net_.module_.parameters()]
    assert needed == [False, True, True, True]


def test_a_module_changed_since_the_fit_is_not_saved(path: Path) -> None:
    before = fitted(DMClassifier(module=Own, **FEW)).set_params(module__width=9)
    with pytest.raises(ValueError, match="make another network"):
        save(before, path)
    assert not path.exists()


def test_weights_that_are_not_finite_are_not_saved(path: Path) -> None:
    before = fitted(DMClassifier(**SMALL))
    with torch.no_grad():
        next(before.net_.module_.parameters())[0] = torch.nan
    with pytest.raises(ValueError, match="not finite"):
        save(before, path)


# ------------------------------------------------------------------------- what training needs


def test_what_only_training_needs_is_left_out_and_can_be_given_back(path: Path) -> None:
    before = fitted(
        DMClassifier(own_weight, callbacks=[OwnCallback(), EarlyStopping("train_loss")], **SMALL)
    )
    save(before, path)
    with pytest.warns(UserWarning, match=r"callbacks \(.*\), emphasis \(function .*own_weight\)"):
        after = load(path)
    assert_predicts_the_same(before, after)
    assert isinstance(after.emphasis, NotSaved)
    assert isinstance(clone(after).emphasis, NotSaved)
    assert isinstance(pickle.loads(pickle.dumps(after)).emphasis, NotSaved)
    with pytest.raises(TypeError, match="callbacks"):
        fit_on(after)
    with pytest.raises(NotSavedError, match=r"parameters=\{'emphasis': \.\.\.\}"):
        fit_on(after.set_params(callbacks=None))


def test_what_was_given_back_is_used(path: Path) -> None:
    before = fitted(DMClassifier(CallableEmphasis(own_weight), callbacks=[OwnCallback()], **SMALL))
    given = {"emphasis": CallableEmphasis(own_weight), "callbacks": [OwnCallback()]}
    after = again(before, path, parameters=given)
    assert after.emphasis_.function is own_weight
    assert after.net_.callbacks[0] is given["callbacks"][0]
    assert_predicts_the_same(partial_fit(before), partial_fit(after))


def test_a_criterion_given_back_is_used(path: Path) -> None:
    before = fitted(CRUSTClassifier(0.2, criterion=OwnCriterion(), **SMALL))
    after = again(before, path, parameters={"criterion": OwnCriterion()})
    assert_predicts_the_same(partial_fit(before), partial_fit(after))


def test_parameters_that_nothing_needs_are_refused(trained: dict[str, Any], path: Path) -> None:
    save(trained["DMClassifier"], path)
    with pytest.raises(ValueError, match="needs no such parameter"):
        load(path, module=Own)


def test_what_prediction_needs_and_can_not_be_written_is_refused(path: Path) -> None:
    path.write_text("older")
    before = fitted(DMClassifier(**SMALL))
    before.classes_ = np.array([object(), object(), object()])
    with pytest.raises(TypeError, match=r"classes_\[0\] is <object"):
        save(before, path)
    assert path.read_text() == "older"


@pytest.mark.parametrize("what", [DMClassifier, 3, "text", None, [], Own(2, 2)])
def test_only_estimators_are_saved(what: Any, path: Path) -> None:
    with pytest.raises(TypeError, match="estimator"):
        save(what, path)


def test_subclasses_are_not_saved_as_what_they_are_not(path: Path) -> None:
    class Special(DMClassifier):
        pass

    with pytest.raises(TypeError, match="Special"):
        save(Special(), path)


# ----------------------------------------------------------------------- other packages' estimators


def test_other_classifiers_through_skops(path: Path) -> None:
    inner = make_pipeline(StandardScaler(), LogisticRegression())
    before = fitted(CoresetClassifier(inner, random_state=0))
    assert_predicts_the_same(before, again(before, path))


def test_what_skops_does_not_trust_is_asked_for(path: Path) -> None:
    before = fitted(CoresetClassifier(RandomForestClassifier(3, random_state=0), random_state=0))
    save(before, path)
    with pytest.raises(LoadError, match=r"trusted=\['sklearn\.tree\._tree\.Tree'\]"):
        load(path)
    with pytest.raises(TypeError, match="sequence of names"):
        load(path, trusted="sklearn.tree._tree.Tree")
    assert_predicts_the_same(before, load(path, trusted=["sklearn.tree._tree.Tree"]))


def test_without_skops(
    path: Path, trained: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    save(trained["CoresetClassifier"], path)
    monkeypatch.setitem(sys.modules, "skops", None)
    monkeypatch.setitem(sys.modules, "skops.io", None)
    with pytest.raises(ImportError, match=r"noisyfit\[save\]"):
        load(path)
    with pytest.raises(ImportError, match=r"estimator_, of class .*LogisticRegression"):
        save(trained["CoresetClassifier"], path)
    save(trained["DMClassifier"], path)
    load(path)


@pytest.mark.parametrize(
    "estimator",
    [
        make_pipeline(StandardScaler(), DMClassifier(**SMALL)),
        make_pipeline(GradientMedoidSelector(k=8), LogisticRegression()),
        imblearn.pipeline.make_pipeline(
            GradientMedoidSampler(random_state=0), LogisticRegression()
        ),
        CoresetClassifier(DMClassifier(**SMALL), cross_fit=2, rounds=1, random_state=0),
        VotingClassifier(
            [("a", DMClassifier(**SMALL)), ("b", LogisticRegression())], voting="soft"
        ),
        BaggingClassifier(DMClassifier(**SMALL), n_estimators=2, random_state=0),
        CalibratedClassifierCV(DMClassifier(**SMALL), cv=2, method="isotonic"),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
def test_estimators_around_ours(estimator: Any, path: Path) -> None:
    before = fitted(estimator)
    after = again(before, path)
    assert_predicts_the_same(before, after)
    assert repr(clone(after)) == repr(clone(before))


def test_searches(path: Path) -> None:
    folds = StratifiedKFold(
        2
    )  # of a number of folds, only newer versions of scikit-learn keep them
    search = fitted(GridSearchCV(DMClassifier(**SMALL), {"lr": [0.1, 0.01]}, cv=folds))
    assert_predicts_the_same(search, again(search.best_estimator_, path))
    save(search, path)
    with pytest.raises(LoadError, match="StratifiedKFold"):
        load(path)
    after = load(path, trusted=["sklearn.model_selection._split.StratifiedKFold"])
    assert_predicts_the_same(search, after)
    assert after.best_params_ == search.best_params_


# ------------------------------------------------------------------------------------------ values


TEXT = st.text(max_size=5)
NUMBERS = st.one_of(st.integers(), st.floats(), st.booleans(), st.complex_numbers())
DATES = st.one_of(
    st.dates(), st.datetimes(), st.datetimes(timezones=st.timezones()), st.times(), st.timedeltas()
)
SCALARS = st.one_of(st.none(), NUMBERS, TEXT, st.binary(max_size=5), DATES)
DTYPES = st.one_of(
    numpy_strategies.boolean_dtypes(),
    numpy_strategies.integer_dtypes(),
    numpy_strategies.unsigned_integer_dtypes(),
    numpy_strategies.floating_dtypes(),
    numpy_strategies.complex_number_dtypes(),
    numpy_strategies.unicode_string_dtypes(max_len=4),
    numpy_strategies.byte_string_dtypes(max_len=4),
    numpy_strategies.datetime64_dtypes(),
)
ARRAYS = numpy_strategies.arrays(
    DTYPES, numpy_strategies.array_shapes(min_dims=0, max_dims=3, max_side=3, min_side=0)
)
IN_ONE_FOLDER: dict[str, Any] = {
    "deadline": None,
    "suppress_health_check": [HealthCheck.function_scoped_fixture],
}


def as_objects(values: list[Any]) -> np.ndarray:
    return np.array(values, dtype=object)


VALUES = st.recursive(
    st.one_of(SCALARS, ARRAYS),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(st.one_of(TEXT, st.integers(), st.booleans()), inner, max_size=3),
    ),
    max_leaves=6,
)


@settings(max_examples=80, deadline=None)
@given(VALUES)
def test_values_come_back(value: Any) -> None:
    assert same(copied(value), value)


@settings(max_examples=20, **IN_ONE_FOLDER)
@given(
    labels=st.one_of(
        st.lists(TEXT, min_size=2, max_size=4, unique=True).map(as_objects),
        st.lists(st.integers(-9, 9), min_size=2, max_size=4, unique=True).map(np.array),
        st.lists(st.floats(-9, 9), min_size=2, max_size=4, unique=True).map(np.array),
        st.just(np.array([False, True])),
        st.just(np.array(["2020-01-01", "2021-01-01"], dtype="M8[D]")),
    ),
    trim=st.one_of(st.none(), st.just("auto"), st.floats(0, 0.9)),
    mixup=st.one_of(st.floats(0, 2), st.tuples(st.floats(0.1, 1), st.floats(0.1, 1))),
    seed=st.one_of(st.none(), st.integers(0, 9), st.integers(0, 9).map(np.random.RandomState)),
)
def test_labels_and_parameters_come_back(
    labels: np.ndarray, trim: Any, mixup: Any, seed: Any, path: Path
) -> None:
    before = CRUSTClassifier(trim, mixup=mixup, random_state=seed)
    before.classes_, before.transduction_ = np.sort(labels), labels[[0, 1, 0]]
    after = again(before, path)
    assert same(after.get_params(), before.get_params())
    assert same(after.classes_, before.classes_)
    assert same(after.transduction_, before.transduction_)


INDEX = pd.Index(["x", "y", "z"], name="row")
COLUMNS = {
    "floats": [1.5, np.nan, -0.0],
    "categories": pd.Categorical(["a", "b", None], categories=["b", "a"], ordered=True),
    "text": pd.array(["a", None, "c"], dtype="string"),
    "integers": pd.array([1, None, 3], dtype="Int16"),
    "moments": pd.to_datetime(["2020-01-01", None, "2021-05-05"]),
    "zoned": pd.to_datetime(["2020-01-01", None, "2021-05-05"]).tz_localize("Europe/Paris"),
    "mixed": pd.array([1, "a", None], dtype=object),
    "plain text": ["a", "b", "c"],
}


@pytest.mark.parametrize(
    "value",
    [
        *(pd.Series(column, index=INDEX, name=name) for name, column in COLUMNS.items()),
        pd.DataFrame(COLUMNS, index=INDEX),
        pd.DataFrame(np.eye(2)),
        pd.Series([1, 2], index=pd.MultiIndex.from_tuples([("a", 1), ("b", 2)], names=["p", "q"])),
        pd.Series([1, 2], index=pd.date_range("2020", periods=2)),
        pd.Timestamp("2020-01-01 01:02:03.000004", tz="Asia/Tokyo"),
        pd.Timestamp("2020-01-01"),
        pd.Timedelta("3 days 1 us"),
        pd.NA,
        pd.NaT,
    ],
    ids=lambda value: f"{type(value).__name__}",
)
def test_pandas_comes_back(value: Any) -> None:
    assert same(copied(value), value)


@pytest.mark.parametrize(
    "value",
    [
        np.arange(6, dtype=">i4").reshape(2, 3),
        np.asfortranarray(np.eye(3)),
        np.arange(10)[::-2],
        np.array(["a", None, 1, [1, 2], (3,)], dtype=object),
        np.array([["a", "b"], ["b", "a"]], dtype=object),
        np.float32("nan"),
        np.datetime64("2020-01-01T01", "h"),
        np.str_("a"),
        datetime.datetime(2020, 10, 25, 2, 30, fold=1),
        np.dtype(">f4"),
        np.dtype("M8[us]"),
        torch.float64,
        torch.device("cuda:1"),
        torch.arange(4, dtype=torch.bfloat16).reshape(2, 2),
        frozenset({1, "a"}),
        SPARSE,
        scipy.sparse.coo_array(np.eye(2)),
        nn.Linear,
        10**40,
    ],
    ids=lambda value: type(value).__name__,
)
def test_other_values_come_back(value: Any) -> None:
    assert same(copied(value), value)


def test_objects_held_twice_are_one_again() -> None:
    state = np.random.RandomState(0)
    first, second = copied([state, state])
    assert first is second


# --------------------------------------------------------------------------------------- the file


def test_a_failed_write_leaves_the_older_file(
    trained: dict[str, Any], path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(trained["DMClassifier"], path)

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        save(trained["CRUSTClassifier"], path)
    assert_predicts_the_same(load(path), trained["DMClassifier"])
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_link_stays_a_link_and_the_mode_stays(trained: dict[str, Any], path: Path) -> None:
    save(trained["DMClassifier"], path)
    path.chmod(0o640)
    link = path.with_name("link")
    link.symlink_to(path)
    save(trained["CRUSTClassifier"], str(link))
    assert link.is_symlink()
    assert path.stat().st_mode & 0o777 == 0o640
    assert isinstance(load(path), CRUSTClassifier)


def test_the_same_estimator_gives_the_same_bytes(trained: dict[str, Any], path: Path) -> None:
    contents = []
    for _ in range(2):
        save(trained["DMClassifier"], path)
        contents.append(path.read_bytes())
    assert contents[0] == contents[1]


def test_the_global_generators_are_left_alone(path: Path) -> None:
    before = fitted(DMClassifier(module=Own, **FEW))
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    again(before, path)
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert (np.random.get_state()[1] == numpy_state).all()  # noqa: NPY002


def test_devices(trained: dict[str, Any], path: Path) -> None:
    save(trained["DMClassifier"], path)
    after = load(path, device=torch.device("cpu"))
    assert after.device == "cpu"
    with pytest.raises(LoadError, match=r"'cuda:99', which this machine does not have.*'cpu'"):
        load(path, device="cuda:99")

    def change(record: Any) -> None:
        record["net"]["device"] = record["parameters"]["device"] = "cuda:99"

    forge(path, change)
    with pytest.raises(LoadError, match="device='cpu'"):
        load(path)
    after = load(path, device="cpu")
    assert after.get_params()["device"] == after.net_.device == "cpu"
    assert_predicts_the_same(after, trained["DMClassifier"])


# --------------------------------------------------------------------------------------- refusals


def members_of(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as file:
        return {name: file.read(name) for name in file.namelist()}


def write_zip(path: Path, members: dict[str, bytes], comment: bytes, **options: Any) -> None:
    with zipfile.ZipFile(path, "w", **options) as file:
        for name, data in members.items():
            file.writestr(name, data)
        file.comment = comment


def forge(path: Path, change: Callable[[Any], Any] | None = None, **members: bytes) -> None:
    """Change a file as someone would who knows how to make the checksums right."""
    present = members_of(path)
    del present["manifest.json"]
    present.update({name.replace("__", "."): data for name, data in members.items()})
    if change is not None:
        record = json.loads(present["estimator.json"])
        change(record)
        present["estimator.json"] = json.dumps(record).encode()
    archive.write_archive(path, present, {})


@pytest.fixture
def saved(trained: dict[str, Any], path: Path) -> Path:
    save(trained["DMClassifier"], path)
    return path


def comment_of(path: Path) -> bytes:
    with zipfile.ZipFile(path) as file:
        return file.comment


def test_no_file(path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load(path)


@pytest.mark.parametrize("content", [b"", b"text", pickle.dumps({}), b"PK\x03\x04" + bytes(50)])
def test_other_files_are_refused(content: bytes, path: Path) -> None:
    path.write_bytes(content)
    with pytest.raises(LoadError, match="not written by noisyfit"):
        load(path)


def test_other_zips_are_refused(path: Path) -> None:
    write_zip(path, {"a": b"b"}, b"")
    with pytest.raises(LoadError, match=r"no manifest\.json"):
        load(path)
    write_zip(path, {"manifest.json": b"{}"}, b"")
    with pytest.raises(LoadError, match="not written by noisyfit"):
        load(path)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_truncated_files_are_refused(share: float, saved: Path) -> None:
    content = saved.read_bytes()
    saved.write_bytes(content[: int(share * len(content))])
    with pytest.raises(LoadError, match="truncated"):
        load(saved)


def test_missing_and_extra_members_are_refused(saved: Path) -> None:
    members, comment = members_of(saved), comment_of(saved)
    write_zip(saved, {**members, "more.bin": b"1"}, comment)
    with pytest.raises(LoadError, match=r"\['more\.bin'\].*does not list"):
        load(saved)
    del members["weights.safetensors"]
    write_zip(saved, members, comment)
    with pytest.raises(LoadError, match=r"lacks \['weights\.safetensors'\]"):
        load(saved)


def test_edited_members_are_refused(saved: Path) -> None:
    members, comment = members_of(saved), comment_of(saved)
    edited = members["estimator.json"].replace(b"0.001", b"0.002")
    assert edited != members["estimator.json"]
    write_zip(saved, {**members, "estimator.json": edited}, comment)
    with pytest.raises(LoadError, match=r"estimator\.json .*SHA-256 differs"):
        load(saved)
    manifest = members["manifest.json"].replace(b"noisyfit", b"noisyfat", 2)
    write_zip(saved, {**members, "manifest.json": manifest}, comment)
    with pytest.raises(LoadError, match="not written by"):
        load(saved)
    manifest = members["manifest.json"].replace(b'"torch"', b'"Torch"')
    write_zip(saved, {**members, "manifest.json": manifest}, comment)
    with pytest.raises(LoadError, match=r"manifest\.json .* is not what was written"):
        load(saved)


def test_newer_formats_are_refused(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(archive, "FORMAT", archive.FORMAT + 1)
        patch.setattr(archive, "__version__", "9.8.7")
        forge(saved)
    with pytest.raises(LoadError, match=r"format 2.*Upgrade noisyfit to 9\.8\.7"):
        load(saved)


@pytest.mark.parametrize("name", ["../evil", "/etc/passwd", "a/../../b", "a\\b", "x/y/z", "-/.."])
def test_strange_names_are_refused(name: str, saved: Path) -> None:
    write_zip(saved, {**members_of(saved), name: b"1"}, comment_of(saved))
    with pytest.raises(LoadError, match="no name that"):
        load(saved)


def test_zip_bombs_are_refused(saved: Path) -> None:
    members = {**members_of(saved), "arrays/big.npy": bytes(10_000_000)}
    write_zip(saved, members, comment_of(saved), compression=zipfile.ZIP_DEFLATED)
    assert saved.stat().st_size < 1_000_000
    with pytest.raises(LoadError, match="would unpack to"):
        load(saved)


def npy(header: dict[str, Any], content: bytes = b"") -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"fortran_order": False, **header})
    return buffer.getvalue() + content


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (npy({"descr": "<f8", "shape": (10**12,)}), "announces an array of shape"),
        (npy({"descr": "<f8", "shape": (-1, -1)}, bytes(8)), "announces an array of shape"),
        (npy({"descr": "|O", "shape": (3,)}, pickle.dumps([Own] * 3)), "announces .* dtype object"),
        (npy({"descr": "<U0", "shape": (10**12,)}), "announces an array of shape"),
        (b"no array", "magic string"),
    ],
)
def test_arrays_that_are_not_what_they_say_are_refused(
    data: bytes, message: str, path: Path
) -> None:
    estimator = DMClassifier()
    estimator.classes_ = np.arange(3)
    save(estimator, path)
    members = members_of(path)
    del members["manifest.json"]
    archive.write_archive(path, {**members, "arrays/classes_.npy": data}, {})
    with pytest.raises(LoadError, match=message):
        load(path)


def test_networks_larger_than_their_weights_are_refused(saved: Path) -> None:
    def change(record: Any) -> None:
        record["net"]["network"]["layers"]["arguments"]["in_features"] = 10**12

    forge(saved, change)
    with pytest.raises(LoadError, match="do not fit the MLP"):
        load(saved)


def test_weights_that_are_not_finite_are_refused(saved: Path) -> None:
    from safetensors.torch import load as load_tensors
    from safetensors.torch import save as save_tensors

    tensors = load_tensors(members_of(saved)["weights.safetensors"])
    name = next(name for name in tensors if name.endswith("layers.0.weight"))
    tensors[name][0, 0] = torch.inf
    forge(saved, weights__safetensors=save_tensors(tensors))
    with pytest.raises(LoadError, match="not all finite"):
        load(saved)
    forge(saved, weights__safetensors=b"\xff" * 100)
    with pytest.raises(LoadError, match="no proper safetensors"):
        load(saved)


def set_in(record: Any, path_: str, value: Any) -> None:
    *steps, last = path_.split("/")
    for step in steps:
        record = record[step]
    record[last] = value


@pytest.mark.parametrize(
    ("where", "value", "message"),
    [
        ("class", "Popen", "estimator called 'Popen'"),
        ("class", "BaseEstimator", "estimator called"),
        ("type", "pickle", "nothing that noisyfit.save writes"),
        ("net/class", "NeuralNet", "none of"),
        ("net/network/layers/class", "os:system", "none that noisyfit.save names"),
        ("net/network/layers/class", "torch.nn:functional", "none that noisyfit.save names"),
        ("net/network/layers/class", "torch.optim:Adam", "as a layer"),
        ("net/optimizer/class", {"type": "class", "public": "torch.nn:Linear", "id": 99}, "Linear"),
        ("net/criterion/criterion/class", "Popen", "does not name"),
        ("attributes/predict", 1, "replaces predict"),
        ("attributes/__class__", 1, "replaces __class__"),
        ("parameters/emphasiss", 1, "emphasiss"),
        ("attributes/n_iter_", {"type": "again", "id": 10**6}, "KeyError"),
        ("attributes/n_iter_", {"type": "holder", "class": "os:system"}, "does not name"),
        ("attributes/n_iter_", {"type": "torch dtype", "name": "load"}, "none"),
        ("attributes/n_iter_", {"type": "device", "name": "x"}, "RuntimeError"),
        ("net/network/sizes", WRONG_SIZES, "4"),
    ],
)
def test_forged_files_are_refused(where: str, value: Any, message: str, saved: Path) -> None:
    forge(saved, lambda record: set_in(record, where, value))
    with pytest.raises(LoadError, match=message):
        load(saved)


# ----------------------------------------------------------------------------------------- fuzzing

FORBIDDEN = {"os.system", "os.exec", "os.posix_spawn", "os.fork", "subprocess.Popen", "exec"}
FORBIDDEN |= {"pickle.find_class", "socket.connect", "shutil.rmtree", "os.remove", "import"}
events: list[str] | None = None


def listen(event: str, arguments: Any) -> None:
    if events is not None and event in FORBIDDEN:
        events.append(f"{event} {arguments!r}"[:200])


@contextmanager
def nothing_executed() -> Iterator[None]:
    """Check that nothing is imported, unpickled, executed or started inside the block."""
    global events
    if not hasattr(sys, "_noisyfit_listens"):
        sys.addaudithook(listen)  # for the rest of the process; there is no taking it off
        sys._noisyfit_listens = True  # type: ignore[attr-defined]
    events = []
    try:
        yield
        assert events == []
    finally:
        events = None


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("fuzz") / "small.noisyfit"
    options = {**SMALL, "module__hidden": (2,), "random_state": np.random.RandomState(0)}
    save(fitted(CRUSTClassifier(0.2, **options)), path)
    load(path, device="cpu")  # whatever is imported late is imported now
    return path.read_bytes()


def test_listening_hears() -> None:
    with pytest.raises(AssertionError, match="pickle"), nothing_executed():
        pickle.loads(pickle.dumps(Own))


@settings(max_examples=80, **IN_ONE_FOLDER)
@given(data=st.data())
def test_flipped_bytes_are_refused_or_do_no_harm(
    data: st.DataObject, content: bytes, path: Path
) -> None:
    positions = st.integers(0, len(content) - 1)
    # The last part holds the directory of the zip.
    near_the_end = st.integers(len(content) - 3000, len(content) - 1)
    changed = bytearray(content)
    for _ in range(data.draw(st.integers(1, 3))):
        position = data.draw(st.one_of(positions, near_the_end))
        changed[position] ^= data.draw(st.integers(1, 255))
    path.write_bytes(changed)
    original = path.with_name("original")
    original.write_bytes(content)
    with nothing_executed():
        try:
            after = load(path)
        except LoadError:
            return
    assert_predicts_the_same(after, load(original))


def places(record: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) of a JSON document."""
    items: Any = ()
    if isinstance(record, dict):
        items = record.items()
    elif isinstance(record, list):
        items = enumerate(record)
    found = []
    for key, item in list(items):
        found.append((record, key))
        found.extend(places(item))
    return found


@settings(max_examples=100, **IN_ONE_FOLDER)
@given(data=st.data())
def test_changed_records_are_refused_or_do_no_harm(
    data: st.DataObject, content: bytes, path: Path
) -> None:
    path.write_bytes(content)

    def change(record: Any) -> None:
        container, key = data.draw(st.sampled_from(places(record)), label="place")
        if data.draw(st.booleans(), label="delete"):
            del container[key]
            return
        other, name = data.draw(st.sampled_from(places(record)), label="other")
        junk = st.sampled_from([None, -1, 10**30, 1e300, "os:system", "__class__", [], {}, True])
        container[key] = data.draw(st.one_of(st.just(copy.deepcopy(other[name])), junk))

    forge(path, change)
    with nothing_executed():
        try:
            after = load(path)
            after.predict(X[:3])
        except LoadError:
            return
        except (LookupError, TypeError, ValueError, AttributeError, RuntimeError):
            return  # it was loaded, and is nonsense where it was changed


# ------------------------------------------------------------------------------- kinds of rows


class Encoder(nn.Module):
    """Takes two named arrays."""

    def __init__(self, out_features: int) -> None:
        super().__init__()
        self.embed = nn.Embedding(20, 5)
        self.classify = nn.Linear(5, out_features)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        return self.classify((self.embed(ids) * mask.unsqueeze(-1)).sum(1))


def rows_of_kinds() -> dict[str, tuple[Any, dict[str, Any]]]:
    rng = np.random.RandomState(0)
    hashed = scipy.sparse.csr_matrix(
        (SPARSE.data, SPARSE.indices * 700, SPARSE.indptr), shape=(90, 700 * 530)
    )
    named = {"ids": rng.randint(20, size=(90, 3)), "mask": np.ones((90, 3), dtype=np.float32)}
    images = rng.randint(256, size=(90, 6, 5, 3)).astype(np.uint8)
    augmented = {"train_transform": RandomCropAndFlip(1), "module__channels": (4, 6)}
    frame = pd.DataFrame(X, columns=list("abcd"), index=[f"row {n}" for n in range(90)])
    return {
        "images": (images, augmented),
        "hashed words": (hashed, {}),
        "named arrays": (named, {"module": Encoder}),
        "frame": (frame, {}),
    }


@pytest.mark.parametrize("kind", rows_of_kinds())
def test_estimators_of_all_kinds_of_rows(kind: str, path: Path) -> None:
    rows, options = rows_of_kinds()[kind]
    before = noisyfit.DMClassifier(**FEW, **options).fit(rows, Y)
    after = again(before, path)
    np.testing.assert_array_equal(after.predict_proba(rows), before.predict_proba(rows))
    assert same(after.label_quality_, before.label_quality_)
    assert same(after.get_params(), before.get_params())
    for estimator in (before, after):
        estimator.partial_fit(rows, Y)
    np.testing.assert_array_equal(after.predict_proba(rows), before.predict_proba(rows))
