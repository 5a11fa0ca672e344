"""RobustLossClassifier: a network and any criterion."""

from __future__ import annotations

from collections.abc import Iterator
from numbers import Integral
from typing import Any, ClassVar

from torch import nn

from noisyfit._compat import Interval, StrOptions
from noisyfit.estimators.base.documentation import share_documentation
from noisyfit.estimators.base.whole_data import WholeDataClassifier
from noisyfit.losses import CRITERION_NAMES, CrossEntropy
from noisyfit.training.criteria import OF_ROWS, build_criterion, needs_warmup, warmup_criterion
from noisyfit.training.data import LabeledRows
from noisyfit.training.plan import EpochPlan
from noisyfit.training.settings import NetworkSettings


@share_documentation
class RobustLossClassifier(WholeDataClassifier):
    """A network trained on a loss that wrong labels can do less to.

    The simplest way to be robust, and with ``criterion="ce"`` the one that is not: the plain
    network to compare with.

    Parameters
    ----------
    criterion : str, torch.nn.Module class or instance, or callable, default="elr"
        The loss, by name: "elr" (early-learning regularization), "ce" (cross entropy), or another
        that `noisyfit.losses.resolve_criterion` knows; a criterion of `noisyfit.losses` or of your
        own, as an instance or as a class; a function of logits (n, n_classes) and class codes (n,)
        that returns n losses. Options of a name or a class are set as ``criterion__<name>``, such
        as ``criterion__strength=1.0``; a class that has parameters ``n_rows`` and ``n_classes`` is
        given them.
    warmup_epochs : int or None, default=None
        The first of the ``max_epochs`` in which the loss is cross entropy, or for truncated
        generalized cross entropy the same without truncation. None is a third of ``max_epochs`` for
        the latter, which could not begin without, and 0 for all others.
    {network_parameters}

    Attributes
    ----------
    {network_attributes}

    See Also
    --------
    DMClassifier : Losses by the size of their derivative.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from noisyfit import RobustLossClassifier
    >>> from noisyfit.noise import symmetric_noise
    >>> X, y = load_digits(return_X_y=True)
    >>> y_given, wrong = symmetric_noise(y[:1200], 0.3, random_state=0)
    >>> robust = RobustLossClassifier("elr", random_state=0).fit(X[:1200], y_given)
    >>> plain = RobustLossClassifier("ce", random_state=0).fit(X[:1200], y_given)
    >>> bool(robust.score(X[1200:], y[1200:]) > plain.score(X[1200:], y[1200:]) + 0.05)
    True
    """

    _parameter_prefixes = (*WholeDataClassifier._parameter_prefixes, "criterion")
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **WholeDataClassifier._parameter_constraints,
        "criterion": [StrOptions({*CRITERION_NAMES, *OF_ROWS}), callable],
        "warmup_epochs": [Interval(Integral, 0, None, closed="left"), None],
    }

    def __init__(
        self,
        criterion: Any = "elr",
        *,
        warmup_epochs: int | None = None,
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
        self.criterion = criterion
        self.warmup_epochs = warmup_epochs

    def _train(self, data: LabeledRows, settings: NetworkSettings, seed: int, fresh: bool) -> None:
        options = self._prefixed_options("criterion")
        sizes = {"n_rows": len(data.codes), "n_classes": data.n_classes}
        criterion = build_criterion(self.criterion, options, **sizes).to(settings.device)
        n_warmup = self.warmup_epochs
        if n_warmup is None:
            n_warmup = self.max_epochs // 3 if needs_warmup(criterion) else 0
        if not fresh and any(True for _ in criterion.parameters()):
            criterion = self.net_.criterion_  # its parameters are in the optimizer
        self._start(data, settings, criterion, fresh)
        with self._recorded(data) as recorder:
            self._run(data, lambda epochs: self._plans(data, criterion, n_warmup, epochs))
        if getattr(criterion, "needs_rows", False):
            # What it knew of every row need not be kept.
            self.net_.criterion = self.net_.criterion_ = CrossEntropy()
        self._judge(data, recorder)

    def _plans(
        self, data: LabeledRows, criterion: nn.Module, n_warmup: int, epochs: range
    ) -> Iterator[EpochPlan]:
        warming_up = warmup_criterion(criterion).to(self.net_.device)
        for epoch in epochs:
            self.net_.criterion_ = warming_up if epoch < n_warmup else criterion
            yield data.every_row("warm-up" if epoch < n_warmup else "train")
