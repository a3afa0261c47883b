"""Analysis of generated states, or of any file of spins, beside the test data."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.artist import Artist

from keras_evae import plotting
from keras_evae.analysis import delaunay_bonds, ring_average
from keras_evae.dataset.formats.spin_files import read_states, split_source
from keras_evae.errors import MismatchError
from keras_evae.evaluation.measured_samples import QUANTITIES, TEXT, Sample, finite_mean, measure, sample_tables
from keras_evae.evaluation.results import Cell, Picture, Section, for_each_run
from keras_evae.evaluation.stage_selection import ladder_of_gamma
from keras_evae.evaluation.stage_states import generate
from keras_evae.hamiltonian import Hamiltonian
from keras_evae.runs.run import Run
from keras_evae.runs.stage_folder import FinishedStage

# Configurations of each stage and split, and of a file.
COUNT, FILE_COUNT = 100, 1000
# Stages in the pictures, beside the test data.
SHOWN = 3
# Part of reciprocal space in the maps, in units of the ring's |q|, and their decades.
REACH, DECADES = 3.0, 4
# Width of a row of pictures in inches, for its legend.
NARROWEST = 4.5


@for_each_run
def make_analyse(run: Run, output: Path, file: str) -> Section:
    """Generated states of each stage beside the test split; the validation split says how close equals come."""
    test = _split_sample(run, "test")
    generated = {
        stage.name: measure(stage.stage.weights_in_words, generate(run, stage, COUNT), run.hamiltonian)
        for stage in run.stages
    }
    tables = sample_tables("analyse", [test, _split_sample(run, "validation"), *generated.values()], test)
    pictures = draw_samples(file, [test, *(generated[stage.name] for stage in _shown(run))], run.hamiltonian, output)
    numbers: dict[str, dict[str, Cell]] = {"": {"beta_of_ladder_of_gamma": run.evae_beta}}
    return Section("analyse", "Analysis of generated states", TEXT, tables, pictures, numbers=numbers)


def analyse_file(source: str, hamiltonian: Hamiltonian, run: Run | None, output: Path) -> Section:
    """The same for a file of spins, beside the test split of a run if one is given.

    Args:
        source: `FILE` or `FILE:name`, see `read_states`.
        hamiltonian: Of the spins. If it has no mask, sites at which the spins of the file are zero are absent.
        run, output: Gives the test split to compare with; folder for the pictures.

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
    if not (present == present[0]).all():
        raise MismatchError(
            f"{source}: expected the same absent sites in all states, found others in state "
            f"{int(np.argmax((present != present[0]).any(axis=(1, 2))))}; write states with other sites to another file"
        )
    present = present[0]
    if not present.all():
        hamiltonian = dataclasses.replace(hamiltonian, mask=present)
    file, array = split_source(source)
    sample = measure(f"{file.name}:{array}" if array else file.name, spins, hamiltonian)
    test = _split_sample(run, "test") if run else None
    samples = [test, sample] if test else [sample]
    notes = [f"Hamiltonian: {hamiltonian.describe()}"]
    if count > len(spins):
        notes.append(f"the first {len(spins)} of {count} configurations")
    tables = sample_tables("spins", samples, test)
    pictures = draw_samples("spins", samples, hamiltonian, output)
    return Section("spins", f"Analysis of {sample.name}", TEXT, tables, pictures, notes=notes)


def draw_samples(name: str, samples: Sequence[Sample], hamiltonian: Hamiltonian, output: Path) -> list[Picture]:
    """Draws S(q), neighbours and distributions of at most four samples."""
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


def _shown(run: Run) -> list[FinishedStage]:
    """First, middle and last stage of the E-VAE, or of the VAE."""
    stages = ladder_of_gamma(run, needed=False) or run.stages
    return [stages[index] for index in np.unique(np.linspace(0, len(stages) - 1, SHOWN).astype(int))]


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
        if cell is not axes[0, 0]:
            cell.set_ylabel("")
    figure.colorbar(image, ax=axes[0], label="$S(q)$", shrink=0.85)
    plotting.save_figure(figure, path)


def _draw_neighbours(samples: Sequence[Sample], hamiltonian: Hamiltonian, path: Path) -> None:
    height, width = samples[0].example.shape[:2]
    size = max(2.6, NARROWEST / len(samples))
    figure, axes = plotting.new_figure(1, len(samples) + 1, size=(size, 0.95 + 1.95 * height / width))
    handles: dict[str, Artist] = {}
    for cell, sample in zip(axes[0], samples, strict=False):
        state = sample.states[0]
        positions = state.skyrmions.positions
        bonds = delaunay_bonds(positions, (height, width), hamiltonian.periodic, hamiltonian.mask)
        starts = positions[bonds.owners]
        found = "no skyrmion"
        if len(positions):
            order = rf", mean $|\psi_6|$ = {state.psi6.mean():.2f}" if state.psi6.size else ""
            found = f"skyrmions: {len(positions)}{order}"
        lines = np.stack((starts, starts + bonds.vectors), axis=1)
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
