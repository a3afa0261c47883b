"""The two targets of Figure 4: skyrmion lattices with and without an interstitial skyrmion."""

from __future__ import annotations

import dataclasses

import numpy as np

from keras_evae.analysis import align, topological_charge
from keras_evae.annealing import relax
from keras_evae.errors import DataError
from keras_evae.hamiltonian import Hamiltonian
from keras_evae.minima.relaxation import minimise_energy
from keras_evae.minima.skyrmion_lattices import commensurate_lattices, place_skyrmions, triangular_skyrmions
from keras_evae.symmetry import apply_point_operation, random_symmetry

# Largest torque |S x h| of the relaxed states; of the sweeps in single precision that come first.
TORQUE, SINGLE_PRECISION_TORQUE = 1e-6, 5e-6


@dataclasses.dataclass(frozen=True)
class Targets:
    """A skyrmion lattice with and without an interstitial, both minima of the energy, `(2, y, x, 3)` float64.

    `count` is the number of skyrmions of the perfect lattice, `spacing` their smallest distance in sites, `torque` the
    largest |S x h| of both.
    """

    states: np.ndarray
    count: int
    spacing: float
    torque: float

    @property
    def distance(self) -> float:
        """Squared distance of the two states, normalised like L_RC: sum over components, mean over sites."""
        return float(np.sum((self.states[0] - self.states[1]) ** 2, axis=-1).mean())

    def image(self, hamiltonian: Hamiltonian, seed: int) -> Targets:
        """Both states under the same random translation and point operation, which leave the energy as it is."""
        states = [random_symmetry(spins, hamiltonian, np.random.default_rng(seed)) for spins in self.states]
        return dataclasses.replace(self, states=np.stack(states))


def make_targets(hamiltonian: Hamiltonian, shape: tuple[int, int]) -> Targets:
    """The perfect triangular skyrmion lattice that fits the box, and the same with an interstitial skyrmion.

    The interstitial starts at the centre of a triangle of neighbours near the middle of the box. Both states are
    relaxed with the sweeps at zero temperature of the annealing, then in double precision. In a small box the lattice
    with the interstitial rearranges itself, so the perfect one is put where it is most similar to it. A `DataError` if
    the lattice has edges or absent sites, no skyrmion lattice fits, or the interstitial does not survive.
    """
    if hamiltonian.periodic != (True, True):
        raise DataError("the perfect skyrmion lattice needs periodic boundaries; the Hamiltonian has open ones")
    if hamiltonian.mask is not None:
        raise DataError("the perfect skyrmion lattice needs a spin on every site; the Hamiltonian has a mask")
    try:
        positions, perfect = triangular_skyrmions(hamiltonian, shape)
    except ValueError as error:
        raise DataError(f"no pair of skyrmion lattices to interpolate between: {error}") from error
    lattice = commensurate_lattices(shape, len(positions))[0]
    middle = positions[np.argmin(np.linalg.norm(positions - np.array(shape) / 2, axis=-1))]
    hole = (middle + lattice.vectors.sum(axis=0) / 3) % shape
    interstitial = place_skyrmions(np.vstack([positions, hole]), lattice.spacing / 4, shape, hamiltonian)
    initial, final = (
        minimise_energy(hamiltonian, relax(hamiltonian, spins, SINGLE_PRECISION_TORQUE)[0], TORQUE)
        for spins in (interstitial, perfect)
    )
    nearest = align(final, initial, hamiltonian)
    turned = apply_point_operation(final, nearest.operation, hamiltonian.dmi)
    states = np.stack([initial, np.roll(turned, np.array(nearest.shift, int), axis=(0, 1))])
    torque = float(hamiltonian.torque(states).max())
    counts = np.rint(np.abs(topological_charge(states))).astype(int).tolist()
    if counts != [len(positions) + 1, len(positions)] or torque > TORQUE:
        raise DataError(
            f"expected relaxed lattices of {len(positions) + 1} and {len(positions)} skyrmions on {shape[0]} x "
            f"{shape[1]} sites, found {counts[0]} and {counts[1]} with a torque of {torque:.1e}; use a larger lattice"
        )
    return Targets(states, len(positions), lattice.spacing, torque)
