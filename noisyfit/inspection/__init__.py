"""Looking at what was found: reports for people who review labels.

- `LabelReport`: one HTML file with the suspicious rows, to keep, relabel or drop by keyboard.
"""

from noisyfit.inspection.report import LabelReport

__all__ = ["LabelReport"]
