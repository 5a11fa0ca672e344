"""Estimators in files, without pickle.

`save` and `load` are the interface. Inside, one idea a file:

- ``files``: the two functions;
- ``registry``: the closed list of what goes into a file, assembled from those of
  ``noisyfit.storage`` and ``frames`` (pandas), ``objects`` (criteria, densities, callbacks),
  ``modules`` and ``network`` (networks and the nets that train them), ``estimators``, ``foreign``
  (other estimators, through skops) and ``names`` (classes by name, and what is not in a file).
"""

from noisyfit.persistence.files import load, save
from noisyfit.storage.errors import LoadError

__all__ = ["LoadError", "load", "save"]
