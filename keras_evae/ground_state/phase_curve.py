"""The critical gamma against beta, with the scatter of the trials at each beta."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from keras_evae import plotting
from keras_evae.evaluation.sections import Cell, Picture, Table
from keras_evae.ground_state.trials import Trial

NAME = "phase_curve"

# The trials at each beta, in rising order of beta.
PhaseCurve = Mapping[float, Sequence[Trial]]


def make_tables(curve: PhaseCurve) -> list[Table]:
    """A row for each beta, from all of its trials, and a row for each trial."""
    header = ["beta", "trials", "collapsed", "gamma_c", "lowest", "highest", "scatter"]
    caption = (
        "collapse at each beta: geometric mean, lowest and highest gamma_c of the trials that collapse, and the factor "
        "of one standard deviation of log gamma_c"
    )
    rows = [_summary(beta, trials) for beta, trials in curve.items()]
    each: list[list[Cell]] = [
        [beta, trial.name, *((found.before, found.after, found.mark) if (found := trial.transition) else [None] * 3)]
        for beta, trials in curve.items()
        for trial in trials
    ]
    return [
        Table(NAME, caption, header, rows),
        Table(
            f"{NAME}_trials",
            "each trial: last gamma before the collapse, first gamma beyond it, their geometric mean gamma_c",
            ["beta", "trial", "gamma_before", "gamma_after", "gamma_c"],
            each,
        ),
    ]


def draw(curve: PhaseCurve, path: Path) -> Picture | None:
    """The picture of the curve; None if fewer than two values of beta have collapsed."""
    found = {
        beta: intervals
        for beta, trials in curve.items()
        if (intervals := [(t.transition.before, t.transition.after) for t in trials if t.transition])
    }
    if len(found) < 2:
        return None
    figure, axes = plotting.new_figure(size=(4.5, 3.2))
    plotting.plot_phase_curve(axes[0, 0], found)
    plotting.save_figure(figure, path)
    return Picture(
        path.name,
        "Critical gamma against beta: a point for each trial that collapses, with bars from the last gamma before it "
        "(a decade lower if there is none) to the first one beyond; the line joins the geometric means",
    )


def _summary(beta: float, trials: Sequence[Trial]) -> list[Cell]:
    marks = [trial.transition.mark for trial in trials if trial.transition]
    if not marks:
        return [beta, len(trials), 0, None, None, None, None]
    logarithms = np.log(marks)
    # One trial has no scatter.
    scatter = float(np.exp(logarithms.std(ddof=1))) if len(marks) > 1 else None
    return [beta, len(trials), len(marks), float(np.exp(logarithms.mean())), min(marks), max(marks), scatter]
