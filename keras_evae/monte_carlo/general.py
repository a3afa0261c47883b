"""Monte Carlo for Hamiltonians with interactions beyond nearest neighbours: J2 and terms of a user's own.

It makes the same moves as the fast sampler, with the same distributions, colour by colour: no two sites of a colour
interact (`Lattice.colours`), so their fields stay what they are while their spins change. Bonds of J, D and J2 are
looked up in a table of neighbours by compiled loops; fields of a user's own terms are computed for the whole lattice,
in NumPy, before each colour. All random numbers come from one xoshiro128+ generator.
"""

from typing import Any

import numpy as np

from keras_evae.hamiltonian import Hamiltonian
from keras_evae.monte_carlo.checkerboard import MonteCarlo, greedy_shift
from keras_evae.monte_carlo.checks import check_shape, check_temperatures, finished_spins, given_spins
from keras_evae.monte_carlo.kernels import (
    ONE,
    SHORT_MEMORY,
    SHORT_SWEEPS,
    general_greedy,
    general_heat_bath,
    general_over_relaxation,
    relaxation_cycle,
)
from keras_evae.monte_carlo.streams import random_state
from keras_evae.terms import SecondNeighbours


class GeneralMonteCarlo(MonteCarlo):
    """A lattice under Monte Carlo with any Hamiltonian: the moves of the fast sampler, in another layout.

    Args:
        shape: Rows and columns `(y, x)`; periodic sides are longer than the interactions reach.
        seed, index: Stream `index` of `seed`.

    Raises:
        ValueError: For a shape, seed, index or temperature that cannot be used, or a term that is not consistent.
    """

    def __init__(self, hamiltonian: Hamiltonian, shape: tuple[int, int], seed: int = 0, index: int = 0) -> None:
        self.shape = check_shape(hamiltonian, shape)
        self.hamiltonian = hamiltonian
        self._lattice = hamiltonian.lattice(self.shape)
        self._colours = self._lattice.colours(hamiltonian.reach)
        self._bonds = self._tabulate_bonds()
        self._random = tuple(random_state(seed, index, 1))
        self._shift = greedy_shift(hamiltonian.K)
        # One more vector, of zeros, stands for neighbours that are missing.
        self._spins = np.zeros((self.shape[0] * self.shape[1] + 1, 3), np.float32)
        self._external = np.zeros_like(self._spins[:-1])
        self._external[:, 2] = hamiltonian.B
        self._randomise()

    @property
    def spins(self) -> np.ndarray:
        """The spins as unit vectors, zero vectors outside of the mask: a new array `(y, x, 3)` of float32."""
        return finished_spins(self.hamiltonian, self._view().copy())

    @spins.setter
    def spins(self, spins: np.ndarray) -> None:
        self._view()[...] = given_spins(self.hamiltonian, self.shape, spins)

    def _relax(self, tolerance: float, max_sweeps: int) -> tuple[float, int]:
        done = cycle = 0
        torque = self._largest_torque()
        while torque >= tolerance and done < max_sweeps:
            overshoot, steps = relaxation_cycle(cycle)
            sweeps = steps * [overshoot] + SHORT_SWEEPS * [SHORT_MEMORY]
            for overshoot in sweeps[: max_sweeps - done]:
                for sites in self._colours:
                    general_greedy(self._spins, sites, *self._bonds, self._external_field(), self._shift, overshoot)
                done += 1
            torque = self._largest_torque()
            cycle += 1
        return torque, done

    def _thermal(self, temperatures: float | np.ndarray, sweeps: tuple[int, int, int], heated: bool = True) -> None:
        count, *repetitions = sweeps
        for value in check_temperatures(temperatures):
            for _ in range(count):
                for kernel, times in zip((general_heat_bath, general_over_relaxation), repetitions, strict=True):
                    for _ in range(times):
                        self._thermal_sweep(kernel, value)

    def _measure(self, temperature: np.ndarray, sweeps: tuple[int, int, int], series: np.ndarray) -> None:
        for row in series:
            self._thermal(temperature, sweeps)
            spins = self.spins.astype(np.float64)
            field = self.hamiltonian.effective_field(spins)
            in_plane = np.sum(spins[..., :2] ** 2)
            row[0], row[1:4] = self.hamiltonian.energy(spins), spins.sum(axis=(0, 1))
            row[4] = np.sum(self.hamiltonian.torque(spins, field) ** 2)
            row[5] = 2.0 * (np.sum(spins * field) - self.hamiltonian.K * in_plane)

    def _thermal_sweep(self, kernel: Any, temperature: np.float32) -> None:
        anisotropy = np.float32(self.hamiltonian.K / temperature) if self.hamiltonian.K else None
        for sites in self._colours:
            kernel(self._spins, sites, *self._bonds, self._external_field(), temperature, anisotropy, self._random)

    def _randomise(self) -> None:
        """A heat-bath sweep without energy."""
        neighbours, matrices = self._bonds
        nothing = np.zeros_like(matrices), np.zeros_like(self._external)
        for sites in self._colours:
            general_heat_bath(self._spins, sites, neighbours, *nothing, ONE, None, self._random)

    def _external_field(self) -> np.ndarray:
        """What does not come from the bonds of the table, `(sites, 3)`: the field B, and a user's own terms."""
        if not self.hamiltonian.terms:
            return self._external
        spins, field = self._view(), self._external
        for term in self.hamiltonian.terms:
            own = np.broadcast_to(np.asarray(term.field(spins, self._lattice), np.float32), spins.shape)
            field = field + own.reshape(-1, 3)
        return field

    def _largest_torque(self) -> float:
        return float(self.hamiltonian.torque(self.spins).max())

    def _components(self) -> np.ndarray:
        return np.moveaxis(self._view(), -1, 0).copy()

    def _view(self) -> np.ndarray:
        return self._spins[:-1].reshape(*self.shape, 3)

    def _tabulate_bonds(self) -> tuple[np.ndarray, np.ndarray]:
        """Numbers of the neighbours of each site, `(sites, bonds)`, and the matrices C of h = sum C S, `(bonds, 3, 3)`.

        J and D act between nearest neighbours, J2 between those across the diagonals.
        """
        up, right = (self.hamiltonian.coupling(axis) for axis in (0, 1))
        bonds = {(1, 0): up, (-1, 0): up.T, (0, 1): right, (0, -1): right.T}
        if self.hamiltonian.J2:
            bonds |= dict.fromkeys(SecondNeighbours.steps, self.hamiltonian.J2 * np.eye(3))
        neighbours = np.stack([self._lattice.neighbour_sites(*step) for step in bonds], axis=-1)
        return neighbours.astype(np.int32), np.stack(list(bonds.values())).astype(np.float32)
