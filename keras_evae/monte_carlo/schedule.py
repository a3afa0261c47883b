"""Cooling schedules of the simulated annealing, and the presets among them by name."""

from __future__ import annotations

import dataclasses

import numpy as np

from keras_evae.errors import ArgumentError, as_integer, as_number, changed_fields

# Years of work on a large lattice, and temperatures that single precision divides by.
MOST_SWEEPS, COLDEST, HOTTEST = 10_000_000, 1e-12, 1e12


@dataclasses.dataclass(frozen=True)
class AnnealingSchedule:
    """Cooling in geometric steps, followed by relaxation at zero temperature.

    Args:
        start_temperature: First temperature, in units of the exchange constant; above the Curie temperature (0.7 to 1).
        end_temperature: Last temperature before the relaxation.
        temperatures: Number of temperatures.
        sweeps: Heat-bath sweeps at each temperature.
        over_relaxation: Over-relaxation sweeps after each heat-bath sweep.
        torque_tolerance: The relaxation ends when the largest |S x h| is below this.
        max_greedy_sweeps: The relaxation ends after this number of sweeps in any case; it needs 400 to 4,000 of them.

    The defaults come close to the lowest states for little time. `PRESETS` has other schedules by name: `quench` cools
    fast, without over-relaxation, and leaves many defects and various numbers of skyrmions; `slow` is for the search
    of the ground state. What each of them gives: docs/annealing.md.

    Example:

    >>> AnnealingSchedule(start_temperature=1.0, end_temperature=0.01, temperatures=3).temperature_steps()
    array([1.  , 0.1 , 0.01])
    >>> AnnealingSchedule.preset("quench")
    AnnealingSchedule(start_temperature=2.0, end_temperature=0.05, temperatures=150, over_relaxation=0)
    """

    start_temperature: float = 1.0
    end_temperature: float = 0.1
    temperatures: int = 60
    sweeps: int = 1
    over_relaxation: int = 10
    torque_tolerance: float = 1e-4
    max_greedy_sweeps: int = 20_000

    def __post_init__(self) -> None:
        for name in ("start_temperature", "end_temperature", "torque_tolerance"):
            value = as_number(name, getattr(self, name), positive=True)
            object.__setattr__(self, name, value)
            if not COLDEST <= value <= HOTTEST:
                raise ArgumentError(name, f"between {COLDEST:g} and {HOTTEST:g}", value)
        for name, least in (("temperatures", 1), ("sweeps", 1), ("over_relaxation", 0), ("max_greedy_sweeps", 0)):
            object.__setattr__(self, name, as_integer(name, getattr(self, name), least, MOST_SWEEPS))
        if self.thermal_sweeps > MOST_SWEEPS:
            expected = f"a number with which there are at most {MOST_SWEEPS} sweeps, (1 + over_relaxation) of each"
            raise ArgumentError("sweeps", expected, self.sweeps)
        if self.end_temperature > self.start_temperature:
            expected = f"at most start_temperature = {self.start_temperature}"
            raise ArgumentError("end_temperature", expected, self.end_temperature)

    def __repr__(self) -> str:
        return changed_fields(self, ("start_temperature", "end_temperature", "temperatures"))

    @staticmethod
    def preset(name: str) -> AnnealingSchedule:
        """The schedule of this name in `PRESETS`.

        Raises:
            ValueError: For any other name; the message says which there are.
        """
        if name not in PRESETS:
            raise ArgumentError("schedule", f"one of {', '.join(PRESETS)}", name)
        return PRESETS[name]

    def temperature_steps(self) -> np.ndarray:
        """The temperatures from first to last, `(temperatures,)` float64."""
        return np.geomspace(self.start_temperature, self.end_temperature, self.temperatures)

    @property
    def thermal_sweeps(self) -> int:
        """Number of all heat-bath and over-relaxation sweeps; the relaxation comes on top."""
        return self.temperatures * self.sweeps * (1 + self.over_relaxation)


# The search for the ground state: its sweeps go where the skyrmion lattice freezes at the paper's couplings, and
# over-relaxation, which is cheap, moves the skyrmions. See docs/annealing.md.
SLOW_SCHEDULE = AnnealingSchedule(start_temperature=0.5, end_temperature=0.25, temperatures=1000, over_relaxation=25)
PRESETS = {
    "default": AnnealingSchedule(),
    # Metastable states, as the paper's data are.
    "quench": AnnealingSchedule(start_temperature=2.0, end_temperature=0.05, temperatures=150, over_relaxation=0),
    "slow": SLOW_SCHEDULE,
}


def as_schedule(schedule: AnnealingSchedule | str) -> AnnealingSchedule:
    """A schedule, or the preset of a name."""
    return AnnealingSchedule.preset(schedule) if isinstance(schedule, str) else schedule
