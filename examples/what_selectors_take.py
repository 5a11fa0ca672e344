"""What each way to select takes
=============================

CRUST stands for every row by the gradient of its loss, p - onehot(y), and takes a coreset of them.
What the coreset is good for depends on how it is taken. Here half of the rows are taken from digits
of which half the labels are wrong.
"""

# %%
# Probabilities of each row by a model that has not seen it, and from them the gradients. A row
# whose label is right lies near zero, a row whose label is wrong far from it.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import cross_val_predict

from noisyfit.noise import symmetric_noise
from noisyfit.selection import gradient_norms, keep_smallest, logit_gradients, select_coreset

X, y = load_digits(return_X_y=True)
y_given, wrong = symmetric_noise(y, 0.5, random_state=0)
forest = RandomForestClassifier(n_estimators=100, random_state=0)
probabilities = cross_val_predict(forest, X, y_given, cv=3, method="predict_proba")
gradients = logit_gradients(probabilities, y_given)
norms = gradient_norms(gradients)

figure, axis = plt.subplots(figsize=(6, 3.2), layout="constrained")
bins = np.linspace(0, np.sqrt(2), 40)
axis.hist(norms[~wrong], bins, alpha=0.7, color="#0072B2", label="label right")
axis.hist(norms[wrong], bins, alpha=0.7, color="#D55E00", label="label wrong", hatch="//")
axis.set(xlabel="norm of the gradient", ylabel="rows")
axis.legend()
plt.show()

# %%
# Half of each class by five selectors, and the share of right labels among them. Medoids that
# *cover* all rows ("greedy", the published algorithm) take the outliers, and these are wrong
# labels. The *central* rows are what the official code takes. *Trimming* drops the rows far from
# zero.

chosen = {
    name: select_coreset(
        gradients, method=method, fraction=0.5, groups=y_given, random_state=0
    ).indices
    for name, method in (
        ("random", "random"),
        ("medoids (the paper)", "greedy"),
        ("column subset", "columns"),
        ("central (the code)", "central"),
    )
}
chosen["trimmed (noisyfit)"] = keep_smallest(norms, 0.5, y_given)
purity = {name: float(np.mean(~wrong[rows])) for name, rows in chosen.items()}

figure, axis = plt.subplots(figsize=(6, 2.6), layout="constrained")
bars = axis.barh(list(purity), list(purity.values()), color="#0072B2")
axis.bar_label(bars, fmt="%.2f", padding=3)
axis.axvline(0.5, color="black", linestyle=":")
axis.set(xlabel="share of right labels among the rows taken", xlim=(0, 1.08))
axis.invert_yaxis()
plt.show()

# %%
# So trim first, and only then cover what is left, if a smaller coreset is wanted:

kept = keep_smallest(norms, 0.5, y_given)
coreset = select_coreset(gradients, fraction=0.1, groups=y_given, candidates=kept)
print(f"{len(coreset.indices)} medoids, {np.mean(~wrong[coreset.indices]):.3f} with right labels")
