"""Which gamma to train at next: the collapse is bracketed, approached from below, and left to settle.

The state into which an E-VAE collapses depends on how gamma rises: after a jump it may collapse into a state with
defects, in small steps it finds the ground state. So a bisection on a logarithmic scale, in which each probe starts
from the nearest lower gamma that has not collapsed, only brackets the collapse: these probes have jumped. A ladder of
its own then climbs again from the VAE, and goes on in small steps until the collapse.
"""

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence

from keras_evae.analysis.transitions import Transition
from keras_evae.runs.stage_folder import FinishedStage

# What the metrics of a probe's stage hold beside those of other stages: gamma of the stage that it started from, and
# the CPU time since its last interruption, with the samples trained in it.
RECORD = "probe"
# Largest ratio of the two ends of the bracket.
BRACKET = 2.5
# First steps of the approach, as shares of the lower end, and the ratio of further ones. In steps of three, one of
# three trainings ended in another lattice.
CLIMB, STEP = (0.1, 0.316, 1.0), 10 ** (1 / 8)
# Ratio of the steps beyond the collapse, and the change of E/N from which on the state is settled.
RISE, SETTLED = 2.0, 1e-5


@dataclasses.dataclass(frozen=True)
class Probe:
    """A training at one gamma, from the weights of gamma = `start`, and whether its E-VAE is collapsed."""

    # `bracket`, `approach` or `settle`.
    purpose: str
    gamma: float
    start: float
    stage: FinishedStage
    collapsed: bool

    @property
    def record(self) -> Mapping[str, float]:
        """Its costs, and from which gamma it started."""
        return self.stage.metrics[RECORD]


# Trains for a purpose at a gamma, from the weights of another gamma.
Train = Callable[[str, float, float], Probe]


def find_collapse(
    train: Train, lower: float, upper: float, known: Sequence[tuple[float, bool]] = (), settle: bool = True
) -> Transition | None:
    """Finds the collapse between two values of gamma.

    Args:
        train: Trains a probe; nothing else is known of training here.
        lower, upper: Where the collapse is sought.
        known: Values of gamma with whether they are collapsed, from trainings in rising order of gamma.
        settle: Go on beyond the collapse until E/N hardly changes, twice at most.

    Returns:
        The last gamma before the collapse, from which it was approached, and the first one beyond it. `before` is 0 if
        `lower` lies beyond it already. None if `upper` is not collapsed.
    """
    if not 0 < lower < upper < math.inf:
        raise ValueError(f"expected 0 < lower < upper. Received: lower={lower}, upper={upper}")
    # The step after which all are collapsed for good: one training that strays does not move it.
    low = max((gamma for gamma, collapsed in known if not collapsed), default=0.0)
    high = min((gamma for gamma, collapsed in known if collapsed and gamma > low), default=None)
    low, high = _bracket(train, lower, upper, low, high)
    if high is None:
        return None
    # A ladder that was trained before has climbed already.
    transition, energy = _approach(train, low, high, climbed=low in dict(known))
    gamma = transition.after
    for _ in range(2 if settle else 0):
        start, gamma, before = gamma, _round(RISE * gamma), energy
        energy = train("settle", gamma, start).stage.metrics["generated"]["energy_per_site_mean"]
        if abs(energy - before) < SETTLED:
            break
    return transition


def _bracket(train: Train, lower: float, upper: float, low: float, high: float | None) -> tuple[float, float | None]:
    """The largest gamma that is not collapsed, 0 if there is none, and the smallest one above that is."""

    def narrow(gamma: float) -> tuple[float, float | None]:
        return (low, gamma) if train("bracket", gamma, low).collapsed else (gamma, high)

    while (top := high or upper) > BRACKET * (bottom := max(low, lower)):
        low, high = narrow(_round(math.sqrt(bottom * top)))
    if high is None and low < upper:
        low, high = narrow(upper)
    if low == 0.0 and high != lower:
        low, high = narrow(lower)
    return low, high


def _approach(train: Train, low: float, high: float, climbed: bool) -> tuple[Transition, float]:
    """The collapse on a ladder from below, with E/N of its last step; `low` and `high` if it stays away."""
    steps = [] if climbed else [_round(share * low) for share in CLIMB if low]
    last = low
    while 0 < last < high * STEP:
        last = _round(last * STEP)
        steps.append(last)
    start = low if climbed else 0.0
    for gamma in steps:
        probe = train("approach", gamma, start)
        if probe.collapsed:
            return Transition(start, gamma), probe.stage.metrics["generated"]["energy_per_site_mean"]
        start = gamma
    return Transition(low, high), math.inf


def _round(gamma: float) -> float:
    """Three digits, which the name of a folder can show."""
    return float(f"{gamma:.3g}")
