"""Figure 3B: densities of the angle between spins and effective fields."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from keras_evae import plotting
from keras_evae.analysis import AngleDistribution, angle_distribution, field_angle
from keras_evae.evaluation.ladders import (
    awaits_nearer,
    file_name,
    labels,
    nearest_gammas,
    stream_generated,
    stream_reconstructed,
    stream_split,
)
from keras_evae.evaluation.local_correlation import GAMMAS
from keras_evae.evaluation.sections import Cell, Picture, Section, Table
from keras_evae.hamiltonian import Hamiltonian
from keras_evae.runs import Run

OUTPUTS = ("X_Out", "X'_Out")
# The picture ends at this percentile of the broadest distribution.
SHOWN = 96.0

# For each kind of states and gamma (None: the data).
Distributions = dict[tuple[str, float | None], AngleDistribution]


def make_theta(runs: Sequence[Run], output: Path) -> Section:
    """Densities of theta for X_In, X_Out of the whole test split and as many X'_Out, for gamma = 0, 1 and 100."""
    tables, pictures, notes = [], [], []
    numbers: dict[str, dict[str, Cell]] = {}
    for run in runs:
        found, missing = _collect(run)
        file, label = file_name("theta", run, runs), labels(runs)[run.path]
        tables.append(_summary(file, label, found))
        # Thousands of rows: a file, but no part of what is shown.
        _densities(f"{file}_densities", label, found).write(output)
        _draw(found, output / f"{file}.png")
        caption = f"{label}: densities of theta, X_Out (left) and X'_Out (right)"
        pictures.append(Picture(f"{file}.png", caption, "theta"))
        numbers[label] = {"awaits_nearer_stages": awaits_nearer(run, GAMMAS)}
        notes += missing
    return Section(
        "theta",
        "Figure 3B: angles between spins and effective fields",
        "theta = atan2(|S x h|, S.h) in degrees, over all sites of X_In and X_Out of the test split and of as many "
        "generated states X'_Out. Each density has the integral 1; *_densities.csv has it in bins of 0.05 degrees. The "
        "peak is that of the density smoothed by a tenth of the mean. The annealed data are relaxed: their theta is "
        "zero but for the tolerance of the annealing and the precision of the file.",
        tables,
        pictures,
        notes,
        numbers,
    )


def _collect(run: Run) -> tuple[Distributions, list[str]]:
    stages, notes = nearest_gammas(run, GAMMAS)
    count = run.config.dataset.test
    with tqdm(None, "theta", count * (1 + 2 * len(stages)), unit="state", leave=False, delay=5) as progress:

        def distribution(states: Iterable[np.ndarray]) -> AngleDistribution:
            return angle_distribution(_angles(states, run.hamiltonian, progress))

        found: Distributions = {("X_In", None): distribution(stream_split(run, "test"))}
        for stage in stages:
            found["X_Out", stage.gamma] = distribution(stream_reconstructed(run, stage, "test"))
            found["X'_Out", stage.gamma] = distribution(stream_generated(run, stage, count))
    return found, notes


def _angles(states: Iterable[np.ndarray], hamiltonian: Hamiltonian, progress: tqdm) -> Iterator[np.ndarray]:
    for part in states:
        yield field_angle(part, hamiltonian)
        progress.update(len(part))


def _summary(file: str, label: str, found: Distributions) -> Table:
    header = ["states", "gamma", "peak_degrees", "mean_degrees", "standard_deviation_degrees", "percentile_99_degrees"]
    rows: list[list[Cell]] = [
        [kind, gamma, values.peak, values.mean, values.deviation, values.percentile(99)]
        for (kind, gamma), values in found.items()
    ]
    caption = f"{label}: theta of all sites; peak and percentile are known to a bin of 0.05 degrees"
    return Table("theta", caption, header, rows, label, file)


def _densities(file: str, label: str, found: Distributions) -> Table:
    """All densities up to the largest angle, a column each."""
    header = [kind if gamma is None else f"{kind} gamma={gamma:g}" for kind, gamma in found]
    columns = np.stack([values.density for values in found.values()], axis=-1)
    centres = next(iter(found.values())).centres
    last = int(np.flatnonzero(columns.any(axis=-1)).max()) + 1
    rows = [[float(angle), *map(float, row)] for angle, row in zip(centres[:last], columns[:last], strict=True)]
    caption = f"{label}: density of theta per degree"
    return Table("theta_densities", caption, ["theta_degrees", *header], rows, label, file)


def _draw(found: Distributions, path: Path) -> None:
    """A panel for X_Out and one for X'_Out, with equal axes."""
    figure, axes = plotting.new_figure(1, len(OUTPUTS), size=(3.7, 2.8), shared=True)
    data = found["X_In", None]
    for cell, kind in zip(axes[0], OUTPUTS, strict=True):
        shown = {gamma: values for (name, gamma), values in found.items() if name == kind}
        curves = {rf"$\gamma$ = {gamma:g}": (values.centres, values.density) for gamma, values in shown.items()}
        plotting.plot_angle_densities(cell, curves, (data.centres, data.density))
        cell.set_title({"X_Out": "$X_{Out}$", "X'_Out": "$X'_{Out}$"}[kind])
        cell.label_outer()
    outputs = [values for (kind, _), values in found.items() if kind in OUTPUTS]
    limits = {
        "xlim": (0.0, max(v.percentile(SHOWN) for v in outputs)),
        "ylim": (0.0, 1.05 * max(v.density.max() for v in outputs)),
    }
    for cell in axes[0]:
        cell.set(**limits)
    plotting.save_figure(figure, path)
