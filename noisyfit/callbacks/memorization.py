"""Whether a network learns the classes, or the wrong labels by heart."""

from __future__ import annotations

from typing import Any

import numpy as np

from noisyfit.callbacks.truth import TruthCallback


class MemorizationScoring(TruthCallback):
    """Record after each epoch what the network predicts for rows with right and with wrong labels.

    A network learns what the rows of a class have in common before it learns single wrong labels by
    heart. Needs the true labels, so it is for experiments. It costs one prediction of the training
    rows per epoch.

    In `history_` are, as shares of all rows given to fit (those that a method leaves out, or that
    are held out for validation, included):

    - ``"clean_accuracy"``: of the rows with right labels, those predicted right;
    - ``"memorized"``: of the rows with wrong labels, those predicted as the wrong label says;
    - ``"corrected"``: of the rows with wrong labels, those predicted right all the same.

    What there are no rows for is not recorded, nor is anything for epochs of helper networks.

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

    See Also
    --------
    noisyfit.inspection.MemorizationDisplay : Draws what was recorded.

    Notes
    -----
    It works with a plain ``skorch.NeuralNetClassifier`` as well, fitted on class codes.

    References
    ----------
    D. Arpit et al. A Closer Look at Memorization in Deep Networks. ICML 2017. arXiv:1706.05394.

    S. Liu, J. Niles-Weed, N. Razavian, C. Fernandez-Granda. Early-Learning Regularization Prevents
    Memorization of Noisy Labels. NeurIPS 2020. arXiv:2007.00151.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from noisyfit import RobustLossClassifier
    >>> from noisyfit.callbacks import MemorizationScoring
    >>> from noisyfit.noise import symmetric_noise
    >>> X, y = load_iris(return_X_y=True)
    >>> y_given, wrong = symmetric_noise(y, 0.3, random_state=0)
    >>> scoring = MemorizationScoring(y, y_given)
    >>> classifier = RobustLossClassifier("ce", max_epochs=3, callbacks=[scoring], random_state=0)
    >>> history = classifier.fit(X, y_given).history_
    >>> history[-1, "clean_accuracy"] > history[-1, "memorized"]
    True
    """

    def on_train_begin(self, net: Any, X: Any = None, y: Any = None, **kwargs: Any) -> None:
        """Check the labels, and hold on to the rows.

        Parameters
        ----------
        net : skorch.NeuralNet
            The net in training.
        X, y : object
            The rows, and their labels if the net is given any.
        **kwargs : keywords
            Ignored.
        """
        super().on_train_begin(net, X, y, **kwargs)
        self._rows = X

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Predict all rows and record the shares.

        Parameters
        ----------
        net : skorch.NeuralNet
            The net in training.
        **kwargs : keywords
            Ignored.
        """
        predicted = np.asarray(net.predict(self._rows))
        if predicted.ndim == 2:  # a plain skorch.NeuralNet predicts what its module returns
            predicted = predicted.argmax(axis=1)
        right = self.given_codes_ == self.true_codes_
        agrees_with_truth = predicted == self.true_codes_
        if right.any():
            net.history.record("clean_accuracy", float(agrees_with_truth[right].mean()))
        if not right.all():
            memorized = predicted[~right] == self.given_codes_[~right]
            net.history.record("memorized", float(memorized.mean()))
            net.history.record("corrected", float(agrees_with_truth[~right].mean()))

    def on_train_end(self, net: Any, X: Any = None, y: Any = None, **kwargs: Any) -> None:
        """Let go of the rows.

        Parameters
        ----------
        net : skorch.NeuralNet
            The net.
        X, y : object
            The rows and labels.
        **kwargs : keywords
            Ignored.
        """
        del self._rows
