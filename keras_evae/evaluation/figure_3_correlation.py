"""Figures 3A and 3B: how well spins follow their effective fields."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from keras_evae import plotting
from keras_evae.analysis import AngleDistribution, angle_distribution, field_angle, local_correlation
from keras_evae.console import progress_bar
from keras_evae.evaluation.results import Picture, Record, Section, Table, for_each_run
from keras_evae.evaluation.stage_selection import awaits_nearer, nearest_gammas
from keras_evae.evaluation.stage_states import generate, reconstruct, stream_generated, stream_reconstructed
from keras_evae.hamiltonian import Hamiltonian
from keras_evae.runs.run import Run
from keras_evae.runs.stage_folder import FinishedStage

GAMMAS = (0.0, 1.0, 100.0)
# States of each kind in the table of Figure 3A.
COUNT = 100
# States of each kind in the picture, and share of sites of the reconstructions at the smallest gamma shown black.
EXAMPLES, BLACK_SHARE = 2, 2.0
NAMES = {"X_In": "$X_{In}$", "X_Out": "$X_{Out}$", "X'_Out": "$X'_{Out}$"}
COSINE = r"$\cos\theta$"
# A row of the picture: its gamma (None: the data), and states of up to two kinds.
Row = tuple[float | None, dict[str, np.ndarray]]
OUTPUTS = ("X_Out", "X'_Out")
# The picture ends at this percentile of the broadest distribution.
SHOWN = 96.0
# For each kind of states and gamma (None: the data).
Distributions = dict[tuple[str, float | None], AngleDistribution]


def make_local_correlation(runs: Sequence[Run], output: Path, gammas: Sequence[float] = GAMMAS) -> Section:
    """X_In, X_Out and X'_Out with their maps of cos(theta), for several gamma, in one grey scale for all runs."""
    lowest = [1.0 - 1e-6]
    for run in runs:
        stage = nearest_gammas(run, gammas)[0][0]
        spins = reconstruct(run, stage, run.read_split("test", COUNT))
        reference = run.hamiltonian.on_sites(local_correlation(spins, run.hamiltonian))
        lowest.append(float(np.percentile(reference, BLACK_SHARE)))
    return _make_local_correlation(runs, output, gammas=gammas, lowest=min(lowest))


@for_each_run
def _make_local_correlation(run: Run, output: Path, file: str, gammas: Sequence[float], lowest: float) -> Section:
    stages, notes = nearest_gammas(run, gammas)
    spins = run.read_split("test", COUNT)
    rows: list[Row] = [(None, {"X_In": spins})]
    for stage in progress_bar(stages, "local correlation", unit="stage"):
        outputs = {"X_Out": reconstruct(run, stage, spins), "X'_Out": generate(run, stage, len(spins))}
        rows.append((stage.gamma, outputs))
    angles = [_numbers(gamma, kind, states, run.hamiltonian) for gamma, row in rows for kind, states in row.items()]
    caption = f"angle theta between spins and effective fields, {len(spins)} states of each kind"
    _draw_maps(rows, run.hamiltonian, lowest, output / f"{file}.png")
    black = f"black: cos(theta) of {lowest:.4g} and below, {np.degrees(np.arccos(lowest)):.2g} degrees and more"
    absent = "" if run.hamiltonian.mask is None else "; pale blue: no spin"
    shown = f"states, and beside each its map of cos(theta); {black}{absent}"
    return Section(
        "local_correlation",
        "Figure 3A: local correlation",
        "cos(theta) of the angle theta between each spin S and the effective field h = -dE/dS on it: 1 where the spin "
        "points along its field, as everywhere in a relaxed state. The noise is small, so the grey scale ends in black "
        f"where only {BLACK_SHARE:g} per cent of the sites of X_Out lie below, at the smallest gamma shown. All runs "
        "have the scale of the one with the most noise.",
        [Table.of_records("local_correlation", caption, angles)],
        [Picture(f"{file}.png", shown, "local_correlation")],
        notes,
        {"": {"awaits_nearer_stages": awaits_nearer(run, gammas)}},
    )


def _numbers(gamma: float | None, kind: str, spins: np.ndarray, hamiltonian: Hamiltonian) -> Record:
    angles = hamiltonian.on_sites(field_angle(spins, hamiltonian)).astype(np.float64)
    degrees = np.degrees(angles)
    return {
        "gamma": gamma,
        "states": kind,
        "cos_theta_mean": float(np.cos(angles).mean()),
        "theta_mean_degrees": float(degrees.mean()),
        "theta_99th_percentile_degrees": float(np.percentile(degrees, 99)),
    }


def _draw_maps(rows: Sequence[Row], hamiltonian: Hamiltonian, lowest: float, path: Path) -> None:
    figure, axes = plotting.new_figure(len(rows), 4 * EXAMPLES, size=(1.1, 1.2), blank=True)
    for line, (gamma, row) in zip(axes, rows, strict=True):
        shown = [(kind, spins[index]) for kind, spins in row.items() for index in range(min(EXAMPLES, len(spins)))]
        for (kind, spins), (left, right) in zip(shown, line.reshape(-1, 2), strict=False):
            plotting.plot_spins(left, spins, NAMES[kind] + ("" if gamma is None else rf", $\gamma$ = {gamma:g}"))
            grey = plotting.plot_correlation(right, local_correlation(spins, hamiltonian), lowest, COSINE)
    plotting.plot_color_wheel(axes[0, 2 * EXAMPLES])
    bar = figure.colorbar(grey, ax=list(axes[:, -1]), label=COSINE, extend="min", shrink=0.5)
    ticks = [lowest, (1.0 + lowest) / 2, 1.0]
    bar.set_ticks(ticks, labels=[f"{tick:.5g}\n({np.degrees(np.arccos(tick)):.2g}°)" for tick in ticks])
    plotting.save_figure(figure, path)


@for_each_run
def make_theta(run: Run, output: Path, file: str, gammas: Sequence[float] = GAMMAS) -> Section:
    """Densities of theta for X_In, X_Out of the whole test split and as many X'_Out, for gamma = 0, 1 and 100."""
    stages, notes = nearest_gammas(run, gammas)
    found = _collect_angles(run, stages)
    # Thousands of rows: a file, but no part of what is shown.
    _densities(f"{file}_densities", found).write(output)
    _draw_densities(found, output / f"{file}.png")
    caption = "theta of all sites; peak and percentile are known to a bin of 0.05 degrees"
    records: list[Record] = [
        {
            "states": kind,
            "gamma": gamma,
            "peak_degrees": values.peak,
            "mean_degrees": values.mean,
            "standard_deviation_degrees": values.deviation,
            "percentile_99_degrees": values.percentile(99),
        }
        for (kind, gamma), values in found.items()
    ]
    return Section(
        "theta",
        "Figure 3B: angles between spins and effective fields",
        "theta = atan2(|S x h|, S.h) in degrees, over all sites of X_In and X_Out of the test split and of as many "
        "generated states X'_Out. Each density has the integral 1; *_densities.csv has it in bins of 0.05 degrees. The "
        "peak is that of the density smoothed by a tenth of the mean. The annealed data are relaxed: their theta is "
        "zero but for the tolerance of the annealing and the precision of the file.",
        [Table.of_records("theta", caption, records)],
        [Picture(f"{file}.png", "densities of theta, X_Out (left) and X'_Out (right)", "theta")],
        notes,
        {"": {"awaits_nearer_stages": awaits_nearer(run, gammas)}},
    )


def _collect_angles(run: Run, stages: Sequence[FinishedStage]) -> Distributions:
    def distribution(states: Iterable[np.ndarray]) -> AngleDistribution:
        return angle_distribution(field_angle(part, run.hamiltonian) for part in states)

    found: Distributions = {("X_In", None): distribution(run.stream_split("test"))}
    for stage in progress_bar(stages, "theta", unit="stage"):
        found["X_Out", stage.gamma] = distribution(stream_reconstructed(run, stage, run.stream_split("test")))
        found["X'_Out", stage.gamma] = distribution(stream_generated(run, stage, run.count("test")))
    return found


def _densities(file: str, found: Distributions) -> Table:
    names = [kind if gamma is None else f"{kind} gamma={gamma:g}" for kind, gamma in found]
    columns = np.stack([found["X_In", None].centres, *(values.density for values in found.values())], axis=-1)
    rows = columns[: int(np.flatnonzero(columns[:, 1:].any(axis=-1)).max()) + 1].tolist()
    return Table("theta_densities", "density of theta per degree", ["theta_degrees", *names], rows, file=file)


def _draw_densities(found: Distributions, path: Path) -> None:
    figure, axes = plotting.new_figure(1, len(OUTPUTS), size=(3.7, 2.8), shared=True)
    data = found["X_In", None]
    outputs = [values for (kind, _), values in found.items() if kind in OUTPUTS]
    widest = max(values.percentile(SHOWN) for values in outputs)
    highest = max(values.density.max() for values in outputs)
    for cell, kind in zip(axes[0], OUTPUTS, strict=True):
        shown = {gamma: values for (name, gamma), values in found.items() if name == kind}
        curves = {rf"$\gamma$ = {gamma:g}": (values.centres, values.density) for gamma, values in shown.items()}
        plotting.plot_angle_densities(cell, curves, (data.centres, data.density))
        cell.set(title=NAMES[kind], xlim=(0.0, widest), ylim=(0.0, 1.05 * highest))
        cell.label_outer()
    plotting.save_figure(figure, path)
