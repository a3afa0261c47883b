"""What stands in the tables of generation, timed and measured: sets of states, and schedules of the annealer.

The sets are test data, outputs, and generated states. The annealer shows what it does in the same time.
"""

import dataclasses
import itertools
import math
import statistics
import time
from collections.abc import Iterator, Sequence

import numpy as np

from keras_evae.annealing import anneal_many
from keras_evae.console import progress_bar
from keras_evae.evaluation.generation_measures import Estimate, MeasuredSet, estimate, measure_set
from keras_evae.evaluation.results import Record
from keras_evae.evaluation.stage_selection import before_collapse
from keras_evae.evaluation.stage_states import load_stage, reconstruct
from keras_evae.hamiltonian import Hamiltonian
from keras_evae.machine import usable_cores
from keras_evae.minima.relaxation import precise_energy, relax_states
from keras_evae.monte_carlo.schedule import PRESETS, AnnealingSchedule
from keras_evae.runs.run import Run
from keras_evae.runs.stage_folder import FinishedStage
from keras_evae.runs.stage_plan import GENERATION_SEED

TEST, OUTPUTS = "test data", "outputs"
# Share of the test data's diversity from which a stage counts as generating, and not as collapsed.
DIVERSE = 0.5
# Drawing and decoding take so little that they are timed more than once.
TIMINGS = 3


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
class Row:
    """One set of states, before and after relaxation.

    `way` is `TEST`, without a stage, `OUTPUTS`, or how latent vectors were drawn. `decoding`, `generation` and
    `relaxation` are the seconds that a state takes to decode, to draw and decode, and to relax.
    """

    stage: FinishedStage | None
    way: str
    raw: MeasuredSet
    relaxed: MeasuredSet
    decoding: float | None
    generation: float | None
    relaxation: float

    @property
    def identity(self) -> Record:
        """The first columns of all tables."""
        return {"gamma": self.stage.gamma if self.stage else None, "vectors": self.way}

    @property
    def kinds(self) -> dict[str, MeasuredSet]:
        return {"raw": self.raw, "relaxed": self.relaxed}


def generating_stages(run: Run) -> list[FinishedStage]:
    """The stages with gamma > 0 before the collapse, and the last one."""
    stages = before_collapse(run)
    return [*(stage for stage in stages if stage.gamma > 0 and stage != run.stages[-1]), run.stages[-1]]


def measure_rows(run: Run, stages: Sequence[FinishedStage], priors: Sequence[str], count: int) -> Iterator[Row]:
    """The test data, then for each stage outputs and generated states."""
    held_out = run.read_split("test", count)
    if len(held_out) < count:
        held_out = np.concatenate((held_out, run.read_split("validation", count - len(held_out))))
    yield _row(run, None, TEST, held_out)
    for stage, way in progress_bar(list(itertools.product(stages, (OUTPUTS, *priors))), "generation", unit="set"):
        if way == OUTPUTS:
            yield _row(run, stage, way, reconstruct(run, stage, held_out))
        else:
            yield _generated(run, stage, way, count)


def best_generating(rows: Sequence[Row]) -> Row | None:
    """The lowest raw states among those that keep half of the test data's diversity; None if none do.

    States of posteriors count too only where nothing else does: they stand for training states one by one.
    """
    enough = DIVERSE * rows[0].raw.mean("fft_mse")[0]
    fit = [row for row in rows[1:] if row.way != OUTPUTS and row.raw.mean("fft_mse")[0] >= enough]
    return min(fit, key=lambda row: (row.way == "posterior", row.raw.mean("energy_per_site")[0]), default=None)


def _generated(run: Run, stage: FinishedStage, way: str, count: int) -> Row:
    priors = run.priors(stage, load_stage(run, stage))
    # The first call fits a density that is missing; the first batch traces the decoder.
    latent = priors.draw(count, way, GENERATION_SEED)
    priors.model.decode_many(latent[:100])
    seconds = []
    for _ in range(TIMINGS):
        start = time.perf_counter()
        latent = priors.draw(count, way, GENERATION_SEED)
        drawn = time.perf_counter()
        spins = priors.model.decode_many(latent)
        end = time.perf_counter()
        seconds.append(((end - drawn) / count, (end - start) / count))
    decoding, generation = map(statistics.median, zip(*seconds, strict=True))
    return dataclasses.replace(_row(run, stage, way, spins), decoding=decoding, generation=generation)


def _row(run: Run, stage: FinishedStage | None, way: str, raw: np.ndarray) -> Row:
    start = time.perf_counter()
    relaxed = relax_states(raw, run.hamiltonian, AnnealingSchedule().torque_tolerance)
    relaxation = (time.perf_counter() - start) / len(raw)
    before, after = (measure_set(states, run.hamiltonian) for states in (raw, relaxed))
    return Row(stage, way, before, after, None, None, relaxation)


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
