"""CarriedWeights: weights of rows that get past a sampler in a pipeline."""

from __future__ import annotations

from typing import Any

import numpy as np

from noisyfit.estimators.base.validation import to_host


class CarriedWeights:
    """Weights of rows that follow a sampler: behind it, they are those of the rows it has kept.

    A pipeline of imbalanced-learn hands on the rows and labels that a sampler keeps, but gives all
    of its steps the weights of all rows, which no longer fit. Wrapped in this class they do: the
    sampler tells them which rows it has kept, and the step behind it, any that turns weights into
    an array, gets the weights of those.

    With scikit-learn's metadata routing that is all there is to it, in searches and
    cross-validation too. Without routing, imbalanced-learn gives a sampler no weights: name the
    sampler, which then is asked when the weights are needed (and chooses rows without them).

    Parameters
    ----------
    weights : array-like of shape (n_samples,)
        Weights of all rows, not negative.
    sampler : GradientMedoidSampler, default=None
        The sampler of the pipeline, needed without metadata routing only. It must be the very
        instance that is fitted: not in a search, and not in a pipeline with ``memory``, which
        both fit clones.

    See Also
    --------
    GradientMedoidSampler : Has ``weights="cluster"`` to hand on the weight of all rows that a row
        kept stands for.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from noisyfit import CarriedWeights, GradientMedoidSampler
    >>> X, y = load_iris(return_X_y=True)
    >>> weights = CarriedWeights(np.where(y == 0, 2.0, 1.0))
    >>> sampler = GradientMedoidSampler(k=6, weights="cluster")
    >>> X_kept, y_kept = sampler.fit_resample(X, y, sample_weight=weights)
    >>> float(np.asarray(weights).sum())  # all rows are covered, those of class 0 count twice
    200.0
    >>> model = LogisticRegression().fit(X_kept, y_kept, sample_weight=weights)
    """

    ndim = 1

    def __init__(self, weights: Any, sampler: Any = None) -> None:
        self.weights = np.asarray(to_host(weights))
        if self.weights.ndim != 1:
            raise ValueError(
                f"weights must hold one weight per row, got shape {self.weights.shape}."
            )
        self.sampler = sampler

    def follow(self, sampler: Any) -> None:
        """Be the weights of the rows that a fitted sampler has kept from now on.

        Parameters
        ----------
        sampler : GradientMedoidSampler
            Calls this itself when it is given the weights.
        """
        self.sampler = sampler

    @property
    def shape(self) -> tuple[int]:
        """One weight for each row of the data, those included that a sampler drops."""
        return (len(self.weights),)

    def __len__(self) -> int:
        """Return the number of rows of the data, those included that a sampler drops."""
        return len(self.weights)

    def __getitem__(self, index: Any) -> CarriedWeights:
        """Weights of some rows, of a fold say, that follow the sampler fitted on those."""
        return CarriedWeights(np.atleast_1d(self.weights[index]), self.sampler)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """Weights of the rows kept, or of all where no sampler has been there."""
        weights = self.weights if self.sampler is None else self.sampler.carry(self.weights)
        return np.array(weights, dtype=dtype)
