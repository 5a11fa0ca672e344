"""What comes in at the door: features, labels, weights, devices, in whatever form users have."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real
from typing import Any

import numpy as np
import scipy.sparse
import torch
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    check_array,
    check_consistent_length,
    column_or_1d,
    validate_data,
)
from skorch.callbacks import Callback

from noisyfit._precision import has_float64
from noisyfit.estimators.base.datasets import is_dataset
from noisyfit.estimators.base.mapped import check_mapped, would_be_copied
from noisyfit.estimators.base.naming import naming
from noisyfit.training.rows import DatasetItems, Rows, SparseRows, are_images, kept_type
from noisyfit.training.surroundings import without_warning


def to_host(values: Any) -> Any:
    """A torch tensor on any device as a numpy array; anything else as it is."""
    if isinstance(values, torch.Tensor):
        if values.layout != torch.strided:
            raise TypeError("sparse torch tensors are not taken: use .to_dense() or scipy.sparse.")
        if values.is_meta:
            raise TypeError("tensors on the meta device hold no data.")
        if values.dtype == torch.bfloat16:  # numpy has no such type
            values = values.float()
        return values.detach().cpu().numpy()
    return values


def validate_rows(
    estimator: Any, X: Any, *, dtype: str, reset: bool, loader_options: Mapping[str, Any]
) -> Any:
    """Features as scikit-learn checks them: an array of ``dtype``, a CSR matrix.

    Images of bytes stay bytes, and a dict of arrays is as `validate_named_arrays` gives it. Memory
    maps of numbers of another type stay what they are, and a torch data set is told by its items,
    which ``loader_options`` say how to fetch.
    """
    if is_dataset(X):
        with naming("X"):
            return _validate_items(estimator, DatasetItems(X, dtype, loader_options), reset=reset)
    if _holds_named_arrays(X):
        return validate_named_arrays(estimator, X, dtype=dtype, reset=reset)
    with naming("X"):
        X = to_host(X)
        options = _row_options(X, dtype)
        if would_be_copied(X, options["dtype"]):
            check_mapped(X, estimator=estimator, input_name="X", **options)
            X = validate_data(estimator, X, reset=reset, skip_check_array=True)
        else:
            X = validate_data(estimator, X, reset=reset, **options)
        if 0 in X.shape[1:]:
            raise ValueError(f"Found array with 0 feature(s) (shape={X.shape}).")
    return X


def validate_rows_and_labels(
    estimator: Any, X: Any, y: Any, *, dtype: str, reset: bool, loader_options: Mapping[str, Any]
) -> tuple[Any, np.ndarray]:
    """Features as `validate_rows` gives them, and 1-D labels of a classification problem."""
    X = validate_rows(estimator, X, dtype=dtype, reset=reset, loader_options=loader_options)
    return X, validate_labels(y, next(iter(X.values())) if isinstance(X, dict) else X)


def validate_labels(y: Any, X: Any) -> np.ndarray:
    """Labels of a classification problem, one for each row of X."""
    if y is None:
        raise ValueError("This estimator requires y to be passed, but the target y is None.")
    with naming("y"):
        y = column_or_1d(to_host(y), warn=True)
        check_array(y, ensure_2d=False, dtype=None, input_name="y")
        check_consistent_length(X, y)
        try:
            check_classification_targets(y)
        except TypeError as error:
            raise TypeError(
                f"y mixes labels that can't be sorted ({error}); use labels of one type."
            ) from error
    return y


def _validate_items(estimator: Any, items: DatasetItems, *, reset: bool) -> DatasetItems:
    if not items.is_named:
        checked: DatasetItems = validate_data(estimator, items, reset=reset, skip_check_array=True)
        return checked
    if reset:
        _forget_features(estimator)
    return items


def _forget_features(estimator: Any) -> None:
    """Drop what an earlier fit on a table has left."""
    for attribute in ("n_features_in_", "feature_names_in_"):
        estimator.__dict__.pop(attribute, None)


def _holds_named_arrays(X: Any) -> bool:
    # scipy's matrix of keys is a dict as well.
    return isinstance(X, Mapping) and not scipy.sparse.issparse(X)


def _row_options(X: Any, dtype: str) -> dict[str, Any]:
    """What `validate_data` is to make of the rows."""
    kept = "uint8" if are_images(X) else dtype
    return {
        "accept_sparse": "csr",
        "dtype": getattr(np, kept),
        "order": "C",
        "allow_nd": True,
    }


def validate_named_arrays(
    estimator: Any, X: Mapping[str, Any], *, dtype: str, reset: bool
) -> dict[str, np.ndarray]:
    """Arrays by name with one entry per row each: whole numbers as int64, others as ``dtype``."""
    if not X or not all(isinstance(name, str) and name.isidentifier() for name in X):
        raise ValueError(
            "X as a dict must hold arrays by the names of the keywords of the module's forward, "
            f"got the keys {list(X)!r}."
        )
    arrays = {}
    for name, values in X.items():
        values = np.asarray(to_host(values))
        kind = values.dtype.kind
        if kind not in "buif":
            raise TypeError(f"X[{name!r}] must hold numbers, got an array of {values.dtype}.")
        if values.ndim == 0:
            raise ValueError(f"X[{name!r}] must have one entry per row, got a single number.")
        options: dict[str, Any] = {
            "dtype": kept_type(values.dtype, dtype, named=True),
            "order": "C",
            "allow_nd": True,
            "ensure_2d": False,
            "ensure_min_features": 0,
            "input_name": f"X[{name!r}]",
        }
        check = check_mapped if would_be_copied(values, options["dtype"]) else check_array
        arrays[name] = check(values, **options)
    check_consistent_length(*arrays.values())
    if reset:
        _forget_features(estimator)
    return arrays


def shape_of_a_row(X: Any) -> Any:
    """What has to be the same in `fit` and `predict`: sizes, and whether numbers are bytes."""
    if isinstance(X, dict):
        return {name: values.shape[1:] for name, values in X.items()}
    if isinstance(X, DatasetItems) and X.is_named:
        return X.row_shapes
    return X.shape[1:]


def validate_sample_weight(sample_weight: Any, n_rows: int) -> np.ndarray:
    """Weights as a float64 array of length ``n_rows``; None means one for each row."""
    if sample_weight is None:
        return np.ones(n_rows)
    try:
        weight = np.asarray(to_host(sample_weight))
        if np.iscomplexobj(weight):  # numpy would drop the imaginary parts with a mere warning
            raise TypeError(f"complex numbers of {weight.dtype}")
        weight = weight.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"sample_weight must hold numbers, one per row: {error}.") from error
    if weight.ndim == 0:
        weight = np.full(n_rows, float(weight))
    if weight.ndim != 1:
        raise ValueError(
            f"sample_weight must be 1D array or scalar, got {weight.ndim} dimensions; "
            "pass one weight per row."
        )
    if len(weight) != n_rows:
        raise ValueError(
            f"sample_weight.shape == {weight.shape}, expected {(n_rows,)}: pass one per row of X "
            "(behind a sampler, noisyfit.CarriedWeights)."
        )
    if not np.isfinite(weight).all():
        raise ValueError("sample_weight contains NaN or infinity; remove or replace those values.")
    if (weight < 0).any():
        raise ValueError(
            f"sample_weight must not be negative, got {weight.min():g}; use 0 to ignore a row."
        )
    if not weight.any():
        raise ValueError("sample_weight is zero for every row; at least one row must count.")
    return _check_scale(weight, "sample_weight")


def _check_scale(weight: np.ndarray, name: str) -> np.ndarray:
    """Raise where the weights can't be added up, or divided by their mean."""
    with np.errstate(over="ignore"):
        total = weight.sum()
    if not 1e-300 < total < 1e300:
        raise ValueError(
            f"{name} sums to {total:g}, which is too near to the ends of float64 to compute with; "
            "divide the weights by their mean."
        )
    return weight


def as_counts(sample_weight: np.ndarray) -> np.ndarray:
    """How many rows each row stands for.

    Whole numbers are counts: a weight of two is the row twice. Other weights have an arbitrary
    scale and get a mean of one.
    """
    if sample_weight.max() < 2**31 and (sample_weight == np.rint(sample_weight)).all():
        return sample_weight
    return sample_weight / sample_weight[sample_weight > 0].mean()


def combine_weights(
    sample_weight: np.ndarray, class_weight: Any, y: np.ndarray, classes: np.ndarray
) -> np.ndarray:
    """Product of the rows' weights and the weights of their classes."""
    if class_weight is None:
        return sample_weight
    if isinstance(class_weight, dict):
        known = set(classes.tolist())
        unknown = [label for label in class_weight if label not in known]
        if unknown:
            raise ValueError(
                f"class_weight names {unknown!r}, which are not among the labels of y "
                f"({classes.tolist()}); remove them."
            )
        numbers = all(isinstance(w, Real) for w in class_weight.values())
        if not numbers or any(not np.isfinite(w) or w < 0 for w in class_weight.values()):
            raise ValueError(f"class_weight must be finite and not negative, got {class_weight!r}.")
        with np.errstate(over="ignore"):
            product = sample_weight * compute_sample_weight(class_weight, y)
        # That all are zero is for the caller to say.
        return _check_scale(product, "sample_weight * class_weight") if product.any() else product
    # "balanced" counts rows by their weight, so that a weight of two equals two copies.
    codes = np.searchsorted(classes, y)
    totals = np.bincount(codes, weights=sample_weight, minlength=len(classes))
    present = totals > 0
    balanced = np.zeros(len(classes))
    balanced[present] = totals.sum() / (present.sum() * totals[present])
    return sample_weight * balanced[codes]


def encode_labels(y: np.ndarray, classes: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Class codes 0..C-1 and the sorted classes; with ``classes`` given, y must keep to them."""
    if classes is None:
        classes, codes = np.unique(y, return_inverse=True)
        if len(classes) < 2:
            raise ValueError(
                f"y holds one class only ({classes.tolist()[0]!r}); a classifier needs rows of at "
                "least two classes."
            )
        return codes.astype(np.int64), classes
    unseen = np.setdiff1d(y, classes)
    if len(unseen):
        raise ValueError(
            f"y contains labels {unseen.tolist()!r} that are not among classes "
            f"({classes.tolist()!r}); name every label in the first call of partial_fit, or "
            "fit anew with warm_start=False."
        )
    return np.searchsorted(classes, y).astype(np.int64), classes


def validate_classes(classes: Any) -> np.ndarray:
    """The sorted labels that `partial_fit` is told of."""
    classes = np.asarray(to_host(classes))
    if classes.ndim != 1:
        raise ValueError(f"classes must be a 1d array of labels, got {classes.ndim} dimensions.")
    if classes.dtype.kind == "f" and not np.isfinite(classes).all():
        raise ValueError("classes contains NaN or infinity; name the labels of y only.")
    try:
        unique = np.unique(classes)
    except TypeError as error:
        raise TypeError(f"classes must be labels of one type: {error}.") from error
    if len(unique) < 2:
        raise ValueError(
            f"classes={unique.tolist()!r} must name at least two labels: all that will ever occur."
        )
    return unique


def validate_callbacks(callbacks: Any) -> list[Any]:
    """Skorch callbacks: instances, or (name, instance) pairs."""
    for item in callbacks or []:
        callback = item[1] if isinstance(item, tuple) and len(item) == 2 else item
        made = callback if isinstance(callback, type) else type(callback)
        if not issubclass(made, Callback):
            raise TypeError(
                "callbacks must hold skorch callbacks or (name, callback) pairs, got "
                f"{callback!r}; see skorch.callbacks."
            )
    return list(callbacks or [])


def validate_device(device: Any) -> torch.device:
    """A torch device that this machine has."""
    try:
        checked = torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise ValueError(
            f"device={device!r} is not a device: use 'cpu', 'cuda', 'cuda:1' or 'mps'."
        ) from error
    if checked.type == "cuda":
        n_devices = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if (checked.index or 0) >= n_devices:
            raise ValueError(
                f"device={device!r} is not available: torch sees {n_devices} CUDA devices. "
                "Use device='cpu'."
            )
    elif checked.type == "mps" and not torch.backends.mps.is_available():
        raise ValueError(f"device={device!r} is not available here. Use device='cpu'.")
    elif checked.type not in ("cpu", "cuda", "mps"):
        raise ValueError(f"device={device!r} is not supported: use 'cpu', 'cuda' or 'mps'.")
    return checked


def check_dtype(dtype: str, device: torch.device) -> None:
    """Raise where the device can't hold numbers of this precision."""
    if dtype == "float64" and not has_float64(device):
        raise ValueError(
            f"dtype={dtype!r} does not exist on device={str(device)!r}; use dtype='float32', or "
            "device='cpu'."
        )


def validate_compile(compile: bool | str, rows: Rows, batch_size: int | str) -> str | None:
    """The mode to compile in, or None; rows and batches must be such that torch can."""
    if compile is False:
        return None
    if batch_size == -1:
        raise ValueError(
            f"compile={compile!r} needs batches of one size, but batch_size=-1 makes one of all "
            "rows that are trained on; set batch_size, or compile=False."
        )
    if isinstance(rows, SparseRows):
        raise ValueError(f"compile={compile!r} can't be used with sparse X; use compile=False.")
    if rows.processes.are_many:
        raise ValueError(
            f"compile={compile!r} can't be used in several processes; use compile=False."
        )
    return "default" if compile is True else str(compile)


def validate_autocast(autocast: str | None, dtype: str, device: torch.device) -> torch.dtype | None:
    """The type that products are computed in, which torch must be able to do on the device."""
    if autocast is None:
        return None
    if dtype != "float32":
        raise ValueError(
            f"autocast={autocast!r} computes less precisely than dtype={dtype!r} asks for; use "
            'dtype="float32", or autocast=None.'
        )
    wanted: torch.dtype = getattr(torch, autocast)
    with without_warning():  # torch warns and goes on without
        try:
            with torch.autocast(device.type, dtype=wanted):
                supported = torch.is_autocast_enabled(device.type)
        except RuntimeError:
            supported = False
    if supported and wanted == torch.float16:
        supported = _can_scale_gradients(device)
    if not supported:
        raise ValueError(
            f"autocast={autocast!r} is not supported on device={str(device)!r} by torch "
            f"{torch.__version__}; use the other type, or None."
        )
    return wanted


def _can_scale_gradients(device: torch.device) -> bool:
    """Whether torch can do there what float16 needs; older versions can't on Apple's GPUs."""
    weight = torch.zeros(1, device=device, requires_grad=True)
    weight.grad = torch.zeros_like(weight)
    scaler = torch.amp.GradScaler(device.type)
    scaler.scale(torch.zeros(1, device=device))
    try:
        scaler.unscale_(torch.optim.SGD([weight], lr=1.0))
    except (TypeError, NotImplementedError):  # it has no float64, or no such operation
        return False
    return True
