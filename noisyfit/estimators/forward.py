"""ForwardClassifier: cross entropy corrected by the noise matrix."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from noisyfit._compat import StrOptions
from noisyfit.estimators.base.documentation import share_documentation
from noisyfit.estimators.base.published import Published
from noisyfit.estimators.base.transition import TransitionClassifier
from noisyfit.losses import BackwardCorrection, ForwardCorrection
from noisyfit.training.data import LabeledRows
from noisyfit.training.settings import NetworkSettings


@share_documentation
class ForwardClassifier(Published, TransitionClassifier):
    """Loss correction: learn the true labels through a noise matrix.

    The network predicts true labels; a noise matrix T, T[k, j] = P(given j | true k), turns its
    prediction into one of given labels, and that is compared with them (forward correction).
    Unlike weighting or selecting rows this uses all of them as they are; it is only as good as T,
    and a large network can still learn the wrong labels by heart.

    Phases, as `history_` names them: "estimation", of the matrix by networks of their own, unless
    it is given; "correction", of ``max_epochs``, from fresh weights.

    Parameters
    ----------
    transition_matrix : {"auto", "anchor", "joint", "confident_joint", "anchor_points", \
"percentile"} or array-like of shape (n_classes, n_classes), default="auto"
        The noise matrix: a way to estimate it, or the matrix itself, with a row for each true class
        in the order of `classes_`. "auto" is that of `CRUSTClassifier`, by networks that learn from
        what they find; the others are those of `noisyfit.noise.estimate_noise`, of which
        "anchor_points" and "percentile" are the paper's.
    correction : {"forward", "backward"}, default="forward"
        "backward" multiplies the losses of the labels by the inverse of T instead. That is
        unbiased, but unbounded below, and large networks make use of it.
    {transition_parameters}
    {validated_network_parameters}

    Attributes
    ----------
    {network_attributes}

    See Also
    --------
    TRevisionClassifier : Goes on to correct the matrix while it trains.
    CRUSTClassifier : Uses a noise matrix to find the rows whose labels can be trusted.

    References
    ----------
    G. Patrini, A. Rozza, A. Menon, R. Nock, L. Qu. Making Deep Neural Networks Robust to Label
    Noise: a Loss Correction Approach. CVPR 2017. arXiv:1609.03683.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from noisyfit import ForwardClassifier
    >>> from noisyfit.noise import symmetric_noise
    >>> X, y = load_digits(return_X_y=True)
    >>> y_given, wrong = symmetric_noise(y[:1200], 0.3, random_state=0)
    >>> classifier = ForwardClassifier(random_state=0).fit(X[:1200], y_given)
    >>> bool(classifier.score(X[1200:], y[1200:]) > 0.8)
    True
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **TransitionClassifier._parameter_constraints,
        "correction": [StrOptions({"forward", "backward"})],
    }
    _published: ClassVar[dict[str, Any]] = {
        "transition_matrix": "percentile",
        "cross_fit": None,
        "estimation_epochs": 120,
        "max_epochs": 120,
        "lr": 0.1,
        "lr_schedule": {40: 0.1, 80: 0.1},
        "optimizer": "sgd",
        "batch_size": 128,
    }

    def __init__(
        self,
        transition_matrix: Any = "auto",
        *,
        correction: str = "forward",
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
        validation_fraction: float | str | None = "auto",
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
        self.transition_matrix = transition_matrix
        self.correction = correction
        self.cross_fit = cross_fit
        self.estimation_epochs = estimation_epochs

    def _train(self, data: LabeledRows, settings: NetworkSettings, seed: int, fresh: bool) -> None:
        noise, records = self._noise(data, settings, np.random.RandomState(seed))
        corrected = ForwardCorrection if self.correction == "forward" else BackwardCorrection
        self._start(data, settings, corrected(noise.transition_matrix), fresh)
        with self._recorded(data) as recorder:
            self._run_phase(data, "correction", self.max_epochs, keep_best="valid_loss")
        self._begin_history(records)
        self._judge_by_matrix(data, recorder, noise)
