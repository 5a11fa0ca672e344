"""LDMIClassifier: fine-tuning by determinant based mutual information."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar

from noisyfit._compat import Interval
from noisyfit.estimators.base.documentation import share_documentation
from noisyfit.estimators.base.published import Published
from noisyfit.estimators.base.whole_data import WholeDataClassifier
from noisyfit.losses import CrossEntropy, DeterminantMutualInformation
from noisyfit.training.data import LabeledRows
from noisyfit.training.settings import NetworkSettings

# A batch tells the joint distribution only where it holds some rows of each class.
ROWS_PER_CLASS = 40


@share_documentation
class LDMIClassifier(Published, WholeDataClassifier):
    """L_DMI: maximise an information that label noise only shifts.

    The determinant of the joint distribution of predictions and labels is, under noise that
    depends on the true class only, that of the true labels times a constant. So the classifier that
    maximises it on noisy labels is the one for clean ones, and no matrix need be known. It can't
    tell which output stands for which class, so it continues a training by cross entropy.

    Phases, as `history_` names them: "pre-training" by cross entropy, few epochs, so that wrong
    labels are not yet learned by heart; "information", of ``max_epochs``. Every batch of the second
    holds each class, rows of rare classes more than once.

    Parameters
    ----------
    pretraining_epochs : int, default=6
        Epochs of cross entropy, before ``max_epochs``.
    information_lr : float, default=3e-4
        Learning rate of the second phase; ``lr`` is that of the first.
    {checked_network_parameters}

    Attributes
    ----------
    {network_attributes}

    References
    ----------
    Y. Xu, P. Cao, Y. Kong, Y. Wang. L_DMI: A Novel Information-theoretic Loss Function for Training
    Deep Nets Robust to Label Noise. NeurIPS 2019. arXiv:1909.03388.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from noisyfit import LDMIClassifier
    >>> from noisyfit.noise import symmetric_noise
    >>> X, y = load_digits(return_X_y=True)
    >>> y_given, wrong = symmetric_noise(y[:1200], 0.3, random_state=0)
    >>> classifier = LDMIClassifier(random_state=0).fit(X[:1200], y_given)
    >>> bool(classifier.score(X[1200:], y[1200:]) > 0.8)
    True
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **WholeDataClassifier._parameter_constraints,
        "pretraining_epochs": [Interval(Integral, 0, None, closed="left")],
        "information_lr": [Interval(Real, 0, None, closed="neither")],
    }
    _published: ClassVar[dict[str, Any]] = {
        "pretraining_epochs": 120,
        "max_epochs": 100,
        "lr": 0.1,
        "lr_schedule": {40: 0.1, 80: 0.1},
        "information_lr": 1e-6,
        "optimizer": "sgd",
        "optimizer__weight_decay": 1e-4,
        "batch_size": 256,
    }

    def __init__(
        self,
        pretraining_epochs: int = 6,
        *,
        information_lr: float = 3e-4,
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
        self.pretraining_epochs = pretraining_epochs
        self.information_lr = information_lr

    def _n_planned_epochs(self) -> int:
        return self.pretraining_epochs + self.max_epochs

    def _train(self, data: LabeledRows, settings: NetworkSettings, seed: int, fresh: bool) -> None:
        size = None
        if self.batch_size == "auto":
            size = max(settings.batch_size, ROWS_PER_CLASS * data.n_classes)
        self._start(data, settings, CrossEntropy(), fresh)
        with self._recorded(data) as recorder:
            self._run_phase(data, "pre-training", self.pretraining_epochs, keep_best="valid_loss")
            self.net_.criterion_ = DeterminantMutualInformation()
            self._run_phase(
                data,
                "information",
                self.max_epochs,
                lr=self.information_lr,
                stratified=True,
                batch_size=size,
                keep_best="valid_acc",
            )
        self._judge(data, recorder)
