"""Chains of thermal states: lattices at their temperatures, sampled segment by segment, in parallel.

A chain is one lattice at one temperature or, with exchange, copies of a lattice at all of them. It is made segment by
segment; each is a pure function of the specification and of the state in which the segment before it ends.
"""

from __future__ import annotations

import concurrent.futures
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from keras_evae.analysis.neighbours import delaunay_bonds
from keras_evae.analysis.skyrmions import skyrmions_of
from keras_evae.analysis.topology import charge_of
from keras_evae.annealing import KERNEL_VERSION, choose_sampler
from keras_evae.console import progress_bar
from keras_evae.dataset.cluster import Client, cluster_pool
from keras_evae.dataset.generation import thread_pool
from keras_evae.dataset.thermal_specification import ThermalSpecification
from keras_evae.errors import MismatchError
from keras_evae.machine import usable_cores
from keras_evae.monte_carlo.checkerboard import MonteCarlo
from keras_evae.monte_carlo.tempering import even_temperatures, exchange

# Skyrmions are counted once in so many measurements of the charge: a count takes hundreds of sweeps.
COUNT_INTERVAL = 100
# Where lattices start to be cooled from, above the Curie temperature.
HOT = 1.0
STATE = ("spins", "words", "replicas", "temperatures")
# What has a row for each measurement.
SERIES = ("series", "charge", "counts", "kept")
Arrays = dict[str, np.ndarray]


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
    with concurrent.futures.ThreadPoolExecutor(workers, thread_name_prefix="thermal") as pool:
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


def make_chains(
    specification: ThermalSpecification,
    missing: Iterable[int],
    read: Callable[[int], Arrays],
    write: Callable[[int, Arrays], None],
    workers: int | None = None,
    client: Client | None = None,
) -> Arrays:
    """Makes the missing segments of all chains, on threads or on the workers of a Dask cluster.

    Args:
        specification: What to sample.
        missing: Numbers of segments, those of the first chain first.
        read, write: Give and take the arrays of a segment, by its number.
        workers, client: Threads, or a Dask cluster instead. The result does not depend on them.

    Returns:
        The arrays of all segments, each `(hamiltonians, temperatures, times, ...)`, but for `history`, `(hamiltonians,
        rounds + 1, temperatures)`, and `temperatures`, at which the chains were, `(hamiltonians, temperatures)`.
    """
    chains, segments, cores = specification.chains, specification.segments, workers or usable_cores()
    # Where there are few chains, each takes several threads.
    inner = 1 if client or not specification.exchange else max(1, cores // chains)
    # What is behind a segment that is lost is made again, with the same bits.
    todo = dict.fromkeys(range(chains), segments)
    for part in sorted(missing, reverse=True):
        todo[part // segments] = part % segments
    with (
        progress_bar(
            description="sampling", total=segments * chains, initial=sum(todo.values()), unit="segment"
        ) as bar,
        cluster_pool(client) if client else thread_pool(cores) as (executor, _),
    ):

        def submit(chain: int) -> concurrent.futures.Future:
            first = todo[chain]
            state = read(chain * segments + first - 1) if first else None
            state = state and {name: state[name] for name in STATE}
            return executor.submit(run_segment, specification, chain, first, state, inner, KERNEL_VERSION)

        pending = {submit(chain): chain for chain, first in todo.items() if first < segments}
        while pending:
            for future in concurrent.futures.wait(pending, return_when=concurrent.futures.FIRST_COMPLETED).done:
                chain = pending.pop(future)
                write(chain * segments + todo[chain], future.result())
                bar.update()
                todo[chain] += 1
                if todo[chain] < segments:
                    pending[submit(chain)] = chain
    return _join(specification, read)


def _join(specification: ThermalSpecification, read: Callable[[int], Arrays]) -> Arrays:
    segments, joined = specification.segments, []
    for chain in range(specification.chains):
        # The first only brings the chain into equilibrium.
        found = [read(chain * segments + number) for number in range(1, segments)]
        arrays = {name: np.concatenate([each[name] for each in found]) for name in SERIES}
        later = [each["history"][1:] for each in found] if specification.exchange else []
        arrays["history"] = np.concatenate([found[0]["history"][:1], *later])
        joined.append({**arrays, "temperatures": found[-1]["temperatures"][None]})
    size = (len(specification.hamiltonians), len(specification.temperatures))
    whole = {}
    for name in joined[0]:
        # (chains, times, temperatures of a chain, ...) with the temperatures in front of the times.
        values = np.moveaxis(np.stack([each[name] for each in joined]), 2, 1)
        whole[name] = values.reshape(*size, *values.shape[2:])
    return whole | {"temperatures": whole["temperatures"][..., 0]}
