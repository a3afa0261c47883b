"""What the annealer does in the same time: mean E/N and states per second of schedules, from fast to slow."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Sequence

import numpy as np

from keras_evae.annealing import anneal_many
from keras_evae.console import progress_bar
from keras_evae.evaluation.generation_measures import Estimate, estimate
from keras_evae.hamiltonian import Hamiltonian
from keras_evae.machine import usable_cores
from keras_evae.minima.relaxation import precise_energy
from keras_evae.monte_carlo.schedule import PRESETS, AnnealingSchedule

# The first three relax random spins after one sweep near T = 0; two of them end before all torques are gone.
RELAXATION = AnnealingSchedule(0.05, 0.05, 1, over_relaxation=0)
SCHEDULES = {
    "relaxation, 50 sweeps": dataclasses.replace(RELAXATION, max_greedy_sweeps=50),
    "relaxation, 150 sweeps": dataclasses.replace(RELAXATION, max_greedy_sweeps=150),
    "relaxation": RELAXATION,
    "quench": PRESETS["quench"],
    "default": PRESETS["default"],
    "100 x 26 sweeps": dataclasses.replace(PRESETS["slow"], temperatures=100),
    "slow": PRESETS["slow"],
}


@dataclasses.dataclass(frozen=True)
class AnnealerPoint:
    """A schedule, measured: mean E/N, states per second on all cores, and of how many states."""

    name: str
    schedule: AnnealingSchedule
    energy: Estimate
    rate: float
    states: int


def measure_annealer(
    hamiltonian: Hamiltonian, shape: tuple[int, int], seconds: float = 8.0, fewest: int = 16, most: int = 200
) -> list[AnnealerPoint]:
    """Anneals with each schedule for about so many seconds, but within the bounds of the number of states."""
    next(anneal_many(hamiltonian, shape, 1))
    points, cores = [], usable_cores()
    for name, schedule in progress_bar(SCHEDULES.items(), "annealing", unit="schedule"):
        _, trial = _anneal(hamiltonian, shape, schedule, cores)
        # Whole rounds: else some cores have nothing to do at the end.
        count = -(-min(max(int(seconds / trial * cores), fewest), most) // cores) * cores
        energies, elapsed = _anneal(hamiltonian, shape, schedule, count)
        points.append(AnnealerPoint(name, schedule, estimate(energies), count / elapsed, count))
    return points


def annealer_rate(energy: float, points: Sequence[AnnealerPoint], lowest: float) -> float | None:
    """States per second with which the annealer reaches a mean E/N, or a lower one; None if no schedule does.

    Between schedules the logarithms of the rate and of the height above the lowest E/N are interpolated. Above the
    fastest schedule the rate is that of this one.
    """
    reached = sorted((max(point.energy[0] - lowest, 1e-9), point.rate) for point in points)
    heights, rates = (np.array(values) for values in zip(*reached, strict=True))
    height = energy - lowest
    if height < heights[0]:
        return None
    # A schedule that is slower and ends higher than another one is no competitor.
    best = np.maximum.accumulate(rates)
    return float(math.exp(np.interp(math.log(height), np.log(heights), np.log(best))))


def _anneal(
    hamiltonian: Hamiltonian, shape: tuple[int, int], schedule: AnnealingSchedule, count: int
) -> tuple[np.ndarray, float]:
    """E/N of so many states, and the seconds that they took."""
    start = time.perf_counter()
    states = list(anneal_many(hamiltonian, shape, count, schedule))
    elapsed = time.perf_counter() - start
    return np.array([precise_energy(state, hamiltonian) for state in states]), elapsed
