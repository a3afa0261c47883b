"""Candidates for the ground state: what collapsed probes generate, relaxed at T = 0, each state once."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np
from tqdm import tqdm

from keras_evae.analysis import align
from keras_evae.dataset.file import METADATA_BYTES, VERSIONS, create_file, write_attribute
from keras_evae.durable import disk_errors, publish
from keras_evae.evaluation.certificate import CERTIFICATE, relax_states
from keras_evae.evaluation.final_states import SAME_ENERGY, SAME_STATE
from keras_evae.evaluation.ladders import generate
from keras_evae.ground_state.trials import Trial
from keras_evae.hamiltonian import Hamiltonian

FORMAT_VERSION = 1
# Generated states of each collapsed probe: nearly all are one, a few stray into another minimum.
GENERATED = 20
# The lowest distinct states that are kept: a probe that has not collapsed gives many.
KEPT = 12


@dataclasses.dataclass(frozen=True)
class Origin:
    """Where a relaxed state comes from: a trial, the gamma of its probe, and its E/N as it was generated."""

    trial: str
    gamma: float
    energy_per_site: float


@dataclasses.dataclass(frozen=True)
class DistinctState:
    """A state that others equal up to the symmetries of the energy.

    Args:
        index: Of the lowest of them.
        members: Indices of all of them.
    """

    index: int
    members: tuple[int, ...]


def relaxed_states(trials: Sequence[Trial]) -> tuple[np.ndarray, list[Origin]]:
    """Relaxed states of the collapsed probes of all trials, `(n, y, x, 3)`, and where each comes from.

    The latent vectors are the same for each probe. A trial without collapse gives those of its largest gamma.
    """
    probes = [(trial, finished) for trial in trials for finished in trial.giving]
    states, origins = [], []
    for trial, finished in tqdm(probes, "relaxing candidates", unit="probe", leave=False, delay=1):
        generated = np.asarray(generate(trial.run, finished.stage, GENERATED), np.float32)
        states.append(relax_states(generated, trial.run.hamiltonian))
        energies = trial.run.hamiltonian.energy_per_site(generated.astype(np.float64))
        origins += [Origin(trial.name, finished.probe.gamma, float(energy)) for energy in energies]
    return np.concatenate(states), origins


def distinct_states(states: np.ndarray, energies: np.ndarray, hamiltonian: Hamiltonian) -> list[DistinctState]:
    """Groups states that are one up to translations, fractions of a site included, and the point group.

    Two states are one if their energies per site agree within 1e-5, and the mean over sites of |S - S'|^2 is at most
    0.01 where they fit best. Each state joins the group of the first lowest state that it equals.

    Args:
        states: Relaxed states, `(n, y, x, 3)`.
        energies: Their E/N, `(n,)`.
        hamiltonian: Gives the symmetries.

    Returns:
        The groups, the lowest first.
    """
    groups: list[list[int]] = []
    for index in map(int, np.argsort(energies, kind="stable")):
        for group in groups:
            close = energies[index] - energies[group[0]] <= SAME_ENERGY
            if close and align(states[index], states[group[0]], hamiltonian, sliding=True).distance <= SAME_STATE:
                group.append(index)
                break
        else:
            groups.append([index])
    return [DistinctState(group[0], tuple(group)) for group in groups]


def write_candidates(
    path: Path, spins: np.ndarray, certificates: np.ndarray, hamiltonian: Hamiltonian, origins: Sequence[str]
) -> None:
    """Writes candidates with their certificates to an HDF5 file, which appears when it is complete.

    Layout:

        spins              (n, y, x, 3) float32, checksummed (fletcher32), the lowest first
        energy_per_site    (n,), and so `torque`, `charge`, `skyrmions`, `gap`; see `evaluation.certificate.certify`

    The attributes hold the Hamiltonian, where each state comes from, and the versions of software and format, as JSON.
    """
    partial = path.with_name(f"{path.name}.partial")
    with disk_errors(path):
        # 64 KiB for what HDF5 writes beside the arrays.
        create_file(partial, spins.nbytes + len(spins) * (CERTIFICATE.itemsize + METADATA_BYTES) + 2**16)
        with h5py.File(partial, "r+", libver="latest") as file:
            file.create_dataset("spins", data=spins, chunks=(1, *spins.shape[1:]), fletcher32=True)
            for name in CERTIFICATE.names or ():
                file.create_dataset(name, data=certificates[name], chunks=certificates.shape, fletcher32=True)
            file.attrs["format_version"] = FORMAT_VERSION
            write_attribute(file, "hamiltonian", hamiltonian.to_config())
            write_attribute(file, "versions", VERSIONS)
            write_attribute(file, "origins", {str(index): origin for index, origin in enumerate(origins)})
        publish(partial, path)
