"""Everything that is fuzzed: a strategy, the property, and its share of the examples."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fuzz import losses, noise, selection
from fuzz.estimators import cases, check_classifier, check_medoids, check_partial_fit
from fuzz.parameters import PARAMETERS
from hypothesis import strategies as st

from noisyfit import (
    CRUSTClassifier,
    DMClassifier,
    GradientMedoidSampler,
    GradientMedoidSelector,
)


@dataclass(frozen=True)
class Target:
    """One thing to fuzz; the property says whether a case was refused."""

    strategy: st.SearchStrategy[Any]
    check: Callable[[Any], str]
    share: float = 1.0


def targets() -> dict[str, Target]:
    found: dict[str, Target] = {}
    for made in PARAMETERS:
        medoids = made in (GradientMedoidSelector, GradientMedoidSampler)
        found[made.__name__] = Target(
            cases(made, weighted=made is not GradientMedoidSelector),
            check_medoids if medoids else check_classifier,
        )
    for made in (CRUSTClassifier, DMClassifier):
        name = f"{made.__name__}.partial_fit"
        found[name] = Target(cases(made), check_partial_fit, share=0.5)
    found["select_coreset"] = Target(selection.CORESETS, selection.check_select_coreset)
    found["functions of medoids"] = Target(selection.MEDOIDS, selection.check_medoid_functions)
    found["keep_smallest"] = Target(selection.TRIMMING, selection.check_trimming)
    found["logit_gradients"] = Target(selection.GRADIENTS, selection.check_gradients, share=0.5)
    found["injected noise"] = Target(noise.INJECTIONS, noise.check_injection)
    found["estimated noise"] = Target(noise.ESTIMATES, noise.check_estimate)
    found["label quality"] = Target(noise.QUALITIES, noise.check_quality)
    found["transition_matrix"] = Target(noise.MATRICES, noise.check_transition_matrix, share=0.5)
    found["criteria"] = Target(losses.LOGITS, losses.check_criterion)
    found["emphasis densities"] = Target(losses.DENSITIES, losses.check_density)
    found["emphasis of criteria"] = Target(losses.EMPHASES, losses.check_emphases_of, share=0.2)
    return found


TARGETS = targets()
