"""Objects in files, without pickle: what saving estimators and checkpoints of fits have in common.

- ``replacing``: files that appear whole or not at all, private until then;
- ``archive``: a zip with its manifest, refused where it was changed;
- ``codec``: objects to JSON and back by a closed list, with those of ``plain`` (Python) and
  ``arrays`` (numpy, scipy, torch);
- ``document``: an object, so encoded, as the members of an archive.
"""
