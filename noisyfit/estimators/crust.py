"""CRUSTClassifier: training on a coreset of trustworthy gradients."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from torch import nn

from noisyfit._compat import Interval, StrOptions
from noisyfit._peaked import stack_rows
from noisyfit.estimators.base.documentation import share_documentation
from noisyfit.estimators.base.incremental import IncrementalClassifier
from noisyfit.estimators.base.published import Published
from noisyfit.losses import CRITERION_NAMES
from noisyfit.noise.belief import Belief, check_matrix, posterior
from noisyfit.noise.estimate import noise_of_predictions
from noisyfit.selection import SELECTION_METHODS
from noisyfit.training.averaging import WeightAverage
from noisyfit.training.coreset import CoresetOptions, CoresetPhases, check_mixup
from noisyfit.training.criteria import build_criterion
from noisyfit.training.data import LabeledRows
from noisyfit.training.folds import count_folds
from noisyfit.training.predictions import predict_labeled
from noisyfit.training.screening import (
    cross_entropy_and_error,
    screen_rows,
    screening_criterion,
)
from noisyfit.training.settings import NetworkSettings


@share_documentation
class CRUSTClassifier(Published, IncrementalClassifier):
    """Coresets for robust training: learn from the rows whose labels can be trusted.

    Each epoch trains on a coreset chosen from gradients of the loss with respect to the logits,
    p - onehot(y). *Screen*: small networks, trained in turn on the labels and on what they have
    found out about them, judge rows they have not seen; this gives the noise matrix and, by
    Bayes' rule, the probability p of each true label given the features *and* the label.
    *Trim*: in each given class the rows whose gradients are farthest from zero are left out, as
    many as are estimated to be wrong; they train under their probable label where that is sure.
    *Then cover*: the rest, or medoids of their gradients, is the coreset. Over the first epochs
    the predictions of the network itself (of its averaged weights) replace the held-out ones.

    The published algorithm is `CRUSTClassifier.paper`, what its official code computes is
    `CRUSTClassifier.official_code`. Neither removes wrong labels reliably, see "Which CRUST?" in
    the README.

    Parameters
    ----------
    trim : "auto", float in [0, 1) or None, default="auto"
        Share of each given class left out as untrustworthy. "auto" estimates it for each class,
        None leaves out nothing.
    selection : str, default="all"
        What covers the rows that are left: all of them, medoids chosen by greedy facility location
        ("greedy", the paper), the rows nearest to all others ("central", the official code), any
        rows ("random"), or another method of `noisyfit.selection.select_coreset`: "auto",
        "k_medoids", "stochastic", "partitioned" or "columns".
    fraction : float in (0, 1], default=0.5
        Share of the rows left that become medoids, where ``selection`` is not "all".
    group_by : {"given", "predicted"}, default="given"
        Whether medoids are chosen among the rows of a given or of a predicted class. Trimming
        always goes by the given class.
    weights : {"uniform", "cluster"}, default="uniform"
        Weight of a medoid: its row's own, or that of all rows it stands for.
    mixup : float or pair of floats, default=0.0
        Parameter, or both parameters, of the Beta distribution of a medoid's share when it is
        mixed with another row; 0 means no mixing.
    mixup_with : {"cluster", "class"}, default="cluster"
        Whether a medoid is mixed with a row of its cluster or of its given class; with
        ``selection="all"`` always of its class.
    pseudo_label : float in (0, 1) or None, default=0.8
        Rows left out join under their probable label where its probability exceeds this.
    cross_fit : int or None, default=3
        Number of screening networks for ``trim="auto"``, each of which judges the rows that it
        was not trained on. None does without: the network warms up on all rows and judges them
        itself. Cheaper, less reliable, and the noise matrix is not used.
    warmup_epochs : int, default=3
        Epochs on the labels as given, of the screening networks or, without them, of the network
        itself. Enough to learn something, too few to memorise wrong labels. Screening networks go
        on, up to four times as long, while the last epoch still made them agree with 5 % more of
        the labels that they have not seen. If a quarter of `max_epochs` is longer (from 52 epochs
        on by default), the network is one that learns slowly: they go on up to that, while they
        agree with ever more.
    screening_epochs : int, default=5
        Further epochs of the screening networks, on the probable labels. Zero: screening ends
        with what the given labels teach.
    transition_matrix : "auto", None or array-like of shape (n_classes, n_classes), default="auto"
        Noise matrix by which ``trim="auto"`` takes the given label as evidence of the true one:
        estimated, not used (the features alone decide), or known, with a row for each true class
        in the order of `classes_`.
    refresh_every : int, default=1
        Epochs between selections.
    criterion : str or callable, default="sce"
        Loss of a row. "sce" is symmetric cross entropy in the form 0.5 CE + 2 (1 - p), and
        n_classes / 100 CE + 4 (1 - p) in the screening networks; for other names see
        `noisyfit.losses.resolve_criterion`. A callable takes logits and class codes and returns
        one loss per row.
    {network_parameters}

    Attributes
    ----------
    coreset_indices_ : ndarray of shape (n_coreset,)
        Rows of the coreset of the last epoch.
    coreset_weights_ : ndarray of shape (n_coreset,)
        Their weights: the number (or total weight) of the rows each stands for.
    {network_attributes}

    See Also
    --------
    DMClassifier : Weighs all rows instead of choosing some.
    CoresetClassifier : The same idea around any scikit-learn classifier.

    References
    ----------
    B. Mirzasoleiman, K. Cao, J. Leskovec. Coresets for Robust Training of Deep Neural Networks
    against Noisy Labels. NeurIPS 2020, equations 5 to 9 and algorithm 1.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from noisyfit import CRUSTClassifier
    >>> from noisyfit.noise import symmetric_noise
    >>> X, y = load_digits(return_X_y=True)
    >>> y_given, wrong = symmetric_noise(y[:1200], 0.4, random_state=0)
    >>> classifier = CRUSTClassifier(random_state=0).fit(X[:1200], y_given)
    >>> bool(classifier.score(X[1200:], y[1200:]) > 0.85)
    True
    >>> bool(wrong[classifier.coreset_indices_].mean() < 0.1)
    True
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **IncrementalClassifier._parameter_constraints,
        "trim": [StrOptions({"auto"}), Interval(Real, 0, 1, closed="left"), None],
        "selection": [StrOptions(set(SELECTION_METHODS))],
        "fraction": [Interval(Real, 0, 1, closed="right")],
        "group_by": [StrOptions({"given", "predicted"})],
        "weights": [StrOptions({"uniform", "cluster"})],
        "mixup": [Interval(Real, 0, None, closed="left"), tuple, list],
        "mixup_with": [StrOptions({"cluster", "class"})],
        "pseudo_label": [Interval(Real, 0, 1, closed="neither"), None],
        "cross_fit": [Interval(Integral, 2, None, closed="left"), None],
        "screening_epochs": [Interval(Integral, 0, None, closed="left")],
        "warmup_epochs": [Interval(Integral, 1, None, closed="left")],
        "transition_matrix": [StrOptions({"auto"}), "array-like", None],
        "refresh_every": [Interval(Integral, 1, None, closed="left")],
        "criterion": [StrOptions(set(CRITERION_NAMES)), callable],
    }

    _published: ClassVar[dict[str, Any]] = {
        "trim": None,
        "selection": "greedy",
        "fraction": 0.5,
        "group_by": "predicted",
        "weights": "cluster",
        "mixup": 1.0,
        "pseudo_label": None,
        "warmup_epochs": 5,
        "criterion": "ce",
        "max_epochs": 120,
        "lr": 0.1,
        "lr_schedule": {80: 0.1, 100: 0.1},
        "optimizer": "sgd",
        "batch_size": 128,
    }

    @classmethod
    def official_code(cls, **parameters: Any) -> CRUSTClassifier:
        """Make the estimator that does what the official code of CRUST does.

        Its selection takes the most central rows of each *given* class instead of medoids that
        cover a predicted one, its weights are all equal, and it mixes a row with any row of the
        same label, by a share from Beta(1, 0.1). It draws that share once for each batch, here it
        is drawn for each row; and it computes gradients from batches in training mode, here they
        are those of the averaged network.

        Parameters
        ----------
        **parameters : keywords
            Parameters that are to differ, such as ``fraction``, ``max_epochs`` and ``module``.

        Returns
        -------
        CRUSTClassifier
            Not fitted.
        """
        coded = {
            "selection": "central",
            "group_by": "given",
            "weights": "uniform",
            "mixup": (1.0, 0.1),
            "mixup_with": "class",
        }
        return cls(**{**cls._published, **coded, **parameters})

    def __init__(
        self,
        trim: str | float | None = "auto",
        *,
        selection: str = "all",
        fraction: float = 0.5,
        group_by: str = "given",
        weights: str = "uniform",
        mixup: float | tuple[float, float] = 0.0,
        mixup_with: str = "cluster",
        pseudo_label: float | None = 0.8,
        cross_fit: int | None = 3,
        warmup_epochs: int = 3,
        screening_epochs: int = 5,
        transition_matrix: Any = "auto",
        refresh_every: int = 1,
        criterion: Any = "sce",
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
        self.trim = trim
        self.selection = selection
        self.fraction = fraction
        self.group_by = group_by
        self.weights = weights
        self.mixup = mixup
        self.mixup_with = mixup_with
        self.pseudo_label = pseudo_label
        self.cross_fit = cross_fit
        self.screening_epochs = screening_epochs
        self.transition_matrix = transition_matrix
        self.warmup_epochs = warmup_epochs
        self.refresh_every = refresh_every
        self.criterion = criterion

    def _criterion(self) -> nn.Module:
        if isinstance(self.criterion, str) and self.criterion == "sce":
            # More of (1 - p) costs accuracy on clean labels of many classes (letter: .940 with
            # 0.1 CE + 4 (1 - p), .953 with this), less of it costs accuracy on noisy ones.
            return cross_entropy_and_error(0.5, 2.0)
        return build_criterion(self.criterion, {})

    def _screening_criterion(self, n_classes: int) -> nn.Module:
        """The criterion or, for the default, one that withstands more."""
        if isinstance(self.criterion, str) and self.criterion == "sce":
            return screening_criterion(n_classes)
        return self._criterion()

    def _train(self, data: LabeledRows, settings: NetworkSettings, seed: int, fresh: bool) -> None:
        rng = np.random.RandomState(seed)
        belief = None
        if self.trim == "auto" and self.cross_fit is not None:
            belief = self._progress.result("belief", lambda: self._screen(data, settings, rng))
        if fresh:
            self._begin(data, settings)
        phases = self._phases(data, rng, belief)
        n_before = len(self.net_.history)
        self._run(
            data,
            lambda epochs: phases.plans(len(epochs), n_before + epochs.start),
            parts={"phases": phases},
        )
        if phases.coreset is None:  # stopped, or ended, within the warm-up
            phases.select(0)
        self._report(data, phases)

    def _train_once(
        self, data: LabeledRows, settings: NetworkSettings, seed: int, fresh: bool
    ) -> None:
        if fresh:
            self._begin(data, settings.constant_rate())
        phases = self._phases(data, np.random.RandomState(seed), None)
        n_before = len(self.net_.history)
        self._run(data, lambda epochs: phases.plans(1, n_before), 1)

    def _screen(
        self, data: LabeledRows, settings: NetworkSettings, rng: np.random.RandomState
    ) -> Belief:
        """Learn about the labels from networks that did not see the rows they judge."""
        n_folds = count_folds(self.cross_fit, len(data.used))
        assert n_folds is not None
        return screen_rows(
            data,
            settings,
            self._screening_criterion(data.n_classes),
            n_folds=n_folds,
            given_epochs=self.warmup_epochs,
            believed_epochs=self.screening_epochs,
            matrix=check_matrix(self.transition_matrix, data.n_classes),
            rng=rng,
            at_most=self.max_epochs // 4,
            progress=self._progress,
        )

    def _begin(self, data: LabeledRows, settings: NetworkSettings) -> None:
        self._teacher = WeightAverage()
        self._start(data, settings, self._criterion(), extra_callbacks=[("teacher", self._teacher)])

    def _phases(
        self, data: LabeledRows, rng: np.random.RandomState, belief: Belief | None
    ) -> CoresetPhases:
        options = CoresetOptions(
            trim=self.trim,
            selection=self.selection,
            fraction=self.fraction,
            group_by=self.group_by,
            weights=self.weights,
            warmup_epochs=self.warmup_epochs,
            refresh_every=self.refresh_every,
            mixup=check_mixup(self.mixup),
            mixup_with=self.mixup_with,
            pseudo_label=self.pseudo_label,
        )
        return CoresetPhases(data, options, self._teacher, belief, rng)

    def _report(self, data: LabeledRows, phases: CoresetPhases) -> None:
        assert phases.coreset is not None
        assert self._teacher.module_ is not None
        self.coreset_indices_ = phases.used[phases.coreset.indices]
        self.coreset_weights_ = phases.coreset.weights
        trusted = np.zeros(len(data.codes), dtype=bool)
        trusted[phases.used[phases.kept]] = self.trim is not None
        probabilities = self._believed(data, phases)
        belief = phases.belief
        self._report_labels(data, probabilities, trusted)
        if belief is not None:
            self._report_noise(belief.noise)
        else:
            self._report_noise(noise_of_predictions(probabilities, data.codes, data.counts))

    def _believed(self, data: LabeledRows, phases: CoresetPhases) -> Any:
        """The mean of what was believed about the used rows; of others, what the teacher says."""
        mean = phases.end()
        if len(phases.used) == len(data.codes):
            return mean
        others = np.setdiff1d(np.arange(len(data.codes)), phases.used)
        assert self._teacher.module_ is not None
        found = predict_labeled(self._teacher.module_, data, others)
        if phases.belief is not None:
            found = posterior(found, data.codes[others], phases.belief.transition)
        return stack_rows([mean, found])[np.argsort(np.concatenate([phases.used, others]))]
