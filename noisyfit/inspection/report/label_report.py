"""LabelReport: an HTML file in which people review suspicious labels."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from noisyfit.noise.label_text import label_texts
from noisyfit.storage.replacing import replacing

from .contents import describe_rows
from .judgement import Judgement, judge_by_estimator, judge_by_predictions
from .page import render_page
from .summary import summary_html


@dataclass(frozen=True, eq=False, repr=False)
class LabelReport:
    """A page of suspicious rows to keep, relabel or drop; one file that needs nothing else.

    Made by `from_estimator` or `from_predictions`. The page works without a server and asks
    nothing of the network, so it can be sent to the people who know the data. It lists rows with
    the least trusted label first, filters them, is worked through by keyboard, keeps the
    decisions in the browser, and exports them as CSV for `noisyfit.noise.apply_review`.

    Attributes
    ----------
    title : str
        Heading of the page.
    n_samples : int
        Number of rows that were judged.
    noise_rate : float
        Estimated share of wrong labels.
    rows : ndarray of int
        Positions of the rows listed, the most suspicious first.
    given_labels, believed_labels : ndarray
        Their labels as given, and as believed.
    suspicion : ndarray of float64
        One minus the quality of their given label, in [0, 1].
    html : str
        The page.

    See Also
    --------
    noisyfit.noise.apply_review : Applies the decisions to the data.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.linear_model import LogisticRegression
    >>> from noisyfit import CoresetClassifier
    >>> from noisyfit.inspection import LabelReport
    >>> from noisyfit.noise import symmetric_noise
    >>> X, y = load_digits(n_class=3, return_X_y=True)
    >>> y_given, wrong = symmetric_noise(y, 0.1, random_state=0)
    >>> classifier = CoresetClassifier(random_state=0).fit(X / 16, y_given)
    >>> report = LabelReport.from_estimator(
    ...     classifier, X, y_given, data=X.reshape(-1, 8, 8), n_rows=20
    ... )
    >>> report
    LabelReport(20 of 537 rows, estimated noise rate 0.0...)
    >>> bool(wrong[report.rows].all())
    True

    ``report.save("digits.html")`` writes the page.
    """

    title: str
    n_samples: int
    noise_rate: float
    rows: NDArray[np.intp]
    given_labels: NDArray[Any]
    believed_labels: NDArray[Any]
    suspicion: NDArray[np.float64]
    html: str = field(repr=False)

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: ArrayLike,
        *,
        data: Any = None,
        feature_names: Sequence[str] | None = None,
        index: Any = None,
        row_numbers: ArrayLike | None = None,
        n_rows: int | str | None = "auto",
        title: str = "Label review",
    ) -> LabelReport:
        """Report on the rows that a classifier of noisyfit was fitted on.

        Parameters
        ----------
        estimator : fitted classifier of noisyfit
            Or a Pipeline that ends in one, or a search whose best estimator is one.
        X : array-like of n rows
            The rows it was fitted on, in the same order. Shown if ``data`` is None.
        y : array-like of shape (n,)
            The labels it was fitted on.
        data : DataFrame, array, sparse matrix, or sequence of str, default=None
            What to show of each row: texts; images of shape (n, H, W), (n, H, W, C) or (n, C, H,
            W) with 1, 3 or 4 channels, of which thumbnails are made; else the first 30 columns,
            or the 30 largest entries of sparse rows. Texts are cut after 2,000 characters.
        feature_names : sequence of str, default=None
            Names of the columns shown. None: those of a DataFrame, else their numbers.
        index : sequence of n names, default=None
            A name for each row, shown and exported beside its position; names may repeat. None:
            the index of ``y``, ``X`` or ``data``, the first of them that is from pandas, unless
            it only counts the rows.
        row_numbers : array-like of n int, default=None
            Positions of the rows in the data that the review will be applied to, where they are
            a part of it. None: 0 to n - 1.
        n_rows : "auto", int or None, default="auto"
            How many rows to list. "auto": twice as many as are estimated to be wrong, at least
            100 and at most 10,000. None: all.
        title : str, default="Label review"
            Heading of the page.

        Returns
        -------
        LabelReport
            The report.

        Raises
        ------
        ValueError
            If numbers of rows differ, or labels, shapes or ``n_rows`` are not as described.
        TypeError
            If the estimator is not a fitted classifier of noisyfit.
        """
        judgement = judge_by_estimator(estimator, y)
        shown = X if data is None else data
        names = _index_of(index, (y, X, data))
        return cls._from_judgement(
            judgement, shown, feature_names, names, row_numbers, n_rows, title
        )

    @classmethod
    def from_predictions(
        cls,
        probabilities: ArrayLike,
        y: ArrayLike,
        *,
        classes: ArrayLike | None = None,
        data: Any = None,
        feature_names: Sequence[str] | None = None,
        index: Any = None,
        row_numbers: ArrayLike | None = None,
        n_rows: int | str | None = "auto",
        title: str = "Label review",
    ) -> LabelReport:
        """Report on labels by the held-out probabilities of any classifier.

        Noise, trust and beliefs are those of `noisyfit.noise.estimate_noise`, `label_quality` and
        `believed_labels`.

        Parameters
        ----------
        probabilities : array-like of shape (n, C)
            Held-out probabilities, as from ``cross_val_predict(..., method="predict_proba")``.
        y : array-like of shape (n,)
            Given labels: column numbers, or labels of any type together with ``classes``.
        classes : array-like of shape (C,), default=None
            The label each column stands for. None: ``y`` holds column numbers.
        data, feature_names, index, row_numbers, n_rows, title
            As in `from_estimator`. Without ``data`` the page shows labels only.

        Returns
        -------
        LabelReport
            The report.

        Raises
        ------
        ValueError
            If numbers of rows differ, or labels, shapes or ``n_rows`` are not as described.

        Examples
        --------
        >>> from noisyfit.inspection import LabelReport
        >>> probabilities = [[0.9, 0.1], [0.2, 0.8], [0.1, 0.9], [0.95, 0.05]]
        >>> report = LabelReport.from_predictions(
        ...     probabilities, ["ham", "spam", "spam", "spam"], classes=["ham", "spam"],
        ...     data=["see you at six", "you won!", "click here", "lunch?"], n_rows=2,
        ... )
        >>> report.rows
        array([3, 1])
        >>> "lunch?" in report.to_html()
        True
        """
        judgement = judge_by_predictions(probabilities, y, classes)
        names = _index_of(index, (y, data))
        return cls._from_judgement(
            judgement, data, feature_names, names, row_numbers, n_rows, title
        )

    @classmethod
    def _from_judgement(
        cls,
        judgement: Judgement,
        data: Any,
        feature_names: Sequence[str] | None,
        index: Any,
        row_numbers: ArrayLike | None,
        n_rows: int | str | None,
        title: str,
    ) -> LabelReport:
        n = len(judgement.given)
        if data is not None and _length(data) != n:
            raise ValueError(f"data has {_length(data)} rows, but there are {n} labels.")
        if index is not None and len(index) != n:
            raise ValueError(f"index has {len(index)} names, but there are {n} labels.")
        positions = _positions(row_numbers, n)
        listed = judgement.most_suspicious(n_rows)
        class_names = label_texts(judgement.classes)
        suspicion = 1 - judgement.quality[listed]
        page = render_page(
            title,
            summary_html(judgement, class_names, len(listed), n_rows == "auto"),
            {
                "title": title,
                "classes": class_names,
                "rows": positions[listed].tolist(),
                "index": None if index is None else [str(index[i]) for i in listed.tolist()],
                "given": judgement.given[listed].tolist(),
                "believed": judgement.believed[listed].tolist(),
                "suspicion": suspicion.round(4).tolist(),
                "contents": describe_rows(data, listed, feature_names),
            },
        )
        return cls(
            title=title,
            n_samples=n,
            noise_rate=judgement.noise_rate,
            rows=positions[listed],
            given_labels=judgement.classes[judgement.given[listed]],
            believed_labels=judgement.classes[judgement.believed[listed]],
            suspicion=suspicion,
            html=page,
        )

    def to_html(self) -> str:
        """Return the page.

        Returns
        -------
        str
            One HTML document.
        """
        return self.html

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
        """Write the page to a file, all of it or nothing.

        Parameters
        ----------
        path : path
            The file; its folder has to exist.
        overwrite : bool, default=False
            Whether to replace a file that is there.

        Returns
        -------
        Path
            The file written.

        Raises
        ------
        FileExistsError
            If the file exists and ``overwrite`` is False.
        FileNotFoundError
            If the folder does not exist.
        """
        path = Path(path)
        if not path.parent.is_dir():
            raise FileNotFoundError(f"The folder of path={str(path)!r} does not exist.")
        if path.exists() and not overwrite:
            raise FileExistsError(
                f"path={str(path)!r} exists; choose another one or pass overwrite=True."
            )
        with replacing(path) as file:
            file.write(self.html.encode())
        return path

    def __repr__(self) -> str:
        return (
            f"LabelReport({len(self.rows)} of {self.n_samples} rows, "
            f"estimated noise rate {self.noise_rate:.3f})"
        )


def _index_of(index: Any, candidates: Sequence[Any]) -> Any:
    """Names of the rows: those given, or the index of the first object from pandas.

    An index that only counts the rows says nothing that their positions don't.
    """
    if index is not None:
        return list(index)
    names = next((data.index for data in candidates if hasattr(data, "iloc")), None)
    if names is not None and names.dtype.kind == "i" and (names == np.arange(len(names))).all():
        return None
    return names


def _positions(row_numbers: ArrayLike | None, n: int) -> NDArray[np.intp]:
    if row_numbers is None:
        return np.arange(n)
    positions = np.asarray(row_numbers)
    if positions.shape != (n,) or positions.dtype.kind not in "iu":
        raise ValueError(
            f"row_numbers must be {n} integers, one for each label, got shape {positions.shape} "
            f"and dtype {positions.dtype}."
        )
    if positions.min() < 0 or len(np.unique(positions)) < n:
        raise ValueError("row_numbers must not repeat and not be negative.")
    return positions.astype(np.intp)


def _length(data: Any) -> int:
    shape = getattr(data, "shape", None)
    return int(shape[0]) if shape is not None else len(data)
