"""What the last stages of runs generate, compared with each other up to the symmetries of the energy."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Sequence

import numpy as np

from keras_evae.analysis import align, charge_of
from keras_evae.annealing import relax
from keras_evae.evaluation.results import Record
from keras_evae.evaluation.stage_selection import by_label, ladder_of_gamma
from keras_evae.evaluation.stage_states import generate
from keras_evae.minima.distinct import SAME_STATE
from keras_evae.minima.relaxation import precise_energy
from keras_evae.runs.run import Run
from keras_evae.symmetry import NAMES


@dataclasses.dataclass(frozen=True)
class FinalState:
    """A state that the last stage of a run generates, and the same relaxed at T = 0, `(y, x, 3)`."""

    name: str
    run: Run
    spins: np.ndarray
    relaxed: np.ndarray


def final_states(runs: Sequence[Run], count: int = 100) -> tuple[list[FinalState], list[Record]]:
    """The first generated state of the last stage of each run, and a row of how much `count` of them differ."""
    found = [_final_state(run, name, count) for name, run in by_label(runs).items()]
    return [final for final, _ in found], [record for _, record in found]


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
    same = found.distance <= SAME_STATE
    return {
        "run": one.name,
        "other_run": other.name,
        "distance": float(hamiltonian.on_sites(np.sum((one.spins - other.spins) ** 2, axis=-1)).mean()),
        "aligned_distance": align(one.spins, other.spins, hamiltonian).distance,
        "relaxed_distance": found.distance,
        "shift_y": y,
        "shift_x": x,
        "operation": operation,
        "energy_difference_per_site": precise_energy(other.relaxed, hamiltonian)
        - precise_energy(one.relaxed, hamiltonian),
        "verdict": f"same state, shifted by ({y:.1f}, {x:.1f}), {operation}" if same else "another state",
    }


def _largest_distance(spins: np.ndarray, sites: int) -> float:
    """Largest mean of |S - S'|^2 over `sites` of all pairs of states `(n, y, x, 3)`, as they are."""
    flat = spins.reshape(len(spins), -1)
    return max(float(np.sum((flat - state) ** 2, axis=1).max()) for state in flat) / sites
