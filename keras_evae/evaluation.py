"""The recipes of evaluate.py: each makes one figure of the paper with its table and numbers."""

from __future__ import annotations

import csv
import logging
from collections.abc import Callable, Sequence
from pathlib import Path

import matplotlib
import numpy as np

from keras_evae import plotting
from keras_evae.console import format_table, quiet_tensorflow
from keras_evae.dataset import read_energies, read_split
from keras_evae.errors import DataError
from keras_evae.runs import FinishedStage, Run, load_run, load_stage_weights

logger = logging.getLogger(__name__)

SPLITS = ("train", "validation")
# Stages side by side in a picture, and the seed of its generated states.
COLUMNS, GENERATION_SEED = 8, 0


def evaluate(folders: Sequence[Path], recipes: Sequence[Callable[[Sequence[Run], Path], None]], output: Path) -> None:
    """Runs recipes on run folders; their pictures and numbers go to `output`.

    Args:
        folders: Run folders; curves of several runs share one picture.
        recipes: Any of `losses`, `reconstructions`, `fft_mse`.
        output: Folder for the results, made if it is missing.
    """
    matplotlib.use("Agg")
    runs = [load_run(folder) for folder in folders]
    for run in runs:
        if not run.stages:
            raise DataError(
                f"{run.path}: no stage is finished yet; let train.py go on, it says how long the first stage takes"
            )
    if output.exists() and not output.is_dir():
        raise DataError(f"{output}: expected a folder for the results, found a file; choose another --output")
    output.mkdir(parents=True, exist_ok=True)
    with plotting.style():
        for recipe in recipes:
            recipe(runs, output)


def losses(runs: Sequence[Run], output: Path) -> None:
    """Figure 2: the three losses after each stage, against beta for the VAE and against gamma for the E-VAE."""
    for run in runs:
        data_mean = float(read_energies(run.config.dataset.path, "train").mean())
        data_mean -= run.hamiltonian.reference_energy_per_site(run.config.dataset.shape)
        name = _file_name("losses", run, runs)
        rows = [_loss_row(stage) for stage in run.stages]
        header = ["beta", "gamma", *(f"{split}_{loss}" for loss in plotting.LOSS_LABELS for split in SPLITS)]
        logger.info("\n%s: losses in inference mode; L_H of the training data itself: %.5f", run.name, data_mean)
        short = ["beta", "gamma", *(f"{label} {s}" for label in ("L_RC", "L_KL", "L_H") for s in ("train", "val"))]
        logger.info(format_table(short, [[f"{value:.5g}" for value in row] for row in rows]))
        _write_csv(output / f"{name}.csv", header, rows)
        _draw_losses(run, data_mean, output / f"{name}.png")


def reconstructions(runs: Sequence[Run], output: Path) -> None:
    """Figure S1: one test configuration, what the model of each stage makes of it, and a generated state."""
    for run in runs:
        spins = read_split(run.config.dataset.path, "test", 1)
        outputs, generated = zip(*(_reconstruct(run, stage, spins) for stage in run.stages), strict=True)
        name = _file_name("reconstructions", run, runs)
        rows = [
            [stage.beta, stage.gamma, float(np.sum((out - spins[0]) ** 2, axis=-1).mean()), float(out[..., 2].mean())]
            for stage, out in zip(run.stages, outputs, strict=True)
        ]
        logger.info("\n%s: one test configuration (m_z = %.4f) and its reconstruction", run.name, spins[..., 2].mean())
        logger.info(format_table(["beta", "gamma", "L_RC", "m_z"], [[f"{v:.5g}" for v in row] for row in rows]))
        _write_csv(output / f"{name}.csv", ["beta", "gamma", "reconstruction_loss", "magnetization_z"], rows)
        _draw_reconstructions(run, spins[0], outputs, generated, output / f"{name}.png")


def fft_mse(runs: Sequence[Run], output: Path) -> None:
    """Figure 5B: FFT-MSE of 100 generated states against gamma, one curve a run, and what it says of the collapse."""
    curves: dict[str, tuple[list[float], list[float]]] = {}
    rows: list[list[object]] = []
    labels = _labels(runs)
    for run in runs:
        stages = _ladder_of_gamma(run)
        values = [stage.metrics["generated"]["fft_mse"] for stage in stages]
        curves[labels[run.path]] = ([stage.gamma for stage in stages], values)
        rows += [[labels[run.path], stage.beta, stage.gamma, *_generated_row(stage)] for stage in stages]
    header = ["run", "beta", "gamma", "fft_mse", "energy_per_site_mean", "energy_per_site_std"]
    logger.info("\n100 generated states of each stage")
    short = ["run", "beta", "gamma", "FFT-MSE", "E/N", "std of E/N"]
    formats = ("{}", "{:g}", "{:g}", "{:.2e}", "{:.6f}", "{:.1e}")
    text = [[form.format(value) for form, value in zip(formats, row, strict=True)] for row in rows]
    logger.info(format_table(short, text))
    _write_csv(output / "fft_mse.csv", header, rows)
    figure, axes = plotting.new_figure(size=(5.5, 3.6))
    plotting.plot_fft_mse(axes[0, 0], curves)
    plotting.save_figure(figure, output / "fft_mse.png")
    _say_written(output / "fft_mse.png")
    for run in runs:
        _say_collapse(run)


RECIPES = {"losses": losses, "reconstructions": reconstructions, "fft_mse": fft_mse}


def _loss_row(stage: FinishedStage) -> list[float]:
    values = [stage.metrics[split][loss] for loss in plotting.LOSS_LABELS for split in SPLITS]
    return [stage.beta, stage.gamma, *values]


def _generated_row(stage: FinishedStage) -> list[float]:
    generated = stage.metrics["generated"]
    return [generated[name] for name in ("fft_mse", "energy_per_site_mean", "energy_per_site_std")]


def _ladder_of_gamma(run: Run) -> list[FinishedStage]:
    """The gamma = 0 stage from which the E-VAE starts, and the E-VAE's stages."""
    beta = run.config.evae.beta if run.config.evae else None
    stages = [stage for stage in run.stages if stage.beta == beta]
    if not stages:
        wanted = "a run with an evae section" if beta is None else f"the stage at beta = {beta:g}, not reached yet"
        raise DataError(f"{run.path}: FFT-MSE against gamma needs {wanted}")
    return stages


def _file_name(figure: str, run: Run, runs: Sequence[Run]) -> str:
    return figure if len(runs) == 1 else f"{figure}_{_labels(runs)[run.path].replace('/', '_')}"


def _labels(runs: Sequence[Run]) -> dict[Path, str]:
    """A name for each run: its folder's, or the whole path where two folders have the same name."""
    names = [run.name for run in runs]
    return {run.path: run.name if names.count(run.name) == 1 else str(run.path) for run in runs}


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
    _say_written(path)


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
    _say_written(path)


def _reconstruct(run: Run, stage: FinishedStage, spins: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """X_Out and X'_Out of the model at the end of a stage, each `(y, x, 3)`."""
    with quiet_tensorflow():
        load_stage_weights(run.model, stage)
    return np.asarray(run.model(spins, training=False))[0], run.model.generate(1, GENERATION_SEED)[0]


def _say_collapse(run: Run) -> None:
    """The collapse in numbers beside the paper's claims (Section 3.5)."""
    stages = _ladder_of_gamma(run)
    if len(stages) < 2 or stages[-1].gamma == 0:
        return
    first, last = (stage.metrics["generated"] for stage in (stages[0], stages[-1]))
    ratio = first["fft_mse"] / max(last["fft_mse"], np.finfo(float).tiny)
    lowest = float(
        min(read_energies(run.config.dataset.path, split).min() for split in ("train", "validation", "test"))
    )
    gap = last["energy_per_site_mean"] - lowest
    logger.info("\n%s against the paper's claims on the collapsed E-VAE:", run.name)
    logger.info(
        "  It generates one state only (FFT-MSE falls to zero): FFT-MSE %.1e at gamma = 0, %.1e at gamma = %g, "
        "%.3g times lower: %s",
        first["fft_mse"],
        last["fft_mse"],
        stages[-1].gamma,
        ratio,
        "holds (at least 100 times lower)" if ratio >= 100 else "not reached (needs 100 times lower)",
    )
    logger.info(
        "  That state has the lowest energy: mean E/N of 100 generated states %.6f, lowest of the annealed data %.6f, "
        "difference %+.1e: %s",
        last["energy_per_site_mean"],
        lowest,
        gap,
        "holds (at most 1e-4 above)" if gap <= 1e-4 else "not reached (needs at most 1e-4 above)",
    )


def _write_csv(path: Path, header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    with open(path, "w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(header)
        writer.writerows(rows)


def _say_written(path: Path) -> None:
    logger.info("written: %s and %s", path, path.with_suffix(".csv").name)
