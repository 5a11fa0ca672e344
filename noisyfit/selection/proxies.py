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

from noisyfit.selection.inputs import as_codes, as_points

ArrayT = TypeVar("ArrayT", np.ndarray, torch.Tensor)


def logit_gradients(probabilities: ArrayT, labels: Any) -> ArrayT:
    """Gradient of the cross entropy with respect to the logits: ``p - onehot(y)``.

    Parameters
    ----------
    probabilities : array or tensor of shape (n, C)
        Predicted probabilities; every row sums to one.
    labels : array or tensor of int, shape (n,)
        Codes of the given labels, 0 to C - 1.

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
    return _same_kind(_logit_gradients(probabilities, labels), probabilities)


def feature_gradients(probabilities: ArrayT, labels: Any, weight: Any) -> ArrayT:
    """Gradient of the cross entropy with respect to the last layer's input (CRUST, equation 9).

    It is ``(p - onehot(y)) @ weight``, for a last linear layer ``logits = weight @ input + bias``.

    Parameters
    ----------
    probabilities : array or tensor of shape (n, C)
        Predicted probabilities; every row sums to one.
    labels : array or tensor of int, shape (n,)
        Codes of the given labels, 0 to C - 1.
    weight : array or tensor of shape (C, d)
        Weight matrix of the last layer, as in ``torch.nn.Linear(d, C).weight``.

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
    gradients = _logit_gradients(probabilities, labels)
    matrix = as_points(weight, "weight").to(gradients)
    if matrix.shape[0] != gradients.shape[1]:
        raise ValueError(
            f"weight must have one row per class, here {gradients.shape[1]}, got shape "
            f"{tuple(matrix.shape)}."
        )
    return _same_kind(gradients @ matrix, probabilities)


def gradient_norms(gradients: ArrayT) -> ArrayT:
    """Euclidean norm of every row.

    Parameters
    ----------
    gradients : array or tensor of shape (n, d)

    Returns
    -------
    norms : array or tensor of shape (n,)
        Of the kind of `gradients`, on its device.

    Examples
    --------
    >>> import numpy as np
    >>> from noisyfit.selection import gradient_norms
    >>> gradient_norms(np.array([[3.0, 4.0], [0.0, 0.0]]))
    array([5., 0.])
    """
    norms = torch.linalg.vector_norm(as_points(gradients, "gradients"), dim=1)
    return _same_kind(norms, gradients)


def _logit_gradients(probabilities: Any, labels: Any) -> torch.Tensor:
    gradients = as_points(probabilities, "probabilities").clone()
    n, n_classes = gradients.shape
    # Loose enough for half precision, tight enough to catch logits and unnormalised scores.
    if gradients.min() < 0 or (gradients.sum(dim=1) - 1).abs().max() > 1e-2:
        raise ValueError(
            "probabilities must be non-negative with rows that sum to one; apply softmax to logits."
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
