"""Puts a review page to try out beside the others: digits with 10 % of the labels wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.util.display import status_iterator

NAME = "label_report.html"


def write_demo(app: Sphinx, exception: Exception | None) -> None:
    """Write the page, once."""
    page = Path(app.outdir) / NAME
    if exception is not None or app.builder.format != "html" or page.exists():
        return
    for _ in status_iterator([NAME], "writing demo... "):
        _report().save(page)


def _report() -> Any:
    from sklearn.datasets import load_digits
    from sklearn.linear_model import LogisticRegression

    from noisyfit import CoresetClassifier
    from noisyfit.inspection import LabelReport
    from noisyfit.noise import symmetric_noise

    X, y = load_digits(return_X_y=True)
    y_given, _ = symmetric_noise(y, 0.1, random_state=0)
    model = LogisticRegression(C=0.1, max_iter=200)
    classifier = CoresetClassifier(model, random_state=0).fit(X / 16, y_given)
    images = X.reshape(-1, 8, 8) / 16
    return LabelReport.from_estimator(
        classifier, X, y_given, data=images, title="Digits, 10 % of the labels wrong"
    )


def setup(app: Sphinx) -> dict[str, Any]:
    """Tell Sphinx when to write the page."""
    app.connect("build-finished", write_demo)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
