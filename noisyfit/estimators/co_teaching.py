"""CoTeachingClassifier: two networks that choose each other's rows."""

from __future__ import annotations

from collections.abc import Iterator
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np

from noisyfit._compat import Interval, StrOptions
from noisyfit.estimators.base.documentation import share_documentation
from noisyfit.estimators.base.published import Published
from noisyfit.estimators.base.whole_data import WholeDataClassifier
from noisyfit.losses import CrossEntropy
from noisyfit.training.data import LabeledRows
from noisyfit.training.folds import count_folds
from noisyfit.training.plan import EpochPlan
from noisyfit.training.records import Record
from noisyfit.training.settings import NetworkSettings
from noisyfit.training.transition import estimate_transition


@share_documentation
class CoTeachingClassifier(Published, WholeDataClassifier):
    """Co-teaching: each of two networks trains on the rows that the other finds easiest.

    In every batch each network leaves out the rows of largest loss, as many as there are wrong
    labels, and hands the rest to the other one. Two networks make different mistakes, so that a
    wrong label which one has begun to learn is caught by the other. Predictions are the mean of
    both networks' probabilities. (Of a ``module`` that is an instance, the second network is a copy
    with the last layer drawn anew.)

    Phases, as `history_` names them: "estimation", of the noise rate by networks of their own,
    unless it is given; "co-teaching", of ``max_epochs``.

    Parameters
    ----------
    noise_rate : "auto" or float in [0, 1), default="auto"
        Share of wrong labels, which is left out; "auto" estimates it. The paper takes it as known.
    ramp_epochs : int, default=10
        The share left out rises to the full one over so many epochs.
    {transition_parameters}
    {network_parameters}

    Attributes
    ----------
    {network_attributes}

    References
    ----------
    B. Han, Q. Yao, X. Yu, G. Niu, M. Xu, W. Hu, I. Tsang, M. Sugiyama. Co-teaching: Robust Training
    of Deep Neural Networks with Extremely Noisy Labels. NeurIPS 2018. arXiv:1804.06872.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from noisyfit import CoTeachingClassifier
    >>> from noisyfit.noise import symmetric_noise
    >>> X, y = load_digits(return_X_y=True)
    >>> y_given, wrong = symmetric_noise(y[:1200], 0.3, random_state=0)
    >>> classifier = CoTeachingClassifier(random_state=0).fit(X[:1200], y_given)
    >>> bool(classifier.score(X[1200:], y[1200:]) > 0.85)
    True
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **WholeDataClassifier._parameter_constraints,
        "noise_rate": [StrOptions({"auto"}), Interval(Real, 0, 1, closed="left")],
        "ramp_epochs": [Interval(Integral, 1, None, closed="left")],
        "cross_fit": [Interval(Integral, 2, None, closed="left"), None],
        "estimation_epochs": [Interval(Integral, 1, None, closed="left")],
    }
    # The rate falls linearly to 0 after epoch 80 in the paper.
    _published: ClassVar[dict[str, Any]] = {
        "max_epochs": 200,
        "lr": 1e-3,
        "batch_size": 128,
        "ramp_epochs": 10,
    }

    def __init__(
        self,
        noise_rate: str | float = "auto",
        *,
        ramp_epochs: int = 10,
        cross_fit: int | None = 3,
        estimation_epochs: int = 3,
        module: Any = None,
        max_epochs: int = 40,
        lr: float = 1e-3,
        lr_schedule: str | dict[int, float] = "cosine",
        batch_size: int | str = "auto",
        optimizer: Any = "adam",
        class_weight: Any = None,
        train_transform: Any = None,
        validation_fraction: float | None = None,
        warm_start: bool = False,
        callbacks: Any = None,
        checkpoint: Any = None,
        dtype: str = "float32",
        autocast: str | None = None,
        memory_format: str | None = None,
        compile: bool | str = False,
        device: Any = "cpu",
        accelerator: Any = None,
        random_state: Any = None,
        verbose: int = 0,
        **prefixed: Any,
    ) -> None:
        super().__init__(
            module=module,
            max_epochs=max_epochs,
            lr=lr,
            lr_schedule=lr_schedule,
            batch_size=batch_size,
            optimizer=optimizer,
            class_weight=class_weight,
            train_transform=train_transform,
            validation_fraction=validation_fraction,
            warm_start=warm_start,
            callbacks=callbacks,
            checkpoint=checkpoint,
            dtype=dtype,
            autocast=autocast,
            memory_format=memory_format,
            compile=compile,
            device=device,
            accelerator=accelerator,
            random_state=random_state,
            verbose=verbose,
            **prefixed,
        )
        self.noise_rate = noise_rate
        self.ramp_epochs = ramp_epochs
        self.cross_fit = cross_fit
        self.estimation_epochs = estimation_epochs

    def _train(self, data: LabeledRows, settings: NetworkSettings, seed: int, fresh: bool) -> None:
        rate, records = self._rate(data, settings, np.random.RandomState(seed))
        self._start(data, settings, CrossEntropy(), fresh, twins=True)
        with self._recorded(data) as recorder:
            self._run(data, lambda epochs: self._plans(data, rate, epochs))
        self._begin_history(records)
        self._judge(data, recorder)

    def _rate(
        self, data: LabeledRows, settings: NetworkSettings, rng: np.random.RandomState
    ) -> tuple[float, list[Record]]:
        if not isinstance(self.noise_rate, str):
            return float(self.noise_rate), []
        n_folds = count_folds(self.cross_fit, len(data.used))
        noise, records = estimate_transition(
            data,
            settings,
            "auto",
            n_folds=n_folds,
            epochs=self.estimation_epochs,
            rng=rng,
            progress=self._progress,
        )
        return noise.rate, records

    def _plans(self, data: LabeledRows, rate: float, epochs: range) -> Iterator[EpochPlan]:
        for epoch in epochs:
            self.net_.drop_share = rate * min(1.0, (epoch + 1) / self.ramp_epochs)
            yield data.every_row("co-teaching")
