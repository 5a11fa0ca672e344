"""
Seeing what a fit made of noisy labels
======================================

Handwritten digits, half of the labels wrong: a network with plain cross entropy learns the wrong
labels by heart, CRUST leaves them out, DM lets them count less. The displays of
`noisyfit.inspection` show it. They follow scikit-learn's convention: ``from_estimator`` or
``from_predictions`` draws, into axes of your own if you pass ``ax=``.

Half a minute; opens windows, or saves the pictures as PNG files in a folder::

    python examples/inspection.py
    python examples/inspection.py --output pictures
"""

# sphinx_gallery_thumbnail_number = 2

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import torch
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict, train_test_split

from noisyfit import CRUSTClassifier, DMClassifier, RobustLossClassifier
from noisyfit.callbacks import CoresetScoring, MemorizationScoring
from noisyfit.inspection import (
    CoresetHistoryDisplay,
    EmphasisDisplay,
    GradientSpaceDisplay,
    LabelQualityDisplay,
    MemorizationDisplay,
    TransitionMatrixDisplay,
)
from noisyfit.noise import symmetric_noise

parser = argparse.ArgumentParser(
    description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
)
parser.add_argument("--epochs", type=int, default=30, help="epochs of each network (30)")
parser.add_argument("--output", type=Path, help="folder for the pictures; without it, windows")
args = parser.parse_args()
torch.set_num_threads(1)  # so little data is not worth a second thread

# %%
# The truth is known here, so two callbacks can record what becomes of it during training: how many
# wrong labels a network has memorized, and how pure the coreset is. Both only look on.

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.3, random_state=0)
y_given, wrong = symmetric_noise(y_train, 0.5, random_state=0)

watch = MemorizationScoring(y_train, y_given)
common = {"max_epochs": args.epochs, "random_state": 0}
plain = RobustLossClassifier("ce", callbacks=[watch], **common)
crust = CRUSTClassifier(callbacks=[watch, CoresetScoring(y_train, y_given)], **common)
dm = DMClassifier(callbacks=[watch], **common)
fitted = {"cross entropy": plain, "DM": dm, "CRUST": crust}
for name, classifier in fitted.items():
    classifier.fit(X_train, y_given)
    print(f"{name}: test accuracy {classifier.score(X_test, y_test):.3f}")

# %%
# Learning by heart
# -----------------
# Networks learn what a class has in common first, and single wrong labels later. A robust method
# ends with few of them memorized and most of their rows predicted right.

learning, axes = plt.subplots(1, 3, figsize=(13, 4), layout="constrained", sharey=True)
for ax, (name, classifier) in zip(axes, fitted.items(), strict=True):
    MemorizationDisplay.from_estimator(classifier, ax=ax)
    ax.set_title(name)

# %%
# Which labels are wrong
# ----------------------
# `label_quality_` after the fit of CRUST, and the quality that held-out probabilities of any other
# classifier give. Without ``y_true`` the bars are coloured by what is judged wrong.

quality, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained", sharey=True)
LabelQualityDisplay.from_estimator(crust, y_given, y_true=y_train, ax=axes[0])
axes[0].set_title("CRUST")
logistic = LogisticRegression(C=0.001, max_iter=1000)
probabilities = cross_val_predict(logistic, X_train, y_given, method="predict_proba")
LabelQualityDisplay.from_predictions(probabilities, y_given, y_true=y_train, ax=axes[1])
axes[1].set_title("logistic regression, held out")

# %%
# What is mistaken for what
# -------------------------
# The estimated noise matrix, beside the true one and the error of the estimate.

matrix, axes = plt.subplots(1, 3, figsize=(16, 5), layout="compressed")
display = TransitionMatrixDisplay.from_estimator(
    crust, y_true=y_train, y_given=y_given, ax=axes[0], colorbar=False
)
display.plot(ax=axes[1], show="true")
display.plot(ax=axes[2], show="difference")
for ax, title in zip(axes, ("estimated", "true", "estimated minus true"), strict=True):
    ax.set_title(title)

# %%
# The coreset
# -----------
# What CRUST trains on: its purity lies far above that of all rows, and next to no right label is
# lost. In gradient space, here that of the held-out probabilities above, rows are nearer to zero
# the better their label agrees with the prediction; the coreset is the near side of each cluster.

coreset, axes = plt.subplots(1, 2, figsize=(12, 4.5), layout="constrained")
CoresetHistoryDisplay.from_estimator(crust, ax=axes[0])
GradientSpaceDisplay.from_predictions(
    probabilities, y_given, coreset=crust.coreset_indices_, y_true=y_train, ax=axes[1]
)

# %%
# How much a row counts
# ---------------------
# DM weights a row by the probability p of its given label. The curve is what it settled on for this
# noise; the bars are the rows, by their mean p during training. Losses have such curves as well.

emphasis, ax = plt.subplots(figsize=(7, 4.5), layout="constrained")
EmphasisDisplay.from_estimator(dm, y_given=y_given, y_true=y_train, ax=ax)
EmphasisDisplay.from_criterion("ce", name="cross entropy", ax=ax)
EmphasisDisplay.from_criterion("gce", name="generalized cross entropy", ax=ax)

# %%
# Displays are plain matplotlib: change what you like, and save it.

pictures = {
    "learning": learning,
    "label_quality": quality,
    "transition_matrix": matrix,
    "coreset": coreset,
    "emphasis": emphasis,
}
if args.output is None:
    plt.show()
else:
    args.output.mkdir(parents=True, exist_ok=True)
    for name, figure in pictures.items():
        figure.savefig(args.output / f"{name}.png", dpi=130)
        print(f"saved {args.output / name}.png")
