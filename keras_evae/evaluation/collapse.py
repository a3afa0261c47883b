"""Figure 5: the collapse of the E-VAE to one state."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from keras_evae import plotting
from keras_evae.analysis import Transition, generation_collapse
from keras_evae.dataset import read_energies
from keras_evae.evaluation.ladders import is_finished, labels, ladder_of_gamma
from keras_evae.evaluation.sections import Cell, Picture, Section, Table
from keras_evae.runs import Run
from keras_evae.stages import FinishedStage

GENERATED = ("fft_mse", "energy_per_site_mean", "energy_per_site_std")


def make_fft_mse(runs: Sequence[Run], output: Path) -> Section:
    """Figure 5B: FFT-MSE of 100 generated states against gamma, one curve a run."""
    names = labels(runs)
    ladders = {names[run.path]: ladder_of_gamma(run) for run in runs}
    rows: list[list[Cell]] = [
        [name, stage.beta, stage.gamma, *(stage.metrics["generated"][key] for key in GENERATED)]
        for name, stages in ladders.items()
        for stage in stages
    ]
    curves = {
        name: ([stage.gamma for stage in stages], [_fft_mse(stage) for stage in stages])
        for name, stages in ladders.items()
    }
    figure, axes = plotting.new_figure(size=(5.5, 3.6))
    plotting.plot_fft_mse(axes[0, 0], curves)
    plotting.save_figure(figure, output / "fft_mse.png")
    return Section(
        "fft_mse",
        "Figure 5B: likeness of generated states",
        "FFT-MSE: mean over all pairs of 100 generated states of the mean squared difference of |FFT2(S_z)| / N. "
        "It does not see translations, and is zero when all states are one.",
        [Table("fft_mse", "100 generated states of each stage", ["run", "beta", "gamma", *GENERATED], rows)],
        [Picture("fft_mse.png", "FFT-MSE of 100 generated states against gamma", "fft_mse")],
        numbers={
            **{names[run.path]: _numbers(run, ladder_of_gamma(run)) for run in runs},
            "": {"runs_alike_in_lattice_energy_and_gammas": _are_alike(runs)},
        },
    )


def first_collapsed(stages: Sequence[FinishedStage]) -> FinishedStage | None:
    """The first stage beyond the critical gamma, if the ladder of gamma reaches it."""
    found = critical_gamma(stages)
    return next(stage for stage in stages if stage.gamma >= found.after) if found else None


def critical_gamma(stages: Sequence[FinishedStage]) -> Transition | None:
    """The interval of the collapse to one state on a ladder of gamma, see `keras_evae.analysis.generation_collapse`."""
    return generation_collapse([stage.gamma for stage in stages], [_fft_mse(stage) for stage in stages])


def _fft_mse(stage: FinishedStage) -> float:
    return stage.metrics["generated"]["fft_mse"]


def _numbers(run: Run, stages: Sequence[FinishedStage]) -> dict[str, Cell]:
    """What says how far the run's collapse has come."""
    found = critical_gamma(stages)
    return {
        "last_stage_finished": is_finished(run),
        "lowest_annealed_energy_per_site": lowest_annealed(run) if stages[-1].gamma else None,
        "gamma_c_before": found.before if found else None,
        "gamma_c_after": found.after if found else None,
        "gamma_c": found.mark if found else None,
    }


def _are_alike(runs: Sequence[Run]) -> bool:
    alike = {(run.hamiltonian, run.config.dataset.shape, run.config.evae and run.config.evae.gammas) for run in runs}
    return len(alike) == 1


def lowest_annealed(run: Run) -> float:
    """The lowest E/N of the run's annealed data, all splits."""
    return float(min(read_energies(run.config.dataset.path, split).min() for split in ("train", "validation", "test")))
