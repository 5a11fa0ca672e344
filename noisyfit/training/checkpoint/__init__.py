"""Fits that go on where they were cut off.

- ``folder``: checkpoints in files, the newest two kept, one fit at a time;
- ``identity``: which fit it is: data and parameters in a form that can be compared;
- ``state``: what a net, its callbacks and the random generators are like between two epochs;
- ``progress``: how far a fit has got; what is done is not done again;
- ``codecs``: what beliefs and coresets are in a file.
"""

from noisyfit.storage.document import versions
from noisyfit.training.checkpoint.folder import CheckpointFolder
from noisyfit.training.checkpoint.identity import FitIdentity, describe_value, digest_of
from noisyfit.training.checkpoint.progress import NO_PROGRESS, Part, Progress, Run
from noisyfit.training.checkpoint.state import NetState, Noted

__all__ = [
    "NO_PROGRESS",
    "CheckpointFolder",
    "FitIdentity",
    "NetState",
    "Noted",
    "Part",
    "Progress",
    "Run",
    "describe_value",
    "digest_of",
    "versions",
]
