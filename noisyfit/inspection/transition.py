"""The noise matrix as an image."""

from __future__ import annotations

from typing import Any

import numpy as np

from noisyfit.inspection.checks import as_codes, fitted_attribute
from noisyfit.inspection.style import open_axes
from noisyfit.inspection.tick_names import CellSize, name_ticks
from noisyfit.noise import estimate_noise, transition_matrix

QUANTITIES = ("estimated", "true", "difference")
SMALLEST_FONT, LARGEST_FONT = 5.0, 11.0  # points
# Of characters of matplotlib's own font, in units of the font size.
NARROW = {".": 0.32, "-": 0.36, "+": 0.84}
DIGIT_WIDTH = 0.64


class TransitionMatrixDisplay:
    """Noise matrix: for each true class (rows), how often it is given each label (columns).

    Make it with `from_estimator` or `from_predictions`. Where the true matrix is known, `plot` can
    draw it as well, or what the estimate is off by; give each its own ``ax``.

    Parameters
    ----------
    transition_matrix : array-like of shape (C, C)
        Estimated probabilities of the given labels; rows sum to one.
    true_matrix : array-like of shape (C, C), default=None
        The true ones.
    classes : array-like of shape (C,), default=None
        Names of the classes; None: 0 to C - 1.

    Attributes
    ----------
    ax_, figure_ : matplotlib Axes and Figure
        Where it was drawn last.
    image_ : matplotlib AxesImage
        The coloured cells.
    colorbar_ : matplotlib Colorbar or None
        Their scale.
    text_ : ndarray of shape (C, C) or None
        matplotlib Text of each cell, where numbers are written.

    See Also
    --------
    noisyfit.noise.estimate_noise : The estimate, from any classifier's probabilities.

    Examples
    --------
    >>> from noisyfit.inspection import TransitionMatrixDisplay
    >>> display = TransitionMatrixDisplay([[0.9, 0.1], [0.3, 0.7]], classes=["cat", "dog"])
    >>> display.plot().text_[1, 0].get_text()
    '0.30'
    """

    def __init__(
        self, transition_matrix: Any, *, true_matrix: Any = None, classes: Any = None
    ) -> None:
        self.transition_matrix = transition_matrix
        self.true_matrix = true_matrix
        self.classes = classes

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        *,
        true_matrix: Any = None,
        y_true: Any = None,
        y_given: Any = None,
        ax: Any = None,
        **plot: Any,
    ) -> TransitionMatrixDisplay:
        """Draw `transition_matrix_` of a fitted estimator.

        Parameters
        ----------
        estimator : estimator with `transition_matrix_`
            Any of noisyfit's classifiers, after `fit`.
        true_matrix : array-like of shape (C, C), default=None
            The true matrix, in the order of `classes_`.
        y_true, y_given : array-like of shape (n_samples,), default=None
            True and given labels, from which the true matrix is counted if it is not given.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        **plot : keywords
            Passed to `plot`.

        Returns
        -------
        TransitionMatrixDisplay

        Raises
        ------
        AttributeError, ValueError
            If the estimator has no `transition_matrix_`, or labels don't fit its classes.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from noisyfit import CoresetClassifier
        >>> from noisyfit.inspection import TransitionMatrixDisplay
        >>> from noisyfit.noise import symmetric_noise
        >>> X, y = load_iris(return_X_y=True)
        >>> y_given, wrong = symmetric_noise(y, 0.3, random_state=0)
        >>> classifier = CoresetClassifier(random_state=0).fit(X, y_given)
        >>> display = TransitionMatrixDisplay.from_estimator(
        ...     classifier, y_true=y, y_given=y_given, show="difference"
        ... )
        """
        matrix = fitted_attribute(
            estimator, "transition_matrix_", "it is set by fit of classifiers, not by partial_fit."
        )
        if (y_true is None) != (y_given is None):
            raise ValueError(
                "y_true and y_given make the true matrix together; pass both or true_matrix."
            )
        if true_matrix is None and y_true is not None:
            true_matrix = transition_matrix(y_true, y_given, estimator.classes_)
        display = cls(matrix, true_matrix=true_matrix, classes=estimator.classes_)
        return display.plot(ax=ax, **plot)

    @classmethod
    def from_predictions(
        cls,
        probabilities: Any,
        y: Any,
        *,
        classes: Any = None,
        y_true: Any = None,
        method: str = "anchor",
        ax: Any = None,
        **plot: Any,
    ) -> TransitionMatrixDisplay:
        """Draw the matrix estimated from any classifier's probabilities.

        Parameters
        ----------
        probabilities : array-like of shape (n, C)
            Predicted probabilities, best held-out ones.
        y : array-like of shape (n,)
            Given labels: integer codes, or labels of any type together with `classes`.
        classes : array-like of shape (C,), default=None
            The label each column stands for. None: `y` holds column numbers.
        y_true : array-like of shape (n,), default=None
            The true labels, in the form of `y`.
        method : str, default="anchor"
            How it is estimated, see :func:`noisyfit.noise.estimate_noise`.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        **plot : keywords
            Passed to `plot`.

        Returns
        -------
        TransitionMatrixDisplay

        Raises
        ------
        TypeError, ValueError
            If the arrays are not as described.

        Examples
        --------
        >>> import numpy as np
        >>> from noisyfit.inspection import TransitionMatrixDisplay
        >>> y = np.arange(1000) % 2
        >>> y_given = np.where(np.arange(1000) % 10 < 2, 1 - y, y)
        >>> p = np.where(np.eye(2)[y] == 1, 0.7, 0.3)
        >>> display = TransitionMatrixDisplay.from_predictions(p, y_given, y_true=y)
        >>> display.transition_matrix.round(2)
        array([[0.8, 0.2],
               [0.2, 0.8]])
        """
        names, codes = as_codes(y, classes)
        matrix = estimate_noise(probabilities, codes, method=method).transition_matrix
        true_matrix = None
        if y_true is not None:
            true_matrix = transition_matrix(
                y_true, y, np.arange(len(matrix)) if names is None else names
            )
        return cls(matrix, true_matrix=true_matrix, classes=names).plot(ax=ax, **plot)

    def plot(
        self,
        ax: Any = None,
        *,
        show: str = "estimated",
        include_values: bool | str = "auto",
        values_format: str | None = None,
        cmap: Any = None,
        colorbar: bool = True,
        xticks_rotation: float | str = "auto",
    ) -> TransitionMatrixDisplay:
        """Draw the matrix.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure as large as the classes need.
        show : {"estimated", "true", "difference"}, default="estimated"
            The estimated matrix, the true one, or the estimated minus the true one.
        include_values : bool or "auto", default="auto"
            Whether numbers are written; "auto" writes them where they are large enough to read.
        values_format : str, default=None
            Their format; None is two decimals, of more than ten classes without the leading zero
            and without cells that round to zero.
        cmap : str or matplotlib Colormap, default=None
            Colours; None is "Blues", and "PuOr" for a difference.
        colorbar : bool, default=True
            Whether the scale of the colours is drawn.
        xticks_rotation : float or "auto", default="auto"
            Angle in degrees of the names below the columns; "auto" turns them where they don't fit.

        Returns
        -------
        TransitionMatrixDisplay
            The display itself.

        Raises
        ------
        TypeError, ValueError
            If a parameter is out of its range, or a matrix is not as described.
        """
        values = self._values(show)
        n_classes = len(values)
        names = self._names(n_classes)
        side = float(np.clip(2.6 + 0.3 * n_classes, 3.6, 8.0))
        figure, ax = open_axes(ax, (side * 1.15, side), "compressed")
        cells = CellSize.of(ax, n_classes, n_classes)
        largest = 1.0 if show != "difference" else max(float(np.abs(values).max()), 1e-3)
        self.image_ = ax.imshow(
            values,
            cmap=cmap or ("Blues" if show != "difference" else "PuOr"),
            vmin=0.0 if show != "difference" else -largest,
            vmax=largest,
        )
        self.colorbar_ = None
        if colorbar:
            label = {
                "estimated": "estimated probability",
                "true": "true probability",
                "difference": "estimated minus true",
            }
            self.colorbar_ = figure.colorbar(self.image_, ax=ax, label=label[show], shrink=0.8)
        ax.set(xlabel="given label", ylabel="true label")
        name_ticks(ax, names, cells, xticks_rotation)
        self.text_ = self._write(ax, values, cells, include_values, values_format, show)
        self.ax_, self.figure_ = ax, figure
        return self

    def _values(self, show: str) -> np.ndarray:
        if show not in QUANTITIES:
            raise ValueError(f"show must be one of {QUANTITIES}, got {show!r}.")
        estimated = check_matrix(self.transition_matrix, "transition_matrix")
        if show == "estimated":
            return estimated
        if self.true_matrix is None:
            raise ValueError(
                f"show={show!r} needs the true matrix: pass true_matrix, or y_true and y_given."
            )
        true = check_matrix(self.true_matrix, "true_matrix")
        if true.shape != estimated.shape:
            raise ValueError(
                f"true_matrix has shape {true.shape}, but transition_matrix {estimated.shape}."
            )
        return true if show == "true" else estimated - true

    def _names(self, n_classes: int) -> list[str]:
        if self.classes is None:
            return [str(code) for code in range(n_classes)]
        names = [str(name) for name in np.asarray(self.classes).tolist()]
        if len(names) != n_classes:
            raise ValueError(
                f"classes has {len(names)} names, but the matrix is for {n_classes} classes."
            )
        return names

    def _write(
        self,
        ax: Any,
        values: np.ndarray,
        cells: CellSize,
        include: bool | str,
        values_format: str | None,
        show: str,
    ) -> np.ndarray | None:
        """Numbers in the cells, or None where they would be too small to read."""
        if include is not True and include is not False and include != "auto":
            raise ValueError(f"include_values must be a bool or 'auto', got {include!r}.")
        if include is False or (include == "auto" and len(values) > 30):
            return None
        labels = [[_written(v, values_format, len(values), show) for v in row] for row in values]
        widest = max(_width(label) for row in labels for label in row)
        font = min(0.88 * cells.width / max(widest, DIGIT_WIDTH), 0.6 * cells.height)
        if include == "auto" and font < SMALLEST_FONT:
            return None
        size = float(np.clip(font, SMALLEST_FONT, LARGEST_FONT))
        text = np.empty(values.shape, dtype=object)
        for (row, column), value in np.ndenumerate(values):
            # Rec. 709 luminance: white on dark cells, black on light ones.
            red, green, blue, _ = self.image_.cmap(self.image_.norm(value))
            dark = 0.2126 * red + 0.7152 * green + 0.0722 * blue < 0.5
            text[row, column] = ax.text(
                column,
                row,
                labels[row][column],
                ha="center",
                va="center",
                color="white" if dark else "black",
                fontsize=size,
            )
        return text


def _written(value: float, values_format: str | None, n_classes: int, show: str) -> str:
    if values_format is not None:
        return format(value, values_format)
    text = format(value, "+.2f" if show == "difference" else ".2f")
    if float(text) == 0:
        return "0" if n_classes <= 10 else ""
    return text if n_classes <= 10 else text.replace("0.", ".", 1)


def _width(text: str) -> float:
    return sum(NARROW.get(character, DIGIT_WIDTH) for character in text)


def check_matrix(matrix: Any, name: str) -> np.ndarray:
    """A square matrix whose rows are probabilities."""
    array = np.asarray(matrix)
    if array.dtype.kind not in "fiub" or array.ndim != 2 or array.shape[0] != array.shape[1]:
        raise ValueError(
            f"{name} must be a square matrix of numbers, a row for each true class, got shape "
            f"{array.shape} of {array.dtype}."
        )
    array = array.astype(np.float64)
    if array.shape[0] < 2:
        raise ValueError(f"{name} must be for two classes at least, got shape {array.shape}.")
    if not np.isfinite(array).all() or array.min() < 0 or abs(array.sum(axis=1) - 1).max() > 1e-2:
        raise ValueError(
            f"{name} must hold probabilities without NaN whose rows sum to 1; rows are true "
            "classes, columns given labels (transpose it if yours is the other way round)."
        )
    return array
