"""The report of a cooling: where it freezes, and whether it was slow enough."""

import dataclasses
import math
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from keras_evae.analysis.skyrmions import skyrmions_of
from keras_evae.analysis.topology import charge_of
from keras_evae.annealing import choose_sampler
from keras_evae.console import format_table
from keras_evae.errors import as_integer
from keras_evae.hamiltonian import Hamiltonian
from keras_evae.machine import usable_cores
from keras_evae.minima.slow_anneals import Anneals, anneal_slowly
from keras_evae.monte_carlo.autocorrelation import autocorrelation_time
from keras_evae.monte_carlo.checkerboard import MonteCarlo
from keras_evae.monte_carlo.schedule import PRESETS, AnnealingSchedule, as_schedule

HEADER = ("T", "T of the spins", "E/N", "charge", "charge, relaxed", "skyrmions, relaxed", "autocorrelation, sweeps")
# States at which the charge of a lattice is the final one: closer than this on average.
SAME_CHARGE = 0.5
# Random streams of the branches, far from those of the lattices.
BRANCHES = 2**40


@dataclasses.dataclass(frozen=True)
class AnnealingReport:
    """What a few lattices did under a schedule; `str` gives it in words.

    Args:
        rows: For some temperatures of the schedule the means over the lattices, `(temperatures, 7)`: T; temperature of
            the spins, sum |S x h|^2 / sum (2 S.h - 2 K (1 - S_z^2)); E/N; charge; charge and number of skyrmions of the
            same states relaxed at T = 0; integrated autocorrelation time of the energy in heat-bath sweeps with
            their over-relaxation.
        changes: Mean distance of the relaxed charge from that at the last temperature, `(temperatures,)`.
        anneals: For the schedule (`this`) and each preset the same lattices, annealed.
        sweeps_of_halving: Heat-bath sweeps in which the schedule halves the temperature.
    """

    rows: np.ndarray
    changes: np.ndarray
    anneals: Mapping[str, Anneals]
    sweeps_of_halving: float

    @property
    def freezing(self) -> tuple[float, float]:
        """Two temperatures between which the charge freezes, the upper one inf if it is frozen from the first."""
        temperatures = [math.inf, *self.rows[:, 0]]
        first = max(np.flatnonzero(self.changes > SAME_CHARGE) + 1, default=0)
        return temperatures[first], temperatures[first + 1]

    @property
    def best(self) -> str:
        """The schedule with the lowest mean E/N, `this` unless a preset is lower by two standard errors."""
        lowest = min(self.anneals, key=lambda name: self.anneals[name].energies.mean())
        own, other = self.anneals["this"].energies, self.anneals[lowest].energies
        error = math.hypot(*(np.std(found) / math.sqrt(len(found) - 1) for found in (own, other)))
        return lowest if own.mean() - other.mean() > 2.0 * error else "this"

    def __str__(self) -> str:
        rows = [[f"{value:.5g}" for value in row] for row in self.rows]
        schedules = [
            [name, *(f"{value:.6f}" for value in (np.mean(each.energies), np.min(each.energies))),
             f"{each.cpu_seconds / len(each.energies):.3g}"] for name, each in self.anneals.items()
        ]  # fmt: skip
        tables = format_table(HEADER, rows), format_table(("schedule", "E/N mean", "E/N lowest", "CPU s"), schedules)
        return "\n\n".join([*tables, self._in_words()])

    def _in_words(self) -> str:
        above, below = self.freezing
        place = "The charge is frozen from the first temperature on: start higher."
        if above < math.inf:
            forgets = self.rows[self.rows[:, 0] == above, 6].max()
            place = (
                f"The charge freezes between T = {above:.3g} and {below:.3g}. The energy forgets in {forgets:.3g} "
                f"sweeps there, and the schedule takes {self.sweeps_of_halving:.3g} sweeps to halve T."
            )
        if self.best == "this":
            return f"{place}\nSlow enough: no preset ends lower by more than two standard errors."
        own, other = self.anneals["this"], self.anneals[self.best]
        excess, times = own.energies.mean() - other.energies.mean(), other.cpu_seconds / own.cpu_seconds
        found = f"`{self.best}` ends {excess:.2g} lower in E/N, for {times:.2g} times the processor time"
        return f"{place}\nToo fast for the lowest states: {found}."


def annealing_report(
    hamiltonian: Hamiltonian,
    shape: tuple[int, int] = (128, 128),
    schedule: AnnealingSchedule | str = AnnealingSchedule(),
    lattices: int = 8,
    points: int = 12,
    sweeps: int = 200,
    seed: int = 0,
    workers: int | None = None,
) -> AnnealingReport:
    """Looks into the cooling of a few lattices: where they freeze, and whether a preset ends lower.

    Args:
        hamiltonian, shape, schedule, seed: As for `keras_evae.annealing.anneal`.
        lattices: Number of lattices, 2 at least.
        points: Temperatures of the schedule that are looked at.
        sweeps: Heat-bath sweeps at each of them for the autocorrelation time, in a copy of the lattice.
        workers: Threads; all cores by default. The numbers do not depend on it.
    """
    schedule = as_schedule(schedule)
    for name, value, least in (("lattices", lattices, 2), ("points", points, 1), ("sweeps", sweeps, 2)):
        as_integer(name, value, least)
    schedules = {"this": schedule, **{name: each for name, each in PRESETS.items() if each != schedule}}

    def cool(index: int) -> np.ndarray:
        return _cool(choose_sampler(hamiltonian)(hamiltonian, shape, seed, index), schedule, points, sweeps, index)

    with ThreadPoolExecutor(workers or usable_cores()) as pool:
        cooled = np.array(list(pool.map(cool, range(lattices))))
    halvings = math.log2(schedule.start_temperature / schedule.end_temperature)
    return AnnealingReport(
        rows=cooled.mean(axis=0),
        changes=np.abs(cooled[:, :, 4] - cooled[:, -1:, 4]).mean(axis=0),
        anneals={
            name: anneal_slowly(hamiltonian, shape, lattices, each, seed, workers=workers)
            for name, each in schedules.items()
        },
        sweeps_of_halving=schedule.temperatures * schedule.sweeps / halvings if halvings else math.inf,
    )


def _cool(lattice: MonteCarlo, schedule: AnnealingSchedule, points: int, sweeps: int, index: int) -> np.ndarray:
    """The columns of `AnnealingReport.rows` of one lattice, `(temperatures, 7)`."""
    hamiltonian, steps = lattice.hamiltonian, schedule.temperature_steps()
    branch = type(lattice)(hamiltonian, lattice.shape, index=BRANCHES + index)
    rows, done = [], 0
    for place in np.unique(np.rint(np.linspace(0, len(steps) - 1, points)).astype(int)):
        lattice.heat_bath(steps[done : place + 1], schedule.sweeps, schedule.over_relaxation)
        done, temperature, spins = place + 1, float(steps[place]), lattice.spins
        (moments,) = lattice.measure(temperature, 1, 0)
        branch.spins = spins
        energies = branch.measure(temperature, sweeps, 1, schedule.over_relaxation)[:, 0]
        branch.spins = spins
        branch.relax(schedule.torque_tolerance, schedule.max_greedy_sweeps)
        rows.append([
            temperature,
            moments[4] / moments[5],
            moments[0] / hamiltonian.count_sites(lattice.shape),
            charge_of(spins, hamiltonian),
            charge_of(branch.spins, hamiltonian),
            len(skyrmions_of(branch.spins, hamiltonian)),
            autocorrelation_time(energies),
        ])  # fmt: skip
    return np.array(rows)
