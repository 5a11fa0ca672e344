"""A fit and its epochs as tasks that scikit-learn's callbacks follow (`sklearn.callback`)."""

from __future__ import annotations

import copy
from typing import Any

from noisyfit._compat import begin_fit_task
from noisyfit.training.distributed import ALONE, Processes


class FitTask:
    """Tells the estimator's callbacks of the fit and of every epoch of its network.

    Parameters
    ----------
    estimator : NetworkClassifier
        The estimator in its fit.
    X, y, sample_weight : as given to `fit`
        What callbacks are shown; ScoringMonitor computes its figures on it.
    n_epochs : int
        Epochs planned, of all phases together.
    processes : Processes
        Those that fit together: what a callback asks for in one of them counts in all.
    """

    def __init__(
        self,
        estimator: Any,
        X: Any,
        y: Any,
        sample_weight: Any,
        n_epochs: int,
        processes: Processes = ALONE,
    ) -> None:
        self.estimator = estimator
        self.processes = processes
        self.stopped = False
        self.interrupted = False
        self._epoch: Any = None
        metadata = None if sample_weight is None else {"sample_weight": sample_weight}
        self._told = {"estimator": estimator, "X": X, "y": y, "metadata": metadata}
        self._fit = begin_fit_task(estimator, max_subtasks=n_epochs)
        if self._fit is not None:
            self._fit.call_on_fit_task_begin(**self._told)

    def begin_epoch(self) -> None:
        """Tell of an epoch that begins."""
        if self._fit is not None:
            self._epoch = self._fit.subcontext(task_name="epoch")
            self._epoch.call_on_fit_task_begin(
                **self._told, reconstruction_attributes=self._present
            )

    def end_epoch(self) -> bool:
        """Tell that the epoch is over; True if a callback asks to stop training."""
        if self._epoch is not None:
            asked = self._epoch.call_on_fit_task_end(
                **self._told, reconstruction_attributes=self._present
            )
            self.stopped = self.processes.any(self.stopped or asked)
        return self.stopped

    def interrupt(self) -> None:
        """Have no further epoch run, as the user has asked by Ctrl-C."""
        self.stopped = self.interrupted = True

    def state_dict(self) -> dict[str, Any]:
        """Whether a callback has asked to stop."""
        return {"stopped": self.stopped}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Stop if a callback has asked an earlier process to."""
        self.stopped = state["stopped"]

    def end(self) -> None:
        """Tell that the fit is over."""
        if self._fit is not None:
            self._fit.call_on_fit_task_end(**self._told, reconstruction_attributes={})

    def _present(self) -> dict[str, Any]:
        """What makes a copy of the estimator predict as if training had ended now.

        Only computed for callbacks that ask for it. The network is copied, since training goes
        on in place and a callback may keep what it was given.
        """
        now = self.estimator.net_
        net = object.__new__(type(now))  # copy.copy would serialise the optimizer too
        vars(net).update(vars(now))
        net.module_ = copy.deepcopy(now.module_)
        net.history = copy.deepcopy(now.history)
        net.plan_ = net.validation_plan_ = None
        return {"net_": net, "history_": net.history, "n_iter_": len(net.history)}
