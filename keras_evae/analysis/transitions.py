"""What counts as collapse, and where the losses of a ladder of stages change their behaviour (Figure 2 of the paper).

A ladder is a list of weights, beta or gamma, in rising order, with one number measured at each. A transition lies
between two neighbours of the ladder and cannot be known better than that.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence

# FFT-MSE falls by less than 10 towards the collapse, and by 100 and more in it: the middle on a logarithmic scale.
LIKENESS_DROP = 30.0
# One bit, in nats.
COLLAPSED_KL = math.log(2.0)


@dataclasses.dataclass(frozen=True)
class Transition:
    """A transition between two neighbouring weights of a ladder.

    Args:
        before: Last weight before it; 0 if the first weight of the ladder lies beyond it already.
        after: First weight beyond it.
    """

    before: float
    after: float

    @property
    def mark(self) -> float:
        """One number for the interval: its geometric mean; its upper end if it begins at zero."""
        return math.sqrt(self.before * self.after) or self.after


def posterior_collapse(
    betas: Sequence[float], kl_losses: Sequence[float], bound: float = COLLAPSED_KL
) -> Transition | None:
    """Critical beta of the posterior collapse: from it on, L_KL stays below ln 2.

    L_KL bounds the mutual information between inputs and latent vectors from above, in nats. Below ln 2, one bit, the
    latent vector cannot answer a single yes-no question about the input. The bound is absolute because a share of the
    value at the smallest beta would move with the beginning of the ladder. L_KL is several to hundreds of nats before
    the collapse, and below 0.1 beyond it.

    Args:
        betas, kl_losses: Weights of the ladder, rising, and L_KL at each, in nats.
        bound: L_KL below which a stage has collapsed; ln 2 by default.

    Returns:
        The interval, or None if the ladder ends before the collapse.

    Reference:
        - Hoffman and Johnson, "ELBO surgery", NIPS workshop (2016): mean L_KL = mutual information + a positive rest.

    Example:

    >>> posterior_collapse([1e-3, 1e-2, 1e-1], [107.0, 26.0, 0.01])
    Transition(before=0.01, after=0.1)
    """
    return _crossing(betas, [loss < bound for loss in kl_losses])


def reconstruction_rise(
    gammas: Sequence[float], reconstruction_losses: Sequence[float], factor: float = 1.5
) -> Transition | None:
    """Gamma from which on L_RC stays more than 1.5 times above its plateau, the dashed line of Figure 2B.

    The plateau at each gamma is the smallest L_RC at smaller ones: in short stages L_RC still falls along the plateau,
    or wanders by some per cent. Beyond, it doubles in half a decade.

    Args:
        gammas, reconstruction_losses: Weights of the ladder, rising, usually from 0, and L_RC at each.
        factor: How far above the plateau.

    Returns:
        The interval, or None if L_RC does not rise.

    Example:

    >>> reconstruction_rise([0, 10, 100, 1000], [0.184, 0.160, 0.773, 1.371])
    Transition(before=10, after=100)
    """
    plateaus = [min(reconstruction_losses[: index + 1]) for index in range(len(reconstruction_losses))]
    risen = [loss > factor * plateau for loss, plateau in zip(reconstruction_losses, plateaus, strict=True)]
    return _crossing(gammas, risen)


def generation_collapse(
    gammas: Sequence[float], fft_mses: Sequence[float], factor: float = LIKENESS_DROP
) -> Transition | None:
    """Critical gamma of the collapse to one state: from it on, FFT-MSE stays 30 times below its first value.

    The first value of the ladder, at gamma = 0, is the diversity of the standard VAE.

    Args:
        gammas, fft_mses: Weights of the ladder, rising, the first one usually 0, and FFT-MSE of generated states at
            each, see `keras_evae.analysis.fft_mse`; it may reach 0.
        factor: How far below the first value.

    Returns:
        The interval, or None if the ladder ends before the collapse.

    Example:

    >>> generation_collapse([0, 100, 1000, 3000], [3.1e-6, 6.9e-6, 5.0e-6, 3.0e-8])
    Transition(before=1000, after=3000)
    """
    measured = [{"fft_mse": value} for value in fft_mses]
    return _crossing(gammas, [generates_one_state(found, measured[0], factor) for found in measured])


def generates_one_state(
    generated: Mapping[str, float], vae: Mapping[str, float], factor: float = LIKENESS_DROP, in_energy: bool = False
) -> bool:
    """Whether a stage generates one state: its states are `factor` times more alike than those of the standard VAE.

    Alike is FFT-MSE, as in Figure 5B: it counts for curves and pictures. With `in_energy` the spread of E/N must be as
    much smaller, too. The search for the lowest state asks for that: FFT-MSE alone does not see whether states lie at
    different heights. On a ladder of gamma the spread may fall a stage later, so both do not share one critical gamma.

    Args:
        generated, vae: `fft_mse` and `energy_per_site_std` of generated states of the stage, and of that at gamma = 0.
    """
    measures = ("fft_mse", "energy_per_site_std") if in_energy else ("fft_mse",)
    return all(factor * generated[name] < vae[name] for name in measures)


def _crossing(weights: Sequence[float], beyond: Sequence[bool]) -> Transition | None:
    """The step of the ladder after which `beyond` is true for good: one stage that strays does not move it."""
    if len(weights) != len(beyond) or list(weights) != sorted(set(weights)):
        raise ValueError(f"the weights must rise, with one value each. Received: {list(weights)}, {len(beyond)} values")
    first = len(beyond)
    while first and beyond[first - 1]:
        first -= 1
    if first == len(beyond):
        return None
    return Transition(weights[first - 1] if first else 0.0, weights[first])
