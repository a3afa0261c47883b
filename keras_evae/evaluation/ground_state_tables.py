"""What a search for low states has found: the lowest state of all methods, then how each method did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from keras_evae import plotting
from keras_evae.evaluation.report import Headline
from keras_evae.evaluation.results import Cell, Picture, Section, Table
from keras_evae.training.search_trial import RECORD, Trial

NAME = "ground_state"
MEASURED = ("energy_per_site_mean", "energy_per_site_std", "fft_mse")
TEXT = (
    "The lowest state is that of all methods together. Slow anneals take the CPU time that the search with the E-VAE "
    "takes, data and all trials included. Placed lattices are triangular lattices of skyrmions. The E-VAE generates "
    "one state only beyond a critical gamma (Section 3.5 of the paper): each trial brackets this collapse by bisection, "
    "approaches it from below in small steps, and lets the collapsed state settle. A training counts as collapsed when "
    "FFT-MSE and spread of E/N of 100 generated states are both 30 times lower than at gamma = 0. States are relaxed at "
    "T = 0 to a torque |S x h| below 1e-5; those that are one up to translations and the joint point group of lattice "
    "and spins count once. E/N is in units of the exchange constant; the gap is its height above the lowest one. "
    "Energies that differ by up to 1e-7 are equal: single precision."
)
# A row of a table, by the names of its columns.
Row = Mapping[str, Any]
# The trials at each beta, in rising order of beta.
PhaseCurve = Mapping[float, Sequence[Trial]]


def make_section(
    trials: Sequence[Trial], curve: PhaseCurve, states: Sequence[Row], methods: Sequence[Row], output: Path
) -> Section:
    """Tables, pictures, which stand in `output`, and notes.

    Args:
        trials: Those whose states are candidates.
        curve: The trials at each beta.
        states: Distinct states with their certificates, the lowest first.
        methods: What each method has found.
        output: Folder of the results.
    """
    pictures = [
        Picture(f"{NAME}.png", "The distinct states, the lowest first"),
        draw_phase_curve(curve, output / "phase_curve.png"),
    ]
    tables = [
        _table(NAME, "the lowest state found by any method, with its certificate", states[:1]),
        _table(f"{NAME}_methods", "how each method did: number of states, the lowest of them, CPU time", methods),
        _table(f"{NAME}_candidates", "the lowest distinct states, with certificates in candidates.h5", states),
        _table(f"{NAME}_probes", "probes in the order of training, 100 generated states of each", _probes(trials)),
        *phase_curve_tables(curve),
    ]
    notes = [
        f"{trial.name}: not collapsed up to gamma = {max(probe.gamma for probe in trial.probes):g}; its candidates are "
        f"states of that gamma. Raise the last of evae.gammas"
        for trial in trials
        if trial.transition is None
    ]
    numbers: Row = {"collapsed": any(trial.transition for trial in trials)}
    return Section(
        NAME, "Lowest states", TEXT, tables, [picture for picture in pictures if picture], notes, {"": numbers}
    )


def make_headline(trials: Sequence[Trial], lowest: Row, methods: Sequence[Row], name: str) -> Headline:
    """The first lines of the report."""
    run = trials[0].run
    equal = "as low"
    heights = [
        f"{row['method']} {equal if row['gap'] <= 1e-7 else format(row['gap'], '.1e') + ' higher'} "
        f"({row['cpu_seconds']:.0f} s of CPU)"
        for row in methods
    ]
    sentences = [
        f"Lowest state found: E/N = {lowest['energy_per_site']:.7f}, by {lowest['found_by']}.",
        f"The lowest of each method: {', '.join(heights)}.",
    ]
    facts = {
        "Lattice": f"{run.shape[0]} × {run.shape[1]}",
        "Charge Q": f"{lowest['charge']:.3f}",
        "Skyrmions": str(lowest["skyrmions"]),
        "Largest torque": f"{lowest['torque']:.1e}",
        "Trials": f"{len(trials)} at β = {trials[0].beta:g}",
    }
    return Headline(name, run.hamiltonian.describe(), sentences, list(facts.items()))


def draw_states(states: Sequence[Row], spins: np.ndarray, path: Path) -> None:
    """The distinct states `(n, y, x, 3)`, each with its certificate and who has found it."""
    titles = [
        f"{row['rank']}: E/N = {row['energy_per_site']:.7f}\nQ = {row['charge']:.2f}, {row['skyrmions']} skyrmions\n"
        + str(row["found_by"]).replace(", ", "\n")
        for row in states
    ]
    plotting.save_figure(plotting.plot(spins, titles, columns=4), path)


def _table(name: str, caption: str, rows: Sequence[Row]) -> Table:
    return Table(name, caption, list(rows[0]), [list(row.values()) for row in rows])


def _probes(trials: Sequence[Trial]) -> list[Row]:
    return [
        {
            "trial": trial.name,
            "purpose": probe.purpose,
            "start_gamma": probe.start,
            "gamma": probe.gamma,
            "collapsed": "yes" if probe.collapsed else "no",
            **{name: probe.stage.metrics["generated"][name] for name in MEASURED},
            "cpu_seconds": probe.stage.metrics[RECORD]["cpu_seconds"],
        }
        for trial in trials
        for probe in trial.probes
    ]


def phase_curve_tables(curve: PhaseCurve) -> list[Table]:
    """A row for each beta, from all of its trials, and a row for each trial."""
    caption = (
        "collapse at each beta: geometric mean, lowest and highest gamma_c of the trials that collapse, and the factor "
        "of one standard deviation of log gamma_c"
    )
    each: list[list[Cell]] = [
        [beta, trial.name, *((found.before, found.after, found.mark) if (found := trial.transition) else [None] * 3)]
        for beta, trials in curve.items()
        for trial in trials
    ]
    meaning = "each trial: last gamma before the collapse, first gamma beyond it, their geometric mean gamma_c"
    return [
        _table("phase_curve", caption, [_summarise(beta, trials) for beta, trials in curve.items()]),
        Table("phase_curve_trials", meaning, ["beta", "trial", "gamma_before", "gamma_after", "gamma_c"], each),
    ]


def _summarise(beta: float, trials: Sequence[Trial]) -> Row:
    marks = [trial.transition.mark for trial in trials if trial.transition]
    row = {"beta": beta, "trials": len(trials), "collapsed": len(marks)}
    if not marks:
        return row | dict.fromkeys(("gamma_c", "lowest", "highest", "scatter"))
    logarithms = np.log(marks)
    # One trial has no scatter.
    scatter = float(np.exp(logarithms.std(ddof=1))) if len(marks) > 1 else None
    mean = float(np.exp(logarithms.mean()))
    return row | {"gamma_c": mean, "lowest": min(marks), "highest": max(marks), "scatter": scatter}


def draw_phase_curve(curve: PhaseCurve, path: Path) -> Picture | None:
    """The picture of the curve; None if fewer than two values of beta have collapsed."""
    found = {beta: [t.transition for t in trials if t.transition] for beta, trials in curve.items()}
    intervals = {beta: [(t.before, t.after) for t in transitions] for beta, transitions in found.items() if transitions}
    if len(intervals) < 2:
        return None
    figure, axes = plotting.new_figure(size=(4.5, 3.2))
    plotting.plot_phase_curve(axes[0, 0], intervals)
    plotting.save_figure(figure, path)
    return Picture(
        path.name,
        "Critical gamma against beta: a point for each trial that collapses, with bars from the last gamma before it "
        "(a decade lower if there is none) to the first one beyond; the line joins the geometric means",
    )
