"""Figures 5A and 5B: the collapse of the E-VAE to one state, and whether trainings collapse to the same one."""

import dataclasses
import itertools
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from keras_evae import plotting
from keras_evae.analysis import align, charge_of
from keras_evae.annealing import relax
from keras_evae.evaluation import stage_selection as select
from keras_evae.evaluation.results import Picture, Record, Section, Table
from keras_evae.evaluation.stage_selection import by_label, ladder_of_gamma
from keras_evae.evaluation.stage_states import generate
from keras_evae.minima.distinct import SAME_STATE
from keras_evae.minima.relaxation import precise_energy
from keras_evae.runs.run import Run
from keras_evae.symmetry import NAMES

# Stages in the picture before the first collapsed one, and from it on: 500, 1000, 1500 | 2000, 5000 in the paper.
BEFORE, AFTER = 3, 2
TEXT = (
    "States generated from one latent vector, around the first stage at which FFT-MSE stays at the level of one "
    "state, and that of the last stage, also relaxed at T = 0. The states of the last stages are compared in real "
    "space. Their distance is the mean of |S - S'|^2 over the sites that carry a spin: 0 for equal states, 2 for "
    "unrelated directions. The aligned distance is the smallest one over all translations along periodic axes and the "
    "joint point group of lattice and spins, which leave the energy unchanged. Between states of one run, and after "
    "relaxation at T = 0, which removes the noise of the decoder, translations by fractions of a site count too: a "
    "skyrmion is large against the sites, and slides between them at no measurable cost of energy. Two states are one "
    f"if that distance is at most {SAME_STATE:g}, an angle of 0.1 between spins."
)
GENERATED = ("fft_mse", "energy_per_site_mean", "energy_per_site_std")


def make_collapse(runs: Sequence[Run], output: Path, count: int = 100) -> Section:
    """States around the collapse, a row for each run, and the last ones compared with each other."""
    notes = _draw(runs, output / "collapse.png")
    finals, states = final_states(runs, count)
    pairs, differ = compare_all(finals)
    of_states = f"last stage of each run: {count} generated states among each other, and the first of them"
    of_pairs = "generated states of two runs; shift (sites), operation and energy difference after relaxation"
    tables = [Table.of_records("collapse", of_states, states)]
    tables += [Table.of_records("collapse_pairs", of_pairs, pairs)] if pairs else []
    numbers: dict[str, Record] = {
        name: {"last_stage_finished": select.is_finished(run), "collapsed": select.has_collapsed(run)}
        for name, run in by_label(runs).items()
    }
    caption = "Generated states around the collapse and of the last stage, a row for each run"
    pictures = [Picture("collapse.png", caption, "collapse")]
    title = "Figure 5A: the collapse to one state"
    return Section("collapse", title, TEXT, tables, pictures, notes + differ, numbers)


def _stages_around(runs: Sequence[Run]) -> list[float]:
    """Values of gamma around the collapse of the run that collapses last; the last ones of a run that does not."""
    windows = []
    for run in runs:
        stages = ladder_of_gamma(run)
        first = select.first_collapsed(stages)
        middle = stages.index(first) if first else len(stages)
        start = max(min(middle - BEFORE, len(stages) - BEFORE - AFTER), 0)
        windows.append([stage.gamma for stage in stages[start : start + BEFORE + AFTER]])
    return max(windows, key=lambda gammas: gammas[-1])


def _draw(runs: Sequence[Run], path: Path) -> list[str]:
    """Draws the picture; gives a sentence for each stage that stands for another one."""
    gammas, titles = _stages_around(runs), select.picture_titles(runs)
    shown, notes = {}, []
    for name, run in by_label(runs).items():
        stages, substitutes = select.nearest_gammas(run, gammas)
        last = ladder_of_gamma(run)[-1]
        shown[name] = run, [*stages, *([last] if last not in stages else [])]
        notes += substitutes
    columns = max(len(stages) for _, stages in shown.values()) + 2
    figure, axes = plotting.new_figure(len(runs), columns, size=(1.6, 1.9), blank=True)
    for row, (name, (run, stages)) in zip(axes, shown.items(), strict=True):
        states = [(rf"$\gamma$ = {stage.gamma:g}", generate(run, stage, 1)[0]) for stage in stages]
        states.append(("the last one, relaxed", relax(run.hamiltonian, states[-1][1])[0]))
        for cell, (title, spins) in zip(row, states, strict=False):
            plotting.plot_spins(cell, spins, title)
            cell.set_xlabel(f"$E/N$ = {precise_energy(spins, run.hamiltonian):.5f} $J$")
        row[0].set_ylabel(plotting.as_label(titles[name]))
    plotting.plot_color_wheel(axes[0, -1])
    plotting.save_figure(figure, path)
    return notes


def make_fft_mse(runs: Sequence[Run], output: Path) -> Section:
    """Figure 5B: FFT-MSE of 100 generated states against gamma, one curve a run."""
    named = by_label(runs)
    ladders = {name: ladder_of_gamma(run) for name, run in named.items()}
    rows = [
        {"run": name, "beta": stage.beta, "gamma": stage.gamma}
        | {key: stage.metrics["generated"][key] for key in GENERATED}
        for name, stages in ladders.items()
        for stage in stages
    ]
    titles = select.picture_titles(runs)
    curves = {
        titles[name]: ([stage.gamma for stage in stages], [select.generated_fft_mse(stage) for stage in stages])
        for name, stages in ladders.items()
    }
    systems = {(run.hamiltonian, run.shape, tuple(stage.gamma for stage in run.planned if stage.gamma)) for run in runs}
    numbers: dict[str, Record] = {}
    for name, run in named.items():
        before, after, mark = select.ends_and_mark(select.critical_gamma(ladders[name]))
        numbers[name] = {
            "last_stage_finished": select.is_finished(run),
            "lowest_annealed_energy_per_site": run.lowest_annealed() if ladders[name][-1].gamma else None,
            "gamma_c_before": before,
            "gamma_c_after": after,
            "gamma_c": mark,
        }
    numbers[""] = {"runs_alike_in_lattice_energy_and_gammas": len(systems) == 1}
    figure, axes = plotting.new_figure(size=(5.5, 3.6))
    plotting.plot_fft_mse(axes[0, 0], curves)
    plotting.save_figure(figure, output / "fft_mse.png")
    return Section(
        "fft_mse",
        "Figure 5B: likeness of generated states",
        "FFT-MSE: mean over all pairs of 100 generated states of the mean squared difference of |FFT2(S_z)| / N. "
        "It does not see translations, and is zero when all states are one.",
        [Table.of_records("fft_mse", "100 generated states of each stage", rows)],
        [Picture("fft_mse.png", "FFT-MSE of 100 generated states against gamma", "fft_mse")],
        numbers=numbers,
    )


@dataclasses.dataclass(frozen=True)
class FinalState:
    """A state that the last stage of a run generates, and the same relaxed at T = 0, `(y, x, 3)`."""

    name: str
    run: Run
    spins: np.ndarray
    relaxed: np.ndarray


def final_states(runs: Sequence[Run], count: int = 100) -> tuple[list[FinalState], list[Record]]:
    """The first generated state of the last stage of each run, and a row of how much `count` of them differ."""
    states, records = zip(*(_final_state(run, name, count) for name, run in by_label(runs).items()), strict=True)
    return list(states), list(records)


def compare_all(finals: Sequence[FinalState]) -> tuple[list[Record], list[str]]:
    """A row for each pair of runs of one system, and a sentence if there are pairs of different ones."""
    pairs = list(itertools.combinations(finals, 2))
    alike = [pair for pair in pairs if len({(final.run.hamiltonian, final.run.shape) for final in pair}) == 1]
    differ = "Runs of different lattices or Hamiltonians are not compared with each other"
    return [_compare(*pair) for pair in alike], [differ] if len(alike) < len(pairs) else []


def _final_state(run: Run, name: str, count: int) -> tuple[FinalState, Record]:
    hamiltonian, stage = run.hamiltonian, ladder_of_gamma(run)[-1]
    spins = generate(run, stage, count)
    relaxed, _ = relax(hamiltonian, spins[0])
    aligned = [align(state, spins[0], hamiltonian, sliding=True) for state in spins[1:]]
    return FinalState(name, run, spins[0], relaxed), {
        "run": name,
        "beta": stage.beta,
        "gamma": stage.gamma,
        "fft_mse": stage.metrics["generated"]["fft_mse"],
        "largest_distance": _largest_distance(spins, hamiltonian.count_sites(run.shape)),
        "largest_aligned_distance": max(found.distance for found in aligned),
        "largest_slide": max(math.hypot(*found.shift) for found in aligned),
        "energy_per_site": precise_energy(spins[0], hamiltonian),
        "relaxed_energy_per_site": precise_energy(relaxed, hamiltonian),
        "charge": float(charge_of(relaxed, hamiltonian)),
    }


def _compare(one: FinalState, other: FinalState) -> Record:
    hamiltonian = one.run.hamiltonian
    found = align(one.relaxed, other.relaxed, hamiltonian, sliding=True)
    (y, x), operation = found.shift, NAMES[found.operation]
    energies = [precise_energy(final.relaxed, hamiltonian) for final in (one, other)]
    same = f"same state, shifted by ({y:.1f}, {x:.1f}), {operation}"
    return {
        "run": one.name,
        "other_run": other.name,
        "distance": float(hamiltonian.on_sites(np.sum((one.spins - other.spins) ** 2, axis=-1)).mean()),
        "aligned_distance": align(one.spins, other.spins, hamiltonian).distance,
        "relaxed_distance": found.distance,
        "shift_y": y,
        "shift_x": x,
        "operation": operation,
        "energy_difference_per_site": energies[1] - energies[0],
        "verdict": same if found.distance <= SAME_STATE else "another state",
    }


def _largest_distance(spins: np.ndarray, sites: int) -> float:
    """Largest mean of |S - S'|^2 over `sites` of all pairs of states `(n, y, x, 3)`, as they are."""
    flat = spins.reshape(len(spins), -1)
    return max(float(np.sum((flat - state) ** 2, axis=1).max()) for state in flat) / sites
