"""Gradients in, medoids out: choosing a weighted coreset of trustworthy rows.

CRUST represents every training row by the gradient of its loss, on the observation that rows with
correct labels lie together in gradient space. This folder turns such gradients into a coreset:

* `logit_gradients`, `feature_gradients`, `last_layer_gradients` (as `OuterProducts`),
  `module_gradients` (by a hook), `gradient_norms`: what stands for a row;
* `euclidean_distances`, and the objective: `assign_to_medoids`, `total_distance`,
  `facility_location`, `distance_bound`, `cluster_weights`;
* the selectors `greedy_medoids` (the published algorithm), `swap_medoids` (makes its choice
  better), `stochastic_medoids`, `partitioned_medoids` (for many rows), `central_medoids` (what the
  official code computes) and `column_subset` (rows that span all);
* `keep_smallest`: leaving out the rows whose gradients are farthest from zero;
* `select_coreset`: all of it group by group, giving a `Coreset`.

Everything here is a pure function. Inputs are numpy arrays or torch tensors; the work is done by
torch on the tensor's device and in its precision (integers become float64, half precision becomes
float32), and results are small numpy arrays.
"""

from noisyfit.selection.central import central_medoids
from noisyfit.selection.columns import ColumnSubset, column_subset
from noisyfit.selection.coreset import Coreset, select_coreset
from noisyfit.selection.distances import euclidean_distances
from noisyfit.selection.greedy import GreedyResult, greedy_medoids
from noisyfit.selection.methods import SELECTION_METHODS
from noisyfit.selection.objective import (
    assign_to_medoids,
    cluster_weights,
    distance_bound,
    facility_location,
    total_distance,
)
from noisyfit.selection.partitioned import PartitionedResult, partitioned_medoids
from noisyfit.selection.products import OuterProducts
from noisyfit.selection.proxies import (
    feature_gradients,
    gradient_norms,
    last_layer_gradients,
    logit_gradients,
    module_gradients,
)
from noisyfit.selection.stochastic import stochastic_medoids
from noisyfit.selection.swap import SwapResult, swap_medoids
from noisyfit.selection.trimming import keep_smallest

__all__ = [
    "SELECTION_METHODS",
    "ColumnSubset",
    "Coreset",
    "GreedyResult",
    "OuterProducts",
    "PartitionedResult",
    "SwapResult",
    "assign_to_medoids",
    "central_medoids",
    "cluster_weights",
    "column_subset",
    "distance_bound",
    "euclidean_distances",
    "facility_location",
    "feature_gradients",
    "gradient_norms",
    "greedy_medoids",
    "keep_smallest",
    "last_layer_gradients",
    "logit_gradients",
    "module_gradients",
    "partitioned_medoids",
    "select_coreset",
    "stochastic_medoids",
    "swap_medoids",
    "total_distance",
]
