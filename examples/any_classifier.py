"""Any scikit-learn classifier, in a Pipeline, in a search
=======================================================

You need no network. `CoresetClassifier` wraps the classifier that you use already: it fits clones
of it out of fold, learns from them which labels to doubt, and fits it on the other rows. It is a
scikit-learn classifier itself, so Pipelines and searches work as they do.

The data are the breast cancer measurements that come with scikit-learn, as a DataFrame. 30 % of the
malignant cases are labelled benign, none the other way round.
"""

# %%

import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from noisyfit import CoresetClassifier
from noisyfit.noise import asymmetric_noise

X, target = load_breast_cancer(return_X_y=True, as_frame=True)
y = np.where(target == 0, "malignant", "benign")
X, X_test, y, y_test = train_test_split(X, y, test_size=0.4, stratify=y, random_state=0)
y_given, wrong = asymmetric_noise(y, 0.3, {"malignant": "benign"}, random_state=0)
print(f"{wrong.sum()} of {(y == 'malignant').sum()} malignant cases are labelled benign")

# %%
# Two classifiers, by themselves and wrapped. Which malignant cases are found is what counts here.

linear = make_pipeline(StandardScaler(), LogisticRegression(max_iter=200))
forest = RandomForestClassifier(n_estimators=50, min_samples_leaf=2, random_state=0)


def report(name, classifier):
    """Print how a classifier does on right labels."""
    predicted = classifier.predict(X_test)
    found = np.mean(predicted[y_test == "malignant"] == "malignant")
    print(f"{name:<22} accuracy {np.mean(predicted == y_test):.3f}, malignant found {found:.3f}")


for name, classifier in (("logistic regression", linear), ("random forest", forest)):
    report(name, classifier.fit(X, y_given))
    wrapped = CoresetClassifier(classifier, random_state=0).fit(X, y_given)
    report(f"coreset + {name.split()[-1]}", wrapped)

# %%
# After `fit` the wrapper knows what was mistaken for what. Rows of the matrix are true classes,
# columns given ones.

print(wrapped.classes_)
print(wrapped.transition_matrix_.round(2))
suspects = wrapped.label_quality_ < 0.5
print(f"{suspects.sum()} labels judged wrong, {wrong[suspects].sum()} of them are")

# %%
# A search over the parameters of the classifier inside goes by the names that scikit-learn gives
# them. Mind that the scores of a search are taken on given labels: they rank settings well where
# the noise is even, and flatter a model that repeats one-sided mistakes.

search = GridSearchCV(
    CoresetClassifier(linear, random_state=0),
    {"estimator__logisticregression__C": [0.01, 1.0]},
    cv=3,
).fit(X, y_given)
print(search.best_params_)
report("best of the search", search)
