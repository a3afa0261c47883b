"""Which gamma to train at next: the collapse is bracketed, approached from below, and left to settle.

The state into which an E-VAE collapses depends on how gamma rises: after a jump it may collapse into a state with
defects, in small steps it finds the ground state. So a bisection on a logarithmic scale, in which each probe starts
from the nearest lower gamma that has not collapsed, finds the collapse to a factor `BRACKET`; these probes have jumped.
A ladder of its own then starts again from the VAE: `CLIMB` up to the lower end of the bracket, from there steps of a
factor `STEP` until the collapse. From the collapsed state gamma rises in steps of `SETTLE`, until the energy does not
change any more.

Everything here is a generator that yields a `Probe` and is sent its `Outcome`: it knows nothing of training.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Generator, Mapping, Sequence

from keras_evae.analysis.transitions import LIKENESS_DROP, Transition

# Largest ratio of the two ends of the bracket; two halvings of the three decades in which the collapse is expected.
BRACKET = 2.5
# The first steps of the ladder to the lower end of the bracket, as shares of it.
CLIMB = (0.1, 0.316, 1.0)
# Steps towards the collapse: eight in a decade. In steps of three, one of three trainings ended in another lattice.
STEP = 10.0 ** (1 / 8)
# The collapsed state is left to settle at this many values of gamma at most, each so many times the one before, until
# the mean of E/N changes by less: a relaxation at T = 0 does the rest.
SETTLE, SETTLINGS, SETTLED = 2.0, 2, 1e-5


@dataclasses.dataclass(frozen=True)
class Probe:
    """A training to be done.

    Args:
        purpose: `bracket`, `approach` or `settle`.
        gamma: Weight of the Hamiltonian loss.
        start: Gamma of the training whose weights it starts from; 0 for the VAE.
    """

    purpose: str
    gamma: float
    start: float


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What a probe has shown: whether it is collapsed, and the mean E/N of its generated states."""

    collapsed: bool
    energy_per_site: float


Probing = Generator[Probe, Outcome, Transition | None]


def is_collapsed(generated: Mapping[str, float], reference: Mapping[str, float]) -> bool:
    """Whether a model generates one state: FFT-MSE and spread of E/N are both 30 times lower than those of the VAE.

    FFT-MSE alone does not see whether the states lie at different heights, the spread alone not whether they differ.

    Args:
        generated: Statistics of generated states: `fft_mse` and `energy_per_site_std`.
        reference: The same of the VAE, gamma = 0.
    """
    return all(LIKENESS_DROP * generated[name] < reference[name] for name in ("fft_mse", "energy_per_site_std"))


def find_collapse(lower: float, upper: float, known: Sequence[tuple[float, bool]] = (), settle: bool = True) -> Probing:
    """Probes that find the collapse between two values of gamma.

    Args:
        lower, upper: Where it is sought.
        known: Values of gamma with whether they are collapsed, from trainings in rising order of gamma.
        settle: Go on beyond the collapse until the state has settled.

    Returns:
        The last gamma before the collapse, from which it was approached, and the first one beyond it. `before` is 0 if
        `lower` lies beyond it already. None if `upper` is not collapsed.

    Example:

    >>> probing = find_collapse(10, 10000, settle=False)
    >>> next(probing)
    Probe(purpose='bracket', gamma=316.0, start=0.0)
    >>> probing.send(Outcome(collapsed=False, energy_per_site=-2.05))
    Probe(purpose='bracket', gamma=1780.0, start=316.0)
    """
    if not 0 < lower < upper < math.inf:
        raise ValueError(f"expected 0 < lower < upper. Received: lower={lower}, upper={upper}")
    low, high = yield from _bracket(lower, upper, *_known_bracket(known))
    if high is None:
        return None
    # A ladder that was trained before has climbed already.
    climbed = low in (gamma for gamma, _ in known)
    transition, outcome = yield from _approach(low, high, () if climbed else CLIMB)
    if settle:
        yield from _settle(transition.after, outcome.energy_per_site if outcome else math.inf)
    return transition


def _known_bracket(known: Sequence[tuple[float, bool]]) -> tuple[float, float | None]:
    """The step after which all are collapsed for good: one training that strays does not move it."""
    low, high = 0.0, None
    for gamma, collapsed in sorted(known, reverse=True):
        if not collapsed:
            low = gamma
            break
        high = gamma
    return low, high


def _bracket(
    lower: float, upper: float, low: float, high: float | None
) -> Generator[Probe, Outcome, tuple[float, float | None]]:
    """The largest gamma that is not collapsed, 0 if there is none, and the smallest one above that is."""
    while (top := high or upper) > BRACKET * (bottom := max(low, lower)):
        middle = _rounded(math.sqrt(bottom * top))
        low, high = yield from _narrow(middle, low, high)
    if high is None and low < upper:
        low, high = yield from _narrow(upper, low, high)
    if low == 0.0 and high != lower:
        low, high = yield from _narrow(lower, low, high)
    return low, high


def _narrow(gamma: float, low: float, high: float | None) -> Generator[Probe, Outcome, tuple[float, float | None]]:
    """The bracket after one more probe."""
    if (yield Probe("bracket", gamma, low)).collapsed:
        return low, gamma
    return gamma, high


def _approach(
    low: float, high: float, climb: Sequence[float]
) -> Generator[Probe, Outcome, tuple[Transition, Outcome | None]]:
    """The collapse on a ladder from below, with the outcome of its last step; `low` and `high` if it stays away."""
    steps = [_rounded(share * low) for share in climb] if low else []
    last = steps[-1] if steps else low
    while 0 < last < high * STEP:
        last = _rounded(last * STEP)
        steps.append(last)
    start = 0.0 if climb else low
    for gamma in steps:
        outcome = yield Probe("approach", gamma, start)
        if outcome.collapsed:
            return Transition(start, gamma), outcome
        start = gamma
    return Transition(low, high), None


def _settle(gamma: float, energy: float) -> Generator[Probe, Outcome, None]:
    for _ in range(SETTLINGS):
        start, gamma, before = gamma, _rounded(gamma * SETTLE), energy
        energy = (yield Probe("settle", gamma, start)).energy_per_site
        if abs(energy - before) < SETTLED:
            return


def _rounded(gamma: float) -> float:
    """Three digits, which the name of a folder can show."""
    return float(f"{gamma:.3g}")
