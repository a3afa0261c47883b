"""Recipe `relax`: generated states before and after relaxation at T = 0, and their HDF5 file with certificates."""

import contextlib
import dataclasses
import itertools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import h5py
import numpy as np

from keras_evae.analysis.description import skyrmions_and_bonds
from keras_evae.console import progress_bar
from keras_evae.dataset.hdf5 import METADATA_BYTES, VERSIONS, create_file, write_attribute
from keras_evae.evaluation.results import Record, Section, Table, for_each_run
from keras_evae.evaluation.stage_selection import is_finished
from keras_evae.evaluation.stage_states import generate
from keras_evae.files import disk_errors, publish
from keras_evae.hamiltonian import Hamiltonian
from keras_evae.minima.certificate import CERTIFICATE, SAME_ENERGY, Candidate, best_known, certify
from keras_evae.minima.relaxation import relax_states
from keras_evae.runs.run import Run

FORMAT_VERSION = 1
KINDS = ("generated", "relaxed")
# Certificates of the kinds of states of one stage.
Certificates = dict[str, np.ndarray]


@for_each_run
def make_relax(run: Run, output: Path, file: str, count: int = 100, anneals: int | None = None) -> Section:
    """Energy of generated states of each stage before and after relaxation; writes the states with certificates."""
    path = output / f"states{file.removeprefix('relax')}.h5"
    certificates, best, changes = write_all_stages(run, path, count, anneals)
    numbers: Record = {"last_stage_finished": is_finished(run), "best_known_energy_per_site": best[0].energy_per_site}
    return Section(
        "relax",
        "Relaxation of generated states, and their certificates",
        "Each generated state is relaxed into its nearest minimum, until the largest torque |S x h| is below 1e-5. "
        "Energies and gaps are E/N in units of the exchange constant; the gap is the height above the best known "
        "energy of the Hamiltonian on this lattice. Energies, gaps, charges and skyrmions are means over the states, "
        "torques the largest of all. change: |S_generated - S_relaxed|^2, mean over spins and states; from 0 to 4. "
        "psi6 and psi4: means over skyrmions, 1 in a triangular and in a square lattice; in psi4 neighbours count by "
        "the edge between the Voronoi cells.",
        [*_tables(run, certificates, changes, count), _best_known_table(run, best)],
        notes=[f"all states with their certificates: {path.name}"],
        numbers={"": numbers | {"states_of_each_stage": count}},
    )


@contextlib.contextmanager
def new_states_file(path: Path, hamiltonian: Hamiltonian, counts: Sequence[int], shape: tuple[int, int]) -> Iterator:
    """An open HDF5 file for groups of so many states, which appears under its name when the block has filled it.

    Its attributes hold the Hamiltonian and the versions of the software, as JSON, and the version of the format.
    """
    partial = path.with_name(f"{path.name}.partial")
    state_bytes = 4 * 3 * shape[0] * shape[1] + CERTIFICATE.itemsize + METADATA_BYTES
    with disk_errors(path):
        try:
            # 64 KiB a group for what HDF5 writes beside the arrays.
            create_file(partial, sum(count * state_bytes + 2**16 for count in counts))
        except OSError:
            partial.unlink(missing_ok=True)
            raise
        with h5py.File(partial, "r+", libver="latest") as file:
            file.attrs["format_version"] = FORMAT_VERSION
            write_attribute(file, "hamiltonian", hamiltonian.to_config())
            write_attribute(file, "versions", VERSIONS)
            yield file
        publish(partial, path)


def write_group(group: h5py.Group, spins: np.ndarray, certificates: np.ndarray) -> None:
    """Writes states `(n, y, x, 3)` float32 as `spins`, and each field of their certificates `(n,)` under its name."""
    group.create_dataset("spins", data=spins, chunks=(1, *spins.shape[1:]), fletcher32=True)
    for name in CERTIFICATE.names or ():
        group.create_dataset(name, data=certificates[name], chunks=certificates.shape, fletcher32=True)


def write_states(
    path: Path, spins: np.ndarray, certificates: np.ndarray, hamiltonian: Hamiltonian, origins: Sequence[str]
) -> None:
    """Writes states with their certificates to an HDF5 file, and where each of them comes from as JSON.

    Layout: `spins` (n, y, x, 3) float32, checksummed (fletcher32), and the fields of `certify`, each (n,).
    """
    with new_states_file(path, hamiltonian, [len(spins)], spins.shape[1:3]) as file:
        write_group(file, spins, certificates)
        write_attribute(file, "origins", {str(index): origin for index, origin in enumerate(origins)})


def write_all_stages(
    run: Run, path: Path, count: int = 100, anneals: int | None = None
) -> tuple[dict[str, Certificates], list[Candidate], dict[str, Record]]:
    """Writes generated and relaxed states of each finished stage with their certificates, to an HDF5 file.

    Layout: `<stage>/generated` and `<stage>/relaxed` as in `write_states`. The attributes of the file hold the best
    known energies, too; those of a stage its beta and gamma. Returns the certificates of each stage, the best known
    energies, and of each stage what relaxation changes.
    """
    hamiltonian = run.hamiltonian
    certificates: dict[str, Certificates] = {}
    changes: dict[str, Record] = {}
    with new_states_file(path, hamiltonian, len(KINDS) * len(run.stages) * [count], run.shape) as file:
        for stage in progress_bar(run.stages, "relaxing", unit="stage"):
            generated = np.asarray(generate(run, stage, count), np.float32)
            states = {"generated": generated, "relaxed": relax_states(generated, hamiltonian)}
            # The gap to the best known energy follows when that is known.
            certificates[stage.name] = {kind: certify(states[kind], hamiltonian, 0.0) for kind in KINDS}
            changes[stage.name] = _changes(states["generated"], states["relaxed"], hamiltonian)
            group = file.create_group(stage.name)
            group.attrs["beta"], group.attrs["gamma"] = stage.beta, stage.gamma
            for kind, spins in states.items():
                write_group(group.create_group(kind), spins, certificates[stage.name][kind])
        relaxed = ((float(found["relaxed"]["energy_per_site"].min()), name) for name, found in certificates.items())
        lowest, stage_name = min(relaxed)
        others = [
            Candidate(run.data_kind, run.lowest_annealed(), f"all splits of {run.dataset_path}"),
            Candidate("relaxed generated states", lowest, f"{count} of stage {stage_name} of {run.name}"),
        ]
        best = best_known(hamiltonian, run.shape, path.parent, others, anneals)
        for name, kind in itertools.product(certificates, KINDS):
            certificates[name][kind]["gap"] -= best[0].energy_per_site
            file[name][kind]["gap"][:] = certificates[name][kind]["gap"]
        write_attribute(file, "best_known", {"candidates": list(map(dataclasses.asdict, best))})
        write_attribute(file, "run", {"name": run.name, "shape": list(run.shape)})
    return certificates, best, changes


def _changes(generated: np.ndarray, relaxed: np.ndarray, hamiltonian: Hamiltonian) -> Record:
    """What relaxation changes in states `(n, y, x, 3)`, and how skyrmions stand then: None where no state has one."""
    change = np.asarray(np.sum((generated - relaxed) ** 2, axis=-1, dtype=np.float64))
    orders = [np.array(skyrmions_and_bonds(spins, hamiltonian)[1].lattice_order()) for spins in relaxed]
    psi6, psi4 = (float(values.mean()) if values.size else None for values in np.concatenate(orders, axis=1))
    return {"change": float(hamiltonian.on_sites(change).mean()), "psi6_relaxed": psi6, "psi4_relaxed": psi4}


def _tables(run: Run, certificates: dict[str, Certificates], changes: dict[str, Record], count: int) -> list[Table]:
    energies: list[Record] = []
    qualities: list[Record] = []
    for stage in run.stages:
        weights, found = {"beta": stage.beta, "gamma": stage.gamma}, certificates[stage.name]
        gaps = found["relaxed"]["gap"]
        best = {"lowest_gap": float(gaps.min()), "share_at_best_known": float(np.mean(gaps <= SAME_ENERGY))}
        energies.append(weights | _of_kinds(found, "energy_per_site", "energy") | _of_kinds(found, "gap") | best)
        charges = _of_kinds(found, "charge") | _of_kinds(found, "skyrmions")
        qualities.append(weights | _of_kinds(found, "torque", measure=np.max) | charges | changes[stage.name])
    caption = f"{count} generated states of each stage"
    measured = f"{caption}, largest torque, and means of what else is measured"
    return [
        Table.of_records("relax", f"{caption}, E/N before and after relaxation at T = 0", energies),
        Table.of_records("relax_certificates", measured, qualities),
    ]


def _of_kinds(certificates: Certificates, field: str, name: str = "", measure: Callable = np.mean) -> Record:
    return {f"{name or field}_{kind}": float(measure(certificates[kind][field])) for kind in KINDS}


def _best_known_table(run: Run, best: Sequence[Candidate]) -> Table:
    lowest, (height, width) = best[0].energy_per_site, run.shape
    rows = [(of.search, of.energy_per_site, of.energy_per_site - lowest, of.detail) for of in best]
    present = "" if run.hamiltonian.mask is None else f", {run.hamiltonian.count_sites(run.shape)} with a spin"
    caption = f"best known energy on {height} x {width} sites{present}: {lowest:.8f}"
    return Table("best_known", caption, ["search", "energy_per_site", "gap", "detail"], rows)
