"""The plan of a sequential training (Experimental Section of the paper): which beta and gamma hold in which epoch.

Pure functions. A stage is a number of epochs at one beta and one gamma; stages follow one another on one
continuous epoch axis, first the VAE's ladder of beta, then the E-VAE's ladder of gamma.
"""

import dataclasses
from collections.abc import Sequence

# The loss terms of the paper, by their names in logs and metrics.
LOSSES = {"L_RC": "reconstruction_loss", "L_KL": "kl_loss", "L_H": "hamiltonian_loss"}

# Of the latent vectors of generated states: the same ones for each stage and run.
GENERATION_SEED = 0


@dataclasses.dataclass(frozen=True)
class Stage:
    """Epochs `first_epoch ... last_epoch - 1` of a run, trained at one beta and one gamma."""

    index: int
    beta: float
    gamma: float
    first_epoch: int
    epochs: int

    @property
    def last_epoch(self) -> int:
        """The first epoch after the stage."""
        return self.first_epoch + self.epochs

    @property
    def name(self) -> str:
        """Name that sorts in the order of training and says the loss weights."""
        return f"{self.index:02d}_beta_{self.beta:g}_gamma_{self.gamma:g}"

    @property
    def weights_in_words(self) -> str:
        return weights_in_words(self.beta, self.gamma)


def weights_in_words(beta: float, gamma: float) -> str:
    """What stages are called in tables, pictures and logs, such as `beta = 1e-3, gamma = 10`."""
    return f"beta = {in_words(beta)}, gamma = {in_words(gamma)}"


def in_words(weight: float) -> str:
    """A weight of the loss as the paper writes it: 1e-3, 0.5, 10."""
    mantissa, _, exponent = f"{weight:e}".partition("e")
    return f"{float(mantissa):g}e{int(exponent)}" if 0 < weight < 0.01 else f"{weight:g}"


def plan_stages(
    betas: Sequence[float],
    vae_epochs: int | Sequence[int],
    evae_beta: float | None = None,
    gammas: Sequence[float] = (),
    evae_epochs: int | Sequence[int] = 0,
) -> tuple[Stage, ...]:
    """Stages in the order of training.

    Args:
        betas, vae_epochs: Ladder of the standard VAE (gamma = 0); epochs of all of its stages, or of each.
        evae_beta: Beta of the E-VAE; the VAE's stages beyond it are left out. None: the VAE alone.
        gammas, evae_epochs: The same for the E-VAE.
    """
    weights = [(beta, 0.0) for beta in betas if evae_beta is None or beta <= evae_beta]
    epochs = _per_stage(vae_epochs, len(betas))[: len(weights)]
    if evae_beta is not None:
        weights += [(evae_beta, gamma) for gamma in gammas]
        epochs += _per_stage(evae_epochs, len(gammas))
    stages, first_epoch = [], 0
    for index, ((beta, gamma), count) in enumerate(zip(weights, epochs, strict=True)):
        stages.append(Stage(index, beta, gamma, first_epoch, count))
        first_epoch += count
    return tuple(stages)


def _per_stage(epochs: int | Sequence[int], count: int) -> list[int]:
    return [epochs] * count if isinstance(epochs, int) else list(epochs)


def describe_plan(stages: Sequence[Stage]) -> list[list[float]]:
    """Beta, gamma and epochs of stages, as a stage keeps those up to itself."""
    return [[stage.beta, stage.gamma, stage.epochs] for stage in stages]
