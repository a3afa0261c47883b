"""Figure 3A: states, and the local correlation between their spins and the effective fields."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from keras_evae import analysis, plotting
from keras_evae.dataset import read_split
from keras_evae.evaluation.ladders import (
    BATCH,
    awaits_nearer,
    file_name,
    generate,
    labels,
    nearest_gammas,
    reconstruct,
)
from keras_evae.evaluation.sections import Cell, Picture, Section, Table
from keras_evae.hamiltonian import Hamiltonian
from keras_evae.runs import Run
from keras_evae.stages import FinishedStage

GAMMAS = (0.0, 1.0, 100.0)
# States of each kind in the picture, and share of sites of the reconstructions at the smallest gamma shown black.
EXAMPLES, BLACK_SHARE = 2, 2.0
NAMES = {"X_In": "$X_{In}$", "X_Out": "$X_{Out}$", "X'_Out": "$X'_{Out}$"}
COSINE = r"$\cos\theta$"
HEADER = ["gamma", "states", "cos_theta_mean", "theta_mean_degrees", "theta_99th_percentile_degrees"]

# A row of the picture: its gamma (None: the data), and states of up to two kinds.
Row = tuple[float | None, dict[str, np.ndarray]]
# A row of the table, see HEADER.
Numbers = tuple[float | None, str, float, float, float]


def make_local_correlation(runs: Sequence[Run], output: Path) -> Section:
    """X_In, X_Out and X'_Out with their maps of cos(theta), for gamma = 0, 1 and 100."""
    tables, pictures, notes = [], [], []
    numbers: dict[str, dict[str, Cell]] = {}
    for run in runs:
        stages, missing = nearest_gammas(run, GAMMAS)
        rows = _collect(run, stages)
        file, label = file_name("local_correlation", run, runs), labels(runs)[run.path]
        angles = [_numbers(gamma, kind, spins, run.hamiltonian) for gamma, row in rows for kind, spins in row.items()]
        caption = (
            f"{label}: angle theta between spins and effective fields, {len(rows[0][1]['X_In'])} states of each kind"
        )
        tables.append(Table("local_correlation", caption, HEADER, angles, label, file))
        lowest = _draw(rows, run.hamiltonian, output / f"{file}.png")
        black = f"black: cos(theta) of {lowest:.4g} and below, {np.degrees(np.arccos(lowest)):.2g} degrees and more"
        if run.hamiltonian.mask is not None:
            black += "; pale blue: no spin"
        caption = f"{label}: states, and beside each its map of cos(theta); {black}"
        pictures.append(Picture(f"{file}.png", caption, "local_correlation"))
        numbers[label] = {"awaits_nearer_stages": awaits_nearer(run, GAMMAS)}
        notes += missing
    return Section(
        "local_correlation",
        "Figure 3A: local correlation",
        "cos(theta) of the angle theta between each spin S and the effective field h = -dE/dS on it: 1 where the spin "
        "points along its field, as everywhere in a relaxed state. The noise is small, so the grey scale ends in black "
        f"where only {BLACK_SHARE:g} per cent of the sites of X_Out lie below, at the smallest gamma shown.",
        tables,
        pictures,
        notes,
        numbers,
    )


def _collect(run: Run, stages: Sequence[FinishedStage]) -> list[Row]:
    """Test configurations, then what each stage makes of them and what it generates."""
    spins = read_split(run.config.dataset.path, "test", BATCH)
    rows: list[Row] = [(None, {"X_In": spins})]
    for stage in tqdm(stages, "local correlation", unit="stage", leave=False, delay=5):
        rows.append(
            (stage.gamma, {"X_Out": reconstruct(run, stage, spins), "X'_Out": generate(run, stage, len(spins))})
        )
    return rows


def _numbers(gamma: float | None, kind: str, spins: np.ndarray, hamiltonian: Hamiltonian) -> Numbers:
    angles = hamiltonian.on_sites(analysis.field_angle(spins, hamiltonian)).astype(np.float64)
    degrees = np.degrees(angles)
    return gamma, kind, float(np.cos(angles).mean()), float(degrees.mean()), float(np.percentile(degrees, 99))


def _draw(rows: Sequence[Row], hamiltonian: Hamiltonian, path: Path) -> float:
    """Each state beside its map; returns cos(theta) at the black end of the grey scale."""
    reference = hamiltonian.on_sites(analysis.local_correlation(rows[1][1]["X_Out"], hamiltonian))
    lowest = min(float(np.percentile(reference, BLACK_SHARE)), 1.0 - 1e-6)
    figure, axes = plotting.new_figure(len(rows), 4 * EXAMPLES, size=(1.1, 1.2))
    for cell in axes[0]:
        cell.set_axis_off()
    for line, (gamma, row) in zip(axes, rows, strict=True):
        shown = [(kind, spins[index]) for kind, spins in row.items() for index in range(min(EXAMPLES, len(spins)))]
        for (kind, spins), (left, right) in zip(shown, line.reshape(-1, 2), strict=False):
            plotting.plot_spins(left, spins, NAMES[kind] + ("" if gamma is None else rf", $\gamma$ = {gamma:g}"))
            left.set_axis_on()
            right.set_axis_on()
            grey = plotting.plot_correlation(right, analysis.local_correlation(spins, hamiltonian), lowest, COSINE)
    plotting.plot_color_wheel(axes[0, 2 * EXAMPLES])
    bar = figure.colorbar(grey, ax=list(axes[:, -1]), label=COSINE, extend="min", shrink=0.5)
    ticks = [lowest, (1.0 + lowest) / 2, 1.0]
    bar.set_ticks(ticks, labels=[f"{tick:.5g}\n({np.degrees(np.arccos(tick)):.2g}°)" for tick in ticks])
    plotting.save_figure(figure, path)
    return lowest
