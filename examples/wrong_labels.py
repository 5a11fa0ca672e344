"""What wrong labels do to a network
=================================

A network first learns what most labels say, and then, row by row, the labels that are wrong. Here
you watch it happen: handwritten digits, 40 % of the training labels replaced by another digit, and
after every epoch two questions. How many *test* digits does the network get right? How many of the
*wrong training labels* has it learned by heart?
"""

# %%
# 1,257 digits to train on, 540 to test on. `symmetric_noise` swaps exactly 40 % of the labels and
# says which. Nothing that trains below is told.

import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from skorch.callbacks import Callback

from noisyfit import CRUSTClassifier, DMClassifier
from noisyfit.noise import symmetric_noise

X, y = load_digits(return_X_y=True)
X, X_test, y, y_test = train_test_split(X, y, test_size=0.3, stratify=y, random_state=0)
y_given, wrong = symmetric_noise(y, 0.4, random_state=0)

# %%
# A skorch callback looks at the network after every epoch.


class Watch(Callback):
    """Note test accuracy, and the share of wrong labels that the network repeats."""

    def __init__(self):
        self.accuracy, self.memorised = [], []

    def on_epoch_end(self, net, **kwargs):
        """Called by skorch."""
        self.accuracy.append(np.mean(predict(net.module_, X_test) == y_test))
        self.memorised.append(np.mean(predict(net.module_, X[wrong]) == y_given[wrong]))


@torch.no_grad()
def predict(module, rows):
    """Most probable classes, by a network in training."""
    return module.eval()(torch.as_tensor(rows, dtype=torch.float32)).argmax(dim=1).numpy()


# %%
# Plain cross entropy is `DMClassifier` with cross entropy's emphasis. `CRUSTClassifier` is given
# the same network, the same epochs, and the same labels.

watches = {"cross entropy": Watch(), "CRUST": Watch()}
DMClassifier("cce", normalize=None, callbacks=[watches["cross entropy"]], random_state=0).fit(
    X, y_given
)
crust = CRUSTClassifier(callbacks=[watches["CRUST"]], random_state=0).fit(X, y_given)

# %%
# Cross entropy is best after a few epochs, and nobody without right labels knows when to stop. From
# there on every wrong label that it memorises costs test accuracy. CRUST leaves the rows out whose
# labels it doubts, so there is little for it to memorise.

figure, axes = plt.subplots(1, 2, figsize=(9, 3.4), sharex=True, sharey=True, layout="constrained")
for (name, watch), color, style in zip(
    watches.items(), ("#D55E00", "#0072B2"), ("--", "-"), strict=True
):
    epochs = np.arange(1, len(watch.accuracy) + 1)
    axes[0].plot(epochs, watch.accuracy, style, color=color, label=name)
    axes[1].plot(epochs, watch.memorised, style, color=color, label=name)
axes[0].set(title="test digits right", xlabel="epoch", ylabel="share", ylim=(0, 1))
axes[1].set(title="wrong labels repeated", xlabel="epoch")
axes[0].legend(loc="lower right")
for axis in axes:
    axis.grid(alpha=0.3)
plt.show()

# %%
# The last epoch in figures, and CRUST's own estimate of the noise, which it was not told:

for name, watch in watches.items():
    print(f"{name:<14} test {watch.accuracy[-1]:.3f}, memorised {watch.memorised[-1]:.3f}")
print(f"wrong labels: {wrong.mean():.3f}, estimated {crust.noise_rate_:.3f}")
