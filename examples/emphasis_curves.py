"""Emphasis: which rows teach how much
===================================

Derivative manipulation (DM) looks at a loss by one question: how large is the derivative of a row,
given the probability p that the network gives to the row's label? This function of p is the
*emphasis density*. Its mode says which rows count most, its variance how much more.

A wrong label has a small p, once the network has learned something. An emphasis that is large near
p = 0 therefore stares at wrong labels.
"""

# %%
# Common losses. Cross entropy counts the rows most that the network contradicts; mean absolute
# error those in doubt, but no row much more than another; generalised cross entropy lies between.

import matplotlib.pyplot as plt
import torch

from noisyfit.weighting import (
    CrossEntropyEmphasis,
    DMEmphasis,
    GeneralizedCrossEntropyEmphasis,
    MeanAbsoluteErrorEmphasis,
    emphasis_for_noise,
)

p = torch.linspace(0.001, 0.999, 300)
STYLES = ("-", "--", ":", "-.")


def draw(axis, title, densities):
    """Each density with its mean over p set to 1, so that only shapes differ."""
    for (name, emphasis), style in zip(densities.items(), STYLES, strict=False):
        weight = emphasis.weight(p)
        axis.plot(p, weight / weight.mean(), style, label=name)
    axis.set(title=title, xlabel="p of the given label", ylim=(0, None))
    axis.grid(alpha=0.3)
    axis.legend(fontsize=8)


figure, axes = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
draw(
    axes[0],
    "common losses",
    {
        "cross entropy": CrossEntropyEmphasis(),
        "generalised cross entropy": GeneralizedCrossEntropyEmphasis(),
        "mean absolute error": MeanAbsoluteErrorEmphasis(),
    },
)
draw(
    axes[1],
    "DM, variance parameter 8",
    {f"mode {mode}": DMEmphasis(mode=mode, variance=8) for mode in (0.0, 0.25, 0.5, 0.75)},
)
axes[0].set_ylabel("weight, mean 1")
plt.show()

# %%
# `DMClassifier()` starts with the density for 15 % wrong labels and moves on with what it finds.
# The more labels are wrong, the surer the network has to be of a row before the row counts:

figure, axis = plt.subplots(figsize=(5, 3.6), layout="constrained")
draw(
    axis,
    "what the noise found asks for",
    {f"{rate:.0%} wrong": emphasis_for_noise(rate) for rate in (0.0, 0.1, 0.2, 0.4)},
)
axis.set_ylabel("weight, mean 1")
plt.show()

for rate in (0.0, 0.1, 0.2, 0.4):
    print(f"{rate:.0%} wrong labels: {emphasis_for_noise(rate)}")
