"""What a search for low states has found: tables, pictures, and which method was best."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from keras_evae import plotting
from keras_evae.evaluation.report import Headline
from keras_evae.evaluation.results import Cell, Picture, Section, Table
from keras_evae.minima.certificate import SAME_ENERGY, BestKnown
from keras_evae.minima.distinct import DistinctState
from keras_evae.minima.slow_anneals import Anneals
from keras_evae.training.search_trial import Trial

NAME = "ground_state"
CURVE = "phase_curve.png"
COLUMNS = 4
TEXT = (
    "Beyond a critical gamma the E-VAE generates one state only, which the paper proposes as a way to unknown ground "
    "states (Section 3.5). Each trial brackets the collapse by bisection on a logarithmic scale, then approaches it "
    "from below in small steps, and lets the collapsed state settle. A training counts as collapsed when FFT-MSE and "
    "spread of E/N of 100 generated states are both 30 times lower than at gamma = 0; as trainings are finite, the "
    "critical gamma is that of these epochs. Generated states are relaxed at T = 0 to a torque below 1e-5; states that "
    "are one up to translations and the joint point group of lattice and spins count once. Energies are E/N in units "
    "of the exchange constant; the gap is the height above the best known one. The other method is simulated "
    "annealing with a slow schedule, for the CPU time that the whole search took, data and all trials included, on the "
    f"same cores. Energies within {SAME_ENERGY:g} are equal: single precision."
)
PHASE_CURVE = "phase_curve"
# The trials at each beta, in rising order of beta.
PhaseCurve = Mapping[float, Sequence[Trial]]


@dataclasses.dataclass(frozen=True)
class Findings:
    """All that a search has found.

    Args:
        trials: One for each seed or run.
        curve: The trials at each beta.
        states: Distinct relaxed states, the lowest first, `(n, y, x, 3)`.
        groups: The generated states behind each.
        origins: Of all generated states.
        certificates: Of `states`.
        anneals: Slow anneals in the same CPU time.
        costs: Of the search.
        best: The lowest energies of all methods.
    """

    trials: Sequence[Trial]
    curve: PhaseCurve
    states: np.ndarray
    groups: Sequence[DistinctState]
    origins: Sequence[Origin]
    certificates: np.ndarray
    anneals: Anneals
    costs: Sequence[Cost]
    best: BestKnown

    @property
    def energy_per_site(self) -> float:
        """The lowest of the candidates."""
        return float(self.certificates["energy_per_site"][0])

    @property
    def collapsed(self) -> bool:
        return any(trial.transition for trial in self.trials)

    def origin(self, rank: int) -> str:
        """Trials that have generated a state, with the smallest gamma at which each has."""
        gammas: dict[str, float] = {}
        for origin in (self.origins[index] for index in self.groups[rank].members):
            gammas[origin.trial] = min(origin.gamma, gammas.get(origin.trial, np.inf))
        return ", ".join(f"{trial} from gamma = {gamma:g}" for trial, gamma in gammas.items())


def make_section(findings: Findings, output: Path) -> Section:
    """Draws the pictures into `output`, and gives tables, numbers and notes."""
    pictures = [_draw_states(findings, output / f"{NAME}.png"), draw_phase_curve(findings.curve, output / CURVE)]
    tables = [_candidates(findings), _methods(findings), _costs(findings), _probes(findings)]
    return Section(
        NAME,
        "Ground state by the collapse of the E-VAE",
        TEXT,
        [*tables, *phase_curve_tables(findings.curve)],
        [picture for picture in pictures if picture],
        _notes(findings),
        {"": _numbers(findings)},
    )


def make_headline(findings: Findings, name: str) -> Headline:
    """The first lines of the report."""
    trial = findings.trials[0]
    lowest = findings.certificates[0]
    height, width = trial.run.shape
    sentences = [f"Lowest candidate: E/N = {lowest['energy_per_site']:.7f}.", f"{_verdict(findings)}."]
    facts = [
        ("Lattice", f"{height} × {width}"),
        ("Trials", f"{len(findings.trials)} at β = {trial.beta:g}"),
        ("Distinct candidates", str(len(findings.groups))),
        ("Q of the lowest", f"{lowest['charge']:.0f}"),
        ("Skyrmions in the lowest", str(lowest["skyrmions"])),
        ("CPU time of the search", f"{sum(cost.cpu_seconds for cost in findings.costs):.0f} s"),
    ]
    return Headline(name, trial.run.hamiltonian.describe(), sentences, facts)


def _candidates(findings: Findings) -> Table:
    rows: list[list[Cell]] = [
        [
            rank + 1,
            float(certificate["energy_per_site"]),
            float(certificate["gap"]),
            float(certificate["charge"]),
            int(certificate["skyrmions"]),
            float(certificate["torque"]),
            findings.origins[findings.groups[rank].index].energy_per_site,
            len(findings.groups[rank].members),
            findings.origin(rank),
        ]
        for rank, certificate in enumerate(findings.certificates)
    ]
    total = len(findings.origins)
    caption = f"distinct states among {total} relaxed generated ones, {len(findings.groups)} in all, the lowest first"
    header = [
        "rank", "energy_per_site", "gap", "charge", "skyrmions", "torque", "energy_as_generated", "generated_states",
        "origin",
    ]  # fmt: skip
    return Table(NAME, caption, header, rows)


def _methods(findings: Findings) -> Table:
    best = findings.best
    rows: list[list[Cell]] = [
        [known.search, known.energy_per_site, known.energy_per_site - best.energy_per_site, known.detail]
        for known in best.candidates
    ]
    caption = f"the lowest energy of each method; best known {best.energy_per_site:.8f}"
    return Table(f"{NAME}_methods", caption, ["method", "energy_per_site", "gap", "detail"], rows)


def _costs(findings: Findings) -> Table:
    rows: list[list[Cell]] = [[cost.part, cost.cpu_seconds, cost.known] for cost in findings.costs]
    rows.append(["search, in all", sum(cost.cpu_seconds for cost in findings.costs), ""])
    anneals = findings.anneals
    rows.append(["slow anneals", anneals.cpu_seconds, f"{len(anneals.energies)} lattices, measured"])
    return Table(f"{NAME}_cpu", "CPU time, all cores together", ["part", "cpu_seconds", "known"], rows)


def _probes(findings: Findings) -> Table:
    rows: list[list[Cell]] = [
        [
            trial.name,
            finished.probe.purpose,
            finished.probe.start,
            finished.probe.gamma,
            "yes" if finished.collapsed else "no",
            *(finished.generated[key] for key in ("energy_per_site_mean", "energy_per_site_std", "fft_mse")),
            finished.cpu_seconds,
        ]
        for trial in findings.trials
        for finished in trial.probes
    ]
    header = [
        "trial", "purpose", "start_gamma", "gamma", "collapsed", "energy_per_site", "energy_std", "fft_mse",
        "cpu_seconds",
    ]  # fmt: skip
    caption = f"probes at beta = {findings.trials[0].beta:g} in the order of training, 100 generated states of each"
    return Table(f"{NAME}_probes", caption, header, rows)


def _draw_states(findings: Findings, path: Path) -> Picture:
    panels = [
        (
            spins,
            f"E-VAE, rank {rank}",
            f"E/N = {certificate['energy_per_site']:.7f}\n"
            f"Q = {certificate['charge']:.0f}, {certificate['skyrmions']} skyrmions",
        )
        for rank, (spins, certificate) in enumerate(zip(findings.states, findings.certificates, strict=True), start=1)
    ]
    anneals = findings.anneals
    panels.append((anneals.spins, "lowest slow anneal", f"E/N = {anneals.energy_per_site:.7f}"))
    columns = min(COLUMNS, len(panels) + 1)
    figure, axes = plotting.new_figure(-(-(len(panels) + 1) // columns), columns, size=(1.9, 2.5))
    for cell, (spins, title, label) in zip(axes.flat, panels, strict=False):
        plotting.plot_spins(cell, spins, title)
        cell.set_xlabel(label)
    plotting.plot_color_wheel(axes.flat[len(panels)])
    for cell in axes.flat[len(panels) + 1 :]:
        cell.set_axis_off()
    plotting.save_figure(figure, path)
    return Picture(path.name, "The distinct candidates, the lowest first, and the lowest slow anneal")


def _verdict(findings: Findings) -> str:
    """Which method wins by how much."""
    difference = findings.energy_per_site - findings.anneals.energy_per_site
    if abs(difference) <= SAME_ENERGY:
        return "A tie with slow anneals in the same CPU time"
    winner = "The E-VAE wins" if difference < 0 else "Slow anneals win"
    return f"{winner} by {abs(difference):.1e} per site in the same CPU time"


def _numbers(findings: Findings) -> dict[str, Cell]:
    """What decides whether the ground state was found, and faster than by slow anneals."""
    return {
        "collapsed": findings.collapsed,
        "lowest_candidate_energy_per_site": findings.energy_per_site,
        "best_known_energy_per_site": findings.best.energy_per_site,
        "lowest_candidate_gap": findings.energy_per_site - findings.best.energy_per_site,
        "slow_anneals_energy_per_site": findings.anneals.energy_per_site,
        "slow_anneals": len(findings.anneals.energies),
        "slow_anneals_cpu_seconds": findings.anneals.cpu_seconds,
        "cpu_seconds_of_slow_anneals_to_lowest_candidate": findings.anneals.seconds_to(findings.energy_per_site),
    }


def _against_best_known(findings: Findings) -> str:
    best, gap = findings.best, findings.energy_per_site - findings.best.energy_per_site
    return (
        f"The lowest candidate has E/N = {findings.energy_per_site:.8f}, {gap:.1e} above the best known one, "
        f"{best.energy_per_site:.8f} ({best.candidates[0].search})"
    )


def _against_anneals(findings: Findings) -> str:
    anneals, seconds = findings.anneals, findings.anneals.seconds_to(findings.energy_per_site)
    reached = "no anneal reached the energy of the E-VAE" if seconds is None else (
        f"the first anneal at the energy of the E-VAE came after {seconds:.3g} s of CPU"
    )  # fmt: skip
    return (
        f"{_verdict(findings)}: {findings.energy_per_site:.8f} against {anneals.energy_per_site:.8f} of "
        f"{len(anneals.energies)} anneals in {anneals.cpu_seconds:.0f} s; {reached}"
    )


def _notes(findings: Findings) -> list[str]:
    notes = [_against_best_known(findings), _against_anneals(findings)]
    notes += [
        f"{trial.name}: not collapsed up to gamma = {max(done.probe.gamma for done in trial.probes):g}; its candidates "
        f"are states of that gamma. Raise the last of evae.gammas"
        for trial in findings.trials
        if trial.transition is None
    ]
    if len(findings.states) < len(findings.groups):
        notes.append(f"tables, pictures and candidates.h5 show the lowest {len(findings.states)} distinct states")
    return [*notes, "candidates with their certificates: candidates.h5"]


def phase_curve_tables(curve: PhaseCurve) -> list[Table]:
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
        Table(PHASE_CURVE, caption, header, rows),
        Table(
            f"{PHASE_CURVE}_trials",
            "each trial: last gamma before the collapse, first gamma beyond it, their geometric mean gamma_c",
            ["beta", "trial", "gamma_before", "gamma_after", "gamma_c"],
            each,
        ),
    ]


def draw_phase_curve(curve: PhaseCurve, path: Path) -> Picture | None:
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


@dataclasses.dataclass(frozen=True)
class Origin:
    """Where a relaxed state comes from: a trial, the gamma of its probe, and its E/N as it was generated."""

    trial: str
    gamma: float
    energy_per_site: float


@dataclasses.dataclass(frozen=True)
class Cost:
    """CPU time of a part of a search, in seconds, and how it is known."""

    part: str
    cpu_seconds: float
    known: str
