"""Estimators in files, without pickle.

`save` and `load` are the interface. Inside, one idea a file:

- ``files``: the two functions;
- ``archive``: the zip with its manifest, written atomically, refused where it was changed;
- ``codec``: objects to JSON and back by a closed list, which ``registry`` assembles from
  ``plain`` (Python), ``arrays`` (numpy, scipy, torch), ``frames`` (pandas), ``objects`` (criteria,
  densities, callbacks), ``modules`` and ``network`` (networks and the nets that train them),
  ``estimators``, ``foreign`` (other estimators, through skops) and ``names`` (classes by name, and
  what is not in a file).
"""

from noisyfit.persistence.errors import LoadError
from noisyfit.persistence.files import load, save

__all__ = ["LoadError", "load", "save"]
