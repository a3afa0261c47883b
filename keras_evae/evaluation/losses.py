"""Figure 2: the three losses after each stage."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from keras_evae import plotting
from keras_evae.dataset import read_energies
from keras_evae.evaluation.ladders import file_name
from keras_evae.evaluation.sections import Picture, Section, Table
from keras_evae.runs import FinishedStage, Run

SPLITS = ("train", "validation")


def losses(runs: Sequence[Run], output: Path) -> Section:
    """The three losses against beta for the VAE and against gamma for the E-VAE."""
    tables, pictures = [], []
    for run in runs:
        data_mean = _data_mean(run)
        name = file_name("losses", run, runs)
        header = ["beta", "gamma", *(f"{split}_{loss}" for loss in plotting.LOSS_LABELS for split in SPLITS)]
        caption = f"{run.name}: losses in inference mode; L_H of the training data itself: {data_mean:.5f}"
        tables.append(Table(name, caption, header, [_loss_row(stage) for stage in run.stages]))
        _draw_losses(run, data_mean, output / f"{name}.png")
        pictures.append(Picture(f"{name}.png", f"{run.name}: losses against beta (VAE) and gamma (E-VAE)"))
    return Section(
        "losses",
        "Figure 2: losses",
        "L_RC, L_KL and L_H after each stage, re-evaluated in inference mode on both splits. "
        "The black line is L_H of the training data.",
        tables,
        pictures,
    )


def _data_mean(run: Run) -> float:
    energies = read_energies(run.config.dataset.path, "train")
    return float(energies.mean()) - run.hamiltonian.reference_energy_per_site(run.config.dataset.shape)


def _loss_row(stage: FinishedStage) -> list[float]:
    values = [stage.metrics[split][loss] for loss in plotting.LOSS_LABELS for split in SPLITS]
    return [stage.beta, stage.gamma, *values]


def _draw_losses(run: Run, data_mean: float, path: Path) -> None:
    ladders = {
        "beta": [stage for stage in run.stages if stage.gamma == 0],
        "gamma": [stage for stage in run.stages if stage.gamma > 0],
    }
    ladders = {weight: stages for weight, stages in ladders.items() if stages}
    figure, axes = plotting.new_figure(len(plotting.LOSS_LABELS), len(ladders), size=(4.0, 2.0))
    for column, (weight, stages) in enumerate(ladders.items()):
        for row, loss in enumerate(plotting.LOSS_LABELS):
            values = {split: [stage.metrics[split][loss] for stage in stages] for split in SPLITS}
            mean = data_mean if loss == "hamiltonian_loss" else None
            weights = [getattr(stage, weight) for stage in stages]
            plotting.plot_loss(axes[row, column], weights, values, weight, loss, mean)
        axes[0, column].set_title("VAE" if weight == "beta" else rf"E-VAE, $\beta$ = {stages[0].beta:g}")
        axes[-1, column].legend()
    plotting.save_figure(figure, path)
