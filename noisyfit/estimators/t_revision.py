"""TRevisionClassifier: importance reweighting under a noise matrix that is revised."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np

from noisyfit._compat import Interval
from noisyfit._precision import in_double
from noisyfit.estimators.base.documentation import share_documentation
from noisyfit.estimators.base.published import Published
from noisyfit.estimators.base.transition import TransitionClassifier
from noisyfit.losses import ImportanceReweighting
from noisyfit.noise.estimate import noise_of_matrix
from noisyfit.training.data import LabeledRows
from noisyfit.training.settings import NetworkSettings


@share_documentation
class TRevisionClassifier(Published, TransitionClassifier):
    """T-Revision: importance reweighting, with the noise matrix learned on in the end.

    With predicted probabilities p of the true label and a noise matrix T, a row's cross entropy
    is weighted by p[y] / (p @ T)[y], which is large where the label is likelier the true one than
    a given one. Estimates of T are never exact, so a correction is added to it, that is learned
    together with the network.

    Phases, as `history_` names them: "estimation", of the matrix by networks of their own, unless
    it is given; "reweighting", of ``max_epochs``, from fresh weights and with weights as constants;
    "revision", where derivatives go through the weights, to the correction too.

    Parameters
    ----------
    transition_matrix : {"auto", "anchor", "joint", "confident_joint", "anchor_points", \
"percentile"} or array-like of shape (n_classes, n_classes), default="auto"
        The noise matrix to begin with: a way to estimate it, or the matrix itself, with a row for
        each true class in the order of `classes_`. "auto" is that of `CRUSTClassifier`, by networks
        that learn from what they find; the others are those of `noisyfit.noise.estimate_noise`, of
        which "anchor_points" and "percentile" are the paper's.
    revision_epochs : int, default=10
        Epochs of the revision, after ``max_epochs``; 0 for none.
    revision_lr : float, default=1e-4
        Learning rate of the network and of the correction in the revision. Small: the correction
        of a matrix is small, and the network is to stay what it is.
    {transition_parameters}
    {validated_network_parameters}

    Attributes
    ----------
    {network_attributes}
    initial_transition_matrix_ : ndarray of shape (n_classes, n_classes)
        The matrix before its revision. `transition_matrix_` is that after it, clipped to
        probabilities.

    See Also
    --------
    ForwardClassifier : Uses the matrix in the prediction instead of in weights.

    References
    ----------
    X. Xia, T. Liu, N. Wang, B. Han, C. Gong, G. Niu, M. Sugiyama. Are Anchor Points Really
    Indispensable in Label-Noise Learning? NeurIPS 2019. arXiv:1906.00189.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from noisyfit import TRevisionClassifier
    >>> from noisyfit.noise import symmetric_noise
    >>> X, y = load_digits(return_X_y=True)
    >>> y_given, wrong = symmetric_noise(y[:1200], 0.3, random_state=0)
    >>> classifier = TRevisionClassifier(random_state=0).fit(X[:1200], y_given)
    >>> bool(classifier.score(X[1200:], y[1200:]) > 0.8)
    True
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **TransitionClassifier._parameter_constraints,
        "revision_epochs": [Interval(Integral, 0, None, closed="left")],
        "revision_lr": [Interval(Real, 0, None, closed="neither")],
    }
    _published: ClassVar[dict[str, Any]] = {
        "transition_matrix": "percentile",
        "cross_fit": None,
        "estimation_epochs": 20,
        "max_epochs": 200,
        "lr": 0.01,
        "lr_schedule": {40: 0.1, 80: 0.1},
        "optimizer": "sgd",
        "optimizer__weight_decay": 1e-4,
        "batch_size": 128,
        "revision_epochs": 200,
        "revision_lr": 5e-7,
    }

    def __init__(
        self,
        transition_matrix: Any = "auto",
        *,
        revision_epochs: int = 10,
        revision_lr: float = 1e-4,
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
        self.revision_epochs = revision_epochs
        self.revision_lr = revision_lr
        self.cross_fit = cross_fit
        self.estimation_epochs = estimation_epochs

    def _n_planned_epochs(self) -> int:
        return self.max_epochs + self.revision_epochs

    def _train(self, data: LabeledRows, settings: NetworkSettings, seed: int, fresh: bool) -> None:
        noise, records = self._noise(data, settings, np.random.RandomState(seed))
        self.initial_transition_matrix_ = noise.transition_matrix
        criterion = ImportanceReweighting(noise.transition_matrix)
        self._start(data, settings, criterion, fresh)
        with self._recorded(data) as recorder:
            self._run_phase(data, "reweighting", self.max_epochs, keep_best="valid_loss")
            if self.revision_epochs:
                noise = self._revise(data, noise.prior)
        self._begin_history(records)
        self._judge_by_matrix(data, recorder, noise)

    def _revise(self, data: LabeledRows, prior: np.ndarray) -> Any:
        """Train on with a correction of the matrix; the noise by the matrix that comes out."""
        criterion: ImportanceReweighting = self.net_.criterion_.revise().to(self.net_.device)
        optimizer = self.net_.optimizer_
        optimizer.add_param_group({"params": [criterion.correction], "weight_decay": 0.0})
        try:
            self._run_phase(
                data,
                "revision",
                self.revision_epochs,
                lr=self.revision_lr,
                keep_best="valid_loss",
            )
        finally:  # the optimizer goes on without it
            del optimizer.param_groups[-1]
            optimizer.state.pop(criterion.correction, None)
        matrix = in_double(criterion.revised_matrix.detach()).cpu().numpy().clip(min=0)
        totals = matrix.sum(axis=1, keepdims=True)
        matrix = np.where(totals > 0, matrix / np.where(totals > 0, totals, 1), 1 / len(matrix))
        return noise_of_matrix(matrix, prior @ matrix)
