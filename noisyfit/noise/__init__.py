"""Noisy labels: making them for experiments, estimating how many there are, finding them.

- *Corrupt* labels at exact rates: `symmetric_noise`, `pairwise_noise`, `asymmetric_noise`,
  `instance_dependent_noise`, and `corrupt_labels` to choose one by name.
- *Estimate* the noise from a classifier's held-out probabilities: `estimate_noise`.
- *Find* wrong labels: `label_quality` scores, `find_label_issues` ranks and counts,
  `believed_labels` proposes the true ones.
- *Apply* what people decided about the rows they looked at: `apply_review`.

Only numpy, no networks: everything works with the probabilities of any classifier.
"""

from .corrupt import (
    CorruptedLabels,
    asymmetric_noise,
    corrupt_labels,
    instance_dependent_noise,
    pairwise_noise,
    symmetric_noise,
)
from .estimate import NoiseEstimate, anchor_noise, estimate_noise
from .quality import believed_labels, find_label_issues, label_quality
from .review import ReviewedData, apply_review
from .transition import transition_matrix

__all__ = [
    "CorruptedLabels",
    "NoiseEstimate",
    "ReviewedData",
    "anchor_noise",
    "apply_review",
    "asymmetric_noise",
    "believed_labels",
    "corrupt_labels",
    "estimate_noise",
    "find_label_issues",
    "instance_dependent_noise",
    "label_quality",
    "pairwise_noise",
    "symmetric_noise",
    "transition_matrix",
]
