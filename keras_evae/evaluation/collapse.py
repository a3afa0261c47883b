"""Figure 5: the collapse of the E-VAE to one state."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from keras_evae import plotting
from keras_evae.analysis import Transition, generation_collapse
from keras_evae.analysis.transitions import LIKENESS_DROP
from keras_evae.dataset import read_energies
from keras_evae.evaluation.ladders import labels, ladder_of_gamma, once_finished
from keras_evae.evaluation.sections import Cell, Claim, Picture, Section, Table
from keras_evae.runs import Run
from keras_evae.stages import FinishedStage

GENERATED = ("fft_mse", "energy_per_site_mean", "energy_per_site_std")
# How much lower FFT-MSE must be at the end of the ladder to be called zero, and how far above the lowest annealed E/N
# that state may lie.
ZERO_RATIO, ENERGY_GAP = 100.0, 1e-4
# The largest gamma of the paper's Figures 3 and 4, below the rise of L_RC.
STABLE_GAMMA = 100.0


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
    """The first stage beyond the critical gamma, if the ladder of gamma reaches it."""
    found = critical_gamma(stages)
    return next(stage for stage in stages if stage.gamma >= found.after) if found else None


def critical_gamma(stages: Sequence[FinishedStage]) -> Transition | None:
    """The interval of the collapse to one state on a ladder of gamma, see `keras_evae.analysis.generation_collapse`."""
    return generation_collapse([stage.gamma for stage in stages], [_fft_mse(stage) for stage in stages])


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
            f"at least {ZERO_RATIO:g} times lower than at gamma = 0",
            f"FFT-MSE {first['fft_mse']:.1e} at gamma = 0, {last['fft_mse']:.1e} at gamma = {stages[-1].gamma:g}, "
            f"{ratio:.3g} times lower",
            once_finished(run, ratio >= ZERO_RATIO),
            "FFT-MSE at the largest gamma",
            last["fft_mse"],
        ),
        Claim(
            f"{run.name}: that state has the lowest energy",
            f"at most {ENERGY_GAP:g} above the lowest annealed state",
            f"mean E/N of 100 generated states {last['energy_per_site_mean']:.6f}, "
            f"lowest of the annealed data {lowest:.6f}, difference {gap:+.1e}",
            once_finished(run, gap <= ENERGY_GAP),
            "E/N above the lowest annealed state",
            gap,
        ),
        _lower_generated(run, stages),
    ]


def _lower_generated(run: Run, stages: Sequence[FinishedStage]) -> Claim:
    """Section 3.4: the Hamiltonian loss suppresses the generation of states of high energy."""
    energies = {stage.gamma: stage.metrics["generated"]["energy_per_site_mean"] for stage in stages}
    fall = energies[0.0] - energies[STABLE_GAMMA] if {0.0, STABLE_GAMMA} <= energies.keys() else None
    words = ", ".join(f"{energy:.6f} (gamma = {gamma:g})" for gamma, energy in energies.items())
    return Claim(
        f"{run.name}: with the Hamiltonian loss, generated states are more stable",
        f"mean E/N of 100 generated states lower at gamma = {STABLE_GAMMA:g} than at gamma = 0",
        f"E/N {words}",
        None if fall is None else fall > 0,
        f"fall of E/N of generated states up to gamma = {STABLE_GAMMA:g}",
        fall,
    )


def _claims_on_beta(runs: Sequence[Run]) -> list[Claim]:
    """Whether the collapse depends on beta, and comes at each beta."""
    names = labels(runs)
    ladders = [ladder_of_gamma(run) for run in runs]
    found = [(stages[0].beta, critical_gamma(stages)) for stages in ladders]
    measured = "; ".join(
        f"{names[run.path]}, beta = {beta:g}: "
        + (f"gamma_c between {where.before:g} and {where.after:g}" if where else "not collapsed")
        for run, (beta, where) in zip(runs, found, strict=True)
    )
    decided = _comparable(runs, [beta for beta, _ in found])
    if not decided:
        measured += "; needs runs of two or more values of beta, each with --run, alike in lattice, energy and gammas"
    ends = [once_finished(run, where is not None) for run, (_, where) in zip(runs, found, strict=True)]
    return [
        _dependence(found, measured, decided),
        Claim(
            "All cases collapse as gamma increases, those of small beta too",
            f"each run has a gamma from which on FFT-MSE is more than {LIKENESS_DROP:g} times lower than at gamma = 0",
            measured,
            (False if False in ends else all(ends) or None) if decided else None,
            "runs that collapse",
            float(sum(where is not None for _, where in found)),
        ),
    ]


def _comparable(runs: Sequence[Run], betas: Sequence[float]) -> bool:
    alike = {(run.hamiltonian, run.config.dataset.shape, run.config.evae and run.config.evae.gammas) for run in runs}
    return len(set(betas)) > 1 and len(alike) == 1


def _dependence(found: Sequence[tuple[float, Transition | None]], measured: str, decided: bool) -> Claim:
    """The difference between values of beta against the scatter between the seeds of one of them, in decades."""
    intervals: dict[float, list[Transition]] = {}
    for beta, where in found:
        intervals.setdefault(beta, []).extend([where] if where else [])
    enough = all(where for _, where in found) and min(map(len, intervals.values())) > 1
    difference = holds = None
    if decided and enough:
        marks = [[math.log10(where.mark) for where in seeds] for seeds in intervals.values()]
        means = [float(np.mean(values)) for values in marks]
        difference = max(means) - min(means)
        scatter = max(max(values) - min(values) for values in marks)
        measured += f"; {difference:.2f} decades between values of beta, {scatter:.2f} between seeds of one beta"
        ends = [(min(w.before for w in seeds), max(w.after for w in seeds)) for seeds in intervals.values()]
        apart = max(before for before, _ in ends) > min(after for _, after in ends)
        holds = False if difference <= scatter else apart or None
    elif decided:
        measured += "; needs two collapsed runs of each beta, with other seeds"
    return Claim(
        "The critical gamma depends on beta",
        "mean log gamma_c of two values of beta differ by more than those of the seeds of one beta do, and their "
        "intervals neither overlap nor touch",
        measured,
        holds,
        "decades of gamma_c between values of beta",
        difference,
    )


def lowest_annealed(run: Run) -> float:
    """The lowest E/N of the run's annealed data, all splits."""
    return float(min(read_energies(run.config.dataset.path, split).min() for split in ("train", "validation", "test")))
