"""Three sentences on runs that have collapsed, have not, or have nothing to say."""

import dataclasses

import pytest

from keras_evae.evaluation.results import Section, Table, read_section
from keras_evae.evaluation.verdict import make_verdict

# Columns of the tables of the recipe `relax`.
COLUMNS = {
    "relax": ["energy_relaxed", "gap_relaxed", "share_at_best_known"],
    "relax_certificates": ["skyrmions_relaxed", "change", "psi6_relaxed", "psi4_relaxed"],
}
BEST_KNOWN = ["search", "energy_per_site", "gap", "detail"]
LOWEST, UNMEASURED = -2.06, "runs/smoke --relax --report"
# The last stage relaxed, as a collapsed model that has found the lowest state.
FOUND = {"energy_relaxed": LOWEST, "gap_relaxed": 5e-9, "share_at_best_known": 1.0, "change": 2e-4,
         "skyrmions_relaxed": 8.0, "psi6_relaxed": 0.96, "psi4_relaxed": 0.2}  # fmt: skip


@pytest.fixture
def collapsed(run):
    """The run with generated states that are alike in the last stage, of this energy."""
    *others, last = run.stages
    generated = {**last.metrics["generated"], "fft_mse": 1e-9, "energy_per_site_mean": LOWEST + 3e-5}
    last = dataclasses.replace(last, metrics={**last.metrics, "generated": generated})
    return dataclasses.replace(run, stages=(*others, last))


def relaxation(run, label="smoke", **values):
    """What the recipe `relax` writes, with these values for the last stage and others before it."""
    values = FOUND | values
    weights = [[stage.beta, stage.gamma] for stage in run.stages]
    tables = [
        Table(name, "", ["beta", "gamma", *header], [
            *([*weight, *[0.5] * len(header)] for weight in weights[:-1]),
            [*weights[-1], *(values.get(column, 0.5) for column in header)],
        ], label)
        for name, header in COLUMNS.items()
    ]  # fmt: skip
    searches = [["slow anneals", LOWEST, 0.0, ""], ["elsewhere", LOWEST + 1e-3, 1e-3, ""]]
    return Section("relax", "", "", [*tables, Table("best_known", "", BEST_KNOWN, searches, label)])


def test_collapsed_into_the_lowest_state_known(collapsed, tmp_path):
    relaxation(collapsed).write(tmp_path)
    first, second, third = make_verdict(collapsed, "smoke", [read_section(tmp_path / "relax.json")])
    assert first.startswith("Collapsed to one state: from γ = 1000 on") and "1.0e-09 at γ = 1000" in first
    assert second == (
        "That state has E/N = −2.059970 on average, 3e-05 above the lowest energy known, −2.060000 (from slow anneals)."
    )
    assert third == (
        "Relaxed at T = 0, it stays the same state (mean |S − S_relaxed|² = 0.0002): 8 skyrmions in a triangular "
        "lattice (psi6 = 0.96, psi4 = 0.20), E/N = −2.060000, the lowest state known."
    )


def test_not_collapsed(run):
    values = {"share_at_best_known": 0.25, "gap_relaxed": 2e-3, "change": 0.8, "skyrmions_relaxed": 6.5}
    first, second, third = make_verdict(run, "smoke", [relaxation(run, **values)])
    assert first.startswith("Not collapsed")
    assert second.startswith("Generated states of the last stage have E/N = −1.") and "above the lowest" in second
    assert "they become other states" in third and "on average 6.5 skyrmions in a triangular lattice" in third
    assert third.endswith("0.002 above the lowest energy known; 25% of all reach it.")
    third = make_verdict(run, "smoke", [relaxation(run, psi6_relaxed=0.6, psi4_relaxed=0.3)])[2]
    assert "8 skyrmions in no clear order (psi6 = 0.60, psi4 = 0.30)" in third
    square = {"psi6_relaxed": 0.3, "psi4_relaxed": 0.9, "share_at_best_known": 0.0, "gap_relaxed": -2e-3}
    third = make_verdict(run, "smoke", [relaxation(run, **square)])[2]
    assert "in a square lattice" in third and third.endswith("0.002 below the lowest energy known.")


def test_without_relaxation_nothing_is_said_of_it(run, collapsed):
    for sections in ([], [Section("relax", "", "")], [relaxation(run, "another run")]):
        _, second, third = make_verdict(run, "smoke", sections)
        assert second.endswith("(from annealed data).")
        command = f"evae-evaluate --run {run.path} --relax --report"
        assert third == f"What they relax into has not been measured; measure it with: {command}"
        assert "it relaxes into" in make_verdict(collapsed, "smoke", sections)[2]
    # Relaxed before the last stage was finished.
    young = relaxation(dataclasses.replace(run, stages=run.stages[:-1]))
    _, second, third = make_verdict(run, "smoke", [young])
    assert "slow anneals" in second and UNMEASURED in third
