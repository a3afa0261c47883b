"""Chains of thermal states: what fixes them, and their unit of work.

A chain is one lattice at one temperature or, with exchange, copies of a lattice at all of them. It is made segment by
segment; each is a pure function of the specification and of the state in which the segment before it ends.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable, Mapping
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
    """Everything that fixes thermal averages; `keras_evae.thermal.sample` says what the arguments are.

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

    def attributes(self) -> dict[str, Any]:
        """Plain values, by the names under which a configuration knows them."""
        values = dataclasses.asdict(dataclasses.replace(self, hamiltonians=()))
        values |= {"temperatures": list(self.temperatures), "shape": list(self.shape)}
        del values["hamiltonians"]
        named = {f"thermal.{name}": value for name, value in values.items()}
        return {**named, "hamiltonians": [hamiltonian.to_config() for hamiltonian in self.hamiltonians]}


class _Chain:
    """The lattices of one chain, at their temperatures."""

    def __init__(self, specification: ThermalSpecification, number: int, workers: int) -> None:
        self.of, self.number, self.workers = specification, number, workers
        count = len(specification.temperatures)
        first = number * count if specification.exchange else number
        self.hamiltonian = specification.hamiltonians[first // count]
        places = range(count) if specification.exchange else [number % count]
        self.temperatures = np.array([specification.temperatures[place] for place in places])
        self.replicas = np.arange(len(places))
        make = choose_sampler(self.hamiltonian)
        self.lattices = [make(self.hamiltonian, specification.shape, specification.seed, first + int(k))
                         for k in self.replicas]  # fmt: skip

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        self.replicas, self.temperatures = state["replicas"], state["temperatures"]
        for lattice, spins, words in zip(self.lattices, state["spins"], state["words"], strict=True):
            lattice.spins, lattice.random_words = spins, words

    def state(self) -> dict[str, np.ndarray]:
        spins, words = (np.stack([getattr(lattice, name) for lattice in self.lattices])
                        for name in ("spins", "random_words"))  # fmt: skip
        return {"spins": spins, "words": words, "replicas": self.replicas, "temperatures": self.temperatures}

    def equilibrate(self, pool: ThreadPoolExecutor) -> None:
        """Half of the sweeps cool from above the Curie temperature, half are at the temperature."""
        cooling = self.of.thermalization // 2
        rounds = (self.of.thermalization - cooling) // self.of.interval

        def cool(lattice: MonteCarlo, temperature: float) -> None:
            if cooling:
                lattice.heat_bath(np.geomspace(max(HOT, temperature), temperature, cooling), 1, self.of.over_relaxation)

        list(pool.map(cool, self.lattices, self.temperatures))
        if self.of.even_acceptance:
            pilot = np.stack(list(self._measured(pool, max(2, rounds // 2))))
            self.temperatures = even_temperatures(self.temperatures, pilot[:, :, 0].var(axis=1))
        if self.of.exchange:
            self.run(pool, rounds, 0)
        else:
            list(self._measured(pool, rounds))

    def _measured(self, pool: ThreadPoolExecutor, rounds: int) -> Iterable[np.ndarray]:
        """For each temperature the series `(rounds, 6)` of its lattice."""

        def measure(replica: int, temperature: float) -> np.ndarray:
            return self.lattices[replica].measure(temperature, rounds, self.of.interval, self.of.over_relaxation)

        return pool.map(measure, self.replicas, self.temperatures)

    def run(self, pool: ThreadPoolExecutor, rounds: int, first: int) -> tuple[np.ndarray, np.ndarray]:
        """Measured series `(rounds, temperatures, 6)`, and after each round which copies are where."""
        if not self.of.exchange:
            return np.stack(list(self._measured(pool, rounds)), axis=1), np.zeros((rounds, 1), np.int16)
        series, replicas = [], []
        for number in range(first, first + rounds):
            series.append(np.concatenate(list(self._measured(pool, 1))))
            self.replicas = exchange(
                self.replicas, series[-1][:, 0], self.temperatures, number, self.of.seed, self.number
            )
            replicas.append(self.replicas)
        count = len(self.replicas)
        return np.array(series).reshape(-1, count, 6), np.array(replicas, np.int16).reshape(-1, count)

    def count(self, spins: np.ndarray) -> tuple[float, float]:
        """Number of skyrmions and mean |psi6|, which is NaN without any."""
        found = skyrmions_of(spins, self.hamiltonian)
        if not len(found):
            return 0.0, np.nan
        psi6, _ = delaunay_bonds(
            found.positions, self.of.shape, self.hamiltonian.periodic, mask=self.hamiltonian.mask
        ).lattice_order()
        return float(len(found)), float(np.mean(psi6)) if psi6.size else np.nan


def run_segment(
    specification: ThermalSpecification,
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
    of, chain = specification, _Chain(specification, number, workers)
    with ThreadPoolExecutor(workers, thread_name_prefix="thermal") as pool:
        if state is None:
            chain.equilibrate(pool)
        else:
            chain.restore(state)
        rounds, n = of.charge_interval // of.interval, len(chain.replicas)
        series, history = [np.empty((0, n, 6))], [np.array([chain.replicas], np.int16)]
        charges, counts, kept = [], [], []
        last = min(segment * of.segment_blocks, of.blocks)
        for block in range((segment - 1) * of.segment_blocks, last) if segment else ():
            # No round of before has these numbers; the first is even.
            measured, replicas = chain.run(pool, rounds, 2 * of.thermalization + block * rounds)
            series.append(measured)
            history.append(replicas)
            spins = list(pool.map(lambda replica: chain.lattices[replica].spins, chain.replicas))
            charges.append([float(charge_of(each, chain.hamiltonian)) for each in spins])
            if block % COUNT_INTERVAL == COUNT_INTERVAL - 1 or block == of.blocks - 1:
                counts.append([chain.count(each) if abs(charge) >= 0.5 else (0.0, np.nan)
                               for each, charge in zip(spins, charges[-1], strict=True)])  # fmt: skip
            if (block + 1) * of.keep // of.blocks > block * of.keep // of.blocks:
                kept.append(spins)
    return {
        "series": np.concatenate(series),
        "history": np.concatenate(history),
        "charge": np.array(charges).reshape(-1, n),
        "counts": np.array(counts).reshape(-1, n, 2),
        "kept": np.array(kept, np.float32).reshape(-1, n, *of.shape, 3),
        **chain.state(),
    }
