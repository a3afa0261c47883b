"""Figure 5A: generated states around the collapse, and whether trainings collapse to the same state."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from keras_evae import plotting
from keras_evae.evaluation.collapse import first_collapsed
from keras_evae.evaluation.final_states import (
    SAME_STATE,
    compare_all,
    energy_per_site,
    final_states,
    numbers_of_states,
    table_of_pairs,
    table_of_states,
)
from keras_evae.evaluation.ladders import generate, labels, ladder_of_gamma, nearest_gammas
from keras_evae.evaluation.sections import Picture, Section
from keras_evae.runs import Run

# Stages in the picture before the first collapsed one, and from it on: 500, 1000, 1500 | 2000, 5000 in the paper.
BEFORE, AFTER = 3, 2
TEXT = (
    "States generated from one latent vector, around the first stage at which FFT-MSE stays at the level of one "
    "state. The states of the last stages are compared in real space. Their distance is the mean of |S - S'|^2 over "
    "the sites that carry a spin: 0 for equal states, 2 for unrelated directions. The aligned distance is the "
    "smallest one over all translations along periodic axes and the joint point group of lattice and spins, which "
    "leave the energy unchanged. Between states of one run, and after relaxation at T = 0, which removes the noise of"
    " the decoder, translations by fractions of a site count too: a skyrmion is large against the sites, and slides "
    f"between them at no measurable cost of energy. Two states are one if that distance is at most {SAME_STATE:g}, an "
    "angle of 0.1 between spins."
)


def make_collapse(runs: Sequence[Run], output: Path) -> Section:
    """States around the collapse, a row for each run, and the last ones compared with each other."""
    notes = _draw(runs, output / "collapse.png")
    finals = final_states(runs)
    comparisons, differ = compare_all(finals)
    return Section(
        "collapse",
        "Figure 5A: the collapse to one state",
        TEXT,
        [table_of_states(finals), *([table_of_pairs(comparisons)] if comparisons else [])],
        [Picture("collapse.png", "Generated states around the collapse, a row for each run", "collapse")],
        notes + differ,
        numbers_of_states(finals),
    )


def _stages_around(runs: Sequence[Run]) -> list[float]:
    """Values of gamma around the collapse of the run that collapses last; the last ones of a run that does not."""
    windows = []
    for run in runs:
        stages = ladder_of_gamma(run)
        first = first_collapsed(stages)
        middle = stages.index(first) if first else len(stages)
        start = max(min(middle - BEFORE, len(stages) - BEFORE - AFTER), 0)
        windows.append([stage.gamma for stage in stages[start : start + BEFORE + AFTER]])
    return max(windows, key=lambda gammas: gammas[-1])


def _draw(runs: Sequence[Run], path: Path) -> list[str]:
    """Draws the picture; gives a sentence for each stage that stands for another one."""
    gammas = _stages_around(runs)
    chosen = [nearest_gammas(run, gammas) for run in runs]
    columns = max(len(stages) for stages, _ in chosen)
    figure, axes = plotting.new_figure(len(runs), columns + 1, size=(1.6, 1.9))
    for cell in axes.flat:
        cell.set_axis_off()
    for row, (run, (stages, _)) in enumerate(zip(runs, chosen, strict=True)):
        for cell, stage in zip(axes[row], stages, strict=False):
            spins = generate(run, stage, 1)[0]
            cell.set_axis_on()
            plotting.plot_spins(cell, spins, rf"$\gamma$ = {stage.gamma:g}")
            cell.set_xlabel(f"E/N = {energy_per_site(run, spins):.5f}")
        axes[row, 0].set_ylabel(labels(runs)[run.path])
    plotting.plot_color_wheel(axes[0, -1])
    plotting.save_figure(figure, path)
    return [note for _, notes in chosen for note in notes]
