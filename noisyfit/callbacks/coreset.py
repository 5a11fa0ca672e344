"""How clean the coreset is, and how much of the clean data it holds."""

from __future__ import annotations

from typing import Any

import numpy as np

from noisyfit.callbacks.truth import TruthCallback


class CoresetScoring(TruthCallback):
    """Record size, purity and recall of the coreset that each epoch trains on.

    For `CRUSTClassifier`, in experiments where the true labels are known. It costs next to nothing.
    In `history_` are, for each epoch that trains on a coreset (none in a warm-up on all rows):

    - ``"coreset_size"``: number of rows that train under their given label;
    - ``"coreset_purity"``: share of right labels among them;
    - ``"coreset_recall"``: share of all rows with right labels that are among them;
    - ``"relabeled_size"`` and ``"relabeled_purity"``: number of rows that train under another
      label than the given one (see `pseudo_label`), and the share of them for which it is right.

    A share of no rows is not recorded.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        True labels of the rows given to `fit`, in their order.
    y_given : array-like of shape (n_samples,)
        The labels given to `fit`.
    classes : array-like of shape (n_classes,), default=None
        The labels that the network's outputs stand for. None: all of `y_given`, sorted, which is
        what the estimators take in `fit`.

    Raises
    ------
    ValueError
        When training begins: if the labels are not one for each row, or have nothing in common.
    TypeError
        If the net is none of noisyfit's, which plan their epochs.

    See Also
    --------
    noisyfit.inspection.CoresetHistoryDisplay : Draws what was recorded.

    References
    ----------
    B. Mirzasoleiman, K. Cao, J. Leskovec. Coresets for Robust Training of Deep Neural Networks
    against Noisy Labels. NeurIPS 2020, figure 1(a).

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from noisyfit import CRUSTClassifier
    >>> from noisyfit.callbacks import CoresetScoring
    >>> from noisyfit.noise import symmetric_noise
    >>> X, y = load_iris(return_X_y=True)
    >>> y_given, wrong = symmetric_noise(y, 0.3, random_state=0)
    >>> scoring = CoresetScoring(y, y_given)
    >>> classifier = CRUSTClassifier(max_epochs=3, callbacks=[scoring], random_state=0)
    >>> history = classifier.fit(X, y_given).history_
    >>> history[-1, "coreset_purity"] > 0.8
    True
    """

    def on_epoch_begin(self, net: Any, **kwargs: Any) -> None:
        """Look at the plan that the epoch is going to follow.

        Parameters
        ----------
        net : skorch.NeuralNet
            The net in training.
        **kwargs : keywords
            Ignored.
        """
        plan = getattr(net, "plan_", None)
        if plan is None:
            raise TypeError(
                f"CoresetScoring needs a net that plans its epochs, got {type(net).__name__}; "
                "pass it as callbacks=[...] of CRUSTClassifier."
            )
        if plan.phase != "coreset":
            return
        true, given = self.true_codes_[plan.rows], self.given_codes_[plan.rows]
        under_given = plan.targets == given
        right = plan.targets == true
        n_right_in_all = np.sum(self.true_codes_ == self.given_codes_)
        record = net.history.record
        record("coreset_size", int(under_given.sum()))
        if under_given.any():
            record("coreset_purity", float(right[under_given].mean()))
        if n_right_in_all:
            record("coreset_recall", float(right[under_given].sum() / n_right_in_all))
        record("relabeled_size", int((~under_given).sum()))
        if not under_given.all():
            record("relabeled_purity", float(right[~under_given].mean()))
