r"""Simulated annealing of spin configurations from above the Curie temperature to zero temperature.

A configuration is cooled with heat-bath and over-relaxation sweeps along a geometric schedule and then
relaxed at T = 0 until no spin feels a torque. It comes out as a local minimum of the energy in which skyrmion
domains have formed locally. The kernels are in `monte_carlo`.

Reproducibility: the bits of a configuration follow from its seed and index, the Hamiltonian, the schedule, the
shape and `KERNEL_VERSION`, never from the number of workers or their order. The compiler contracts a * b + c
into fused operations where the processor has them, so other types of processor may differ in the last bits,
from which an annealed state diverges; the distribution is the same.
"""

from __future__ import annotations

import collections
import dataclasses
import itertools
import math
import operator
import os
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from keras_evae import monte_carlo
from keras_evae.errors import NumericalError
from keras_evae.hamiltonian import Hamiltonian

# Raised whenever a change of the kernels changes the bits of a configuration.
KERNEL_VERSION = 1
SMALLEST_PERIODIC_SIDE = 4
# Fraction of the angle to the field kept, on its other side, by a spin in a sweep at T = 0.
OVERSHOOT = np.float32(0.98)
# Streams of one seed: 2^16 lanes for each of 2^46 configurations, two words each.
LANES = 2**16
STREAMS = 2**46


def _check_number(name: str, value: float) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0.0 < value < math.inf:
        raise ValueError(f"`{name}` must be a finite number above 0. Received: {name}={value!r}")


def _check_integer(name: str, value: int, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise ValueError(f"`{name}` must be an integer of at least {least}. Received: {name}={value!r}")


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
        max_greedy_sweeps: The relaxation ends after this number of sweeps in any case, of which it needs some 1,000.

    The defaults cool fast enough to leave local defects and various numbers of skyrmions. At the paper's couplings the
    mean of E/N is -2.0558 at 64 x 64 and -2.0562 at 128 x 128; the perfect triangular lattice has -2.0573. More sweeps
    at each temperature, above all of over-relaxation, come closer to that.

    Example:

    >>> AnnealingSchedule(start_temperature=1.0, end_temperature=0.01, temperatures=3).temperature_steps()
    array([1.  , 0.1 , 0.01])
    """

    start_temperature: float = 2.0
    end_temperature: float = 0.05
    temperatures: int = 150
    sweeps: int = 1
    over_relaxation: int = 0
    torque_tolerance: float = 1e-4
    max_greedy_sweeps: int = 20_000

    def __post_init__(self) -> None:
        for name in ("start_temperature", "end_temperature", "torque_tolerance"):
            _check_number(name, getattr(self, name))
        for name, least in (("temperatures", 1), ("sweeps", 1), ("over_relaxation", 0), ("max_greedy_sweeps", 0)):
            _check_integer(name, getattr(self, name), least)
        if self.end_temperature > self.start_temperature:
            raise ValueError(
                "`end_temperature` must not be above `start_temperature`. "
                f"Received: start_temperature={self.start_temperature}, end_temperature={self.end_temperature}"
            )

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


class MonteCarlo:
    """A lattice in the layout of the kernels, with its random number streams.

    Args:
        hamiltonian: The Hamiltonian.
        shape: Rows and columns `(y, x)`. Columns are even; so are the rows where y is periodic. Periodic sides are 4
            at least, so that no two sites share two bonds.
        seed, index: Stream `index` of `seed`.

    The spins start as independent uniform unit vectors.

    Raises:
        ValueError: For a shape, seed, index or temperature that cannot be used.
    """

    def __init__(self, hamiltonian: Hamiltonian, shape: tuple[int, int], seed: int = 0, index: int = 0) -> None:
        self.shape = check_shape(hamiltonian, shape)
        self.hamiltonian = hamiltonian
        self._sites = self.shape[1] // 2
        lanes = -(-self._sites // monte_carlo.VECTOR) * monte_carlo.VECTOR
        self._random = tuple(random_state(seed, index, lanes))
        self._lanes = np.zeros(lanes, np.float32)
        self._planes = _aligned_zeros((2, 3, self.shape[0] + 2, lanes + 2 * monte_carlo.VECTOR))
        self._black, self._white = (tuple(colour) for colour in self._planes)
        self._couplings = tuple(np.float32(value) for value in (hamiltonian.J, hamiltonian.D, hamiltonian.B))
        self._anisotropy = np.float32(hamiltonian.K) if hamiltonian.K else None
        self._shift = np.float32(max(-2.0 * hamiltonian.K, 0.0)), np.float32(max(2.0 * hamiltonian.K, 0.0))
        self._randomise()

    @property
    def spins(self) -> np.ndarray:
        """The spins as unit vectors, a new array `(y, x, 3)` of float32."""
        rows, _ = self.shape
        spins = np.empty((*self.shape, 3), np.float32)
        for target, source in self._sublattices(rows):
            spins[target] = np.moveaxis(self._planes[source], 0, -1)
        if not np.isfinite(spins).all():
            raise NumericalError(
                f"Expected finite spins, found NaN or Inf: {self.hamiltonian.describe()} exceeds single precision."
            )
        # The kernels' spins drift from unit length by about 1e-6.
        spins /= np.sqrt(np.einsum("yxa,yxa->yx", spins, spins))[..., None]
        return _turn(spins, self.hamiltonian, 1)

    @spins.setter
    def spins(self, spins: np.ndarray) -> None:
        spins = np.asarray(spins, np.float32)
        if spins.shape != (*self.shape, 3):
            raise ValueError(f"Expected spins of shape {(*self.shape, 3)}. Received: shape={spins.shape}")
        norms = np.linalg.norm(spins, axis=-1)
        if not np.all(np.abs(norms - 1.0) < 1e-2):
            raise ValueError(
                "Expected unit vectors; divide the spins by their norms. "
                f"Received: norms between {norms.min():g} and {norms.max():g}"
            )
        spins = _turn(spins / norms[..., None], self.hamiltonian, -1)
        for source, target in self._sublattices(self.shape[0]):
            self._planes[target] = np.moveaxis(spins[source], -1, 0)
        monte_carlo.wrap(self._black, self._white, self._sites, self.hamiltonian.periodic)

    def heat_bath(self, temperature: float | np.ndarray, sweeps: int = 1, over_relaxation: int = 0) -> None:
        """Heat-bath sweeps, each followed by over-relaxation sweeps.

        For K = 0 every spin is drawn from its exact conditional distribution (Miyatake et al. 1986,
        J. Phys. C 19, 2539). Otherwise the draw for K = 0 is a proposal, accepted with probability
        min(1, exp(K (S_z'^2 - S_z^2) / T)).

        Args:
            temperature: Temperature, or an array of them to go through.
            sweeps: Heat-bath sweeps at each temperature.
            over_relaxation: Over-relaxation sweeps after each of them.
        """
        self._thermal(temperature, (sweeps, 1, over_relaxation))

    def over_relaxation(self, temperature: float = 1.0, sweeps: int = 1) -> None:
        """Reflections S' = 2 (S.h) h / |h|^2 - S (Creutz 1987, Phys. Rev. D 36, 515), which conserve the energy.

        Args:
            temperature: Matters for K != 0 only, where a reflection is accepted with probability
                min(1, exp(K (S_z'^2 - S_z^2) / T)).
            sweeps: Number of sweeps.
        """
        self._thermal(temperature, (sweeps, 0, 1))

    def relax(self, torque_tolerance: float = 1e-4, max_sweeps: int = 20_000) -> tuple[float, int]:
        """Sweeps at zero temperature, which never raise the energy, until the largest |S x h| is below the tolerance.

        Returns:
            The largest torque (in units of the exchange constant, single precision: good to about 1e-6) and the
            number of sweeps.
        """
        _check_number("torque_tolerance", torque_tolerance)
        _check_integer("max_sweeps", max_sweeps, 0)
        # A little below the tolerance, for what rounding adds when the torque is computed elsewhere.
        tolerance = np.float32(0.97 * torque_tolerance)
        torque, sweeps = monte_carlo.relaxation(
            self._black, self._white, self._couplings, self._shift, OVERSHOOT, tolerance, max_sweeps,
            self._lanes, self._sites, self.hamiltonian.periodic,
        )  # fmt: skip
        return float(torque), int(sweeps)

    def _thermal(self, temperatures: float | np.ndarray, sweeps: tuple[int, int, int], heated: bool = True) -> None:
        temperatures = np.atleast_1d(np.asarray(temperatures, np.float32))
        if not (np.isfinite(temperatures).all() and (temperatures > 0).all()):
            raise ValueError(f"Expected finite temperatures above 0. Received: temperature={temperatures.tolist()}")
        couplings = self._couplings if heated else (np.float32(0.0),) * 3
        monte_carlo.thermal_sweeps(
            self._black, self._white, self._random, couplings, self._anisotropy if heated else None, temperatures,
            sweeps, self._sites, self.hamiltonian.periodic,
        )  # fmt: skip

    def _randomise(self) -> None:
        """A heat-bath sweep without energy."""
        self._thermal(1.0, (1, 1, 0), heated=False)

    def _sublattices(self, rows: int) -> Iterator[tuple[tuple, tuple]]:
        """Pairs of slices, into `(y, x)` spins and into the planes, of even and odd rows of each colour."""
        margin = monte_carlo.VECTOR
        for colour, first in itertools.product((0, 1), (0, 1)):
            lattice = slice(first, None, 2), slice((first + colour) & 1, None, 2)
            yield lattice, (colour, slice(None), slice(1 + first, rows + 1, 2), slice(margin, margin + self._sites))


def anneal(
    hamiltonian: Hamiltonian,
    shape: tuple[int, int] = (128, 128),
    schedule: AnnealingSchedule = AnnealingSchedule(),
    seed: int = 0,
    index: int = 0,
) -> np.ndarray:
    """One annealed configuration, `index` of the stream `seed`.

    Args:
        hamiltonian: The Hamiltonian.
        shape: Rows and columns `(y, x)`, see `MonteCarlo`.
        schedule: The cooling.
        seed: Integer from 0 to 2^64 - 1.
        index: Integer from 0 to 2^46 - 1.

    Returns:
        Unit vectors, `(y, x, 3)` float32.

    Raises:
        ValueError: For a shape, seed or index that cannot be used.

    Example:

    >>> anneal(Hamiltonian(), (16, 32), index=7).shape
    (16, 32, 3)
    """
    lattice = MonteCarlo(hamiltonian, shape, seed, index)
    lattice.heat_bath(schedule.temperature_steps(), schedule.sweeps, schedule.over_relaxation)
    lattice.relax(schedule.torque_tolerance, schedule.max_greedy_sweeps)
    return lattice.spins


def anneal_many(
    hamiltonian: Hamiltonian,
    shape: tuple[int, int] = (128, 128),
    count: int = 1,
    schedule: AnnealingSchedule = AnnealingSchedule(),
    seed: int = 0,
    workers: int | None = None,
    start: int = 0,
) -> Generator[np.ndarray, None, None]:
    """Configurations `start` to `start + count - 1`, each as `anneal` gives it, in this order.

    Args:
        hamiltonian, shape, schedule, seed: As for `anneal`.
        count: Number of configurations.
        workers: Number of threads; one for each usable core if None. They are two configurations each ahead at most.
        start: Index of the first configuration.

    Returns:
        Generator of arrays `(y, x, 3)` of float32; closing it stops its threads.
    """
    check_shape(hamiltonian, shape)
    _check_integer("count", count, 0)
    _check_stream(seed, start)
    if workers is None:
        workers = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    _check_integer("workers", workers, 1)
    return _anneal_in_order(hamiltonian, shape, schedule, seed, workers, range(start, start + count))


def relax(
    hamiltonian: Hamiltonian, spins: np.ndarray, torque_tolerance: float = 1e-4, max_sweeps: int = 20_000
) -> tuple[np.ndarray, float]:
    """Relax given spins at zero temperature into the nearest minimum of the energy.

    Args:
        hamiltonian: The Hamiltonian.
        spins: Unit vectors, `(y, x, 3)`.
        torque_tolerance: Done when the largest |S x h| is below this.
        max_sweeps: Done after this number of sweeps in any case.

    Returns:
        The relaxed spins, `(y, x, 3)` float32, and their largest torque.
    """
    lattice = MonteCarlo(hamiltonian, np.shape(spins)[:2])
    lattice.spins = spins
    torque, _ = lattice.relax(torque_tolerance, max_sweeps)
    return lattice.spins, torque


def random_state(seed: int, index: int, lanes: int) -> np.ndarray:
    """Words of the lanes' generators for stream `index` of `seed`, `(4, lanes)` uint32.

    SplitMix64 (Steele et al. 2014, https://doi.org/10.1145/2660193.2660195): output number
    2 (2^16 index + lane) of the sequence that starts at mix(seed), and the one after it. mix is one-to-one, so no
    two lanes or configurations of a seed begin with the same words.
    """
    _check_stream(seed, index)
    # Arrays, in which unsigned arithmetic wraps without a warning.
    counter = np.uint64(index * LANES) + np.arange(lanes, dtype=np.uint64)
    origin = _mix(np.array([seed], np.uint64))
    words = _mix(origin + (2 * counter + np.arange(1, 3, dtype=np.uint64)[:, None]) * np.uint64(0x9E3779B97F4A7C15))
    return np.concatenate([words >> np.uint64(32), words & np.uint64(0xFFFFFFFF)]).astype(np.uint32)


def check_shape(hamiltonian: Hamiltonian, shape: tuple[int, int]) -> tuple[int, int]:
    """Rows and columns as integers, or a ValueError if the checkerboard does not fit on them."""
    if len(shape) != 2:
        raise ValueError(f"Expected a lattice shape (y, x). Received: shape={tuple(shape)}")
    for axis, side, periodic, even in zip("yx", shape, hamiltonian.periodic, (False, True), strict=True):
        least = SMALLEST_PERIODIC_SIDE if periodic else 1
        even = even or periodic
        side = operator.index(side)
        if side < least or (even and side % 2):
            kind = "periodic" if periodic else "open"
            raise ValueError(
                f"Expected {'an even number' if even else 'a number'} of sites along the {kind} {axis} axis, at least "
                f"{max(least, 2) if even else least}; change that side. Received: shape={tuple(shape)}"
            )
    if shape[1] > 2 * LANES:
        raise ValueError(f"Expected at most {2 * LANES} columns; transpose the lattice. Received: shape={tuple(shape)}")
    return int(shape[0]), int(shape[1])


def _anneal_in_order(hamiltonian, shape, schedule, seed, workers, indices) -> Generator[np.ndarray, None, None]:
    indices = iter(indices)
    pool = ThreadPoolExecutor(workers, thread_name_prefix="anneal")
    try:
        ahead = collections.deque(
            pool.submit(anneal, hamiltonian, shape, schedule, seed, index)
            for index in itertools.islice(indices, 2 * workers)
        )
        while ahead:
            spins = ahead.popleft().result()
            for index in itertools.islice(indices, 1):
                ahead.append(pool.submit(anneal, hamiltonian, shape, schedule, seed, index))
            yield spins
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _mix(words: np.ndarray) -> np.ndarray:
    """The output function of SplitMix64."""
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return words ^ (words >> np.uint64(31))


def _turn(spins: np.ndarray, hamiltonian: Hamiltonian, direction: int) -> np.ndarray:
    """From the kernels' Neel spins to those of the Hamiltonian (`direction` 1) or back (-1): 90 degrees about z."""
    if hamiltonian.dmi == "neel":
        return spins
    turned = spins.copy()
    turned[..., 0], turned[..., 1] = direction * spins[..., 1], -direction * spins[..., 0]
    return turned


def _aligned_zeros(shape: tuple[int, ...]) -> np.ndarray:
    """float32 zeros that start at a cache line, where the vector loads of whole rows then start as well."""
    size, line = math.prod(shape), 4 * monte_carlo.VECTOR
    memory = np.zeros(size + monte_carlo.VECTOR, np.float32)
    first = -memory.ctypes.data % line // 4
    return memory[first : first + size].reshape(shape)


def _check_stream(seed: int, index: int) -> None:
    _check_integer("seed", seed, 0)
    _check_integer("index", index, 0)
    if seed >= 2**64 or index >= STREAMS:
        raise ValueError(f"Expected a seed below 2^64 and an index below 2^46. Received: seed={seed}, index={index}")
