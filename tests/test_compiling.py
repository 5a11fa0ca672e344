"""Memory format and compiled training steps change how a network computes, not what it learns."""

from __future__ import annotations

import copy
import pickle
import shutil
from typing import Any

import numpy as np
import pytest
import scipy.sparse
import torch
from sklearn.model_selection import GridSearchCV
from stress.fits import images, table
from torch import nn

import noisyfit
from noisyfit import CRUSTClassifier, DMClassifier
from noisyfit.estimators import CoTeachingClassifier, LDMIClassifier
from noisyfit.training.compiling import CompiledModule

SMALL: dict[str, Any] = {
    "module__hidden": (8,),
    "max_epochs": 3,
    "batch_size": 32,
    "random_state": 0,
}
needs_a_compiler = pytest.mark.skipif(
    not any(shutil.which(name) for name in ("c++", "g++", "clang++", "cl")),
    reason="torch compiles for the CPU by a C++ compiler, and there is none",
)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Sizes of the batches that a compiled module was called for."""
    sizes: list[int] = []
    real = CompiledModule.__call__

    def noting(self: CompiledModule, *features: Any, **named: Any) -> Any:
        sizes.append(len((*features, *named.values())[0]))
        return real(self, *features, **named)

    monkeypatch.setattr(CompiledModule, "__call__", noting)
    return sizes


@needs_a_compiler
@pytest.mark.parametrize(
    "make",
    [
        lambda **options: DMClassifier(**SMALL, **options),
        lambda **options: CRUSTClassifier(**SMALL, cross_fit=2, **options),
        lambda **options: CoTeachingClassifier(**SMALL, cross_fit=2, **options),
        lambda **options: LDMIClassifier(**SMALL, pretraining_epochs=2, **options),
    ],
    ids=["dm", "crust", "co-teaching", "l-dmi"],
)
def test_compiled_steps_differ_by_rounding(make: Any, calls: list[int]) -> None:
    X, y = table()
    plain = make().fit(X, y)
    assert not calls
    compiled = make(compile=True).fit(X, y)
    assert set(calls) == {32}  # of 240 rows the last 16, say, are not worth compiling again
    np.testing.assert_allclose(compiled.predict_proba(X), plain.predict_proba(X), atol=1e-3)
    again = make(compile="default").fit(X, y)
    assert np.array_equal(again.predict_proba(X), compiled.predict_proba(X))


@needs_a_compiler
def test_a_compiled_estimator_is_copied_saved_searched_and_trained_on(
    calls: list[int], tmp_path: Any
) -> None:
    X, y = table()
    fitted = DMClassifier(**SMALL, compile=True, warm_start=True).fit(X, y)
    noisyfit.save(fitted, tmp_path / "fitted.noisyfit")
    copies = [
        copy.deepcopy(fitted),
        pickle.loads(pickle.dumps(fitted)),
        noisyfit.load(tmp_path / "fitted.noisyfit"),
    ]
    fitted.fit(X, y)
    for other in copies:
        before = len(calls)
        other.fit(X, y)
        assert len(calls) == before + 3 * 7
        assert np.array_equal(other.predict_proba(X), fitted.predict_proba(X))
    search = GridSearchCV(DMClassifier(**SMALL), {"compile": [False, True]}, cv=2).fit(X, y)
    scores = search.cv_results_["mean_test_score"]
    assert scores[0] == scores[1]


def test_networks_of_ever_other_sizes_are_compiled_all(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[Any] = []

    def backend(graph: Any, inputs: Any) -> Any:
        compiled.append(graph)
        return graph.forward

    real = torch.compile
    monkeypatch.setattr(
        torch, "compile", lambda function, mode, dynamic: real(function, backend=backend)
    )
    for width in range(1, 11):  # torch compiles one function eight times only
        module = nn.Linear(3, width)
        output = CompiledModule(module, "default")(torch.ones(2, 3))
        assert torch.equal(output, module(torch.ones(2, 3)))
        assert len(compiled) == width


class NotToBeCompiled(nn.Module):
    """Fails where torch compiles it."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(6, 3)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """Logits."""
        if torch.compiler.is_compiling():
            raise ArithmeticError("not for compilers")
        return self.layer(rows)


class FailsInTraining(nn.Module):
    """Fails anyway."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(6, 3)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """Logits."""
        if self.training:
            raise LookupError("a mistake of its own")
        return self.layer(rows)


def test_what_torch_can_not_compile_is_said_to_be_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any, **kwargs: Any) -> Any:
        def call(*features: Any) -> Any:
            raise NotImplementedError("no compiler here")

        return call

    monkeypatch.setattr(torch, "compile", refuse)
    X, y = table()
    small = {**SMALL, "module": NotToBeCompiled}
    del small["module__hidden"]
    message = "could not compile the module for compile='max-autotune'; use compile=False.*no comp"
    with pytest.raises(RuntimeError, match=message):
        DMClassifier(**small, compile="max-autotune").fit(X, y)
    with pytest.raises(LookupError, match="a mistake of its own"):
        DMClassifier(**{**small, "module": FailsInTraining}, compile=True).fit(X, y)


def test_compiling_is_refused_where_it_can_not_be() -> None:
    X, y = table()
    with pytest.raises(ValueError, match="compile=True can't be used with sparse X"):
        DMClassifier(**SMALL, compile=True).fit(scipy.sparse.csr_matrix(X), y)
    with pytest.raises(ValueError, match=r"compile='default' needs batches of one size.*=-1"):
        DMClassifier(**{**SMALL, "batch_size": -1}, compile="default").fit(X, y)
    with pytest.raises(ValueError, match="compile=True needs batches of one size"):
        DMClassifier(**SMALL, iterator_train__batch_size=-1, compile=True).fit(X, y)


def test_channels_last_is_how_weights_lie_in_memory(tmp_path: Any) -> None:
    X, y = images()
    options = {**SMALL, "module__channels": (4, 8)}
    del options["module__hidden"]
    plain = CRUSTClassifier(**options, cross_fit=2).fit(X, y)
    fitted = CRUSTClassifier(**options, cross_fit=2, memory_format="channels_last").fit(X, y)
    noisyfit.save(fitted, tmp_path / "fitted.noisyfit")
    loaded = noisyfit.load(tmp_path / "fitted.noisyfit")
    for estimator in (fitted, loaded, copy.deepcopy(fitted)):
        convolutions = [
            part for part in estimator.net_.module_.modules() if isinstance(part, nn.Conv2d)
        ]
        assert len(convolutions) > 1
        for part in convolutions[1:]:  # of one channel of input, both formats are the same
            assert part.weight.is_contiguous(memory_format=torch.channels_last)
            assert not part.weight.is_contiguous()
        assert np.array_equal(estimator.predict_proba(X), fitted.predict_proba(X))
    np.testing.assert_allclose(fitted.predict_proba(X), plain.predict_proba(X), atol=1e-3)


def test_the_memory_format_can_not_change_in_training() -> None:
    X, y = table()
    classifier = DMClassifier(**SMALL, warm_start=True).fit(X, y)
    with pytest.raises(ValueError, match=r"memory_format='channels_last' differs.*\(None\); fit"):
        classifier.set_params(memory_format="channels_last").fit(X, y)
