"""What the annealer does in the same time: mean E/N and states per second of schedules, from a quench to slow."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Sequence

import numpy as np
from tqdm import tqdm

from keras_evae.annealing import anneal_many
from keras_evae.evaluation.generation_measures import Estimate, estimate
from keras_evae.hamiltonian import Hamiltonian
from keras_evae.machine import usable_cores
from keras_evae.monte_carlo.schedule import SLOW_SCHEDULE, AnnealingSchedule

# The first three start from random spins at T = 0; two of them end before all torques are gone.
SCHEDULES = {
    "quench, 50 sweeps": AnnealingSchedule(0.05, 0.05, 1, max_greedy_sweeps=50),
    "quench, 150 sweeps": AnnealingSchedule(0.05, 0.05, 1, max_greedy_sweeps=150),
    "quench": AnnealingSchedule(0.05, 0.05, 1),
    "default": AnnealingSchedule(),
    "60 x 11 sweeps": AnnealingSchedule(1.0, 0.1, 60, over_relaxation=10),
    "100 x 26 sweeps": dataclasses.replace(SLOW_SCHEDULE, temperatures=100),
    "slow": SLOW_SCHEDULE,
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
    points = []
    for name, schedule in tqdm(SCHEDULES.items(), "annealing", unit="schedule", leave=False, delay=1):
        _, trial = _anneal(hamiltonian, shape, schedule, usable_cores())
        count = min(max(int(seconds / trial * usable_cores()), fewest), most)
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
    return np.array([float(hamiltonian.energy_per_site(state.astype(np.float64))) for state in states]), elapsed
