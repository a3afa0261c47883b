"""What the paper says of the collapse to one state (Sections 3.4 and 3.5, Note S2, Figure 5), beside that of runs."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence

import numpy as np

from experiments.reproduction.claims.claim import Claim, Judge, Numbers, Row, each_run, once_finished

# How much lower FFT-MSE must be at the end of the ladder to be called zero, and how far above the lowest annealed E/N
# that state may lie.
ZERO_RATIO, ENERGY_GAP = 100.0, 1e-4
# The largest gamma of the paper's Figures 3 and 4, below the rise of L_RC.
STABLE_GAMMA = 100.0
# Mean of |S - S'|^2 up to which two states are one, and difference of E/N up to which two energies are one.
SAME_STATE, SAME_ENERGY = 0.01, 1e-5
ONE_RUN = "one run; give another training with a second --run"


def one_state(numbers: Numbers, run: str) -> Claim | None:
    first, last = _ends(numbers, run)
    if not last["gamma"]:
        return None
    ratio = first["fft_mse"] / max(last["fft_mse"], sys.float_info.min)
    return Claim(
        f"FFT-MSE {first['fft_mse']:.1e} at gamma = 0, {last['fft_mse']:.1e} at gamma = {last['gamma']:g}, "
        f"{ratio:.3g} times lower",
        once_finished(numbers.quantities[run], ratio >= ZERO_RATIO),
        last["fft_mse"],
    )


def lowest_energy(numbers: Numbers, run: str) -> Claim | None:
    _, last = _ends(numbers, run)
    if not last["gamma"]:
        return None
    energy, lowest = last["energy_per_site_mean"], numbers.quantities[run]["lowest_annealed_energy_per_site"]
    gap = energy - lowest
    return Claim(
        f"mean E/N of 100 generated states {energy:.6f}, lowest of the annealed data {lowest:.6f}, "
        f"difference {gap:+.1e}",
        once_finished(numbers.quantities[run], gap <= ENERGY_GAP),
        gap,
    )


def lower_generated(numbers: Numbers, run: str) -> Claim | None:
    """The Hamiltonian loss suppresses the generation of states of high energy."""
    energies = {row["gamma"]: row["energy_per_site_mean"] for row in numbers.rows("fft_mse", run=run)}
    if not any(energies):
        return None
    fall = energies[0.0] - energies[STABLE_GAMMA] if {0.0, STABLE_GAMMA} <= energies.keys() else None
    words = ", ".join(f"{energy:.6f} (gamma = {gamma:g})" for gamma, energy in energies.items())
    return Claim(f"E/N {words}", None if fall is None else fall > 0, fall)


def dependence_on_beta(numbers: Numbers) -> list[Claim]:
    """The difference between values of beta against the scatter between the seeds of one of them, in decades."""
    found, measured, decided = _collapses(numbers)
    intervals: dict[float, list[Row]] = {}
    for beta, where in found.values():
        intervals.setdefault(beta, []).extend([where] if where else [])
    enough = all(where for _, where in found.values()) and min(map(len, intervals.values())) > 1
    difference = holds = None
    if decided and enough:
        marks = [[math.log10(where["gamma_c"]) for where in seeds] for seeds in intervals.values()]
        means = [float(np.mean(values)) for values in marks]
        difference = max(means) - min(means)
        scatter = max(max(values) - min(values) for values in marks)
        measured += f"; {difference:.2f} decades between values of beta, {scatter:.2f} between seeds of one beta"
        ends = [
            (min(where["gamma_c_before"] for where in seeds), max(where["gamma_c_after"] for where in seeds))
            for seeds in intervals.values()
        ]
        apart = max(before for before, _ in ends) > min(after for _, after in ends)
        holds = False if difference <= scatter else apart or None
    elif decided:
        measured += "; needs two collapsed runs of each beta, with other seeds"
    return [Claim(measured, holds, difference)]


def all_collapse(numbers: Numbers) -> list[Claim]:
    found, measured, decided = _collapses(numbers)
    ends = [once_finished(numbers.quantities[run], where is not None) for run, (_, where) in found.items()]
    holds = (False if False in ends else all(ends) or None) if decided else None
    return [Claim(measured, holds, float(sum(where is not None for _, where in found.values())))]


def one_state_in_real_space(numbers: Numbers, run: str) -> Claim:
    """Whether all generated states are one; undecided before the first stage with Hamiltonian loss."""
    (state,) = numbers.rows("collapse", run=run)
    quantities, distance = numbers.quantities[run], state["largest_aligned_distance"]
    slide = f", for the state slides by up to {state['largest_slide']:.1f} sites" if quantities["collapsed"] else ""
    return Claim(
        f"at most {distance:.1e} at gamma = {state['gamma']:g}; as they are, two of them differ by "
        f"up to {state['largest_distance']:.1e}{slide}",
        once_finished(quantities, distance <= SAME_STATE) if state["gamma"] else None,
        distance,
    )


def same_energy(numbers: Numbers) -> list[Claim]:
    """Of each pair of runs."""
    claims = []
    for pair in numbers.rows("collapse_pairs"):
        runs = (pair["run"], pair["other_run"])
        one, other = (numbers.rows("collapse", run=run)[0] for run in runs)
        difference = pair["energy_difference_per_site"]
        measured = (
            f"{one['relaxed_energy_per_site']:.7f} and {other['relaxed_energy_per_site']:.7f}, difference "
            f"{difference:+.1e} (as generated {one['energy_per_site']:.6f} and {other['energy_per_site']:.6f})"
        )
        claims.append(_of_pair(numbers, runs, measured, abs(difference) <= SAME_ENERGY, abs(difference)))
    return claims or [Claim(ONE_RUN, None)]


def same_lattice(numbers: Numbers) -> list[Claim]:
    """Of each pair of runs."""
    claims = []
    for pair in numbers.rows("collapse_pairs"):
        distance, as_generated = pair["relaxed_distance"], pair["distance"]
        measured = f"{distance:.1e} against {as_generated:.2g} as generated: {pair['verdict']}"
        holds = distance <= SAME_STATE and as_generated > SAME_STATE
        claims.append(_of_pair(numbers, (pair["run"], pair["other_run"]), measured, holds, distance))
    return claims or [Claim(ONE_RUN, None)]


def ground_state(numbers: Numbers, run: str) -> Claim:
    """Of the stage with the largest gamma."""
    stage = max(numbers.rows("relax", run), key=lambda row: (row["gamma"], row["beta"]))
    quantities, share = numbers.quantities[run], stage["share_at_best_known"]
    return Claim(
        f"gamma = {stage['gamma']:g}: mean E/N {stage['energy_relaxed']:.8f} relaxed, best known "
        f"{quantities['best_known_energy_per_site']:.8f}, {share:.0%} of {quantities['states_of_each_stage']} states "
        "there",
        once_finished(quantities, share == 1.0) if stage["gamma"] > 0 else None,
        stage["gap_relaxed"],
    )


def _ends(numbers: Numbers, run: str) -> tuple[Row, Row]:
    """The stage from which the E-VAE starts, and its last one."""
    rows = numbers.rows("fft_mse", run=run)
    return rows[0], rows[-1]


def _collapses(numbers: Numbers) -> tuple[dict[str, tuple[float, Row | None]], str, bool]:
    """Of each run beta and the interval of its collapse; the same in words; whether the runs can be compared."""
    found = {
        run: (_ends(numbers, run)[0]["beta"], None if values["gamma_c"] is None else values)
        for run, values in numbers.quantities.items()
        if run
    }
    measured = "; ".join(
        f"{run}, beta = {beta:g}: "
        + (f"gamma_c between {where['gamma_c_before']:g} and {where['gamma_c_after']:g}" if where else "not collapsed")
        for run, (beta, where) in found.items()
    )
    betas = {beta for beta, _ in found.values()}
    decided = len(betas) > 1 and bool(numbers.quantities[""]["runs_alike_in_lattice_energy_and_gammas"])
    if not decided:
        measured += "; needs runs of two or more values of beta, each with --run, alike in lattice, energy and gammas"
    return found, measured, decided


def _of_pair(numbers: Numbers, runs: Sequence[str], measured: str, holds: bool, value: float) -> Claim:
    """Undecided unless both trainings are collapsed; a no only once both have finished."""
    decided = all(numbers.quantities[run]["collapsed"] for run in runs)
    ends = [once_finished(numbers.quantities[run], holds) for run in runs]
    missing = "" if decided else "; not both runs are collapsed"
    return Claim(
        measured + missing, None if None in ends or not decided else holds, value if decided else None, tuple(runs)
    )


JUDGES: dict[str, Judge] = {
    "states-lower-energy": each_run(lower_generated),
    "collapse-one-state": each_run(one_state),
    "collapse-one-state-in-real-space": each_run(one_state_in_real_space),
    "collapse-lowest-energy": each_run(lowest_energy),
    "collapse-ground-state": each_run(ground_state),
    "collapse-same-energy": same_energy,
    "collapse-same-lattice": same_lattice,
    "collapse-depends-on-beta": dependence_on_beta,
    "collapse-at-each-beta": all_collapse,
    "confined-ground-state": each_run(ground_state),
    "confined-one-state": each_run(one_state),
}
