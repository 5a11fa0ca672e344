"""What the callbacks share: true and given labels, as the codes that a network knows them by."""

from __future__ import annotations

from typing import Any

import numpy as np
from skorch.callbacks import Callback

from noisyfit.noise.validation import check_labels, encode_labels, sorted_classes

UNKNOWN = -1  # a true label that no row was given: the network cannot predict it


def true_and_given_codes(
    y_true: Any, y_given: Any, classes: Any = None
) -> tuple[np.ndarray, np.ndarray]:
    """Class codes (n,) of both; those of ``classes``, or of the sorted given labels."""
    true, given = check_labels(y_true, "y_true"), check_labels(y_given, "y_given")
    if len(true) != len(given):
        raise ValueError(
            f"y_true has {len(true)} labels but y_given has {len(given)}; pass both for the rows "
            "given to fit, in their order."
        )
    if classes is None:
        classes = sorted_classes(given, "y_given")[0]
    known, given_codes = encode_labels(given, classes, "y_given")
    position = {label: code for code, label in enumerate(known.tolist())}
    distinct, inverse = sorted_classes(true, "y_true")
    codes = np.array([position.get(label, UNKNOWN) for label in distinct.tolist()])
    if (codes == UNKNOWN).all():
        raise ValueError(
            f"y_true and y_given have no label in common (y_true has {distinct.tolist()[:5]!r}, "
            f"y_given {known.tolist()[:5]!r}); name the classes alike in both."
        )
    return codes[inverse], given_codes


class TruthCallback(Callback):
    """A callback that knows the true labels of the rows in training."""

    def __init__(self, y_true: Any, y_given: Any, classes: Any = None) -> None:
        self.y_true = y_true
        self.y_given = y_given
        self.classes = classes

    def on_train_begin(self, net: Any, X: Any = None, y: Any = None, **kwargs: Any) -> None:
        """Check the labels against the rows.

        Parameters
        ----------
        net : skorch.NeuralNet
            The net in training.
        X, y : object
            The rows, and their labels if the net is given any.
        **kwargs : keywords
            Ignored.
        """
        self.true_codes_, self.given_codes_ = true_and_given_codes(
            self.y_true, self.y_given, self.classes
        )
        if len(X) != len(self.given_codes_):
            raise ValueError(
                f"y_given of {type(self).__name__} has {len(self.given_codes_)} labels but "
                f"training has {len(X)} rows; make the callback from the labels of just the rows "
                "given to fit (it cannot follow the folds of a search)."
            )
