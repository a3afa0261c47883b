"""What the last stages of runs generate, compared with each other up to the symmetries of the energy."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Sequence

import numpy as np

from keras_evae.analysis import Alignment, align, topological_charge
from keras_evae.annealing import relax
from keras_evae.evaluation.results import Cell, Record, Table
from keras_evae.evaluation.stage_selection import by_label, first_collapsed, is_finished, ladder_of_gamma
from keras_evae.evaluation.stage_states import generate
from keras_evae.minima.certificate import precise_energy
from keras_evae.minima.distinct import SAME_STATE
from keras_evae.runs.run import Run
from keras_evae.runs.stage_folder import FinishedStage
from keras_evae.symmetry import NAMES


@dataclasses.dataclass(frozen=True)
class FinalState:
    """What the last stage of a run generates.

    Args:
        name: Of the run.
        run: The run.
        stage: Its last stage.
        collapsed: Whether FFT-MSE says that the stage generates one state.
        spins: One generated state.
        spread: Largest distance of two of the generated states, as they are.
        aligned_spread: Largest distance of a generated state from the first one, up to the symmetries and sliding.
        slide: Longest translation in sites that this takes.
        relaxed: The state, relaxed at T = 0.
    """

    name: str
    run: Run
    stage: FinishedStage
    collapsed: bool
    spins: np.ndarray
    spread: float
    aligned_spread: float
    slide: float
    relaxed: np.ndarray

    @property
    def energy(self) -> float:
        return precise_energy(self.spins, self.run.hamiltonian)

    @property
    def relaxed_energy(self) -> float:
        return precise_energy(self.relaxed, self.run.hamiltonian)


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Two final states: their distance as they are, at best, and at best after relaxation with sliding."""

    one: FinalState
    other: FinalState
    as_generated: float
    aligned: Alignment
    relaxed: Alignment

    @property
    def same(self) -> bool:
        return self.relaxed.distance <= SAME_STATE

    @property
    def verdict(self) -> str:
        if not self.same:
            return "another state"
        y, x = self.relaxed.shift
        return f"same state, shifted by ({y:.1f}, {x:.1f}), {NAMES[self.relaxed.operation]}"


def final_states(runs: Sequence[Run], count: int = 100) -> list[FinalState]:
    """The states of the last stage of each run, from a number of generated ones."""
    return [_final_state(run, name, count) for name, run in by_label(runs).items()]


def compare_all(finals: Sequence[FinalState]) -> tuple[list[Comparison], list[str]]:
    """Comparisons of all pairs of runs of one system, and a sentence if there are pairs of different ones."""
    pairs = list(itertools.combinations(finals, 2))
    alike = [pair for pair in pairs if len({(final.run.hamiltonian, final.run.shape) for final in pair}) == 1]
    differ = "Runs of different lattices or Hamiltonians are not compared with each other"
    return [_compare(*pair) for pair in alike], [differ] if len(alike) < len(pairs) else []


def table_of_states(finals: Sequence[FinalState], count: int) -> Table:
    """The states of each run among each other, and the first of them."""
    records: list[Record] = [
        {
            "run": final.name,
            "beta": final.stage.beta,
            "gamma": final.stage.gamma,
            "fft_mse": final.stage.metrics["generated"]["fft_mse"],
            "largest_distance": final.spread,
            "largest_aligned_distance": final.aligned_spread,
            "largest_slide": final.slide,
            "energy_per_site": final.energy,
            "relaxed_energy_per_site": final.relaxed_energy,
            "charge": float(topological_charge(final.relaxed, final.run.hamiltonian.periodic)),
        }
        for final in finals
    ]
    caption = f"last stage of each run: {count} generated states among each other, and the first of them"
    return Table.of_records("collapse", caption, records)


def table_of_pairs(comparisons: Sequence[Comparison]) -> Table:
    """One generated state of each of two runs, compared."""
    records: list[Record] = [
        {
            "run": pair.one.name,
            "other_run": pair.other.name,
            "distance": pair.as_generated,
            "aligned_distance": pair.aligned.distance,
            "relaxed_distance": pair.relaxed.distance,
            "shift_y": pair.relaxed.shift[0],
            "shift_x": pair.relaxed.shift[1],
            "operation": NAMES[pair.relaxed.operation],
            "energy_difference_per_site": pair.other.relaxed_energy - pair.one.relaxed_energy,
            "verdict": pair.verdict,
        }
        for pair in comparisons
    ]
    caption = "generated states of two runs; shift (sites), operation and energy difference after relaxation"
    return Table.of_records("collapse_pairs", caption, records)


def numbers_of_states(finals: Sequence[FinalState]) -> dict[str, dict[str, Cell]]:
    """For the name of each run whether it has come to its end, and to one state."""
    return {
        final.name: {"last_stage_finished": is_finished(final.run), "collapsed": final.collapsed} for final in finals
    }


def _final_state(run: Run, name: str, count: int) -> FinalState:
    stages = ladder_of_gamma(run)
    spins = generate(run, stages[-1], count)
    collapsed = len(stages) > 1 and first_collapsed(stages) is not None
    relaxed, _ = relax(run.hamiltonian, spins[0])
    aligned = [align(state, spins[0], run.hamiltonian, sliding=True) for state in spins[1:]]
    spread = _largest_distance(spins, run.hamiltonian.count_sites(run.shape))
    aligned_spread = max(found.distance for found in aligned)
    slide = max(math.hypot(*found.shift) for found in aligned)
    return FinalState(name, run, stages[-1], collapsed, spins[0], spread, aligned_spread, slide, relaxed)


def _compare(one: FinalState, other: FinalState) -> Comparison:
    hamiltonian = one.run.hamiltonian
    as_generated = float(hamiltonian.on_sites(np.sum((one.spins - other.spins) ** 2, axis=-1)).mean())
    relaxed = align(one.relaxed, other.relaxed, hamiltonian, sliding=True)
    return Comparison(one, other, as_generated, align(one.spins, other.spins, hamiltonian), relaxed)


def _largest_distance(spins: np.ndarray, sites: int) -> float:
    """Largest mean of |S - S'|^2 over `sites` of all pairs of states `(n, y, x, 3)`, as they are."""
    flat = spins.reshape(len(spins), -1)
    return max(float(np.sum((flat - state) ** 2, axis=1).max()) for state in flat) / sites
