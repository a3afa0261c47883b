"""Losses along ladders of stages, and where they change: what the claims on Figure 2 are decided by.

All losses are those of the validation split.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from keras_evae.analysis import Transition, posterior_collapse, reconstruction_rise
from keras_evae.evaluation.collapse import critical_gamma
from keras_evae.stages import FinishedStage

# Symbol and interval; None where the ladder shows no such transition.
Transitions = Mapping[str, Transition | None]
Stages = Sequence[FinishedStage]


@dataclasses.dataclass(frozen=True)
class DataReference:
    """What the training data themselves say.

    Args:
        hamiltonian_loss: Their L_H.
        mean_spin: Length of their mean spin, over states and all sites that symmetry makes equal; mean over the others.
    """

    hamiltonian_loss: float
    mean_spin: float


def vae_transitions(stages: Stages) -> Transitions:
    """Transitions on a ladder of beta."""
    return {"beta_c": posterior_collapse([stage.beta for stage in stages], losses_of(stages, "kl_loss"))}


def evae_transitions(stages: Stages) -> Transitions:
    """Transitions on a ladder of gamma that begins at gamma = 0."""
    gammas = [stage.gamma for stage in stages]
    return {
        "gamma_RC": reconstruction_rise(gammas, losses_of(stages, "reconstruction_loss")),
        "gamma_c": critical_gamma(stages),
    }


def losses_of(stages: Stages, loss: str) -> list[float]:
    """A loss of the validation split at each stage."""
    return [stage.metrics["validation"][loss] for stage in stages]


def in_words(stages: Stages, weight: str, loss: str) -> str:
    """A loss along a ladder, in words."""
    symbol = {"reconstruction_loss": "L_RC", "kl_loss": "L_KL", "hamiltonian_loss": "L_H"}[loss]
    values = [f"{value:.4g} ({getattr(s, weight):g})" for s, value in zip(stages, losses_of(stages, loss), strict=True)]
    return f"{symbol} at ({weight}): " + ", ".join(values) if values else f"no stage with {symbol}"


def interval(symbol: str, found: Transition) -> str:
    return f"{symbol} between {found.before:g} and {found.after:g}"
