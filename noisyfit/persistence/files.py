"""`save` and `load`."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from noisyfit.persistence.names import describe
from noisyfit.persistence.registry import new_reader, new_writer
from noisyfit.storage.archive import read_archive, write_archive
from noisyfit.storage.codec import Reader
from noisyfit.storage.document import members_of, object_of, versions
from noisyfit.storage.errors import LoadError

ESTIMATOR = "estimator.json"


def save(estimator: Any, path: str | os.PathLike[str]) -> None:
    """Write an estimator to a file that can be loaded without running any code from it.

    The file is a zip of JSON (parameters, attributes, how the network is built), ``.npy`` arrays
    and safetensors (weights, the state of the optimizer); there is no pickle in it. The same
    estimator gives the same bytes. An older file of that name is replaced when the new one is
    complete, not before.

    Parameters
    ----------
    estimator : estimator
        One of noisyfit's, fitted or not; or a Pipeline or the like of scikit-learn that holds one.
        Other estimators inside, the classifier of a `CoresetClassifier` say, are written by skops,
        which ``pip install 'noisyfit[save]'`` brings. Of a search save ``best_estimator_``.
    path : str or path
        The file. Any name will do; ``.noisyfit`` says what it is.

    Raises
    ------
    TypeError
        If a part of the estimator can't be written; nothing is written then.
    ValueError
        If the network diverged, or its ``module`` is no longer the one that was fitted.
    ImportError
        If skops is needed and not there.

    See Also
    --------
    load : Read the file.

    Notes
    -----
    Networks made of the layers of ``torch.nn`` only, the default one among them, are written as a
    whole. Of a ``module`` of your own the file holds the weights, not the code: `load` says what it
    needs. Functions and objects of your own that only training needs (an emphasis, a criterion,
    callbacks) are left out; predictions do without them, and `load` takes them back.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> from sklearn.datasets import load_iris
    >>> from noisyfit import DMClassifier, load, save
    >>> X, y = load_iris(return_X_y=True)
    >>> classifier = DMClassifier(max_epochs=5, random_state=0).fit(X, y)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "iris.noisyfit"
    ...     save(classifier, path)
    ...     again = load(path)
    >>> bool((again.predict_proba(X) == classifier.predict_proba(X)).all())
    True
    """
    if isinstance(estimator, type) or not hasattr(estimator, "get_params"):
        raise TypeError(f"estimator must be an estimator, got {describe(estimator)}.")
    writer = new_writer()
    try:
        record = writer.encode(estimator)
    except RecursionError as error:
        raise TypeError(
            "the estimator holds itself, or is nested too deep to be written."
        ) from error
    write_archive(Path(path), members_of(record, writer, ESTIMATOR), versions())


def load(
    path: str | os.PathLike[str],
    *,
    module: Any = None,
    parameters: dict[str, Any] | None = None,
    trusted: Sequence[str] = (),
    device: str | torch.device | None = None,
) -> Any:
    """Read an estimator from a file that `save` has written.

    It predicts, to the bit, what the saved one predicted (on the same device and with the same
    versions of torch and scikit-learn), has all of its attributes and parameters, can be cloned,
    and `partial_fit` and ``warm_start`` go on as they would have.

    Parameters
    ----------
    path : str or path
        The file.
    module : torch.nn.Module class or instance, or callable, default=None
        What the parameter ``module`` was, where that is code of your own: the file has only its
        weights. A class whose module has been imported already is found without it.
    parameters : dict, default=None
        Other parameters that the file does not hold, by name: functions, callbacks and criteria of
        your own, such as ``{"emphasis": my_weights}``. Without them the estimator predicts, warns,
        and can't be fitted until they are set.
    trusted : sequence of str, default=()
        Types that skops is to load though it does not trust them unasked, such as
        ``sklearn.tree._tree.Tree`` for trees and forests; the error names them.
    device : str or torch.device, default=None
        Where networks go, and their parameter ``device``; None is where they were.

    Returns
    -------
    estimator
        As it was saved.

    Raises
    ------
    LoadError
        A ValueError: if the file is no such file, is damaged or was changed, has a newer format, or
        needs something that was not passed.
    FileNotFoundError
        If there is no file.
    ImportError
        If a package that the file needs, skops say, is not there.

    Warns
    -----
    UserWarning
        If parameters that only training needs are missing, naming them.

    See Also
    --------
    save : Write a file.

    Notes
    -----
    Nothing in a file is executed, and no name in it is imported: classes are found in a closed list
    of noisyfit's, torch's, skorch's and scikit-learn's. That is what protects from a file made to
    do harm. The checksums in it show accidents and careless edits; someone who changes a file can
    change them too, and thereby what the estimator predicts. One thing depends on the names in the
    file: a ``module`` or ``optimizer`` class *that your program has already imported* is built with
    the options in the file. Pass ``module`` to decide that yourself.

    pickle and joblib work as well, for files that you trust entirely.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> from noisyfit import CRUSTClassifier, load, save
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "unfitted.noisyfit"
    ...     save(CRUSTClassifier(trim=0.2, module__hidden=(32,)), path)
    ...     load(path)
    CRUSTClassifier(module__hidden=(32,), trim=0.2)
    """
    given = dict(parameters or {})
    if module is not None:
        given["module"] = module
    if isinstance(trusted, str):
        raise TypeError(f"trusted must be a sequence of names, got the string {trusted!r}.")
    reader = new_reader(
        read_archive(Path(path)),
        {},
        given=given,
        trusted=tuple(trusted),
        device=None if device is None else torch.device(device),
    )
    try:
        estimator = object_of(reader, ESTIMATOR)
    except LoadError as error:
        raise LoadError(f"{os.fspath(path)} can't be loaded: {error}") from error
    except ImportError:
        raise
    except Exception as error:  # a file that was made with care may have anything go wrong
        raise LoadError(
            f"{os.fspath(path)} can't be loaded: something in it is not what noisyfit.save writes, "
            f"or does not go with what was passed ({type(error).__name__}: {error})."
        ) from error
    _report(reader, given)
    return estimator


def _report(reader: Reader, given: dict[str, Any]) -> None:
    unused = sorted(set(given) - reader.used)
    if unused:
        raise ValueError(
            f"{unused} was passed, but the file needs no such parameter"
            + (f"; it needs {sorted(reader.left_out)}." if reader.left_out else ".")
        )
    if reader.left_out:
        missing = ", ".join(f"{name} ({what})" for name, what in reader.left_out.items())
        warnings.warn(
            f"The file does not hold {missing}. The estimator predicts, but to fit it these have "
            "to be given back: noisyfit.load(..., parameters={...}) or set_params.",
            UserWarning,
            stacklevel=3,
        )
