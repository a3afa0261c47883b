"""What a search for low states has found: the lowest state of all methods, then how each method did."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from keras_evae import plotting
from keras_evae.evaluation.report import Headline
from keras_evae.evaluation.results import Picture, Record, Section, Table
from keras_evae.evaluation.stage_selection import ends_and_mark
from keras_evae.minima.certificate import SAME_ENERGY
from keras_evae.runs.run import Run

if TYPE_CHECKING:
    from keras_evae.training.search_trial import Trial

NAME = "ground_state"
MEASURED = ("energy_per_site_mean", "energy_per_site_std", "fft_mse")
INTERVAL = ("gamma_before", "gamma_after", "gamma_c")
TEXT = (
    "The lowest state is that of all methods together. Slow anneals take the CPU time of the whole search with the "
    "E-VAE, its data included. Placed lattices are triangular lattices of skyrmions. Beyond a critical gamma the E-VAE "
    "generates one state only (Section 3.5 of the paper): FFT-MSE and spread of E/N of 100 generated states are 30 "
    "times lower than at gamma = 0. Each trial brackets this collapse, approaches it from below in small steps, and "
    "lets the collapsed state settle. States are relaxed at T = 0 to a torque |S x h| below 1e-5; those that are one "
    "up to translations and the joint point group of lattice and spins count once. E/N is in units of the exchange "
    "constant, the gap its height above the lowest one; energies that differ by up to "
    f"{SAME_ENERGY:g} are equal: single precision."
)


def make_search_section(
    trials: Sequence[Trial], others: Sequence[Trial], states: Sequence[Record], methods: Sequence[Record]
) -> Section:
    """Results of trials, of others at further beta, of the distinct states, the lowest first, and of all methods."""
    captions = {
        NAME: ("the lowest state found by any method, with its certificate", states[:1]),
        f"{NAME}_methods": ("how each method did, by its lowest state", methods),
        f"{NAME}_candidates": ("the lowest distinct states, with certificates in candidates.h5", states),
        f"{NAME}_probes": ("probes in the order of training, 100 generated states of each", _probes(trials)),
        "phase_curve_trials": (
            "each trial: last gamma before the collapse, first gamma beyond it, their geometric mean gamma_c",
            [
                {"beta": trial.beta, "trial": trial.name}
                | dict(zip(INTERVAL, ends_and_mark(trial.transition), strict=True))
                for trial in sorted([*trials, *others], key=lambda trial: trial.beta)
            ],
        ),
    }
    tables = [Table.of_records(name, caption, rows) for name, (caption, rows) in captions.items()]
    pictures = [Picture(f"{NAME}.png", "The distinct states, the lowest first, and who has found each")]
    notes = [
        f"{trial.name}: not collapsed up to gamma = {max(probe.gamma for probe in trial.probes):g}; its candidates are "
        f"states of that gamma. Raise the last of evae.gammas"
        for trial in trials
        if trial.transition is None
    ]
    return Section(NAME, "Lowest states", TEXT, tables, pictures, notes)


def make_headline(section: Section, methods: Sequence[Record], run: Run, name: str) -> Headline:
    """The first lines of the report: the lowest state with its certificate, and how far above it each method came."""
    lowest = section.tables[0]
    heights = [
        f"{row['method']} {'as low' if row['gap'] <= SAME_ENERGY else '{:.1e} higher'.format(row['gap'])}"
        for row in methods
    ]
    sentences = [
        f"Lowest state found: E/N = {lowest.rows[0][0]:.7f}, by {lowest.rows[0][-1]}.",
        f"The lowest of each method: {'; '.join(heights)}.",
    ]
    facts = [(column.replace("_", " "), cell) for column, cell in zip(lowest.header, lowest.cells[0], strict=True)]
    return Headline(name, run.hamiltonian.describe(), sentences, facts)


def draw_states(states: Sequence[Record], spins: np.ndarray, path: Path) -> None:
    """The distinct states `(n, y, x, 3)`, each with its certificate and who has found it."""
    titles = [
        f"{rank}: $E/N$ = {row['energy_per_site']:.7f} $J$\nQ = {round(row['charge'], 2) + 0.0:g}, "
        f"{row['skyrmions']} skyrmions\n" + row["found_by"].replace(", ", "\n")
        for rank, row in enumerate(states, start=1)
    ]
    plotting.save_figure(plotting.plot(spins, titles, columns=4), path)


def _probes(trials: Sequence[Trial]) -> list[Record]:
    return [
        {
            "trial": trial.name,
            "purpose": probe.purpose,
            "start_gamma": probe.start,
            "gamma": probe.gamma,
            "collapsed": "yes" if probe.collapsed else "no",
            **{name: probe.stage.metrics["generated"][name] for name in MEASURED},
            "cpu_seconds": probe.record["cpu_seconds"],
        }
        for trial in trials
        for probe in trial.probes
    ]
