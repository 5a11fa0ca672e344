"""Callbacks that record what becomes of wrong labels during training, where the truth is known.

In an experiment the true labels are known, and the question is what a network learns of the wrong
ones. These skorch callbacks are given to an estimator as ``callbacks=[...]``; what they find is in
its ``history_`` after the fit, and the displays of :mod:`noisyfit.inspection` draw it. They look
on only: a fit with them ends with the same network as one without.
"""

from noisyfit.callbacks.coreset import CoresetScoring
from noisyfit.callbacks.memorization import MemorizationScoring

__all__ = ["CoresetScoring", "MemorizationScoring"]
