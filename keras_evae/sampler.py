"""A spin lattice under Monte Carlo: its spins in the layout of the kernels, its random streams, its sweeps.

The kernels are in `monte_carlo`. Absent sites of the Hamiltonian's mask are lanes like any other, but their spins
are zero vectors from beginning to end: then the fields of their neighbours lack them, and only the heat bath, which
draws a new spin whatever the old one was, has to be told where they are.
"""

from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Iterator

import numpy as np

from keras_evae import monte_carlo
from keras_evae.errors import NumericalError
from keras_evae.hamiltonian import Hamiltonian

SMALLEST_PERIODIC_SIDE = 4
# Fraction of the angle to the field kept, on its other side, by a spin in a sweep at T = 0.
OVERSHOOT = np.float32(0.98)
# Streams of one seed: 2^16 lanes for each of 2^46 configurations, two words each.
LANES = 2**16
STREAMS = 2**46


class MonteCarlo:
    """A lattice in the layout of the kernels, with its random number streams.

    Args:
        hamiltonian: The Hamiltonian.
        shape: Rows and columns `(y, x)`. Columns are even; so are the rows where y is periodic. Periodic sides are 4
            at least, so that no two sites share two bonds.
        seed, index: Stream `index` of `seed`.

    The spins start as independent uniform unit vectors. Where the Hamiltonian's mask has no site they are zero vectors.

    Raises:
        ValueError: For a shape, seed, index or temperature that cannot be used.
    """

    def __init__(self, hamiltonian: Hamiltonian, shape: tuple[int, int], seed: int = 0, index: int = 0) -> None:
        if hamiltonian.further_terms:
            raise ValueError(f"Expected no J2 and no terms: GeneralMonteCarlo. Received: {hamiltonian.describe()}")
        self.shape = check_shape(hamiltonian, shape)
        self.hamiltonian = hamiltonian
        self._sites = self.shape[1] // 2
        lanes = -(-self._sites // monte_carlo.VECTOR) * monte_carlo.VECTOR
        self._random = tuple(random_state(seed, index, lanes))
        self._lanes = np.zeros(lanes, np.float32)
        plane = self.shape[0] + 2, lanes + 2 * monte_carlo.VECTOR
        self._planes = _aligned_zeros((2, 3, *plane))
        self._black, self._white = (tuple(colour) for colour in self._planes)
        self._couplings = tuple(np.float32(value) for value in (hamiltonian.J, hamiltonian.D, hamiltonian.B))
        self._present = None if hamiltonian.mask is None else self._mask_planes(hamiltonian.mask, plane)
        self._anisotropy = np.float32(hamiltonian.K) if hamiltonian.K else None
        self._shift = np.float32(max(-2.0 * hamiltonian.K, 0.0)), np.float32(max(2.0 * hamiltonian.K, 0.0))
        self._randomise()

    @property
    def spins(self) -> np.ndarray:
        """The spins as unit vectors, zero vectors outside of the mask: a new array `(y, x, 3)` of float32."""
        rows, _ = self.shape
        spins = np.empty((*self.shape, 3), np.float32)
        for target, (colour, *place) in self._sublattices(rows):
            spins[target] = np.moveaxis(self._planes[(colour, slice(None), *place)], 0, -1)
        return _turn(finished_spins(self.hamiltonian, spins), self.hamiltonian, 1)

    @spins.setter
    def spins(self, spins: np.ndarray) -> None:
        spins = _turn(given_spins(self.hamiltonian, self.shape, spins), self.hamiltonian, -1)
        for source, (colour, *place) in self._sublattices(self.shape[0]):
            self._planes[(colour, slice(None), *place)] = np.moveaxis(spins[source], -1, 0)
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
        check_number("torque_tolerance", torque_tolerance)
        check_integer("max_sweeps", max_sweeps, 0)
        # A little below the tolerance, for what rounding adds when the torque is computed elsewhere.
        tolerance = np.float32(0.97 * torque_tolerance)
        torque, sweeps = monte_carlo.relaxation(
            self._black, self._white, self._couplings, self._shift, OVERSHOOT, tolerance, max_sweeps,
            self._lanes, self._sites, self.hamiltonian.periodic,
        )  # fmt: skip
        return float(torque), int(sweeps)

    def _thermal(self, temperatures: float | np.ndarray, sweeps: tuple[int, int, int], heated: bool = True) -> None:
        temperatures = check_temperatures(temperatures)
        couplings = self._couplings if heated else (np.float32(0.0),) * 3
        monte_carlo.thermal_sweeps(
            self._black, self._white, self._random, couplings, self._anisotropy if heated else None,
            self._present, temperatures, sweeps, self._sites, self.hamiltonian.periodic,
        )  # fmt: skip

    def _randomise(self) -> None:
        """A heat-bath sweep without energy."""
        self._thermal(1.0, (1, 1, 0), heated=False)

    def _mask_planes(self, mask: np.ndarray, plane: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
        """1 for sites with a spin and 0 for others, in the layout of the kernels, for each colour."""
        planes = _aligned_zeros((2, *plane))
        for source, target in self._sublattices(self.shape[0]):
            planes[target] = mask[source]
        return planes[0], planes[1]

    def _sublattices(self, rows: int) -> Iterator[tuple[tuple, tuple]]:
        """Pairs of slices, into `(y, x)` and into the planes `(colour, y, x)`, of even and odd rows of each colour."""
        margin = monte_carlo.VECTOR
        for colour, first in itertools.product((0, 1), (0, 1)):
            lattice = slice(first, None, 2), slice((first + colour) & 1, None, 2)
            yield lattice, (colour, slice(1 + first, rows + 1, 2), slice(margin, margin + self._sites))


def random_state(seed: int, index: int, lanes: int) -> np.ndarray:
    """Words of the lanes' generators for stream `index` of `seed`, `(4, lanes)` uint32.

    SplitMix64 (Steele et al. 2014, https://doi.org/10.1145/2660193.2660195): output number
    2 (2^16 index + lane) of the sequence that starts at mix(seed), and the one after it. mix is one-to-one, so no
    two lanes or configurations of a seed begin with the same words.
    """
    check_stream(seed, index)
    # Arrays, in which unsigned arithmetic wraps without a warning.
    counter = np.uint64(index * LANES) + np.arange(lanes, dtype=np.uint64)
    origin = _mix(np.array([seed], np.uint64))
    words = _mix(origin + (2 * counter + np.arange(1, 3, dtype=np.uint64)[:, None]) * np.uint64(0x9E3779B97F4A7C15))
    return np.concatenate([words >> np.uint64(32), words & np.uint64(0xFFFFFFFF)]).astype(np.uint32)


def finished_spins(hamiltonian: Hamiltonian, spins: np.ndarray) -> np.ndarray:
    """The spins of a sampler `(y, x, 3)` at unit length to the last bit, zero vectors outside of the mask.

    Raises:
        NumericalError: For NaN or infinity.
    """
    if not np.isfinite(spins).all():
        raise NumericalError(
            f"Expected finite spins, found NaN or Inf: {hamiltonian.describe()} exceeds single precision."
        )
    # The kernels' spins drift from unit length by about 1e-6.
    norms = np.sqrt(np.einsum("yxa,yxa->yx", spins, spins))
    if hamiltonian.mask is not None:
        norms[~hamiltonian.mask] = 1.0
    spins /= norms[..., None]
    return spins


def given_spins(hamiltonian: Hamiltonian, shape: tuple[int, int], spins: np.ndarray) -> np.ndarray:
    """Spins from outside, `(y, x, 3)` float32 at unit length, zero vectors outside of the mask.

    Raises:
        ValueError: If they have another shape, or are no unit vectors.
    """
    spins = np.asarray(spins, np.float32)
    if spins.shape != (*shape, 3):
        raise ValueError(f"Expected spins of shape {(*shape, 3)}. Received: shape={spins.shape}")
    norms = np.linalg.norm(spins, axis=-1)
    if hamiltonian.mask is not None:
        spins, norms = spins * hamiltonian.mask[..., None], np.where(hamiltonian.mask, norms, 1.0)
    if not np.all(np.abs(norms - 1.0) < 1e-2):
        raise ValueError(
            "Expected unit vectors; divide the spins by their norms. "
            f"Received: norms between {norms.min():g} and {norms.max():g}"
        )
    return spins / norms[..., None]


def check_temperatures(temperatures: float | np.ndarray) -> np.ndarray:
    """The temperatures, `(n,)` float32, or a ValueError unless all are finite and above 0."""
    temperatures = np.atleast_1d(np.asarray(temperatures, np.float32))
    if not (np.isfinite(temperatures).all() and (temperatures > 0).all()):
        raise ValueError(f"Expected finite temperatures above 0. Received: temperature={temperatures.tolist()}")
    return temperatures


def check_shape(hamiltonian: Hamiltonian, shape: tuple[int, int]) -> tuple[int, int]:
    """Rows and columns as integers, or a ValueError if the colours or the mask do not fit on them."""
    if len(shape) != 2:
        raise ValueError(f"Expected a lattice shape (y, x). Received: shape={tuple(shape)}")
    hamiltonian.check_lattice(shape)
    if hamiltonian.further_terms:
        return _check_general_shape(hamiltonian, shape)
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


def _check_general_shape(hamiltonian: Hamiltonian, shape: tuple[int, int]) -> tuple[int, int]:
    for axis, side, periodic in zip("yx", map(operator.index, shape), hamiltonian.periodic, strict=True):
        least = hamiltonian.reach + 1 if periodic else 1
        if side < least:
            raise ValueError(
                f"Expected at least {least} sites along the {'periodic' if periodic else 'open'} {axis} axis, where "
                f"interactions reach {hamiltonian.reach} sites far. Received: shape={tuple(shape)}"
            )
    # Looks at the terms, too.
    hamiltonian.lattice((int(shape[0]), int(shape[1])))
    return int(shape[0]), int(shape[1])


def check_number(name: str, value: float) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0.0 < value < math.inf:
        raise ValueError(f"`{name}` must be a finite number above 0. Received: {name}={value!r}")


def check_integer(name: str, value: int, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise ValueError(f"`{name}` must be an integer of at least {least}. Received: {name}={value!r}")


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


def check_stream(seed: int, index: int) -> None:
    check_integer("seed", seed, 0)
    check_integer("index", index, 0)
    if seed >= 2**64 or index >= STREAMS:
        raise ValueError(f"Expected a seed below 2^64 and an index below 2^46. Received: seed={seed}, index={index}")
