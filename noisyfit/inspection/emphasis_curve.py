"""How much a row counts in training, as a function of the probability of its label."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from noisyfit.inspection.checks import (
    as_codes,
    check_mask,
    check_shares,
    fitted_attribute,
    wrong_labels,
)
from noisyfit.inspection.style import (
    LINE_LOOKS,
    RIGHT_BARS,
    UNKNOWN_BARS,
    WRONG_BARS,
    clear_lines,
    legend_above_data,
    open_axes,
)
from noisyfit.losses import emphasis_of
from noisyfit.weighting import CallableEmphasis, Emphasis, resolve_emphasis

N_POINTS = 501
# Height of the tallest bar of the histogram of the rows, as a share of that of the axes.
TALLEST_BAR = 0.3


class EmphasisDisplay:
    """Emphasis curve: the weight w(p) of a row whose given label has the probability p.

    Make it with `from_estimator`, `from_emphasis` or `from_criterion`; drawn into the same ``ax``,
    several curves can be compared. Bars at the foot show where the rows are: their heights are to
    scale among each other, not to the scale of the weights.

    Parameters
    ----------
    p : array-like of shape (n_points,)
        Probabilities in [0, 1], rising.
    weight : array-like of shape (n_points,)
        Their weights, not negative.
    name : str, default=None
        What the legend says.
    mode : float in [0, 1], default=None
        Where the weight is largest; a dot marks it.
    normalized : bool, default=False
        Whether the weights have the mean 1 over [0, 1], for the label of the axis.
    row_probabilities : array-like of shape (n,), default=None
        Probability of the given label of each row.
    wrong : array-like of bool, shape (n,), default=None
        Rows whose label is wrong in truth.

    Attributes
    ----------
    ax_, figure_ : matplotlib Axes and Figure
        Where it was drawn last.
    line_ : matplotlib Line2D
        The curve.
    bars_ : list of matplotlib BarContainer
        The bars of the rows with right labels (or of all) and of those with wrong ones.

    See Also
    --------
    noisyfit.weighting : The densities.
    noisyfit.losses.emphasis_of : The density of any criterion.

    Examples
    --------
    >>> from noisyfit.inspection import EmphasisDisplay
    >>> display = EmphasisDisplay([0.0, 0.5, 1.0], [1.0, 2.0, 1.0], name="mine", mode=0.5)
    >>> display.plot().line_.get_label()
    'mine'
    """

    def __init__(
        self,
        p: Any,
        weight: Any,
        *,
        name: str | None = None,
        mode: float | None = None,
        normalized: bool = False,
        row_probabilities: Any = None,
        wrong: Any = None,
    ) -> None:
        self.p = p
        self.weight = weight
        self.name = name
        self.mode = mode
        self.normalized = normalized
        self.row_probabilities = row_probabilities
        self.wrong = wrong

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any = None,
        y_given: Any = None,
        *,
        y_true: Any = None,
        normalize: bool = True,
        ax: Any = None,
        **plot: Any,
    ) -> EmphasisDisplay:
        """Draw `emphasis_` of a fitted estimator, with its training rows or others.

        Parameters
        ----------
        estimator : DMClassifier
            After `fit` or `partial_fit`.
        X : array-like of shape (n, n_features), default=None
            Rows whose present probabilities are shown. None: for the training rows, the mean of
            the probabilities they had during training, which is `label_quality_`.
        y_given : array-like of shape (n,), default=None
            Their given labels; needed with `X` and with `y_true`.
        y_true : array-like of shape (n,), default=None
            Their true labels.
        normalize : bool, default=True
            Whether the curve is divided by its integral.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        **plot : keywords
            Passed to `plot`.

        Returns
        -------
        EmphasisDisplay

        Raises
        ------
        AttributeError, ValueError
            If the estimator has no `emphasis_`, or labels don't fit the rows.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from noisyfit import DMClassifier
        >>> from noisyfit.inspection import EmphasisDisplay
        >>> X, y = load_iris(return_X_y=True)
        >>> classifier = DMClassifier("dm", mode=0.3, max_epochs=2, random_state=0).fit(X, y)
        >>> display = EmphasisDisplay.from_estimator(classifier, X, y)
        >>> display.name
        'DM: mode 0.30, variance 12'
        """
        emphasis = fitted_attribute(
            estimator,
            "emphasis_",
            "only DMClassifier has it. Draw the emphasis of a loss with "
            "EmphasisDisplay.from_criterion(criterion, n_classes).",
        )
        if X is None:
            p = getattr(estimator, "label_quality_", None)
        elif y_given is None:
            raise ValueError("X without y_given: pass the given labels of these rows as well.")
        else:
            probabilities = estimator.predict_proba(X)
            codes = as_codes(y_given, estimator.classes_, "y_given")[1]
            if len(codes) != len(probabilities):
                raise ValueError(f"y_given has {len(codes)} labels, X {len(probabilities)} rows.")
            p = probabilities[np.arange(len(codes)), codes].clip(0.0, 1.0)
        wrong = None
        if y_true is not None:
            if p is None:
                raise ValueError(
                    "y_true tells rows apart, but partial_fit kept none; pass X and y_given too."
                )
            wrong = wrong_labels(y_true, y_given, len(p))
        return cls.from_emphasis(
            emphasis, row_probabilities=p, wrong=wrong, normalize=normalize, ax=ax, **plot
        )

    @classmethod
    def from_emphasis(
        cls,
        emphasis: str | Emphasis | Callable[[Tensor], Tensor],
        *,
        mode: float | None = None,
        variance: float | None = None,
        name: str | None = None,
        row_probabilities: Any = None,
        wrong: Any = None,
        normalize: bool = True,
        ax: Any = None,
        **plot: Any,
    ) -> EmphasisDisplay:
        """Draw an emphasis density.

        Parameters
        ----------
        emphasis : str, Emphasis or callable
            As :func:`noisyfit.weighting.resolve_emphasis` takes it.
        mode, variance : float, default=None
            Parameters of a density given by name.
        name : str, default=None
            What the legend says; None names the density, its mode and variance.
        row_probabilities : array-like of shape (n,), default=None
            Probability of the given label of each row.
        wrong : array-like of bool, shape (n,), default=None
            Rows whose label is wrong in truth.
        normalize : bool, default=True
            Whether the curve is divided by its integral, so that rows spread evenly over [0, 1]
            have a mean weight of 1.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        **plot : keywords
            Passed to `plot`.

        Returns
        -------
        EmphasisDisplay

        Raises
        ------
        TypeError, ValueError
            If `emphasis` is none, or its integral is not positive.

        Examples
        --------
        >>> from noisyfit.inspection import EmphasisDisplay
        >>> display = EmphasisDisplay.from_emphasis("dm", mode=0.5)
        >>> other = EmphasisDisplay.from_emphasis("gce", ax=display.ax_)
        """
        density = resolve_emphasis(emphasis, mode, variance)
        p = np.union1d(np.linspace(0.0, 1.0, N_POINTS), density.mode)
        weight = density.weight(torch.from_numpy(p)).numpy()
        if normalize:
            integral = density.integral()
            if not integral > 0:
                raise ValueError(
                    f"{density!r} has the integral {integral!r}; use normalize=False, or a density "
                    "that weights some rows."
                )
            weight = weight / integral
        display = cls(
            p,
            weight,
            name=described(density) if name is None else name,
            mode=density.mode,
            normalized=normalize,
            row_probabilities=row_probabilities,
            wrong=wrong,
        )
        return display.plot(ax=ax, **plot)

    @classmethod
    def from_criterion(
        cls,
        criterion: str | Callable[[Tensor, Tensor], Tensor],
        n_classes: int = 2,
        *,
        name: str | None = None,
        ax: Any = None,
        **options: Any,
    ) -> EmphasisDisplay:
        """Draw the emphasis of a loss: the size of its derivative.

        Parameters
        ----------
        criterion : str or callable
            As :func:`noisyfit.losses.resolve_criterion` takes it.
        n_classes : int, at least 2, default=2
            Number of classes, see :func:`noisyfit.losses.emphasis_of`.
        name : str, default=None
            What the legend says; None is the name of the criterion.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        **options : keywords
            `row_probabilities`, `wrong` and `normalize` of `from_emphasis`, and options of `plot`.

        Returns
        -------
        EmphasisDisplay

        Raises
        ------
        TypeError, ValueError
            If `criterion` is none, or `n_classes` no integer of at least 2.

        Examples
        --------
        >>> from noisyfit.inspection import EmphasisDisplay
        >>> display = EmphasisDisplay.from_criterion("nce_rce", n_classes=10)
        """
        density = emphasis_of(criterion, n_classes)
        if name is None:
            plain = criterion if isinstance(criterion, str) else getattr(criterion, "__name__", "")
            name = plain or in_words(type(criterion).__name__)
        return cls.from_emphasis(density, name=name, ax=ax, **options)

    def plot(self, ax: Any = None, *, bins: int = 40, **line: Any) -> EmphasisDisplay:
        """Draw the curve, and bars where there are rows.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        bins : int, default=40
            Number of bars over [0, 1].
        **line : keywords
            Further options of ``Axes.plot`` for the curve.

        Returns
        -------
        EmphasisDisplay
            The display itself.

        Raises
        ------
        TypeError, ValueError
            If an array is not as described.
        """
        p = check_shares(self.p, "p")
        weight = np.asarray(self.weight, dtype=np.float64)
        if weight.shape != p.shape or not np.isfinite(weight).all() or weight.min() < 0:
            raise ValueError(
                f"weight must hold a finite, non-negative number for each of the {len(p)} entries "
                f"of p, got shape {weight.shape}."
            )
        groups = self._groups(bins)
        figure, ax = open_axes(ax)
        look = dict(LINE_LOOKS[len(ax.lines) % len(LINE_LOOKS)], linewidth=2, zorder=3)
        if self.mode is not None:
            look |= {"marker": "o", "markevery": [int(np.abs(p - self.mode).argmin())]}
        look |= {"label": self.name, "clip_on": False, **line}
        (self.line_,) = ax.plot(p, weight, **look)
        ax.set(
            xlabel="p of the given label",
            ylabel="weight w(p), mean 1" if self.normalized else "weight w(p)",
            xlim=(0, 1),
            ylim=(0, 1.05 * max(line.get_ydata().max() for line in ax.lines) or 1),
        )
        self.bars_ = []
        bottom = np.zeros(bins)
        for heights, label, style in groups:
            self.bars_.append(
                ax.bar(
                    np.linspace(0, 1, bins, endpoint=False),
                    heights,
                    1 / bins,
                    bottom=bottom,
                    align="edge",
                    transform=ax.get_xaxis_transform(),
                    zorder=1,
                    alpha=0.55,
                    label=label,
                    **style,
                )
            )
            bottom = bottom + heights
        clear_lines(ax)
        if ax.get_legend_handles_labels()[1]:
            legend_above_data(ax)
        self.ax_, self.figure_ = ax, figure
        return self

    def _groups(self, bins: int) -> list[tuple[np.ndarray, str, dict[str, Any]]]:
        """Heights of bars, as shares of the axes' height, by what is known about the rows."""
        edges = np.histogram_bin_edges([], bins=bins, range=(0, 1))
        if self.row_probabilities is None:
            return []
        p = check_shares(self.row_probabilities, "row_probabilities")
        counts = np.histogram(p, edges)[0]
        scale = TALLEST_BAR / counts.max()
        if self.wrong is None:
            return [(scale * counts, f"rows ({len(p):,})", UNKNOWN_BARS)]
        wrong = check_mask(self.wrong, "wrong", len(p))
        return [
            (scale * np.histogram(p[mask], edges)[0], f"rows, {kind} label ({mask.sum():,})", style)
            for mask, kind, style in ((~wrong, "right", RIGHT_BARS), (wrong, "wrong", WRONG_BARS))
        ]


def described(emphasis: Emphasis) -> str:
    """Name, mode and variance of a density, for a legend."""
    if isinstance(emphasis, CallableEmphasis):
        name = getattr(emphasis.function, "__name__", "own function")
    else:
        name = in_words(type(emphasis).__name__.removesuffix("Emphasis"))
    variance = getattr(emphasis, "variance", None)
    if variance is None:
        return f"{name}: mode {emphasis.mode:.2f}"
    return f"{name}: mode {emphasis.mode:.2f}, variance {variance:.3g}"


def in_words(class_name: str) -> str:
    """Turn "MeanSquaredError" into "mean squared error"; abbreviations stay."""
    words = re.findall(r"[A-Z]+(?![a-z])|[A-Z][a-z]*|[a-z]+", class_name)
    return " ".join(word if word.isupper() else word.lower() for word in words)
