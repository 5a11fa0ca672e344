"""Proxies of the gradients: what stands for a row when coresets are selected.

The gradient of the loss with respect to all parameters is too long to compare row by row. CRUST
[1]_ bounds differences between such gradients by differences between gradients with respect to the
last layer's input or output, which need nothing but the predicted probabilities.

References
----------
.. [1] Mirzasoleiman, Cao and Leskovec, "Coresets for Robust Training of Deep Neural Networks
   against Noisy Labels", NeurIPS 2020, equation 9.
"""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
import torch
from torch import nn

from noisyfit._blocks import slices
from noisyfit._peaked import PeakedRows
from noisyfit.selection.inputs import as_codes, as_points
from noisyfit.selection.products import OuterProducts

ArrayT = TypeVar("ArrayT", np.ndarray, torch.Tensor, PeakedRows)


def logit_gradients(probabilities: ArrayT, labels: Any, *, from_logits: bool = False) -> ArrayT:
    """Gradient of the cross entropy with respect to the logits: ``p - onehot(y)``.

    Parameters
    ----------
    probabilities : array or tensor of shape (n, C)
        Predicted probabilities, whose rows sum to one, or logits.
    labels : array or tensor of int, shape (n,)
        Codes of the given labels, 0 to C - 1.
    from_logits : bool, default=False
        Whether `probabilities` are logits, of which softmax is taken here.

    Returns
    -------
    gradients : array or tensor of shape (n, C)
        Of the kind of `probabilities`, on its device.

    Raises
    ------
    ValueError
        If the rows of `probabilities` do not sum to one, or a label is no code of a column.

    Examples
    --------
    >>> import numpy as np
    >>> from noisyfit.selection import logit_gradients
    >>> logit_gradients(np.array([[0.75, 0.25], [0.5, 0.5]]), np.array([0, 1]))
    array([[-0.25,  0.25],
           [ 0.5 , -0.5 ]])
    """
    if isinstance(probabilities, PeakedRows):
        return probabilities.with_label(labels, -1.0)
    return _same_kind(_logit_gradients(probabilities, labels, from_logits), probabilities)


class LogitGradients:
    """What `logit_gradients` gives, computed for some rows at a time and never kept.

    Parameters
    ----------
    probabilities : ndarray of shape (n, C)
        Predicted probabilities, whose rows sum to one.
    codes : ndarray of int, shape (n,)
        Codes of the given labels.
    """

    def __init__(self, probabilities: np.ndarray, codes: np.ndarray) -> None:
        self.probabilities = probabilities
        self.codes = codes

    def __len__(self) -> int:
        return len(self.codes)

    def take(self, rows: Any) -> np.ndarray:
        """The gradients of some rows."""
        gradients: np.ndarray = self.probabilities[rows].copy()
        gradients[np.arange(len(gradients)), self.codes[rows]] -= 1
        return gradients

    def norms(self) -> np.ndarray:
        """The Euclidean norm of each gradient."""
        return np.concatenate(
            [
                gradient_norms(logit_gradients(self.probabilities[part], self.codes[part]))
                for part in slices(len(self), self.probabilities.shape[1])
            ]
        )


def feature_gradients(
    probabilities: ArrayT, labels: Any, weight: Any, *, from_logits: bool = False
) -> ArrayT:
    """Gradient of the cross entropy with respect to the last layer's input (CRUST, equation 9).

    It is ``(p - onehot(y)) @ weight``, for a last linear layer ``logits = weight @ input + bias``.

    Parameters
    ----------
    probabilities : array or tensor of shape (n, C)
        Predicted probabilities, whose rows sum to one, or logits.
    labels : array or tensor of int, shape (n,)
        Codes of the given labels, 0 to C - 1.
    weight : array or tensor of shape (C, d)
        Weight matrix of the last layer, as in ``torch.nn.Linear(d, C).weight``.
    from_logits : bool, default=False
        Whether `probabilities` are logits, of which softmax is taken here.

    Returns
    -------
    gradients : array or tensor of shape (n, d)
        Of the kind of `probabilities`, on its device and in its precision.

    Raises
    ------
    ValueError
        As `logit_gradients`, or if `weight` has not one row per column of `probabilities`.

    Examples
    --------
    >>> import numpy as np
    >>> from noisyfit.selection import feature_gradients
    >>> feature_gradients(np.array([[0.75, 0.25]]), np.array([0]), np.array([[0, 4], [8, 0]]))
    array([[ 2., -1.]])
    """
    gradients = _logit_gradients(probabilities, labels, from_logits)
    matrix = as_points(weight, "weight").to(gradients)
    if matrix.shape[0] != gradients.shape[1]:
        raise ValueError(
            f"weight must have one row per class, here {gradients.shape[1]}, got shape "
            f"{tuple(matrix.shape)}."
        )
    return _same_kind(gradients @ matrix, probabilities)


def last_layer_gradients(
    probabilities: Any, labels: Any, features: Any, *, from_logits: bool = False
) -> OuterProducts:
    """Gradient of the cross entropy with respect to the last layer's weight matrix, by its factors.

    It is the outer product of ``p - onehot(y)`` and the layer's input, which is never written out.

    Parameters
    ----------
    probabilities : array or tensor of shape (n, C)
        Predicted probabilities, whose rows sum to one, or logits.
    labels : array or tensor of int, shape (n,)
        Codes of the given labels, 0 to C - 1.
    features : array or tensor of shape (n, d)
        Inputs of the last layer. A column of ones makes the bias part of the weights.
    from_logits : bool, default=False
        Whether `probabilities` are logits, of which softmax is taken here.

    Returns
    -------
    gradients : OuterProducts of shape (n, C * d)
        To be given to the other functions of this folder in place of an array.

    Raises
    ------
    ValueError
        As `logit_gradients`, or if `features` has another number of rows.

    Examples
    --------
    >>> import numpy as np
    >>> from noisyfit.selection import gradient_norms, last_layer_gradients
    >>> probabilities, features = np.array([[0.75, 0.25], [0.4, 0.6]]), np.array([[2.0], [5.0]])
    >>> gradients = last_layer_gradients(probabilities, np.array([0, 1]), features)
    >>> gradient_norms(gradients).numpy().round(3)
    array([0.707, 2.828])
    """
    left = _logit_gradients(probabilities, labels, from_logits)
    right = as_points(features, "features").to(left)
    if len(right) != len(left):
        raise ValueError(
            f"features must have {len(left)} rows, as probabilities, got {len(right)}."
        )
    return OuterProducts(left, right)


def gradient_norms(gradients: Any) -> Any:
    """Euclidean norm of every row.

    Parameters
    ----------
    gradients : array, tensor or OuterProducts of shape (n, d)

    Returns
    -------
    norms : array or tensor of shape (n,)
        Of the kind of `gradients`, on its device; a tensor for OuterProducts.

    Examples
    --------
    >>> import numpy as np
    >>> from noisyfit.selection import gradient_norms
    >>> gradient_norms(np.array([[3.0, 4.0], [0.0, 0.0]]))
    array([5., 0.])
    """
    if isinstance(gradients, LogitGradients):
        return gradients.norms()
    if isinstance(gradients, PeakedRows):
        return np.sqrt(gradients.squared_norms())
    points = as_points(gradients, "gradients")
    if isinstance(points, OuterProducts):
        return points.squared_norms().sqrt()
    norms = torch.linalg.vector_norm(points, dim=1)
    return _same_kind(norms, gradients)


def _logit_gradients(probabilities: Any, labels: Any, from_logits: bool) -> torch.Tensor:
    gradients = as_points(probabilities, "probabilities")
    gradients = gradients.softmax(dim=1) if from_logits else gradients.clone()
    n, n_classes = gradients.shape
    # Loose enough for half precision, tight enough to catch logits and unnormalised scores.
    if gradients.min() < 0 or (gradients.sum(dim=1) - 1).abs().max() > 1e-2:
        raise ValueError(
            "probabilities must be non-negative with rows that sum to one; for logits set "
            "from_logits=True, which applies softmax."
        )
    codes = as_codes(labels, n, "labels")
    if codes.max() >= n_classes:
        raise ValueError(
            f"labels must be codes below the number of columns {n_classes} of probabilities, "
            f"got {codes.max()}."
        )
    rows = torch.arange(n, device=gradients.device)
    gradients[rows, torch.as_tensor(codes, device=gradients.device)] -= 1
    return gradients


def _same_kind(result: torch.Tensor, like: Any) -> Any:
    return result if isinstance(like, torch.Tensor) else result.numpy()


def module_gradients(
    module: nn.Module,
    X: Any,
    labels: Any,
    *,
    kind: str = "last_layer",
    layer: nn.Module | None = None,
    batch_size: int = 256,
) -> torch.Tensor | OuterProducts:
    """Gradients of the cross entropy for the rows of X, read off a network by a forward hook.

    Parameters
    ----------
    module : torch.nn.Module
        Network whose outputs are logits. It runs in evaluation mode, and its mode and hooks are
        left as they were.
    X : tensor of shape (n, ...)
        Inputs, on any device; batches are moved to that of the module's first parameter.
    labels : array or tensor of int, shape (n,)
        Codes of the given labels.
    kind : {"logits", "features", "last_layer"}, default="last_layer"
        With respect to the logits (`logit_gradients`), the last layer's input
        (`feature_gradients`), or its weight matrix (`last_layer_gradients`).
    layer : torch.nn.Linear, default=None
        The layer that computes the logits; by default the last linear one that the module lists.
    batch_size : int, default=256
        Rows to run through the network at a time.

    Returns
    -------
    gradients : tensor of shape (n, C) or (n, d), or OuterProducts of shape (n, C * d)

    Raises
    ------
    TypeError
        If `X` is no tensor.
    ValueError
        If `kind` is unknown, there is no linear layer, or its outputs are not the module's.

    Examples
    --------
    >>> import torch
    >>> from noisyfit.selection import module_gradients
    >>> network = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3))
    >>> module_gradients(network, torch.ones(5, 4), torch.zeros(5, dtype=int)).shape
    (5, 24)
    """
    if kind not in ("logits", "features", "last_layer"):
        raise ValueError(f'kind must be "logits", "features" or "last_layer", got {kind!r}.')
    linear = [part for part in module.modules() if isinstance(part, nn.Linear)]
    if layer is None and not linear:
        raise ValueError("module has no linear layer; name the one of the logits as layer.")
    if not isinstance(X, torch.Tensor):
        raise TypeError(f"X must be a torch tensor, got {type(X).__name__}; use torch.from_numpy.")
    last = linear[-1] if layer is None else layer
    seen: list[tuple[torch.Tensor, torch.Tensor]] = []
    handle = last.register_forward_hook(
        lambda _, inputs, output: seen.append((inputs[0].detach(), output.detach()))
    )
    was_training = module.training
    module.eval()
    device = next(module.parameters()).device
    try:
        with torch.no_grad():
            for batch in X.split(batch_size):
                output = module(batch.to(device))
                if not torch.equal(output, seen[-1][1]):
                    raise ValueError(
                        f"the outputs of module are not those of layer {last}: it must return "
                        "logits, without softmax after them."
                    )
    finally:
        handle.remove()
        module.train(was_training)
    features, logits = (torch.cat(parts) for parts in zip(*seen, strict=True))
    if kind == "logits":
        return logit_gradients(logits, labels, from_logits=True)
    if kind == "features":
        return feature_gradients(logits, labels, last.weight, from_logits=True)
    return last_layer_gradients(logits, labels, features, from_logits=True)
