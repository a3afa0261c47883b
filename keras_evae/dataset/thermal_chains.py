"""Chains of thermal states: what fixes them, and their unit of work.

A chain is one lattice at one temperature or, with exchange, copies of a lattice at all of them. It is made segment by
segment; each is a pure function of the specification and of the state in which the segment before it ends.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from keras_evae.analysis.neighbours import delaunay_bonds
from keras_evae.analysis.skyrmions import skyrmions_of
from keras_evae.analysis.topology import charge_of
from keras_evae.annealing import KERNEL_VERSION, choose_sampler
from keras_evae.dataset.shards import GENERAL_UPDATE
from keras_evae.errors import ArgumentError, MismatchError, as_integer, as_number
from keras_evae.hamiltonian import Hamiltonian
from keras_evae.monte_carlo.checkerboard import MonteCarlo
from keras_evae.monte_carlo.checks import check_shape, check_stream
from keras_evae.monte_carlo.tempering import even_temperatures, exchange

# Spin updates of a segment: half a minute of one core.
SEGMENT_UPDATES = 3e10
# Skyrmions are counted once in so many measurements of the charge: a count takes hundreds of sweeps.
COUNT_INTERVAL = 100
# Where lattices start to be cooled from, above the Curie temperature.
HOT = 1.0
STATE = ("spins", "words", "replicas", "temperatures")


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


class _Chain:
    """The copies of a lattice in one chain, at their temperatures."""

    def __init__(self, of: ThermalSpecification, number: int, apply: Callable[..., Iterable[Any]]) -> None:
        self.of, self.number, self.apply = of, number, apply
        count = len(of.temperatures)
        first = number * count if of.exchange else number
        self.hamiltonian = of.hamiltonians[first // count]
        self.temperatures = np.array(of.temperatures if of.exchange else [of.temperatures[number % count]])
        self.replicas = np.arange(len(self.temperatures))
        make = choose_sampler(self.hamiltonian)
        self.lattices = [make(self.hamiltonian, of.shape, of.seed, first + int(copy)) for copy in self.replicas]

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        self.replicas, self.temperatures = state["replicas"], state["temperatures"]
        for lattice, spins, words in zip(self.lattices, state["spins"], state["words"], strict=True):
            lattice.spins, lattice.random_words = spins, words

    def state(self) -> dict[str, np.ndarray]:
        spins, words = (np.stack([getattr(lattice, name) for lattice in self.lattices])
                        for name in ("spins", "random_words"))  # fmt: skip
        return {"spins": spins, "words": words, "replicas": self.replicas, "temperatures": self.temperatures}

    def equilibrate(self) -> None:
        """Half of the sweeps cool from above the Curie temperature, half are at the temperature."""
        cooling = self.of.thermalization // 2
        rounds = (self.of.thermalization - cooling) // self.of.interval

        def cool(lattice: MonteCarlo, temperature: float) -> None:
            lattice.heat_bath(np.geomspace(max(HOT, temperature), temperature, cooling), 1, self.of.over_relaxation)

        list(self.apply(cool, self.lattices, self.temperatures))
        if self.of.even_acceptance:
            energies = self._measured(max(2, rounds // 2))[..., 0]
            self.temperatures = even_temperatures(self.temperatures, energies.var(axis=0))
        self.run(rounds, 0)

    def _measured(self, rounds: int) -> np.ndarray:
        """Series `(rounds, temperatures, 6)`, without exchange."""

        def measure(replica: int, temperature: float) -> np.ndarray:
            return self.lattices[replica].measure(temperature, rounds, self.of.interval, self.of.over_relaxation)

        return np.stack(list(self.apply(measure, self.replicas, self.temperatures)), axis=1)

    def run(self, rounds: int, first: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Series of some rounds, piece by piece, and the copies at each temperature after each exchange."""
        if not self.of.exchange:
            return [self._measured(rounds)], []
        series, history = [], []
        for number in range(first, first + rounds):
            series.append(self._measured(1))
            energies = series[-1][0, :, 0]
            self.replicas = exchange(self.replicas, energies, self.temperatures, number, self.of.seed, self.number)
            history.append(self.replicas)
        return series, history

    def charge(self, lattice: MonteCarlo) -> float:
        # That of antiferromagnets is the staggered one.
        charge = np.nan if self.hamiltonian.J < 0 else lattice.charge()
        return charge if np.isfinite(charge) else float(charge_of(lattice.spins, self.hamiltonian))

    def count(self, spins: np.ndarray, charge: float) -> tuple[float, float]:
        """Number of skyrmions and mean |psi6|, which is NaN without any."""
        # A count takes hundreds of sweeps. The charge may be NaN.
        if not abs(charge) >= 0.5:
            return 0.0, np.nan
        found = skyrmions_of(spins, self.hamiltonian)
        bonds = delaunay_bonds(found.positions, self.of.shape, self.hamiltonian.periodic, self.hamiltonian.mask)
        psi6, _ = bonds.lattice_order()
        return float(len(found)), float(np.mean(psi6)) if psi6.size else np.nan


def run_segment(
    of: ThermalSpecification,
    number: int,
    segment: int,
    state: Mapping[str, np.ndarray] | None,
    workers: int = 1,
    kernel_version: int = KERNEL_VERSION,
) -> dict[str, np.ndarray]:
    """One segment of a chain, from the state at the end of the segment before.

    Returns:
        For n temperatures: `series` (rounds, n, 6) as of `MonteCarlo.measure`; `history` (rounds + 1, n), the copies at
        the temperatures, before the first round and after each; `charge` (blocks, n); `counts` (times, n, 2), number of
        skyrmions and mean |psi6|; `kept` (states, n, y, x, 3); and the state of the chain at the end.
    """
    if kernel_version != KERNEL_VERSION:
        raise MismatchError(f"kernel version: expected {kernel_version}, found {KERNEL_VERSION} on a worker")
    with ThreadPoolExecutor(workers, thread_name_prefix="thermal") as pool:
        # Spins that go from thread to thread leave the caches.
        apply = pool.map if workers > 1 else map
        chain = _Chain(of, number, apply)
        if state is None:
            chain.equilibrate()
        else:
            chain.restore(state)
        rounds, n = of.charge_interval // of.interval, len(chain.replicas)
        series, history, charges, counts, kept = [np.empty((0, n, 6))], [chain.replicas], [], [], []
        for block in of.blocks_of(segment):
            # No round of before has these numbers; the first is even.
            measured, replicas = chain.run(rounds, 2 * of.thermalization + block * rounds)
            series += measured
            history += replicas
            lattices = [chain.lattices[replica] for replica in chain.replicas]
            charges.append(list(apply(chain.charge, lattices)))
            counted = block % COUNT_INTERVAL == COUNT_INTERVAL - 1 or block == of.blocks - 1
            keeping = (block + 1) * of.keep // of.blocks > block * of.keep // of.blocks
            spins = [lattice.spins for lattice in lattices] if counted or keeping else []
            counts += [list(apply(chain.count, spins, charges[-1]))] if counted else []
            kept += [spins] if keeping else []
        return {
            "series": np.concatenate(series),
            "history": np.array(history, np.int16),
            "charge": np.array(charges).reshape(-1, n),
            "counts": np.array(counts).reshape(-1, n, 2),
            "kept": np.array(kept, np.float32).reshape(-1, n, *of.shape, 3),
            **chain.state(),
        }
