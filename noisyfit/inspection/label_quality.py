"""Histogram of the quality of all labels."""

from __future__ import annotations

from typing import Any

import numpy as np

from noisyfit.inspection.checks import (
    as_codes,
    check_mask,
    check_shares,
    fitted_attribute,
    wrong_labels,
)
from noisyfit.inspection.style import (
    RIGHT_BARS,
    UNKNOWN_BARS,
    WRONG_BARS,
    clear_lines,
    legend_above_data,
    open_axes,
)
from noisyfit.noise import estimate_noise, find_label_issues, label_quality


class LabelQualityDisplay:
    """Histogram of label quality: how far the given labels are to be trusted.

    Make it with `from_estimator` or `from_predictions`. Rows are told apart by the truth where it
    is given, else by what the estimator judges.

    Parameters
    ----------
    label_quality : array-like of shape (n,)
        Quality of each row's label, from 0 (surely wrong) to 1 (trustworthy).
    judged_wrong : array-like of bool, shape (n,), default=None
        Rows whose label is held to be wrong.
    wrong : array-like of bool, shape (n,), default=None
        Rows whose label is wrong in truth.
    noise_rate : float in [0, 1], default=None
        Estimated share of wrong labels.

    Attributes
    ----------
    ax_, figure_ : matplotlib Axes and Figure
        Where it was drawn last.
    bars_ : list of matplotlib BarContainer
        The bars of right (or all) labels, and those of wrong ones on top of them.

    See Also
    --------
    noisyfit.noise.label_quality : The quality, from any classifier's probabilities.

    Examples
    --------
    >>> from noisyfit.inspection import LabelQualityDisplay
    >>> display = LabelQualityDisplay([0.1, 0.9, 0.8], wrong=[True, False, False])
    >>> display.plot(bins=10).ax_.get_xlabel()
    'label quality (1: trusted)'
    """

    def __init__(
        self,
        label_quality: Any,
        *,
        judged_wrong: Any = None,
        wrong: Any = None,
        noise_rate: float | None = None,
    ) -> None:
        self.label_quality = label_quality
        self.judged_wrong = judged_wrong
        self.wrong = wrong
        self.noise_rate = noise_rate

    @classmethod
    def from_estimator(
        cls, estimator: Any, y_given: Any = None, *, y_true: Any = None, ax: Any = None, **plot: Any
    ) -> LabelQualityDisplay:
        """Draw `label_quality_` of a fitted estimator.

        Parameters
        ----------
        estimator : estimator with `label_quality_`
            Any of noisyfit's classifiers, after `fit`.
        y_given : array-like of shape (n_samples,), default=None
            The labels given to `fit`; with them it is known which ones are judged wrong: those
            that differ from `transduction_`.
        y_true : array-like of shape (n_samples,), default=None
            The true labels; needs `y_given`.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        **plot : keywords
            Passed to `plot`.

        Returns
        -------
        LabelQualityDisplay

        Raises
        ------
        AttributeError, ValueError
            If the estimator has no `label_quality_`, or labels don't fit its rows.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from noisyfit import CoresetClassifier
        >>> from noisyfit.inspection import LabelQualityDisplay
        >>> from noisyfit.noise import symmetric_noise
        >>> X, y = load_iris(return_X_y=True)
        >>> y_given, wrong = symmetric_noise(y, 0.3, random_state=0)
        >>> classifier = CoresetClassifier(random_state=0).fit(X, y_given)
        >>> display = LabelQualityDisplay.from_estimator(classifier, y_given, y_true=y)
        """
        quality = fitted_attribute(
            estimator, "label_quality_", "it is set by fit of classifiers, not by partial_fit."
        )
        n = len(quality)
        judged = wrong = None
        if y_given is not None:
            as_codes(y_given, estimator.classes_, "y_given")  # no other labels than fit has seen
            judged = wrong_labels(estimator.transduction_, y_given, n)
        if y_true is not None:
            wrong = wrong_labels(y_true, y_given, n)
        rate = getattr(estimator, "noise_rate_", None)
        display = cls(quality, judged_wrong=judged, wrong=wrong, noise_rate=rate)
        return display.plot(ax=ax, **plot)

    @classmethod
    def from_predictions(
        cls,
        probabilities: Any,
        y: Any,
        *,
        classes: Any = None,
        y_true: Any = None,
        method: str = "gradient_norm",
        ax: Any = None,
        **plot: Any,
    ) -> LabelQualityDisplay:
        """Draw the quality that any classifier's probabilities give.

        Parameters
        ----------
        probabilities : array-like of shape (n, C)
            Predicted probabilities, best held-out ones.
        y : array-like of shape (n,)
            Given labels: integer codes, or labels of any type together with `classes`.
        classes : array-like of shape (C,), default=None
            The label each column stands for. None: `y` holds column numbers.
        y_true : array-like of shape (n,), default=None
            The true labels.
        method : str, default="gradient_norm"
            How labels are scored, see :func:`noisyfit.noise.label_quality`.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        **plot : keywords
            Passed to `plot`.

        Returns
        -------
        LabelQualityDisplay

        Raises
        ------
        TypeError, ValueError
            If the arrays are not as described.

        Examples
        --------
        >>> from noisyfit.inspection import LabelQualityDisplay
        >>> probabilities = [[0.9, 0.1], [0.8, 0.2], [0.3, 0.7]]
        >>> display = LabelQualityDisplay.from_predictions(probabilities, [0, 1, 1])
        >>> display.label_quality
        array([0.9, 0.2, 0.7])
        """
        quality = label_quality(probabilities, y, method, classes=classes)
        _, codes = as_codes(y, classes)
        noise = estimate_noise(probabilities, codes)
        issues = find_label_issues(probabilities, codes, method=method, noise=noise)
        judged = np.zeros(len(quality), dtype=bool)
        judged[issues] = True
        wrong = None if y_true is None else wrong_labels(y_true, y, len(quality))
        display = cls(quality, judged_wrong=judged, wrong=wrong, noise_rate=noise.rate)
        return display.plot(ax=ax, **plot)

    def plot(self, ax: Any = None, *, bins: int = 20, **bars: Any) -> LabelQualityDisplay:
        """Draw the histogram.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        bins : int, default=20
            Number of bars over [0, 1].
        **bars : keywords
            Further options of ``Axes.bar``, for all bars.

        Returns
        -------
        LabelQualityDisplay
            The display itself.

        Raises
        ------
        TypeError, ValueError
            If an array is not as described, or `bins` no positive integer.
        """
        quality = check_shares(self.label_quality, "label_quality")
        n = len(quality)
        judged, wrong = (
            None if mask is None else check_mask(mask, name, n)
            for mask, name in ((self.judged_wrong, "judged_wrong"), (self.wrong, "wrong"))
        )
        edges = np.histogram_bin_edges([], bins=bins, range=(0, 1))
        figure, ax = open_axes(ax)
        groups: list[tuple[np.ndarray, str, dict[str, Any]]]
        split, verb = (judged, "judged ") if wrong is None else (wrong, "")
        if split is None:
            groups = [(quality, f"all rows ({n:,})", UNKNOWN_BARS)]
        else:
            groups = [
                (quality[~split], f"{verb}right ({np.sum(~split):,})", RIGHT_BARS),
                (quality[split], f"{verb}wrong ({np.sum(split):,})", WRONG_BARS),
            ]
        self.bars_ = []
        bottom = np.zeros(len(edges) - 1)
        for values, label, style in groups:
            height = np.histogram(values, edges)[0]
            options = {"bottom": bottom, "label": label, "align": "edge", **style, **bars}
            self.bars_.append(ax.bar(edges[:-1], height, np.diff(edges), **options))
            bottom = bottom + height
        ax.set(
            xlim=(0, 1),
            xlabel="label quality (1: trusted)",
            ylabel="rows",
        )
        clear_lines(ax)
        legend_above_data(ax, title=self._judgement(judged))
        self.ax_, self.figure_ = ax, figure
        return self

    def _judgement(self, judged: np.ndarray | None) -> str | None:
        """What share is held to be wrong, in words."""
        lines = []
        if judged is not None:
            lines.append(f"judged wrong: {judged.mean():.1%}")
        if self.noise_rate is not None:
            lines.append(f"estimated noise rate: {self.noise_rate:.1%}")
        return "\n".join(lines) or None
