"""All that is measured on one configuration: energy, torque, angles, charge, order of skyrmions; means of a set."""

import dataclasses

import numpy as np

from keras_evae.analysis.distances import fft_mse
from keras_evae.analysis.field_angles import field_angle
from keras_evae.analysis.neighbours import Bonds, delaunay_bonds
from keras_evae.analysis.skyrmions import Skyrmions, skyrmions_of
from keras_evae.analysis.structure import BraggPeaks, bragg_peaks, structure_factor
from keras_evae.analysis.topology import charge_of
from keras_evae.hamiltonian import Hamiltonian

# Values that stand for the angles theta of a configuration, at the middles of so many equal shares of its sites.
THETA_QUANTILES = 64


@dataclasses.dataclass(frozen=True)
class StateDescription:
    """Numbers of one configuration.

    Args:
        energy_per_site: E/N, in units of the exchange constant.
        magnetization: Mean spin, `(3,)`.
        torque: Largest |S x h|, in units of the exchange constant; 0 in a relaxed state.
        theta: Angles between the spins and their effective fields in degrees, as 64 quantiles.
        charge: Topological charge Q, for J < 0 of the staggered spins; NaN where it is not defined.
        skyrmions: Skyrmions, and the background that their cores are against.
        neighbours: Number of neighbours of each skyrmion that is not at the rim.
        psi6: |psi6| of each skyrmion that has neighbours: 1 in a triangular lattice.
        psi4: |psi4| of each of them, weighted by the edges of the Voronoi cells: 1 in a square lattice.
        peaks: Ring and Bragg peaks of S(q).
    """

    energy_per_site: float
    magnetization: np.ndarray
    torque: float
    theta: np.ndarray
    charge: float
    skyrmions: Skyrmions
    neighbours: np.ndarray
    psi6: np.ndarray
    psi4: np.ndarray
    peaks: BraggPeaks


def skyrmions_and_bonds(spins: np.ndarray, hamiltonian: Hamiltonian) -> tuple[Skyrmions, Bonds]:
    """Skyrmions of one configuration `(y, x, 3)`, and the bonds between neighbours among them."""
    skyrmions, shape = skyrmions_of(spins, hamiltonian), (spins.shape[0], spins.shape[1])
    return skyrmions, delaunay_bonds(skyrmions.positions, shape, hamiltonian.periodic, hamiltonian.mask)


def describe_state(spins: np.ndarray, hamiltonian: Hamiltonian) -> StateDescription:
    """Measures one configuration.

    Args:
        spins: Unit vectors, `(y, x, 3)`.
        hamiltonian: Gives energy, field, boundary and mask; means and quantiles are over the sites that carry a spin.
    """
    spins = np.asarray(spins, np.float64)
    shape = spins.shape[0], spins.shape[1]
    theta = np.degrees(hamiltonian.on_sites(field_angle(spins, hamiltonian)))
    skyrmions, bonds = skyrmions_and_bonds(spins, hamiltonian)
    psi6, psi4 = bonds.lattice_order()
    return StateDescription(
        energy_per_site=float(hamiltonian.energy_per_site(spins)),
        magnetization=spins.mean(axis=(0, 1)) * (shape[0] * shape[1] / hamiltonian.count_sites(shape)),
        torque=float(hamiltonian.torque(spins).max()),
        theta=np.quantile(theta, (np.arange(THETA_QUANTILES) + 0.5) / THETA_QUANTILES),
        charge=float(charge_of(spins, hamiltonian)),
        skyrmions=skyrmions,
        neighbours=bonds.counts[bonds.surrounded],
        psi6=psi6,
        psi4=psi4,
        peaks=bragg_peaks(structure_factor(spins)),
    )


def generated_statistics(states: np.ndarray, hamiltonian: Hamiltonian) -> dict[str, float]:
    """E/N, FFT-MSE, mean S_z and charge of states `(n, y, x, 3)`, as the metrics of a stage keep them."""
    energies, charges = hamiltonian.energy_per_site(states.astype(np.float64)), charge_of(states, hamiltonian)
    defined = charges[np.isfinite(charges)]
    return {
        "energy_per_site_mean": float(energies.mean()),
        "energy_per_site_std": float(energies.std()),
        "energy_per_site_lowest": float(energies.min()),
        "fft_mse": fft_mse(states),
        "magnetization_z": float(hamiltonian.on_sites(states[..., 2]).mean()),
        **({"topological_charge_mean": float(defined.mean())} if len(defined) else {}),
    }
