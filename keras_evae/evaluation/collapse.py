"""Figure 5: the collapse of the E-VAE to one state."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from keras_evae import plotting
from keras_evae.dataset import read_energies
from keras_evae.evaluation.ladders import labels, ladder_of_gamma, once_finished
from keras_evae.evaluation.sections import Cell, Claim, Picture, Section, Table
from keras_evae.runs import Run
from keras_evae.stages import FinishedStage

GENERATED = ("fft_mse", "energy_per_site_mean", "energy_per_site_std")
# How much lower FFT-MSE must fall for "one state only", and how far above the lowest annealed E/N that state may lie.
COLLAPSE_RATIO, ENERGY_GAP = 100.0, 1e-4


def fft_mse(runs: Sequence[Run], output: Path) -> Section:
    """Figure 5B: FFT-MSE of 100 generated states against gamma, one curve a run, and what it says of the collapse."""
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
        [Picture("fft_mse.png", "FFT-MSE of 100 generated states against gamma")],
        [*(claim for run in runs for claim in _claims(run, ladder_of_gamma(run))), *_claims_on_beta(runs)],
    )


def first_collapsed(stages: Sequence[FinishedStage]) -> FinishedStage | None:
    """The first stage from which on FFT-MSE stays `COLLAPSE_RATIO` times lower than in the first stage, if any."""
    threshold = _fft_mse(stages[0]) / COLLAPSE_RATIO
    collapsed = None
    for stage in reversed(stages):
        if _fft_mse(stage) >= threshold:
            break
        collapsed = stage
    return collapsed


def _fft_mse(stage: FinishedStage) -> float:
    return stage.metrics["generated"]["fft_mse"]


def _claims(run: Run, stages: Sequence[FinishedStage]) -> list[Claim]:
    """The collapse in numbers beside the paper's claims (Section 3.5)."""
    if len(stages) < 2 or stages[-1].gamma == 0:
        return []
    first, last = (stage.metrics["generated"] for stage in (stages[0], stages[-1]))
    ratio = first["fft_mse"] / max(last["fft_mse"], np.finfo(float).tiny)
    lowest = lowest_annealed(run)
    gap = last["energy_per_site_mean"] - lowest
    return [
        Claim(
            f"{run.name}: the collapsed E-VAE generates one state only (FFT-MSE falls to zero)",
            f"at least {COLLAPSE_RATIO:g} times lower than at gamma = 0",
            f"FFT-MSE {first['fft_mse']:.1e} at gamma = 0, {last['fft_mse']:.1e} at gamma = {stages[-1].gamma:g}, "
            f"{ratio:.3g} times lower",
            once_finished(run, ratio >= COLLAPSE_RATIO),
        ),
        Claim(
            f"{run.name}: that state has the lowest energy",
            f"at most {ENERGY_GAP:g} above the lowest annealed state",
            f"mean E/N of 100 generated states {last['energy_per_site_mean']:.6f}, "
            f"lowest of the annealed data {lowest:.6f}, difference {gap:+.1e}",
            once_finished(run, gap <= ENERGY_GAP),
        ),
    ]


def _claims_on_beta(runs: Sequence[Run]) -> list[Claim]:
    """Whether the collapse depends on beta, from runs of two or more values of it."""
    names = labels(runs)
    first = {
        names[run.path]: (stages[0].beta, first_collapsed(stages)) for run in runs if (stages := ladder_of_gamma(run))
    }
    measured = "; ".join(
        f"{name}, beta = {beta:g}: " + (f"from gamma = {stage.gamma:g} on" if stage else "not collapsed")
        for name, (beta, stage) in first.items()
    )
    collapsed = [stage for _, stage in first.values() if stage]
    alike = {(run.hamiltonian, run.config.dataset.shape, run.config.evae and run.config.evae.gammas) for run in runs}
    decided = len({beta for beta, _ in first.values()}) > 1 and len(alike) == 1
    if not decided:
        measured += "; needs runs of two or more values of beta, each with --run, alike in lattice, energy and gammas"
    all_collapse = [once_finished(run, stage is not None) for run, (_, stage) in zip(runs, first.values(), strict=True)]
    rule = f"gamma from which on FFT-MSE is at least {COLLAPSE_RATIO:g} times lower than at gamma = 0"
    return [
        Claim(
            "The critical gamma depends on beta",
            f"not the same {rule}",
            measured,
            len({stage.gamma for stage in collapsed}) > 1 if decided and len(collapsed) == len(runs) else None,
        ),
        Claim(
            "All cases collapse as gamma increases, those of small beta too",
            f"each run has a {rule}",
            measured,
            (False if False in all_collapse else all(all_collapse) or None) if decided else None,
        ),
    ]


def lowest_annealed(run: Run) -> float:
    """The lowest E/N of the run's annealed data, all splits."""
    return float(min(read_energies(run.config.dataset.path, split).min() for split in ("train", "validation", "test")))
