"""Figure S1: a test configuration and what the model of each stage makes of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from keras_evae import plotting
from keras_evae.dataset import read_split
from keras_evae.evaluation.ladders import file_name, generate, reconstruct
from keras_evae.evaluation.sections import Picture, Section, Table
from keras_evae.runs import Run

# Stages side by side in a picture.
COLUMNS = 8


def reconstructions(runs: Sequence[Run], output: Path) -> Section:
    """One test configuration, its reconstruction and a generated state for each stage."""
    tables, pictures = [], []
    for run in runs:
        spins = read_split(run.config.dataset.path, "test", 1)
        outputs = [reconstruct(run, stage, spins)[0] for stage in run.stages]
        generated = [generate(run, stage, 1)[0] for stage in run.stages]
        name = file_name("reconstructions", run, runs)
        rows = [
            [stage.beta, stage.gamma, float(np.sum((out - spins[0]) ** 2, axis=-1).mean()), float(out[..., 2].mean())]
            for stage, out in zip(run.stages, outputs, strict=True)
        ]
        caption = f"{run.name}: one test configuration (m_z = {spins[..., 2].mean():.4f}) and its reconstruction"
        tables.append(Table(name, caption, ["beta", "gamma", "reconstruction_loss", "magnetization_z"], rows))
        _draw_reconstructions(run, spins[0], outputs, generated, output / f"{name}.png")
        pictures.append(Picture(f"{name}.png", f"{run.name}: X_In, and X_Out above X'_Out for each stage"))
    return Section(
        "reconstructions",
        "Figure S1: reconstructions",
        "One configuration of the test split, its reconstruction X_Out and a generated state X'_Out after each stage.",
        tables,
        pictures,
    )


def _draw_reconstructions(
    run: Run, spins: np.ndarray, outputs: Sequence[np.ndarray], generated: Sequence[np.ndarray], path: Path
) -> None:
    """Bands of columns: the input and the colour wheel, then for each stage X_Out above X'_Out."""
    columns = min(len(outputs), COLUMNS)
    bands = -(-len(outputs) // columns)
    figure, axes = plotting.new_figure(2 * bands, columns + 1, size=(1.6, 1.75))
    for cell in axes.flat:
        cell.set_axis_off()
    plotting.plot_spins(axes[0, 0], spins, "$X_{In}$")
    plotting.plot_color_wheel(axes[1, 0])
    for index, stage in enumerate(run.stages):
        row, column = 2 * (index // columns), 1 + index % columns
        title = rf"$\beta$ = {stage.beta:g}" + (rf", $\gamma$ = {stage.gamma:g}" if stage.gamma else "")
        plotting.plot_spins(axes[row, column], outputs[index], f"{title}\n$X_{{Out}}$")
        plotting.plot_spins(axes[row + 1, column], generated[index], "$X'_{Out}$")
    plotting.save_figure(figure, path)
