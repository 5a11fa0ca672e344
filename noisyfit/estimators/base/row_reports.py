"""What a fit says about the rows that it was given."""

from __future__ import annotations

from typing import Any

import numpy as np

from noisyfit._blocks import slices
from noisyfit.estimators.base.containers import with_index
from noisyfit.noise import NoiseEstimate, label_quality
from noisyfit.training.data import LabeledRows
from noisyfit.training.divergence import first_not_finite
from noisyfit.training.network import PlannedNet


class RowReports:
    """Sets what a fit says about its rows: their labels, how far to trust them, and the noise."""

    classes_: np.ndarray
    net_: PlannedNet

    def _report_rows(
        self,
        data: LabeledRows,
        probabilities: Any,
        noise: NoiseEstimate,
        trusted: np.ndarray | None = None,
    ) -> None:
        """Set what the fit says about its rows, from probabilities (n_samples, n_classes).

        The believed label is the most probable one, or the given one where ``trusted``.
        """
        self._report_labels(data, probabilities, trusted)
        self._report_noise(noise)

    def _report_labels(
        self, data: LabeledRows, probabilities: Any, trusted: np.ndarray | None = None
    ) -> None:
        """Set the label believed for each row, and the trust in the given one."""
        row = first_not_finite(probabilities)
        if row is not None:
            self.net_.raise_diverged(f"The logits of row {row} of X are not finite")
        believed = probabilities.argmax(axis=1)
        if trusted is not None:
            believed = np.where(trusted, data.codes, believed)
        quality = np.concatenate(
            [
                label_quality(probabilities[part], data.codes[part], "self_confidence")
                for part in slices(*probabilities.shape)
            ]
        )
        self.transduction_ = with_index(self.classes_[believed], data.index, "transduction")
        self.label_quality_ = with_index(quality, data.index, "label_quality")

    def _report_noise(self, noise: NoiseEstimate) -> None:
        self.noise_rate_ = noise.rate
        self.transition_matrix_ = noise.transition_matrix
