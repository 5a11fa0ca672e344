"""Find wrong labels, look at them, mend them
==========================================

Training is one use of noisyfit. The other is a list: which rows should somebody look at first? Here
10 % of the labels of handwritten digits are wrong. A classifier finds them, we look at the ten that
it trusts least, and take its word for the label.
"""

# %%
# Digits with 10 % wrong labels. In your own data `y_given` is what you have, and `wrong` and `y`
# are what nobody knows.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier

from noisyfit import CRUSTClassifier
from noisyfit.noise import symmetric_noise

X, y = load_digits(return_X_y=True)
X, X_test, y, y_test = train_test_split(X, y, test_size=0.3, stratify=y, random_state=0)
y_given, wrong = symmetric_noise(y, 0.1, random_state=0)

classifier = CRUSTClassifier(random_state=0).fit(X, y_given)
print(f"estimated share of wrong labels: {classifier.noise_rate_:.3f} (true: {wrong.mean():.3f})")

# %%
# `label_quality_` is the probability that a row's label is right, and `transduction_` the label
# that the classifier believes. Sorted by quality, the doubtful rows come first:

order = np.argsort(classifier.label_quality_)

figure, axes = plt.subplots(2, 5, figsize=(8, 4), layout="constrained")
for axis, row in zip(axes.flat, order, strict=False):
    axis.imshow(X[row].reshape(8, 8), cmap="gray_r")
    axis.set_title(f"given {y_given[row]}, believed {classifier.transduction_[row]}", fontsize=9)
    axis.set_axis_off()
plt.show()

# %%
# How far down the list is it worth reading? Here we know: of the first k rows so many are wrong.

for k in (10, 50, wrong.sum(), 2 * wrong.sum()):
    print(f"first {k:>3}: {wrong[order[:k]].mean():.2f} wrong, {wrong[order[:k]].sum()} found")

# %%
# Any classifier of yours can now be trained on the labels that are believed. One that takes every
# label at its word, the nearest neighbour, with given, with believed and with right labels:

model = KNeighborsClassifier(1)
for name, labels in (("given", y_given), ("believed", classifier.transduction_), ("right", y)):
    print(f"{name:<9} labels: {model.fit(X, labels).score(X_test, y_test):.3f}")
