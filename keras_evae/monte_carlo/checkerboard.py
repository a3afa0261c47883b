"""A spin lattice under Monte Carlo: its spins in the layout of the kernels, its random streams, its sweeps.

The kernels are in `kernels`. Absent sites of the Hamiltonian's mask are lanes like any other, but their spins
are zero vectors from beginning to end: then the fields of their neighbours lack them, and only the heat bath, which
draws a new spin whatever the old one was, has to be told where they are.
"""

import itertools
import math
from collections.abc import Iterator

import numpy as np

from keras_evae.errors import as_integer, as_number
from keras_evae.hamiltonian import Hamiltonian
from keras_evae.monte_carlo import kernels
from keras_evae.monte_carlo.checks import check_shape, check_temperatures, finished_spins, given_spins
from keras_evae.monte_carlo.streams import random_state


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
        lanes = -(-self._sites // kernels.VECTOR) * kernels.VECTOR
        self._random = tuple(random_state(seed, index, lanes))
        self._lanes = np.zeros(lanes, np.float32)
        plane = self.shape[0] + 2, lanes + 2 * kernels.VECTOR
        self._planes = _aligned_zeros((2, 3, *plane))
        self._black, self._white = (tuple(colour) for colour in self._planes)
        self._couplings = tuple(np.float32(value) for value in (hamiltonian.J, hamiltonian.D, hamiltonian.B))
        self._present = None if hamiltonian.mask is None else self._mask_planes(hamiltonian.mask, plane)
        self._anisotropy = np.float32(hamiltonian.K) if hamiltonian.K else None
        self._shift = greedy_shift(hamiltonian.K) if hamiltonian.K else None
        self._randomise()

    @property
    def spins(self) -> np.ndarray:
        """The spins as unit vectors, zero vectors outside of the mask: a new array `(y, x, 3)` of float32."""
        spins = np.moveaxis(self._components(), 0, -1).copy()
        return _turn(finished_spins(self.hamiltonian, spins), self.hamiltonian, 1)

    @spins.setter
    def spins(self, spins: np.ndarray) -> None:
        spins = _turn(given_spins(self.hamiltonian, self.shape, spins), self.hamiltonian, -1)
        for source, (colour, *place) in self._sublattices():
            self._planes[(colour, slice(None), *place)] = np.moveaxis(spins[source], -1, 0)
        kernels.wrap(self._black, self._white, self._sites, self.hamiltonian.periodic)

    def _components(self) -> np.ndarray:
        """The spins of the kernels, `(3, y, x)`."""
        components = np.empty((3, *self.shape), np.float32)
        for target, (colour, *place) in self._sublattices():
            components[(slice(None), *target)] = self._planes[(colour, slice(None), *place)]
        return components

    def charge(self) -> float:
        """Topological charge of the spins, good to 1e-3; NaN where it is not clear.

        `keras_evae.analysis.topological_charge` is exact to rounding, and slower.
        """
        return round(float(kernels.winding_number(self._components(), self.hamiltonian.periodic)), 3) + 0.0

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
        repetitions = as_integer("sweeps", sweeps, 0), 1, as_integer("over_relaxation", over_relaxation, 0)
        self._thermal(temperature, repetitions)

    def over_relaxation(self, temperature: float = 1.0, sweeps: int = 1) -> None:
        """Reflections S' = 2 (S.h) h / |h|^2 - S (Creutz 1987, Phys. Rev. D 36, 515), which conserve the energy.

        Args:
            temperature: Matters for K != 0 only, where a reflection is accepted with probability
                min(1, exp(K (S_z'^2 - S_z^2) / T)).
            sweeps: Number of sweeps.
        """
        self._thermal(temperature, (as_integer("sweeps", sweeps, 0), 0, 1))

    @property
    def random_words(self) -> np.ndarray:
        """The state of the random generators, `(4, lanes)` uint32: with the spins all that goes on from here."""
        return np.stack(self._random)

    @random_words.setter
    def random_words(self, words: np.ndarray) -> None:
        for own, given in zip(self._random, words, strict=True):
            own[:] = given

    def measure(self, temperature: float, count: int, interval: int = 1, over_relaxation: int = 0) -> np.ndarray:
        """Heat-bath sweeps, each followed by over-relaxation sweeps, measured `count` times every `interval`.

        Returns:
            `(count, 6)` float64, sums over the lattice: energy; S_x, S_y, S_z; |S x h|^2; 2 S.h - 2 K (1 - S_z^2). The
            ratio of the means of the last two is the temperature (Rugh 1997, Phys. Rev. Lett. 78, 772), as long as
            the energy is linear in each spin but for K.
        """
        series, sweeps = np.empty((count, 6)), (interval, 1, over_relaxation)
        self._measure(check_temperatures(temperature), sweeps, series)
        return series

    def _measure(self, temperature: np.ndarray, sweeps: tuple[int, int, int], series: np.ndarray) -> None:
        kernels.measured_sweeps(
            self._black, self._white, self._random, self._couplings, self._anisotropy, self._present, temperature,
            sweeps, self._sites, self.hamiltonian.periodic, np.empty((6, len(self._lanes))), series,
        )  # fmt: skip
        series[:, 1:4] = _turn(series[:, 1:4], self.hamiltonian, 1)

    def relax(self, torque_tolerance: float = 1e-4, max_sweeps: int = 20_000) -> tuple[float, int]:
        """Sweeps at zero temperature, which never raise the energy, until the largest |S x h| is below the tolerance.

        Returns:
            The largest torque (in units of the exchange constant, single precision: good to about 1e-6) and the
            number of sweeps.
        """
        tolerance = as_number("torque_tolerance", torque_tolerance, positive=True)
        # A little below the tolerance, for what rounding adds when the torque is computed elsewhere.
        return self._relax(0.97 * tolerance, as_integer("max_sweeps", max_sweeps, 0))

    def _relax(self, tolerance: float, max_sweeps: int) -> tuple[float, int]:
        torque, sweeps = kernels.relax_sweeps(
            self._black, self._white, self._couplings, self._shift, np.float32(tolerance), max_sweeps,
            self._lanes, self._sites, self.hamiltonian.periodic,
        )  # fmt: skip
        return float(torque), int(sweeps)

    def _thermal(self, temperatures: float | np.ndarray, sweeps: tuple[int, int, int], heated: bool = True) -> None:
        temperatures = check_temperatures(temperatures)
        couplings = self._couplings if heated else (np.float32(0.0),) * 3
        kernels.thermal_sweeps(
            self._black, self._white, self._random, couplings, self._anisotropy if heated else None,
            self._present, temperatures, sweeps, self._sites, self.hamiltonian.periodic,
        )  # fmt: skip

    def _randomise(self) -> None:
        """A heat-bath sweep without energy."""
        self._thermal(1.0, (1, 1, 0), heated=False)

    def _mask_planes(self, mask: np.ndarray, plane: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
        """1 for sites with a spin and 0 for others, in the layout of the kernels, for each colour."""
        planes = _aligned_zeros((2, *plane))
        for source, target in self._sublattices():
            planes[target] = mask[source]
        return planes[0], planes[1]

    def _sublattices(self) -> Iterator[tuple[tuple, tuple]]:
        """Pairs of slices, into `(y, x)` and into the planes `(colour, y, x)`, of even and odd rows of each colour."""
        margin = kernels.VECTOR
        for colour, first in itertools.product((0, 1), (0, 1)):
            lattice = slice(first, None, 2), slice((first + colour) & 1, None, 2)
            yield lattice, (colour, slice(1 + first, self.shape[0] + 1, 2), slice(margin, margin + self._sites))


def greedy_shift(K: float) -> tuple[np.float32, np.float32]:
    """What share of its components in the plane and along z a spin adds to its field in sweeps at T = 0."""
    return np.float32(max(-2.0 * K, 0.0)), np.float32(max(2.0 * K, 0.0))


def _turn(spins: np.ndarray, hamiltonian: Hamiltonian, direction: int) -> np.ndarray:
    """From the kernels' Neel spins to those of the Hamiltonian (`direction` 1) or back (-1): 90 degrees about z."""
    if hamiltonian.dmi == "neel":
        return spins
    turned = spins.copy()
    turned[..., 0], turned[..., 1] = direction * spins[..., 1], -direction * spins[..., 0]
    return turned


def _aligned_zeros(shape: tuple[int, ...]) -> np.ndarray:
    """float32 zeros that start at a cache line, where the vector loads of whole rows then start as well."""
    size, line = math.prod(shape), 4 * kernels.VECTOR
    memory = np.zeros(size + kernels.VECTOR, np.float32)
    first = -memory.ctypes.data % line // 4
    return memory[first : first + size].reshape(shape)
