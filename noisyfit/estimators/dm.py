"""DMClassifier: derivative manipulation as general example weighting."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from numbers import Real
from typing import Any, ClassVar

from torch import Tensor

from noisyfit._compat import HasMethods, Interval, StrOptions
from noisyfit.estimators.base.documentation import share_documentation
from noisyfit.estimators.base.incremental import IncrementalClassifier
from noisyfit.estimators.base.network import NetworkClassifier
from noisyfit.estimators.base.published import Published
from noisyfit.estimators.base.whole_data import WholeDataClassifier
from noisyfit.losses import DerivativeManipulation
from noisyfit.training.checkpoint import Noted
from noisyfit.training.data import LabeledRows
from noisyfit.training.plan import EpochPlan
from noisyfit.training.recording import ProbabilityRecorder
from noisyfit.training.settings import NetworkSettings
from noisyfit.weighting import EMPHASIS_NAMES, DMEmphasis, Emphasis, emphasis_for_noise

# The density to start with, and when to look again: often at first, as the network learns fast.
RATE_BEFORE_ESTIMATES = 0.15
ESTIMATES_BEFORE_EPOCHS = (3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128)


@share_documentation
class DMClassifier(Published, WholeDataClassifier, IncrementalClassifier):
    """Derivative manipulation: how much a row teaches is designed, not left to the loss.

    A row's gradient with respect to the logits keeps the direction of cross entropy but gets the
    size w(p), where p is the probability that the network gives to the row's label now and w an
    *emphasis density*. Its *mode* is the p that counts most: with a mode above 0, rows whose
    labels the network finds impossible, as it does most wrong ones, hardly count. Its *variance*
    says how unequally rows count.

    Parameters
    ----------
    emphasis : {"dm", "auto", "normal", "exponential", "beta", "cce", "mae", "mse", "gce", "sl", \
"rce", "focal"}, noisyfit.weighting.Emphasis or callable, default="auto"
        The emphasis density. "dm" is the paper's exp(variance p^lambda (1 - p)), with
        lambda = mode / (1 - mode). "auto" is the same with mode and variance set, and set anew
        while the network learns, by the share of wrong labels estimated from its predictions, see
        `noisyfit.weighting.emphasis_for_noise`; one that is given stays as it is. "cce", "mae",
        "mse", "gce", "sl", "rce" and "focal" have the weights of the loss of that name, so "cce"
        with ``normalize=None`` is plain cross entropy; `noisyfit.losses.emphasis_of` finds the
        weights of any other loss. A callable gets a tensor of probabilities and returns as many
        weights.
    mode : float or None, default=None
        Probability of greatest weight, in [0, 1). None means 0.5 where the density has a mode, and
        an automatic one with "auto".
    variance : float or None, default=None
        Spread of the weights, 0 weighs all rows the same. None means 12 where the density has it,
        and an automatic one with "auto".
    normalize : {"integral", "batch"} or None, default="integral"
        Divide the weights by the integral of the density over [0, 1], by their mean over the
        batch, or not at all.
    {network_parameters}

    Attributes
    ----------
    emphasis_ : noisyfit.weighting.Emphasis
        The density of the last epoch.
    {network_attributes}

    See Also
    --------
    CRUSTClassifier : Trains on the rows whose labels it has reason to trust.

    References
    ----------
    X. Wang, E. Kodirov, Y. Hua, N. M. Robertson. Derivative Manipulation for General Example
    Weighting. arXiv:1905.11233, equations 7 to 12.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from noisyfit import DMClassifier
    >>> from noisyfit.noise import symmetric_noise
    >>> X, y = load_digits(return_X_y=True)
    >>> y_given, wrong = symmetric_noise(y[:1200], 0.3, random_state=0)
    >>> classifier = DMClassifier(random_state=0).fit(X[:1200], y_given)
    >>> bool(classifier.score(X[1200:], y[1200:]) > 0.85)
    True
    >>> bool(classifier.label_quality_[wrong].mean() < classifier.label_quality_[~wrong].mean())
    True
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **NetworkClassifier._parameter_constraints,
        "emphasis": [StrOptions({"auto", *EMPHASIS_NAMES}), HasMethods("weight"), callable],
        "mode": [Interval(Real, 0, 1, closed="left"), None],
        "variance": [Interval(Real, None, None, closed="neither"), None],
        "normalize": [StrOptions({"integral", "batch"}), None],
    }
    # lambda = 0.5, beta = 12; 30,000 steps, the rate divided after 15,000 and 22,000.
    _published: ClassVar[dict[str, Any]] = {
        "emphasis": "dm",
        "mode": 1 / 3,
        "variance": 12.0,
        "normalize": "batch",
        "max_epochs": 154,
        "lr": 0.1,
        "lr_schedule": {77: 0.1, 113: 0.1},
        "optimizer": "sgd",
        "optimizer__weight_decay": 1e-4,
        "batch_size": 256,
    }

    def __init__(
        self,
        emphasis: str | Callable[[Tensor], Tensor] | Any = "auto",
        *,
        mode: float | None = None,
        variance: float | None = None,
        normalize: str | None = "integral",
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
        self.emphasis = emphasis
        self.mode = mode
        self.variance = variance
        self.normalize = normalize

    def _criterion(self) -> DerivativeManipulation:
        if self._is_automatic():
            return DerivativeManipulation(
                self._emphasis_for(RATE_BEFORE_ESTIMATES),
                normalize=self.normalize,  # type: ignore[arg-type]
            )
        return DerivativeManipulation(
            self.emphasis,
            self.mode,
            self.variance,
            self.normalize,  # type: ignore[arg-type]
        )

    def _emphasis_for(self, rate: float) -> Emphasis:
        """Return the automatic density, but for what of it was given."""
        automatic = emphasis_for_noise(rate)
        mode = automatic.mode if self.mode is None else self.mode
        variance = automatic.variance if self.variance is None else self.variance
        return DMEmphasis(mode, variance)

    def _is_automatic(self) -> bool:
        return isinstance(self.emphasis, str) and self.emphasis == "auto"

    def _train(self, data: LabeledRows, settings: NetworkSettings, seed: int, fresh: bool) -> None:
        self._start(data, settings, self._criterion(), fresh)
        # The labels stay as wrong as they are, while a network that learns them by heart finds
        # fewer and fewer of them wrong: the largest estimate so far counts.
        noted = Noted(rate=None)
        with self._recorded(data) as recorder:
            self._run(
                data,
                lambda epochs: self._plans(data, recorder, noted, epochs),
                parts={"noted": noted},
            )
        self._renew_emphasis(noted)
        self.emphasis_ = self.net_.criterion_.emphasis
        self._judge(data, recorder)

    def _plans(
        self, data: LabeledRows, recorder: ProbabilityRecorder, noted: Noted, epochs: range
    ) -> Iterator[EpochPlan]:
        """Plan epochs on all rows; between them, renew an automatic emphasis."""
        for epoch in epochs:
            if self._is_automatic() and epoch in ESTIMATES_BEFORE_EPOCHS:
                rate = self._estimate(data, recorder, data.used).rate
                noted["rate"] = rate if noted["rate"] is None else max(noted["rate"], rate)
            self._renew_emphasis(noted)
            yield data.every_row()

    def _renew_emphasis(self, noted: Noted) -> None:
        if noted["rate"] is not None:
            self.net_.criterion_.emphasis = self._emphasis_for(noted["rate"])

    def _train_once(
        self, data: LabeledRows, settings: NetworkSettings, seed: int, fresh: bool
    ) -> None:
        if fresh:
            self._start(data, settings.constant_rate(), self._criterion())
        self._run(data, lambda epochs: [data.every_row()], 1)
        self.emphasis_ = self.net_.criterion_.emphasis
