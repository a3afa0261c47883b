"""What a reader wants to know of a run first: the system, whether the E-VAE has collapsed, and at what energy."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from keras_evae.errors import DataError
from keras_evae.evaluation.collapse import first_collapsed, lowest_annealed
from keras_evae.evaluation.ladders import ladder_of_gamma
from keras_evae.runs import Run, planned_stages


@dataclasses.dataclass(frozen=True)
class Headline:
    """The first lines of a report on a run.

    Args:
        name: Of the run.
        hamiltonian: In words.
        collapsed: None where there is no E-VAE to look at.
        verdict: Whether it has collapsed, one or two sentences.
        facts: Names and values.
    """

    name: str
    hamiltonian: str
    collapsed: bool | None
    verdict: str
    facts: Sequence[tuple[str, str]]


def headline(run: Run, name: str) -> Headline:
    """The headline of a run with at least one finished stage."""
    height, width = run.config.dataset.shape
    last = run.stages[-1]
    energy = last.metrics["generated"]["energy_per_site_mean"]
    lowest = _lowest(run)
    collapsed, verdict = _verdict(run)
    present = "" if run.hamiltonian.mask is None else f", spins on {run.hamiltonian.count_sites((height, width))} sites"
    # A formula does not break across lines.
    verdict = verdict.replace(" = ", "\u00a0=\u00a0")
    facts = [
        ("Lattice", f"{height} × {width}{present}"),
        ("Stages", f"{len(run.stages)} of {len(planned_stages(run.config))} finished"),
        ("Last stage", f"β = {last.beta:g}, γ = {last.gamma:g}"),
        ("E/N of generated states", _number(energy)),
        ("Lowest annealed E/N", "no dataset" if lowest is None else _number(lowest)),
        ("Generated − lowest annealed", "-" if lowest is None else f"{energy - lowest:+.1e}".replace("-", "−")),
    ]
    return Headline(name, run.hamiltonian.describe(), collapsed, verdict, facts)


def _verdict(run: Run) -> tuple[bool | None, str]:
    if run.config.evae is None:
        return None, "A VAE without Hamiltonian loss (γ = 0): there is no collapse to one state to look for."
    try:
        stages = ladder_of_gamma(run)
    except DataError:
        stages = []
    if len(stages) < 2:
        return None, "No stage with Hamiltonian loss (γ > 0) is finished yet."
    before, after = (stage.metrics["generated"]["fft_mse"] for stage in (stages[0], stages[-1]))
    fall = f"FFT-MSE is {before:.1e} at γ = 0, {after:.1e} at γ = {stages[-1].gamma:g}"
    first = first_collapsed(stages)
    if first is None:
        return False, f"Not collapsed: the E-VAE generates various states ({fall})."
    return True, f"Collapsed: from γ = {first.gamma:g} on, the E-VAE generates one state only ({fall})."


def _lowest(run: Run) -> float | None:
    try:
        return lowest_annealed(run)
    except DataError:
        return None


def _number(energy: float) -> str:
    return f"{energy:.6f}".replace("-", "−")
