"""Several processes that train one network together.

- ``processes``: what they share, gather and agree on;
- ``normalisation``: batch normalisation over all of their rows.
"""

from noisyfit.training.distributed.processes import ALONE, Processes, Share, processes_of

__all__ = ["ALONE", "Processes", "Share", "processes_of"]
