"""The coreset over the epochs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from noisyfit.inspection.checks import (
    check_epochs,
    check_mask,
    check_rows,
    check_series,
    fitted_attribute,
)
from noisyfit.inspection.history import recorded
from noisyfit.inspection.style import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    dress_shares_over_epochs,
    open_axes,
)


class CoresetHistoryDisplay:
    """Size of the coreset over the epochs and, where the truth is known, purity and recall.

    Make it with `from_estimator` or `from_coresets`.

    Parameters
    ----------
    epochs : array-like of int, shape (n_epochs,)
        Numbers of the epochs, from 1.
    size : array-like of shape (n_epochs,)
        Share of all rows that are in the coreset.
    purity : array-like of shape (n_epochs,), default=None
        Share of right labels in the coreset.
    recall : array-like of shape (n_epochs,), default=None
        Share of all rows with right labels that are in the coreset.

    Attributes
    ----------
    ax_, figure_ : matplotlib Axes and Figure
        Where it was drawn last.
    lines_ : dict of str to matplotlib Line2D
        The lines, by "size", "purity", "recall" and "clean share", the share of right labels among
        all rows, which follows from the other three.

    See Also
    --------
    noisyfit.callbacks.CoresetScoring : Records purity and recall in `history_`.

    Examples
    --------
    >>> from noisyfit.inspection import CoresetHistoryDisplay
    >>> display = CoresetHistoryDisplay([1, 2], [0.5, 0.5], purity=[0.8, 0.9], recall=[0.8, 0.9])
    >>> float(display.plot().lines_["clean share"].get_ydata()[0])
    0.5
    """

    def __init__(self, epochs: Any, size: Any, *, purity: Any = None, recall: Any = None) -> None:
        self.epochs = epochs
        self.size = size
        self.purity = purity
        self.recall = recall

    @classmethod
    def from_estimator(
        cls, estimator: Any, *, ax: Any = None, **plot: Any
    ) -> CoresetHistoryDisplay:
        """Draw what a fit on coresets recorded.

        Without `CoresetScoring` among the callbacks only the size is known, and counts the rows
        that train under another label than the given one as well.

        Parameters
        ----------
        estimator : CRUSTClassifier
            After `fit`.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        **plot : keywords
            Passed to `plot`.

        Returns
        -------
        CoresetHistoryDisplay

        Raises
        ------
        AttributeError, ValueError
            If the estimator has no `history_`, or it tells of no coreset.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from noisyfit import CRUSTClassifier
        >>> from noisyfit.callbacks import CoresetScoring
        >>> from noisyfit.inspection import CoresetHistoryDisplay
        >>> from noisyfit.noise import symmetric_noise
        >>> X, y = load_iris(return_X_y=True)
        >>> y_given, wrong = symmetric_noise(y, 0.3, random_state=0)
        >>> scoring = CoresetScoring(y, y_given)
        >>> classifier = CRUSTClassifier(max_epochs=3, callbacks=[scoring], random_state=0)
        >>> display = CoresetHistoryDisplay.from_estimator(classifier.fit(X, y_given))
        >>> display.epochs.tolist()
        [1, 2, 3]
        """
        history = fitted_attribute(
            estimator,
            "history_",
            "only methods that train in epochs have it; a coreset that is selected once can be "
            "drawn by GradientSpaceDisplay.",
        )
        quality = fitted_attribute(
            estimator, "label_quality_", "it is set by fit, not by partial_fit."
        )
        coresets = [epoch for epoch in history if epoch.get("phase") == "coreset"]
        if not coresets:
            raise ValueError(
                f"history_ of {type(estimator).__name__} tells of no coreset: the method trains "
                "on all rows, or the fit ended in its warm-up; use CRUSTClassifier, with more "
                "epochs."
            )
        series = recorded(coresets, ("coreset_size", "coreset_purity", "coreset_recall"))
        if series is None:
            epochs, size = recorded(coresets, ("n_rows",))  # type: ignore[misc]
            return cls(epochs, size / len(quality)).plot(ax=ax, **plot)
        epochs, size, purity, recall = series
        display = cls(epochs, size / len(quality), purity=purity, recall=recall)
        return display.plot(ax=ax, **plot)

    @classmethod
    def from_coresets(
        cls,
        coresets: Sequence[Any],
        n_samples: int,
        *,
        wrong: Any = None,
        epochs: Any = None,
        ax: Any = None,
        **plot: Any,
    ) -> CoresetHistoryDisplay:
        """Draw coresets that a loop of your own has selected.

        Parameters
        ----------
        coresets : sequence of array-like
            For each epoch the numbers of the rows in the coreset, or a mask of shape (n_samples,).
        n_samples : int
            Number of all rows.
        wrong : array-like of bool, shape (n_samples,), default=None
            Rows whose label is wrong in truth.
        epochs : array-like of int, shape (n_epochs,), default=None
            Numbers of the epochs; None: 1, 2, and so on.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        **plot : keywords
            Passed to `plot`.

        Returns
        -------
        CoresetHistoryDisplay

        Raises
        ------
        TypeError, ValueError
            If a coreset is empty or names rows that there are not, or the arrays don't fit.

        Examples
        --------
        >>> from noisyfit.inspection import CoresetHistoryDisplay
        >>> wrong = [True, False, False, False]
        >>> display = CoresetHistoryDisplay.from_coresets([[0, 1], [1, 2]], 4, wrong=wrong)
        >>> display.purity
        [0.5, 1.0]
        """
        rows = [check_rows(some, "coresets", n_samples) for some in coresets]
        empty = [number for number, some in enumerate(rows) if not len(some)]
        if not rows or empty:
            raise ValueError(
                f"coresets must hold a coreset of one row at least for each epoch, got {len(rows)} "
                f"coresets, of which those at {empty} are empty."
            )
        if epochs is None:
            epochs = np.arange(1, len(rows) + 1)
        purity = recall = None
        if wrong is not None:
            right = ~check_mask(wrong, "wrong", n_samples)
            purity = [float(right[some].mean()) for some in rows]
            if right.any():
                recall = [float(right[some].sum() / right.sum()) for some in rows]
        size = [len(some) / n_samples for some in rows]
        return cls(epochs, size, purity=purity, recall=recall).plot(ax=ax, **plot)

    def plot(self, ax: Any = None, **lines: Any) -> CoresetHistoryDisplay:
        """Draw a line for each quantity.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        **lines : keywords
            Further options of ``Axes.plot``, for all lines.

        Returns
        -------
        CoresetHistoryDisplay
            The display itself.

        Raises
        ------
        TypeError, ValueError
            If an array is not as described.
        """
        epochs = check_epochs(self.epochs)
        series = {
            name: check_series(values, name, len(epochs))
            for name, values in (
                ("purity", self.purity),
                ("recall", self.recall),
                ("size", self.size),
            )
            if values is not None
        }
        figure, ax = open_axes(ax)
        self.lines_ = {}
        for name, values in series.items():
            color, style, marker, label = LOOKS[name]
            look = {"color": color, "linestyle": style, "marker": marker, "markersize": 4}
            look |= {"markevery": max(1, len(epochs) // 10), "label": label, **lines}
            (self.lines_[name],) = ax.plot(epochs, values, **look)
        if len(series) == 3 and series["recall"][-1] > 0:
            clean = series["purity"][-1] * series["size"][-1] / series["recall"][-1]
            self.lines_["clean share"] = ax.axhline(
                clean, color=BLACK, linestyle=":", linewidth=1, label="purity of all rows"
            )
        if epochs[0] > 1:
            look = {"facecolor": "0.93", "edgecolor": "0.6", "label": "no coreset yet"}
            ax.axvspan(0, epochs[0] - 0.5, zorder=0, **look)
        dress_shares_over_epochs(ax, epochs, "share")
        self.ax_, self.figure_ = ax, figure
        return self


# Colour, line style, marker, and what is drawn, in the order of the legend.
LOOKS = {
    "purity": (BLUE, "-", "o", "purity"),
    "recall": (GREEN, "--", "s", "recall"),
    "size": (GREY, "-.", "^", "size"),
}
