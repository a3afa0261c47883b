"""Recipe `analyse`: skyrmions, order and S(q) of generated states, or of any file of spins, beside the test data."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from matplotlib.artist import Artist

from keras_evae import plotting
from keras_evae.analysis import (
    StateDescription,
    defect_share,
    describe_state,
    ring_average,
    structure_factor,
    wasserstein,
)
from keras_evae.analysis.description import skyrmions_and_bonds
from keras_evae.console import progress_bar
from keras_evae.dataset.formats.spin_files import read_states, split_source
from keras_evae.errors import MismatchError
from keras_evae.evaluation.results import Picture, Record, Section, Table, for_each_run
from keras_evae.evaluation.stage_states import generate
from keras_evae.hamiltonian import Hamiltonian
from keras_evae.runs.run import Run

# Configurations of each stage and split, and of a file.
COUNT, FILE_COUNT = 100, 1000
# Stages in the pictures, beside the test data.
SHOWN = 3
# Part of reciprocal space in the maps, in units of the ring's |q|, and their decades.
REACH, DECADES = 3.0, 4
# Width of a row of pictures in inches, for its legend.
NARROWEST = 4.5


# Quantities whose distributions are compared: label with the unit, and the values of one configuration.
QUANTITIES: dict[str, tuple[str, Callable[[StateDescription], np.ndarray]]] = {
    "energy_per_site": (plotting.ENERGY_LABEL, lambda state: np.array([state.energy_per_site])),
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


@for_each_run
def make_analyse(run: Run, output: Path, file: str) -> Section:
    """Generated states of each stage beside the test split; the validation split says how close equals come."""
    test = _split_sample(run, "test")
    generated = [
        measure(stage.stage.weights_in_words, generate(run, stage, COUNT), run.hamiltonian) for stage in run.stages
    ]
    tables = sample_tables("analyse", [test, _split_sample(run, "validation"), *generated], test)
    # First, middle and last stage of the E-VAE, or of the VAE.
    of_evae = [part for stage, part in zip(run.stages, generated, strict=True) if stage.beta == run.evae_beta]
    ladder = of_evae or generated
    shown = [ladder[index] for index in np.unique(np.linspace(0, len(ladder) - 1, SHOWN).astype(int))]
    pictures = _draw(file, [test, *shown], run.hamiltonian, output)
    numbers: dict[str, Record] = {"": {"beta_of_ladder_of_gamma": run.evae_beta}}
    return Section("analyse", "Analysis of generated states", TEXT, tables, pictures, numbers=numbers)


def analyse_file(source: str, hamiltonian: Hamiltonian, run: Run | None, output: Path) -> Section:
    """The same for a file of spins, `FILE` or `FILE:name`, beside the test split of a run if one is given.

    If the Hamiltonian has no mask, sites at which the spins of the file are zero are absent.

    Raises:
        DataError: If the file cannot be used.
        MismatchError: If its lattice is not that of the run, or its states have different absent sites.
    """
    spins, count = read_states(source, FILE_COUNT, hamiltonian.mask)
    if run and spins.shape[1:3] != run.shape:
        raise MismatchError(
            f"{source}: expected the lattice of {run.path}, {run.shape}, found {spins.shape[1:3]}; "
            f"leave --run out, and give its config.yaml as --config"
        )
    present = np.asarray(spins.any(axis=-1))
    other = (present != present[0]).any(axis=(1, 2))
    if other.any():
        raise MismatchError(
            f"{source}: expected the same absent sites in all states, found others in state {int(np.argmax(other))}; "
            "write states with other sites to another file"
        )
    if not present[0].all():
        hamiltonian = dataclasses.replace(hamiltonian, mask=present[0])
    file, array = split_source(source)
    sample = measure(f"{file.name}:{array}" if array else file.name, spins, hamiltonian)
    test = _split_sample(run, "test") if run else None
    samples = [test, sample] if test else [sample]
    notes = [f"Hamiltonian: {hamiltonian.describe()}"]
    if count > len(spins):
        notes.append(f"the first {len(spins)} of {count} configurations")
    tables = sample_tables("spins", samples, test)
    pictures = _draw("spins", samples, hamiltonian, output)
    return Section("spins", f"Analysis of {sample.name}", TEXT, tables, pictures, notes=notes)


def _draw(name: str, samples: Sequence[Sample], hamiltonian: Hamiltonian, output: Path) -> list[Picture]:
    _draw_structure(samples, output / f"{name}_structure.png")
    figure, axes = plotting.new_figure(size=(6.0, 3.0))
    plotting.plot_rings(axes[0, 0], {sample.name: ring_average(sample.factor) for sample in samples})
    plotting.save_figure(figure, output / f"{name}_rings.png")
    _draw_neighbours(samples, hamiltonian, output / f"{name}_neighbours.png")
    _draw_distributions(samples, output / f"{name}_distributions.png")
    names = ", ".join(sample.name for sample in samples)
    captions = {
        "structure": "S(q), mean over states, q = 0 left out; dashed: mean |q| of the ring",
        "rings": "Radial averages of S(q)",
        "neighbours": "One state, its skyrmions and their neighbours; dotted: diagonals by chance, not counted",
        "distributions": "Distributions of what is compared; the outermost bins hold all that lies beyond",
    }
    return [Picture(f"{name}_{picture}.png", f"{caption}; {names}") for picture, caption in captions.items()]


def _split_sample(run: Run, split: str) -> Sample:
    return measure(f"{split} data", run.read_split(split, COUNT), run.hamiltonian)


def _draw_structure(samples: Sequence[Sample], path: Path) -> None:
    maps = np.fft.fftshift([sample.factor for sample in samples], axes=(1, 2))
    # The middle is q = 0.
    maps[:, maps.shape[1] // 2, maps.shape[2] // 2] = np.nan
    rings = [finite_mean([state.peaks.wave_number for state in sample.states]) for sample in samples]
    reach = min(np.pi, REACH * max((ring for ring in rings if ring is not None), default=np.pi))
    highest = float(np.nanmax(maps)) or 1.0
    limits = highest * 10.0**-DECADES, highest
    figure, axes = plotting.new_figure(1, len(samples), size=(max(2.6, NARROWEST / len(samples)), 2.6))
    for cell, sample, factor, ring in zip(axes[0], samples, maps, rings, strict=True):
        image = plotting.plot_structure_factor(cell, factor, (reach, reach), limits, ring, sample.name)
    for cell in axes[0, 1:]:
        cell.set_ylabel("")
    figure.colorbar(image, ax=axes[0], label="$S(q)$", shrink=0.85)
    plotting.save_figure(figure, path)


def _draw_neighbours(samples: Sequence[Sample], hamiltonian: Hamiltonian, path: Path) -> None:
    height, width = samples[0].example.shape[:2]
    size = max(2.6, NARROWEST / len(samples))
    figure, axes = plotting.new_figure(1, len(samples) + 1, size=(size, 0.95 + 1.95 * height / width))
    handles: dict[str, Artist] = {}
    for cell, sample in zip(axes[0], samples, strict=False):
        psi6, (skyrmions, bonds) = sample.states[0].psi6, skyrmions_and_bonds(sample.example, hamiltonian)
        positions = skyrmions.positions
        starts = positions[bonds.owners]
        lines = np.stack((starts, starts + bonds.vectors), axis=1)
        order = rf", mean $|\psi_6|$ = {psi6.mean():.2f}" if psi6.size else ""
        found = f"skyrmions: {len(positions)}{order}" if len(positions) else "no skyrmion"
        sure = np.bincount(bonds.owners[~bonds.arbitrary], minlength=len(positions))
        counts, title = np.where(bonds.surrounded, sure, -1), f"{plotting.as_label(sample.name)}\n{found}"
        plotting.plot_neighbours(cell, sample.example, positions, lines, bonds.arbitrary, counts, title)
        handles |= {label: handle for handle, label in zip(*cell.get_legend_handles_labels(), strict=True)}
    plotting.plot_color_wheel(axes[0, -1])
    labels = sorted(handles)
    if labels:
        figure.legend([handles[label] for label in labels], labels, loc="outside lower center", ncols=len(labels))
    plotting.save_figure(figure, path)


def _draw_distributions(samples: Sequence[Sample], path: Path) -> None:
    figure, axes = plotting.new_figure(2, 3, size=(3.0, 2.3))
    for cell, quantity in zip(axes.flat, QUANTITIES, strict=False):
        values = {sample.name: np.concatenate(sample.values(quantity)) for sample in samples}
        plotting.plot_distribution(cell, values, QUANTITIES[quantity][0])
    axes.flat[-1].set_axis_off()
    axes.flat[-1].legend(*axes.flat[0].get_legend_handles_labels(), loc="center left")
    plotting.save_figure(figure, path)


@dataclasses.dataclass(frozen=True)
class Sample:
    """Configurations of one origin, such as "test data": what was measured on each, mean S(q), and the first one."""

    name: str
    states: Sequence[StateDescription]
    factor: np.ndarray
    example: np.ndarray

    def values(self, quantity: str) -> list[np.ndarray]:
        return [QUANTITIES[quantity][1](state) for state in self.states]


def measure(name: str, spins: np.ndarray, hamiltonian: Hamiltonian) -> Sample:
    """Measures configurations `(n, y, x, 3)`."""
    states = [describe_state(state, hamiltonian) for state in progress_bar(spins, name, unit="state")]
    return Sample(name, states, np.mean([structure_factor(state) for state in spins], axis=0), spins[0])


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
    backgrounds = sorted({state.skyrmions.background for state in sample.states if len(state.skyrmions)})
    return {
        "sample": sample.name,
        "skyrmions": float(np.mean([len(state.skyrmions) for state in sample.states])),
        "cores": " or ".join("down" if background > 0 else "up" for background in backgrounds) or None,
        "radius_sites": finite_mean(sample.values("radius")),
        "psi6": finite_mean(sample.values("psi6")),
        "psi4": finite_mean([state.psi4 for state in sample.states]),
        "defects": finite_mean([defect_share(state.neighbours) for state in sample.states if len(state.neighbours)]),
        "ring_1/site": finite_mean([peak.wave_number for peak in peaks]),
        "bragg_height": finite_mean([peak.height for peak in peaks]),
        "bragg_contrast": finite_mean([peak.contrast for peak in peaks]),
    }


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
