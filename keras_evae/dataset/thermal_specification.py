"""What fixes thermal averages: Hamiltonians, temperatures, sweeps and intervals, and the segments of the work."""

import dataclasses
import functools
from typing import Any

from keras_evae.dataset.shards import GENERAL_UPDATE
from keras_evae.errors import ArgumentError, as_integer, as_number
from keras_evae.hamiltonian import Hamiltonian
from keras_evae.monte_carlo.checks import check_shape
from keras_evae.monte_carlo.streams import check_stream

# Spin updates of a segment: half a minute of one core.
SEGMENT_UPDATES = 3e10


@dataclasses.dataclass(frozen=True)
class ThermalSpecification:
    """Everything that fixes thermal averages; `keras_evae.sample` says what the arguments are.

    Raises:
        ValueError: For temperatures, intervals or a lattice that cannot be used.
    """

    hamiltonians: tuple[Hamiltonian, ...]
    shape: tuple[int, int]
    temperatures: tuple[float, ...]
    sweeps: int
    thermalization: int
    seed: int = 0
    exchange: bool = False
    even_acceptance: bool = False
    interval: int = 10
    charge_interval: int = 300
    over_relaxation: int = 5
    keep: int = 0

    def __post_init__(self) -> None:
        temperatures = tuple(as_number("temperatures", temperature, positive=True) for temperature in self.temperatures)
        object.__setattr__(self, "temperatures", temperatures)
        if not self.temperatures or list(self.temperatures) != sorted(set(self.temperatures)):
            raise ArgumentError("temperatures", "rising, each once", list(self.temperatures))
        for name, least in (("sweeps", 1), ("thermalization", 0), ("interval", 1), ("charge_interval", 1),
                            ("over_relaxation", 0), ("keep", 0)):  # fmt: skip
            object.__setattr__(self, name, as_integer(name, getattr(self, name), least))
        for name, step in (("charge_interval", self.interval), ("sweeps", self.charge_interval)):
            if getattr(self, name) % step:
                raise ArgumentError(name, f"a multiple of {step}", getattr(self, name))
        if self.keep > self.blocks:
            raise ArgumentError("keep", f"at most sweeps / charge_interval = {self.blocks}", self.keep)
        if self.exchange and len(self.temperatures) < 2:
            raise ArgumentError("temperatures", "two at least for exchange", list(self.temperatures))
        if self.even_acceptance and not self.exchange:
            raise ArgumentError("even_acceptance", "False without exchange", True)
        check_stream(self.seed, len(self.hamiltonians) * len(self.temperatures))
        for hamiltonian in self.hamiltonians:
            check_shape(hamiltonian, self.shape)

    @property
    def blocks(self) -> int:
        """Measurements of the charge."""
        return self.sweeps // self.charge_interval

    @property
    def chains(self) -> int:
        return len(self.hamiltonians) * (1 if self.exchange else len(self.temperatures))

    @functools.cached_property
    def segment_blocks(self) -> int:
        """Blocks of a segment."""
        updates = self.charge_interval * (1 + self.over_relaxation) * self.shape[0] * self.shape[1]
        updates *= len(self.temperatures) if self.exchange else 1
        updates *= GENERAL_UPDATE if any(each.further_terms for each in self.hamiltonians) else 1
        return max(1, int(SEGMENT_UPDATES / updates))

    @property
    def segments(self) -> int:
        """Segments of a chain; the first brings it into equilibrium."""
        return 1 - (-self.blocks // self.segment_blocks)

    def blocks_of(self, segment: int) -> range:
        """The blocks of a segment, none of the first."""
        return range(self.blocks)[max(0, segment - 1) * self.segment_blocks : segment * self.segment_blocks]

    def attributes(self) -> dict[str, Any]:
        """Plain values, by the names under which a configuration knows them."""
        values = dataclasses.asdict(dataclasses.replace(self, hamiltonians=()))
        values |= {"temperatures": list(self.temperatures), "shape": list(self.shape)}
        del values["hamiltonians"]
        named = {f"thermal.{name}": value for name, value in values.items()}
        return {**named, "hamiltonians": [hamiltonian.to_config() for hamiltonian in self.hamiltonians]}
