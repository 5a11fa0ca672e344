"""Seeing what a fit made of noisy labels: displays, and a page to review rows with.

`LabelReport` writes one HTML file with the suspicious rows, to keep, relabel or drop by keyboard.
The rest are displays in scikit-learn's convention.

Each display is made from an estimator (`from_estimator`), from predictions or other arrays of any
origin, or by its constructor from what is to be drawn. ``plot(ax=None)`` draws it again, into axes
of your own if you like; the display then holds `ax_`, `figure_` and what it has drawn, to be
changed as you please. matplotlib is imported when something is drawn, not before.

- `LabelQualityDisplay`: how far each label is to be trusted;
- `TransitionMatrixDisplay`: what is mistaken for what;
- `CoresetHistoryDisplay`: the coreset over the epochs;
- `GradientSpaceDisplay`: where the rows, and the coreset, lie in gradient space;
- `EmphasisDisplay`: how much a row counts, by the probability of its label;
- `MemorizationDisplay`: what becomes of right and of wrong labels while a network learns.
"""

from noisyfit.inspection.coreset_history import CoresetHistoryDisplay
from noisyfit.inspection.emphasis_curve import EmphasisDisplay
from noisyfit.inspection.gradient_space import GradientSpaceDisplay
from noisyfit.inspection.label_quality import LabelQualityDisplay
from noisyfit.inspection.memorization import MemorizationDisplay
from noisyfit.inspection.report import LabelReport
from noisyfit.inspection.transition import TransitionMatrixDisplay

__all__ = [
    "CoresetHistoryDisplay",
    "EmphasisDisplay",
    "GradientSpaceDisplay",
    "LabelQualityDisplay",
    "LabelReport",
    "MemorizationDisplay",
    "TransitionMatrixDisplay",
]
