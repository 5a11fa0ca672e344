"""What becomes of right and of wrong labels while a network learns."""

from __future__ import annotations

from typing import Any

import numpy as np

from noisyfit.inspection.checks import (
    check_epochs,
    check_series,
    fitted_attribute,
    wrong_labels,
)
from noisyfit.inspection.history import recorded
from noisyfit.inspection.style import (
    BLUE,
    GREEN,
    ORANGE,
    dress_shares_over_epochs,
    open_axes,
)


class MemorizationDisplay:
    """Learning curves of rows with right and with wrong labels, where the truth is known.

    Make it with `from_estimator` or `from_predictions`.

    Parameters
    ----------
    epochs : array-like of int, shape (n_epochs,)
        Numbers of the epochs, from 1.
    clean_accuracy : array-like of shape (n_epochs,), default=None
        Of the rows with right labels, the share predicted right.
    memorized : array-like of shape (n_epochs,), default=None
        Of the rows with wrong labels, the share predicted as the wrong label says.
    corrected : array-like of shape (n_epochs,), default=None
        Of the rows with wrong labels, the share predicted right all the same.

    Attributes
    ----------
    ax_, figure_ : matplotlib Axes and Figure
        Where it was drawn last.
    lines_ : dict of str to matplotlib Line2D
        The lines, by "clean_accuracy", "memorized" and "corrected".

    See Also
    --------
    noisyfit.callbacks.MemorizationScoring : Records the three in `history_`.

    Examples
    --------
    >>> from noisyfit.inspection import MemorizationDisplay
    >>> display = MemorizationDisplay([1, 2], [0.7, 0.9], [0.1, 0.3], [0.6, 0.5]).plot()
    >>> display.lines_["memorized"].get_ydata()
    array([0.1, 0.3])
    """

    def __init__(
        self,
        epochs: Any,
        clean_accuracy: Any = None,
        memorized: Any = None,
        corrected: Any = None,
    ) -> None:
        self.epochs = epochs
        self.clean_accuracy = clean_accuracy
        self.memorized = memorized
        self.corrected = corrected

    @classmethod
    def from_estimator(cls, estimator: Any, *, ax: Any = None, **plot: Any) -> MemorizationDisplay:
        """Draw what `MemorizationScoring` recorded in a fit.

        Parameters
        ----------
        estimator : network estimator
            Fitted with ``callbacks=[MemorizationScoring(y_true, y_given)]``.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        **plot : keywords
            Passed to `plot`.

        Returns
        -------
        MemorizationDisplay

        Raises
        ------
        AttributeError, ValueError
            If the estimator has no `history_`, or the callback was not among its callbacks.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from noisyfit import DMClassifier
        >>> from noisyfit.callbacks import MemorizationScoring
        >>> from noisyfit.inspection import MemorizationDisplay
        >>> from noisyfit.noise import symmetric_noise
        >>> X, y = load_iris(return_X_y=True)
        >>> y_given, wrong = symmetric_noise(y, 0.3, random_state=0)
        >>> scoring = MemorizationScoring(y, y_given)
        >>> classifier = DMClassifier(max_epochs=3, callbacks=[scoring], random_state=0)
        >>> display = MemorizationDisplay.from_estimator(classifier.fit(X, y_given))
        >>> display.epochs.tolist()
        [1, 2, 3]
        """
        history = fitted_attribute(
            estimator, "history_", "only networks have it, which are trained in epochs."
        )
        found = {name: recorded(history, (name,)) for name in LOOKS}
        found = {name: series for name, series in found.items() if series is not None}
        if not found:
            raise ValueError(
                f"history_ of {type(estimator).__name__} does not tell what became of wrong "
                "labels: fit with callbacks=[MemorizationScoring(y_true, y_given)], see "
                "noisyfit.callbacks."
            )
        epochs = next(iter(found.values()))[0]  # type: ignore[index]
        curves = {name: series[1] for name, series in found.items()}  # type: ignore[index]
        return cls(epochs, **curves).plot(ax=ax, **plot)

    @classmethod
    def from_predictions(
        cls,
        predictions: Any,
        y_given: Any,
        y_true: Any,
        *,
        epochs: Any = None,
        ax: Any = None,
        **plot: Any,
    ) -> MemorizationDisplay:
        """Draw predictions of the training rows that a loop of your own has kept.

        Parameters
        ----------
        predictions : array-like of shape (n_epochs, n_samples)
            Labels predicted after each epoch.
        y_given, y_true : array-like of shape (n_samples,)
            The labels trained on, and the true ones.
        epochs : array-like of int, shape (n_epochs,), default=None
            Numbers of the epochs; None: 1, 2, and so on.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        **plot : keywords
            Passed to `plot`.

        Returns
        -------
        MemorizationDisplay

        Raises
        ------
        TypeError, ValueError
            If the arrays don't fit together.

        Examples
        --------
        >>> from noisyfit.inspection import MemorizationDisplay
        >>> y_true, y_given = ["a", "b", "b"], ["a", "b", "a"]
        >>> predictions = [["a", "b", "b"], ["a", "b", "a"]]
        >>> MemorizationDisplay.from_predictions(predictions, y_given, y_true).memorized
        array([0., 1.])
        """
        predicted = np.asarray(predictions)
        wrong = wrong_labels(y_true, y_given)
        if predicted.ndim != 2 or predicted.shape[1] != len(wrong):
            raise ValueError(
                f"predictions must have shape (n_epochs, {len(wrong)}), a label for each row of "
                f"y_given, got shape {predicted.shape}."
            )
        true, given = np.asarray(y_true), np.asarray(y_given)
        if not set(np.unique(predicted).tolist()) & set(given.tolist()):
            raise ValueError(
                f"predictions ({predicted.flat[0]!r}, ...) and y_given ({given[0]!r}, ...) have no "
                "label in common; name the classes alike in both."
            )
        curves: dict[str, np.ndarray] = {}
        if not wrong.all():
            curves["clean_accuracy"] = (predicted == true)[:, ~wrong].mean(axis=1)
        if wrong.any():
            curves["memorized"] = (predicted == given)[:, wrong].mean(axis=1)
            curves["corrected"] = (predicted == true)[:, wrong].mean(axis=1)
        if epochs is None:
            epochs = np.arange(1, len(predicted) + 1)
        return cls(epochs, **curves).plot(ax=ax, **plot)

    def plot(self, ax: Any = None, **lines: Any) -> MemorizationDisplay:
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        **lines : keywords
            Further options of ``Axes.plot``, for all lines.

        Returns
        -------
        MemorizationDisplay
            The display itself.

        Raises
        ------
        TypeError, ValueError
            If an array is not as described, or there is none to draw.
        """
        epochs = check_epochs(self.epochs)
        curves = {
            name: check_series(getattr(self, name), name, len(epochs))
            for name in LOOKS
            if getattr(self, name) is not None
        }
        if not curves:
            raise ValueError(f"there is nothing to draw: give at least one of {list(LOOKS)}.")
        figure, ax = open_axes(ax)
        self.lines_ = {}
        for name, values in curves.items():
            color, style, marker, label = LOOKS[name]
            look = {"color": color, "linestyle": style, "marker": marker, "markersize": 4}
            look |= {"markevery": max(1, len(epochs) // 10), "label": label, **lines}
            (self.lines_[name],) = ax.plot(epochs, values, **look)
        dress_shares_over_epochs(ax, epochs, "share of these rows")
        self.ax_, self.figure_ = ax, figure
        return self


# Colour, line style, marker, and what is drawn, in the order of the legend.
LOOKS = {
    "clean_accuracy": (BLUE, "-", "o", "right labels: predicted right"),
    "corrected": (GREEN, "--", "^", "wrong labels: predicted right"),
    "memorized": (ORANGE, "-.", "s", "wrong labels: memorized"),
}
