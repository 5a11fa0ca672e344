"""Fits of every kind that are short enough to be done hundreds of times, and what comes of them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse
from skorch.callbacks import EarlyStopping, LRScheduler
from torch import nn

from noisyfit import CRUSTClassifier, DMClassifier, RobustLossClassifier
from noisyfit.augmentation import RandomCropAndFlip
from noisyfit.estimators import (
    CoTeachingClassifier,
    ForwardClassifier,
    LDMIClassifier,
    PENCILClassifier,
    TRevisionClassifier,
)

Data = tuple[Any, np.ndarray]


def table() -> Data:
    """Three noisy classes of 240 rows in all."""
    rng = np.random.RandomState(0)
    true = np.arange(240) % 3
    X = rng.randn(240, 6).astype(np.float32) + 1.5 * np.eye(3, 6, dtype=np.float32)[true]
    return X, np.where(rng.random_sample(240) < 0.3, rng.randint(3, size=240), true)


def words() -> Data:
    """The same, as a sparse matrix."""
    X, y = table()
    return scipy.sparse.csr_matrix(np.where(X > 0.5, X, 0.0).astype(np.float32)), y


def images() -> Data:
    """Small pictures."""
    X, y = table()
    pixels = np.random.RandomState(1).rand(240, 8, 8) + X[:, :1, None]
    return (pixels * 30).clip(0, 255).astype(np.uint8)[..., None], y


def many_classes() -> Data:
    """So many classes that probabilities are kept by their peaks."""
    X, _ = table()
    return np.tile(X, (3, 1)), np.tile(np.arange(360) % 300, 2)


def pytorch_layers() -> nn.Module:
    """Dropout draws from torch's generator, batch normalisation has buffers."""
    return nn.Sequential(
        nn.Linear(6, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, 3)
    )


def _small(kind: Any, *args: Any, **parameters: Any) -> Callable[[], Any]:
    """Make the estimator anew, with a small network unless it has another."""
    sizes = {} if "module" in parameters else {"module__hidden": (16,)}
    defaults: dict[str, Any] = {"max_epochs": 8, "batch_size": 32, "random_state": 0, **sizes}
    return lambda: kind(*args, **{**defaults, **parameters})


def _with_callbacks() -> Any:
    callbacks = [
        ("stopping", EarlyStopping(monitor="valid_loss", patience=3, load_best=True)),
        ("rates", LRScheduler(policy="StepLR", step_size=3, gamma=0.5)),
    ]
    return _small(
        DMClassifier, validation_fraction=0.2, callbacks=callbacks, lr_schedule="constant"
    )()


#: Makes an estimator without a checkpoint, and the data that it is fitted on.
FITS: dict[str, tuple[Callable[[], Any], Callable[[], Data]]] = {
    "crust": (_small(CRUSTClassifier), table),
    "crust, medoids and mixup": (
        _small(
            CRUSTClassifier,
            trim=None,
            selection="greedy",
            group_by="predicted",
            weights="cluster",
            mixup=1.0,
            warmup_epochs=2,
            refresh_every=2,
        ),
        table,
    ),
    "crust, stochastic, one network": (
        _small(CRUSTClassifier, cross_fit=None, selection="stochastic", optimizer="sgd"),
        table,
    ),
    "crust, 300 classes": (_small(CRUSTClassifier, max_epochs=3, cross_fit=2), many_classes),
    "crust, images": (
        _small(
            CRUSTClassifier,
            max_epochs=3,
            cross_fit=2,
            module=None,
            module__channels=(4, 8),
            train_transform=RandomCropAndFlip(padding=1),
        ),
        images,
    ),
    "dm": (_small(DMClassifier), table),
    "dm, dropout, float64": (_small(DMClassifier, module=pytorch_layers, dtype="float64"), table),
    "dm, float16": (_small(DMClassifier, autocast="float16"), table),
    "dm, words": (_small(DMClassifier, optimizer="adamw"), words),
    "dm, callbacks": (_with_callbacks, table),
    "elr": (_small(RobustLossClassifier, "elr"), table),
    "truncated gce": (
        _small(RobustLossClassifier, "gce", criterion__truncation=0.5, warmup_epochs=3),
        table,
    ),
    "co-teaching": (_small(CoTeachingClassifier), table),
    "forward": (_small(ForwardClassifier), table),
    "forward, one network": (_small(ForwardClassifier, cross_fit=None, estimation_epochs=4), table),
    "t-revision": (_small(TRevisionClassifier, revision_epochs=4), table),
    "l-dmi": (_small(LDMIClassifier, pretraining_epochs=3, validation_fraction=0.2), table),
    "pencil": (_small(PENCILClassifier, warmup_epochs=3, finetuning_epochs=3), table),
}


def outcome(estimator: Any, X: Any) -> str:
    """Digest of all that a fit has found, to the bit; times are left out."""
    digest = hashlib.sha256()
    found = {
        "probabilities": estimator.predict_proba(X),
        "quality": estimator.label_quality_,
        "labels": estimator.transduction_,
        "matrix": estimator.transition_matrix_,
        "rate": np.asarray(estimator.noise_rate_),
        "indices": getattr(estimator, "coreset_indices_", np.zeros(0)),
        "weights": getattr(estimator, "coreset_weights_", np.zeros(0)),
    }
    for name, value in found.items():
        digest.update(name.encode() + np.ascontiguousarray(value).tobytes())
    for name, tensor in estimator.net_.module_.state_dict().items():
        digest.update(name.encode() + tensor.cpu().numpy().tobytes())
    for record in estimator.history_:
        kept = {name: value for name, value in record.items() if name not in ("dur", "batches")}
        digest.update(repr(sorted(kept.items())).encode())
    return digest.hexdigest()
