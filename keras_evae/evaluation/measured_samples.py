"""Samples of configurations, measured: what the paper does not show, and users ask for."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from keras_evae.analysis import StateDescription, defect_share, describe_state, structure_factor, wasserstein
from keras_evae.console import progress_bar
from keras_evae.evaluation.results import Record, Table
from keras_evae.hamiltonian import Hamiltonian
from keras_evae.plotting import ENERGY_LABEL

# Quantities whose distributions are compared: label with the unit, and the values of one configuration.
QUANTITIES: dict[str, tuple[str, Callable[[StateDescription], np.ndarray]]] = {
    "energy_per_site": (ENERGY_LABEL, lambda state: np.array([state.energy_per_site])),
    "theta": (r"$\theta$ (degrees)", lambda state: state.theta),
    "charge": ("charge $Q$", lambda state: np.array([state.charge])),
    "radius": ("radius (sites)", lambda state: state.skyrmions.radii),
    "psi6": (r"$|\psi_6|$", lambda state: state.psi6),
}
TEXT = (
    "Q: topological charge, of the staggered spins for J < 0; a state in which neighbouring spins are opposite has "
    "none (-). Skyrmions are regions of S_z against the background with charge 1 or -1. The background is along the "
    "field, unless cores along the field account for more of Q; the column cores says which way cores point. radius: "
    "that of a disc of the same area, in sites. psi6 of a skyrmion: 1/n |sum_j exp(6 i phi_j)| over its n neighbours "
    "in the periodic Delaunay triangulation, 1 in a perfect triangular lattice; psi4: the same with 4 in place of 6, "
    "each neighbour weighted by the edge between both Voronoi cells, 1 in a perfect square lattice; defects: share of "
    "skyrmions without six neighbours, of those that have triangles all around. theta: angle between spin and "
    "effective field. S(q) = 1/N sum_a |sum_r S_a exp(-i q.r)|^2, 1 for random spins, with N the number of spins "
    "(where sites are absent, deviations from the mean spin are transformed); ring: |q| of its highest radial average; "
    "Bragg height: mean of the six highest peaks on the ring over the mean of the ring; contrast: |sum S exp(6 i phi)| "
    "/ sum S over the ring, 1 for six even peaks. Distances are Wasserstein distances, in the units of the quantity, "
    "with bootstrap errors from resampled configurations."
)


@dataclasses.dataclass(frozen=True)
class Sample:
    """Configurations of one origin, such as "test data": what was measured on each, mean S(q), and an example."""

    name: str
    states: Sequence[StateDescription]
    factor: np.ndarray
    example: np.ndarray

    def values(self, quantity: str) -> list[np.ndarray]:
        """Values of a quantity of `QUANTITIES` for each configuration."""
        return [QUANTITIES[quantity][1](state) for state in self.states]


def measure(name: str, spins: np.ndarray, hamiltonian: Hamiltonian) -> Sample:
    """Measures configurations `(n, y, x, 3)`."""
    progress = progress_bar(spins, name, unit="state")
    states = [describe_state(state, hamiltonian) for state in progress]
    factor = np.mean([structure_factor(state) for state in spins], axis=0)
    return Sample(name, states, factor, spins[0])


def sample_tables(name: str, samples: Sequence[Sample], reference: Sample | None) -> list[Table]:
    """Numbers of samples, and their distances to the reference, which is one of them if there is one."""
    tables = [
        Table.of_records(name, "means over states", [_summary(sample) for sample in samples]),
        Table.of_records(f"{name}_lattice", "skyrmions and S(q)", [_lattice(sample) for sample in samples]),
    ]
    if reference:
        records = [_distances(sample, reference) for sample in samples if sample is not reference]
        caption = f"Wasserstein distance to {reference.name}"
        tables.append(Table.of_records(f"{name}_distances", caption, records))
    return tables


def _summary(sample: Sample) -> Record:
    energies, charges = (np.concatenate(sample.values(name)) for name in ("energy_per_site", "charge"))
    magnetization = np.mean([state.magnetization for state in sample.states], axis=0)
    return {
        "sample": sample.name,
        "states": len(sample.states),
        "energy_per_site": float(energies.mean()),
        "energy_std": float(energies.std()),
        "theta_degrees": finite_mean(sample.values("theta")),
        **{f"m_{axis}": float(mean) for axis, mean in zip("xyz", magnetization, strict=True)},
        "charge": finite_mean([charges]),
        "charge_std": float(charges.std()),
    }


def _lattice(sample: Sample) -> Record:
    peaks = [state.peaks for state in sample.states]
    return {
        "sample": sample.name,
        "skyrmions": float(np.mean([len(state.skyrmions) for state in sample.states])),
        "cores": _cores(sample),
        "radius_sites": finite_mean(sample.values("radius")),
        "psi6": finite_mean(sample.values("psi6")),
        "psi4": finite_mean([state.psi4 for state in sample.states]),
        "defects": finite_mean([defect_share(state.neighbours) for state in sample.states if len(state.neighbours)]),
        "ring_1/site": finite_mean([peak.wave_number for peak in peaks]),
        "bragg_height": finite_mean([peak.height for peak in peaks]),
        "bragg_contrast": finite_mean([peak.contrast for peak in peaks]),
    }


def _cores(sample: Sample) -> str | None:
    """Which way the cores point; None without skyrmions."""
    found = {state.skyrmions.background for state in sample.states if len(state.skyrmions)}
    return " or ".join("down" if background > 0 else "up" for background in sorted(found)) or None


def _distances(sample: Sample, reference: Sample) -> Record:
    record: Record = {"sample": sample.name}
    for quantity in QUANTITIES:
        pair = wasserstein(sample.values(quantity), reference.values(quantity))
        record |= zip((quantity, f"{quantity}_error"), pair, strict=True)
    return record


def finite_mean(values: Sequence[np.ndarray] | Sequence[float]) -> float | None:
    """Mean of all values that exist; None without any."""
    together = np.concatenate([np.atleast_1d(value) for value in values]) if values else np.zeros(0)
    together = together[np.isfinite(together)]
    return float(together.mean()) if together.size else None
