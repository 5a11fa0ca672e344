"""PENCILClassifier: labels learned together with the network."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import torch

from noisyfit._compat import Interval
from noisyfit._precision import in_double
from noisyfit.estimators.base.documentation import share_documentation
from noisyfit.estimators.base.published import Published
from noisyfit.estimators.base.whole_data import WholeDataClassifier
from noisyfit.losses import CrossEntropy, LabelDistributionLearning
from noisyfit.noise import NoiseEstimate, estimate_noise
from noisyfit.training.data import LabeledRows
from noisyfit.training.settings import NetworkSettings


@share_documentation
class PENCILClassifier(Published, WholeDataClassifier):
    """PENCIL: every row has a label distribution that is learned with the network.

    It starts at the given label; what the network predicts for the row pulls it away, the given
    label holds it. Where a network that has learned the common patterns contradicts a label
    steadily, the label gives way.

    Phases, as `history_` names them: "cross entropy" on the given labels; "label correction", where
    network and labels are learned together; "fine-tuning" on the labels as they then are.

    Parameters
    ----------
    label_lr : float, default=1.0
        Step of a row's label logits at each visit.
    compatibility : float, default=0.25
        How much the given label holds on to its row.
    entropy : float, default=0.1
        How much undecided predictions cost.
    confidence : float, default=10.0
        Logit of the given label at the start, K in the paper.
    warmup_epochs : int, default=5
        Epochs of the first phase, before ``max_epochs``, those of the second.
    finetuning_epochs : int, default=10
        Epochs of the third phase.
    {network_parameters}

    Attributes
    ----------
    label_distributions_ : ndarray of shape (n_samples, n_classes)
        The learned labels: `transduction_` is the most probable one, `label_quality_` the
        probability of the given one.
    {network_attributes}

    References
    ----------
    K. Yi, J. Wu. Probabilistic End-to-end Noise Correction for Learning with Noisy Labels.
    CVPR 2019. arXiv:1903.07788.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from noisyfit import PENCILClassifier
    >>> from noisyfit.noise import symmetric_noise
    >>> X, y = load_digits(return_X_y=True)
    >>> y_given, wrong = symmetric_noise(y[:1200], 0.3, random_state=0)
    >>> classifier = PENCILClassifier(random_state=0).fit(X[:1200], y_given)
    >>> bool(classifier.score(X[1200:], y[1200:]) > 0.8)
    True
    >>> bool((classifier.transduction_ == y[:1200]).mean() > 0.9)
    True
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **WholeDataClassifier._parameter_constraints,
        "label_lr": [Interval(Real, 0, None, closed="left")],
        "compatibility": [Interval(Real, 0, None, closed="left")],
        "entropy": [Interval(Real, 0, None, closed="left")],
        "confidence": [Interval(Real, 0, None, closed="left")],
        "warmup_epochs": [Interval(Integral, 0, None, closed="left")],
        "finetuning_epochs": [Interval(Integral, 0, None, closed="left")],
    }
    # The paper's alpha of 0.1 amounts to a compatibility of 1 for ten classes, with which no label
    # ever gives way. Its results are those of a code whose second softmax weakens that term.
    _published: ClassVar[dict[str, Any]] = {
        "label_lr": 600 / 128 / 10,
        "compatibility": 0.5,
        "entropy": 0.1,
        "warmup_epochs": 70,
        "max_epochs": 130,
        "finetuning_epochs": 120,
        "lr": 0.06,
        "lr_schedule": "constant",
        "optimizer": "sgd",
        "optimizer__weight_decay": 1e-4,
        "batch_size": 128,
    }

    def __init__(
        self,
        label_lr: float = 1.0,
        *,
        compatibility: float = 0.25,
        entropy: float = 0.1,
        confidence: float = 10.0,
        warmup_epochs: int = 5,
        finetuning_epochs: int = 10,
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
        self.label_lr = label_lr
        self.compatibility = compatibility
        self.entropy = entropy
        self.confidence = confidence
        self.warmup_epochs = warmup_epochs
        self.finetuning_epochs = finetuning_epochs

    def _n_planned_epochs(self) -> int:
        return self.warmup_epochs + self.max_epochs + self.finetuning_epochs

    def _train(self, data: LabeledRows, settings: NetworkSettings, seed: int, fresh: bool) -> None:
        self._start(data, settings, CrossEntropy(), fresh)
        labels = LabelDistributionLearning(
            torch.from_numpy(data.codes),
            data.n_classes,
            compatibility=self.compatibility,
            entropy=self.entropy,
            label_lr=self.label_lr,
            confidence=self.confidence,
        ).to(settings.device)
        with self._recorded(data) as recorder:
            self._run_phase(data, "cross entropy", self.warmup_epochs)
            self.net_.criterion_ = labels
            self._run_phase(data, "label correction", self.max_epochs)
            labels.freeze()
            self._run_phase(data, "fine-tuning", self.finetuning_epochs)
        self.net_.criterion_ = CrossEntropy()  # the labels need not be kept twice
        learned = in_double(labels.label_distributions()).cpu().numpy()
        # Rows that were not trained on have learned no label.
        unseen = recorder.unseen()
        learned[unseen] = self._probabilities(data, recorder)[unseen]
        self.label_distributions_ = learned / learned.sum(axis=1, keepdims=True)
        self._report_rows(data, self.label_distributions_, self._label_noise(data))

    def _label_noise(self, data: LabeledRows) -> NoiseEstimate:
        """How many labels were changed, and into what."""
        believed = np.eye(data.n_classes)[self.label_distributions_.argmax(axis=1)]
        return estimate_noise(believed, data.codes, method="agreement", sample_weight=data.counts)
