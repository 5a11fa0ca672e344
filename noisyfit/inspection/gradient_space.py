"""Gradient space in two dimensions: why trimming and medoids find the trustworthy rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from noisyfit.inspection.checks import as_codes, check_mask, check_rows, wrong_labels
from noisyfit.inspection.style import (
    BLACK,
    BLUE,
    GREY,
    ORANGE,
    clear_lines,
    legend_above_data,
    open_axes,
)
from noisyfit.noise.validation import check_codes, check_probabilities

# A coreset of less than this share of the rows is drawn with larger markers.
FEW = 0.1
# Turns row numbers into evenly spread offsets without a generator of random numbers.
GOLDEN_RATIO = 0.618033988749895


class GradientSpaceDisplay:
    """Rows in the plane of the first two principal components of their gradients.

    The gradient of cross entropy with respect to the logits is ``p - onehot(y)``: near zero where
    the prediction agrees with the label, far from it where they contradict each other. Make the
    display with `from_estimator`, `from_predictions` or `from_gradients`. Markers are filled for
    rows in the coreset and hollow for the others, circles for right labels and triangles for wrong
    ones.

    Parameters
    ----------
    coordinates : array-like of shape (n, 2)
        Principal components of the gradients.
    coreset : array-like of int or mask, default=None
        Row numbers of the coreset, medoids say.
    wrong : array-like of bool, shape (n,), default=None
        Rows whose label is wrong in truth.
    zero : array-like of shape (2,), default=None
        Where the gradient zero lies.
    explained_variance_ratio : array-like of shape (2,), default=None
        Share of the variance that each of the two components explains.

    Attributes
    ----------
    ax_, figure_ : matplotlib Axes and Figure
        Where it was drawn last.
    points_ : dict of str to matplotlib PathCollection
        The rows, by what the legend calls them.

    Notes
    -----
    Gradients of two classes all lie on one line. Their rows are then spread out across it, in the
    picture only.

    Examples
    --------
    >>> from noisyfit.inspection import GradientSpaceDisplay
    >>> display = GradientSpaceDisplay([[0.0, 0.1], [0.5, 0.0], [0.1, 0.0]], coreset=[0, 2])
    >>> list(display.plot().points_)
    ['left out (1)', 'coreset (2)']
    """

    def __init__(
        self,
        coordinates: Any,
        *,
        coreset: Any = None,
        wrong: Any = None,
        zero: Any = None,
        explained_variance_ratio: Any = None,
    ) -> None:
        self.coordinates = coordinates
        self.coreset = coreset
        self.wrong = wrong
        self.zero = zero
        self.explained_variance_ratio = explained_variance_ratio

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y_given: Any = None,
        *,
        y_true: Any = None,
        ax: Any = None,
        **plot: Any,
    ) -> GradientSpaceDisplay:
        """Draw the training rows by what a fitted estimator predicts for them now.

        Parameters
        ----------
        estimator : classifier, or selector of gradients
            Its `coreset_indices_` or `medoid_indices_` are marked, where it has them. Of a
            `GradientMedoidSelector` without an inner estimator, X are the gradients.
        X : array-like of shape (n_samples, n_features)
            The rows given to `fit`.
        y_given : array-like of shape (n_samples,), default=None
            The labels given to `fit`; needed for a classifier, and with `y_true`.
        y_true : array-like of shape (n_samples,), default=None
            The true labels.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        **plot : keywords
            Passed to `plot`.

        Returns
        -------
        GradientSpaceDisplay

        Raises
        ------
        TypeError, ValueError
            If the estimator gives no gradients, or the arrays are not those given to `fit`.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from noisyfit import CoresetClassifier
        >>> from noisyfit.inspection import GradientSpaceDisplay
        >>> from noisyfit.noise import symmetric_noise
        >>> X, y = load_iris(return_X_y=True)
        >>> y_given, wrong = symmetric_noise(y, 0.3, random_state=0)
        >>> classifier = CoresetClassifier(random_state=0).fit(X, y_given)
        >>> display = GradientSpaceDisplay.from_estimator(classifier, X, y_given, y_true=y)
        """
        check_is_fitted(estimator)
        coreset = getattr(estimator, "coreset_indices_", None)
        if hasattr(estimator, "predict_proba"):
            if y_given is None:
                raise ValueError("y_given=None: the gradients p - onehot(y) need the given labels.")
            quality = getattr(estimator, "label_quality_", None)
            probabilities = estimator.predict_proba(X)
            if coreset is not None and quality is not None and len(quality) != len(probabilities):
                raise ValueError(
                    f"X has {len(probabilities)} rows, but coreset_indices_ are rows of the "
                    f"{len(quality)} given to fit; pass those, or use from_predictions."
                )
            return cls.from_predictions(
                probabilities,
                y_given,
                classes=estimator.classes_,
                coreset=coreset,
                y_true=y_true,
                ax=ax,
                **plot,
            )
        medoids = getattr(estimator, "medoid_indices_", None)
        if medoids is None or estimator.estimator is not None:
            raise TypeError(
                f"{type(estimator).__name__} keeps no gradients of rows; use "
                "GradientSpaceDisplay.from_predictions with held-out probabilities and "
                "coreset=the rows selected."
            )
        wrong = None if y_true is None else wrong_labels(y_true, y_given)
        return cls.from_gradients(X, coreset=medoids, wrong=wrong, ax=ax, **plot)

    @classmethod
    def from_predictions(
        cls,
        probabilities: Any,
        y: Any,
        *,
        classes: Any = None,
        coreset: Any = None,
        y_true: Any = None,
        ax: Any = None,
        **plot: Any,
    ) -> GradientSpaceDisplay:
        """Draw the gradients that any classifier's probabilities give.

        Parameters
        ----------
        probabilities : array-like of shape (n, C)
            Predicted probabilities.
        y : array-like of shape (n,)
            Given labels: integer codes, or labels of any type together with `classes`.
        classes : array-like of shape (C,), default=None
            The label each column stands for. None: `y` holds column numbers.
        coreset : array-like of int or mask, default=None
            Row numbers of the coreset.
        y_true : array-like of shape (n,), default=None
            The true labels.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        **plot : keywords
            Passed to `plot`.

        Returns
        -------
        GradientSpaceDisplay

        Raises
        ------
        TypeError, ValueError
            If the arrays are not as described.

        Examples
        --------
        >>> from noisyfit.inspection import GradientSpaceDisplay
        >>> p = [[0.9, 0.1, 0.0], [0.8, 0.1, 0.1], [0.1, 0.2, 0.7]]
        >>> display = GradientSpaceDisplay.from_predictions(p, [0, 1, 2], coreset=[0, 2])
        >>> display.coordinates.shape
        (3, 2)
        """
        gradients = check_probabilities(probabilities)
        codes = check_codes(as_codes(y, classes)[1], *gradients.shape)
        gradients[np.arange(len(codes)), codes] -= 1.0
        wrong = None if y_true is None else wrong_labels(y_true, y)
        return cls.from_gradients(gradients, coreset=coreset, wrong=wrong, ax=ax, **plot)

    @classmethod
    def from_gradients(
        cls, gradients: Any, *, coreset: Any = None, wrong: Any = None, ax: Any = None, **plot: Any
    ) -> GradientSpaceDisplay:
        """Draw gradients, or features, of your own.

        Parameters
        ----------
        gradients : array-like of shape (n, d)
            At least two rows and columns.
        coreset : array-like of int or mask, default=None
            Row numbers of the coreset.
        wrong : array-like of bool, shape (n,), default=None
            Rows whose label is wrong in truth.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        **plot : keywords
            Passed to `plot`.

        Returns
        -------
        GradientSpaceDisplay

        Raises
        ------
        TypeError, ValueError
            If the arrays are not as described.

        Examples
        --------
        >>> import numpy as np
        >>> from noisyfit.inspection import GradientSpaceDisplay
        >>> display = GradientSpaceDisplay.from_gradients(np.diag([3.0, 2.0, 1.0]), coreset=[2])
        """
        points = np.asarray(gradients)
        if points.dtype.kind not in "fiub" or points.ndim != 2 or min(points.shape) < 2:
            raise ValueError(
                "gradients must be a dense array of numbers with two rows and two columns at "
                f"least, got shape {points.shape} of {points.dtype}."
            )
        points = points.astype(np.float64)
        if not np.isfinite(points).all():
            raise ValueError("gradients contains NaN or infinity; leave such rows out.")
        coordinates, zero, explained = principal_plane(points)
        display = cls(
            coordinates,
            coreset=coreset,
            wrong=wrong,
            zero=zero,
            explained_variance_ratio=explained,
        )
        return display.plot(ax=ax, **plot)

    def plot(self, ax: Any = None, **points: Any) -> GradientSpaceDisplay:
        """Draw the rows.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        **points : keywords
            Further options of ``Axes.scatter``, for all rows.

        Returns
        -------
        GradientSpaceDisplay
            The display itself.

        Raises
        ------
        TypeError, ValueError
            If an array is not as described.
        """
        xy = np.array(self.coordinates, dtype=np.float64)
        if xy.ndim != 2 or xy.shape[1] != 2 or not len(xy) or not np.isfinite(xy).all():
            raise ValueError(
                f"coordinates must be finite and of shape (n, 2), got shape {xy.shape}."
            )
        n = len(xy)
        chosen = None
        if self.coreset is not None:
            chosen = np.zeros(n, dtype=bool)
            chosen[check_rows(self.coreset, "coreset", n)] = True
        wrong = None if self.wrong is None else check_mask(self.wrong, "wrong", n)
        on_a_line = bool(np.ptp(xy[:, 1]) <= 1e-9 * np.ptp(xy[:, 0]))
        if on_a_line:
            xy[:, 1] = GOLDEN_RATIO * np.arange(n) % 1.0 - 0.5
        figure, ax = open_axes(ax)
        self.points_ = {}
        for mask, label, look in _groups(n, chosen, wrong):
            if not mask.any():
                continue
            label = f"{label} ({mask.sum():,})"
            options = {"linewidths": 0.8, "label": label, **look, **points}
            # A cloud of thousands of rows makes a vector file as many times as large.
            options.setdefault("rasterized", n > 5000)
            self.points_[label] = ax.scatter(*xy[mask].T, **options)
        if self.zero is not None:
            zero = np.asarray(self.zero, dtype=np.float64)
            mark = {"color": BLACK, "marker": "+", "s": 250, "linewidths": 1.0, "zorder": 1}
            height = 0.0 if on_a_line else zero[1]
            ax.scatter(zero[0], height, label="zero: label as predicted", **mark)
        self._dress(ax, on_a_line)
        self.ax_, self.figure_ = ax, figure
        return self

    def _dress(self, ax: Any, on_a_line: bool) -> None:
        names = ["first component", "second component"]
        if self.explained_variance_ratio is not None:
            shares = np.asarray(self.explained_variance_ratio, dtype=np.float64)
            names = [
                f"{name}\n({x:.0%} of variance)" for name, x in zip(names, shares, strict=True)
            ]
        clear_lines(ax)
        if on_a_line:
            ax.set(xlabel=names[0], ylabel="rows, spread out", ylim=(-0.6, 0.6), yticks=[])
        else:
            ax.set(xlabel=names[0], ylabel=names[1])
        legend_above_data(ax)


def _groups(
    n: int, chosen: np.ndarray | None, wrong: np.ndarray | None
) -> list[tuple[np.ndarray, str, dict[str, Any]]]:
    """Which rows, what they are called and how they look; those drawn later lie on top."""
    everything = np.ones(n, dtype=bool)
    large = chosen is not None and chosen.mean() < FEW
    filled: dict[str, Any] = {"s": 36 if large else 18, "zorder": 3}
    filled["edgecolors"] = BLACK if large else "none"
    if not large:
        filled["alpha"] = 0.75
    hollow = {"s": 14, "facecolors": "none", "alpha": 0.6, "zorder": 2}
    if chosen is None and wrong is None:
        return [(everything, "rows", {"marker": "o", "facecolors": GREY, **filled})]
    if wrong is None:
        assert chosen is not None
        return [
            (~chosen, "left out", {"marker": "o", "edgecolors": GREY, **hollow}),
            (chosen, "coreset", {"marker": "o", "facecolors": BLUE, **filled}),
        ]
    if chosen is None:
        return [
            (~wrong, "right label", {"marker": "o", "facecolors": BLUE, **filled}),
            (wrong, "wrong label", {"marker": "^", "facecolors": ORANGE, **filled}),
        ]
    return [
        (~wrong & ~chosen, "right, left out", {"marker": "o", "edgecolors": BLUE, **hollow}),
        (wrong & ~chosen, "wrong, left out", {"marker": "^", "edgecolors": ORANGE, **hollow}),
        (wrong & chosen, "wrong, in the coreset", {"marker": "^", "facecolors": ORANGE, **filled}),
        (~wrong & chosen, "right, in the coreset", {"marker": "o", "facecolors": BLUE, **filled}),
    ]


def principal_plane(points: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """First two principal components (n, 2), the zero vector's, and the variance they explain.

    The sign of each is such that its largest loading is positive: it is the same on all machines.
    """
    mean = points.mean(axis=0)
    centred = points - mean
    if points.shape[1] <= len(points):
        variances, directions = np.linalg.eigh(centred.T @ centred)
        directions = directions[:, [-1, -2]]
    else:  # the same from the smaller of the two products
        variances, loadings = np.linalg.eigh(centred @ centred.T)
        directions = centred.T @ loadings[:, [-1, -2]]
        lengths = np.linalg.norm(directions, axis=0)
        directions = directions / np.where(lengths > 0, lengths, 1.0)
    largest = np.abs(directions).argmax(axis=0)
    directions = directions * np.where(directions[largest, [0, 1]] < 0, -1.0, 1.0)
    total = variances.clip(min=0).sum()
    explained = variances[[-1, -2]].clip(min=0) / (total if total > 0 else 1.0)
    coordinates = centred @ directions
    # What rounding left of a component that is none.
    coordinates[:, explained < 1e-12] = 0.0
    return coordinates, -mean @ directions, explained
