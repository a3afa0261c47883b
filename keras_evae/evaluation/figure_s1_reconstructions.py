"""Figure S1: a test configuration and what the model of each stage makes of it."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from keras_evae import plotting
from keras_evae.console import progress_bar
from keras_evae.evaluation.results import Picture, Record, Section, Table, for_each_run
from keras_evae.evaluation.stage_states import generate, reconstruct
from keras_evae.hamiltonian import Hamiltonian
from keras_evae.runs.run import Run
from keras_evae.runs.stage_folder import FinishedStage
from keras_evae.runs.stage_plan import in_words

# Stages side by side in a picture.
COLUMNS = 7
# A state is called uniform from this length of its mean spin on.
UNIFORM = 0.99


@for_each_run
def make_reconstructions(run: Run, output: Path, file: str) -> Section:
    """One test configuration, its reconstruction and a generated state for each stage."""
    spins = run.read_split("test", 1)
    stages = progress_bar(run.stages, "stages", unit="stage")
    states = [(reconstruct(run, stage, spins)[0], generate(run, stage, 1)[0]) for stage in stages]
    caption = f"one test configuration (m_z = {_mean_spin(spins[0], run.hamiltonian)[2]:.4f}) and its reconstruction"
    records = [_record(run, stage, spins[0], *pair) for stage, pair in zip(run.stages, states, strict=True)]
    _draw(run, spins[0], states, output / f"{file}.png")
    return Section(
        "reconstructions",
        "Figure S1: reconstructions",
        "One configuration of the test split, its reconstruction X_Out and a generated state X'_Out after each stage. "
        "m_z is the mean of S_z over the sites that carry a spin; a state whose mean spin is longer than "
        f"{UNIFORM} is called uniform.",
        [Table.of_records("reconstructions", caption, records)],
        [Picture(f"{file}.png", "X_In, and X_Out above X'_Out for each stage; m_z of X_Out", "reconstructions")],
    )


def _record(run: Run, stage: FinishedStage, spins: np.ndarray, output: np.ndarray, generated: np.ndarray) -> Record:
    mean = _mean_spin(output, run.hamiltonian)
    return {
        "beta": stage.beta,
        "gamma": stage.gamma,
        "reconstruction_loss": float(run.hamiltonian.on_sites(np.sum((output - spins) ** 2, axis=-1)).mean()),
        "magnetization_z": float(mean[2]),
        "uniform": "yes" if _is_uniform(mean) else "no",
        "generated_magnetization_z": float(_mean_spin(generated, run.hamiltonian)[2]),
    }


def _mean_spin(spins: np.ndarray, hamiltonian: Hamiltonian) -> np.ndarray:
    """Mean of a configuration `(y, x, 3)` over the sites that carry a spin, `(3,)`."""
    return hamiltonian.on_sites(np.moveaxis(spins, -1, 0)).mean(axis=-1, dtype=np.float64)


def _is_uniform(mean_spin: np.ndarray) -> bool:
    return bool(np.linalg.norm(mean_spin) > UNIFORM)


def _draw(run: Run, spins: np.ndarray, states: Sequence[tuple[np.ndarray, np.ndarray]], path: Path) -> None:
    parts = [[i for i, stage in enumerate(run.stages) if bool(stage.gamma) == evae] for evae in (False, True)]
    bands = [part[start : start + COLUMNS] for part in parts for start in range(0, len(part), COLUMNS)]
    # Room for the colour wheel and two lines of a title in any case.
    size = (1.1, max(0.3 + 0.92 * run.shape[0] / run.shape[1], 0.9))
    figure, axes = plotting.new_figure(2 * len(bands), 1 + max(map(len, bands)), size, blank=True)
    _show(axes[0, 0], spins, run.hamiltonian, "$X_{In}$")
    plotting.plot_color_wheel(axes[1, 0])
    for row, band in enumerate(bands):
        for column, index in enumerate(band, start=1):
            stage, (output, generated) = run.stages[index], states[index]
            weight = rf"$\gamma$ = {stage.gamma:g}" if stage.gamma else rf"$\beta$ = {in_words(stage.beta)}"
            _show(axes[2 * row, column], output, run.hamiltonian, weight)
            _show(axes[2 * row + 1, column], generated, run.hamiltonian)
        axes[2 * row, 1].set_ylabel("$X_{Out}$")
        axes[2 * row + 1, 1].set_ylabel("$X'_{Out}$")
    plotting.save_figure(figure, path)


def _show(axes: Axes, spins: np.ndarray, hamiltonian: Hamiltonian, title: str = "") -> None:
    mean = _mean_spin(spins, hamiltonian)
    kind = "uniform, " if _is_uniform(mean) else ""
    plotting.plot_spins(axes, spins, title and f"{title}\n{kind}$m_z$ = {mean[2]:.2f}")
    axes.title.set_fontsize("small")
