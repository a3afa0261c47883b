"""Losses along ladders of stages, and where they change.

All losses are those of the validation split.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from keras_evae.analysis import Transition, posterior_collapse, reconstruction_rise
from keras_evae.evaluation.collapse import critical_gamma
from keras_evae.stages import FinishedStage

# Symbol and interval; None where the ladder shows no such transition.
Transitions = Mapping[str, Transition | None]
Stages = Sequence[FinishedStage]


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
