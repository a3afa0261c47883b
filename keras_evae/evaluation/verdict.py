"""Three sentences on a run: has it collapsed, how far is its state above the lowest known, what does it relax into."""

import contextlib
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from keras_evae.analysis.transitions import LIKENESS_DROP
from keras_evae.errors import DataError
from keras_evae.evaluation.results import Section
from keras_evae.evaluation.stage_selection import first_collapsed, ladder_of_gamma
from keras_evae.minima.certificate import SAME_ENERGY
from keras_evae.runs.run import Run

# Mean |S - S_relaxed|^2 above which relaxation leads to another state: spins then turn by more than 0.1 rad (root mean
# square), which is more than the noise that a collapsed model leaves on the spins of a minimum.
ANOTHER_STATE = 0.01
# Mean |psi_n| from which skyrmions stand in a lattice; skyrmions placed at random have 0.4.
ORDERED = 0.7


def make_verdict(run: Run, label: str, sections: Sequence[Section]) -> tuple[str, str, str]:
    """The three sentences on a run with at least one finished stage; the second and the third are on the last one.

    Of the sections those of the recipe `relax` are read, if there are any; the run has its `by_label` in their tables.
    """
    last, relaxed = run.stages[-1], dict[str, Any]()
    tables = [table for section in sections if section.name == "relax" for table in section.tables]
    rows = [row for table in tables if table.run == label for row in table.records]
    for row in rows:
        if (row.get("beta"), row.get("gamma")) == (last.beta, last.gamma):
            relaxed |= row
    known = [(row["energy_per_site"], row["search"]) for row in rows if "search" in row]
    one, collapse = _collapse(run)
    return collapse, _height(run, one, known), _relaxation(run, one, relaxed)


def _collapse(run: Run) -> tuple[bool, str]:
    if run.evae_beta is None:
        return False, "A VAE without Hamiltonian loss (γ = 0): there is no collapse to one state to look for."
    stages = ladder_of_gamma(run, needed=False)
    if len(stages) < 2:
        return False, "No stage with Hamiltonian loss (γ > 0) is finished yet."
    before, after = (stage.metrics["generated"]["fft_mse"] for stage in (stages[0], stages[-1]))
    values = (
        f"FFT-MSE {before:.1e} at γ = 0, {after:.1e} at γ = {stages[-1].gamma:g}; "
        f"more than {LIKENESS_DROP:g} times lower counts as collapse"
    )
    first = first_collapsed(stages)
    if first is None:
        return False, f"Not collapsed: the E-VAE generates various states ({values})."
    alike = f"from γ = {first.gamma:g} on, generated states are alike up to translations"
    return True, f"Collapsed to one state: {alike} ({values})."


def _height(run: Run, one: bool, known: Sequence[tuple[Any, Any]]) -> str:
    energy = run.stages[-1].metrics["generated"]["energy_per_site_mean"]
    subject = "That state has" if one else "Generated states of the last stage have"
    text = f"{subject} E/N = {_number(energy)} on average"
    with contextlib.suppress(DataError):
        known = [*known, (run.lowest_annealed(), run.data_kind)]
    if not known:
        return f"{text}; no energy is known to compare with."
    lowest = min(found for found, _ in known)
    searches = ", ".join(sorted({search for found, search in known if found - lowest <= SAME_ENERGY}))
    return f"{text}, {_gap(energy - lowest)} the lowest energy known, {_number(lowest)} (from {searches})."


def _gap(gap: float) -> str:
    return "the same as" if abs(gap) <= SAME_ENERGY else f"{abs(gap):.2g} {'above' if gap > 0 else 'below'}"


def _relaxation(run: Run, one: bool, relaxed: Mapping[str, Any]) -> str:
    """Relaxed states of the last stage; `relaxed` are the cells that `relax` has written on them, by their columns."""
    they = "it" if one else "they"
    if "change" not in relaxed:
        command = f"evae-evaluate --run {shlex.quote(str(run.path))} --relax --report"
        return f"What {they} relax{'es' * one} into has not been measured; measure it with: {command}"
    changes = "becomes another state" if one else "become other states"
    stays = "stays the same state" if one else "stay the same states"
    share = relaxed["share_at_best_known"]
    height = f"{_gap(relaxed['gap_relaxed'])} the lowest energy known"
    if share == 1.0:
        height = "the lowest state known"
    elif share > 0.0:
        height += f"; {share:.0%} of all reach it"
    return (
        f"Relaxed at T = 0, {they} {changes if relaxed['change'] > ANOTHER_STATE else stays} "
        f"(mean |S − S_relaxed|² = {relaxed['change']:.2g}): "
        f"{_lattice(relaxed, one)}, E/N = {_number(relaxed['energy_relaxed'])}, {height}."
    )


def _lattice(relaxed: Mapping[str, Any], one: bool) -> str:
    count, psi6, psi4 = (relaxed[name] for name in ("skyrmions_relaxed", "psi6_relaxed", "psi4_relaxed"))
    average = "" if one and float(count).is_integer() else "on average "
    text = f"{average}{count:.3g} skyrmion{'s' * (count != 1)}" if count else "no skyrmion"
    # Fewer are a lattice only with their periodic images.
    if count < 2 or psi6 is None or psi4 is None:
        return text
    order = f"a {'square' if psi4 > psi6 else 'triangular'} lattice" if max(psi4, psi6) >= ORDERED else "no clear order"
    return f"{text} in {order} (psi6 = {psi6:.2f}, psi4 = {psi4:.2f})"


def _number(energy: float) -> str:
    return f"{energy:.6f}".replace("-", "−")
