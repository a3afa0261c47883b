"""Generated states around the collapse, and states of different trainings compared."""

import csv
import dataclasses
import shutil
import types

import numpy as np
import pytest

from keras_evae.annealing import anneal, relax
from keras_evae.evaluation.figure_5_collapse import FinalState, compare_all, make_collapse, make_fft_mse
from keras_evae.evaluation.stage_selection import first_collapsed
from keras_evae.evaluation.stage_states import generate
from keras_evae.runs.run import load_run
from keras_evae.symmetry import apply_point_operation
from tests.helpers.pictures import assert_shows, curves, grid_of


def stages(*values):
    return [types.SimpleNamespace(metrics={"generated": {"fft_mse": value}}, gamma=n) for n, value in enumerate(values)]


@pytest.mark.parametrize(
    ("values", "first"),
    [((1.0, 0.5, 1e-3, 1e-4), 2), ((1.0, 1e-3, 0.5, 1e-4), 3), ((1.0, 0.5), None), ((1.0, 1e-3, 0.5), None),
     ((1.0, 0.0), 1), ((1.0,), None), ((0.0, 0.0), None), ((1.0, 0.03), 1), ((1.0, 0.04), None)],
)  # fmt: skip
def test_first_collapsed_stage_stays_collapsed(values, first):
    found = first_collapsed(stages(*values))
    assert (found and found.gamma) == first


def final(run, spins, name):
    return FinalState(name, run, spins, spins)


def test_trainings_that_end_in_one_lattice(run):
    """A moved and turned copy is the same lattice, another state is not, and one in the same place is no second one."""
    spins, other = (anneal(run.hamiltonian, (32, 32), "quench", index=index) for index in (0, 3))
    copy = np.roll(apply_point_operation(spins, (True, True, False)), (5, -9), axis=(0, 1))
    one = final(run, spins, "one")
    for second, same, moved in ((copy, True, True), (other, False, True), (spins, True, False)):
        (pair,), notes = compare_all([one, final(run, second, "two")])
        assert notes == [] and (pair["verdict"] != "another state", pair["distance"] > 0.1) == (same, moved)
        assert (abs(pair["energy_difference_per_site"]) < 1e-6) == same
    (pair,), _ = compare_all([one, final(run, copy, "two")])
    assert pair["relaxed_distance"] < 1e-6
    (pair,), _ = compare_all([one, final(run, other, "two")])
    assert pair["verdict"] == "another state"


def test_section_of_two_runs(run, tmp_path, drawn):
    copy = load_run(shutil.copytree(run.path, tmp_path / "copy"))
    section = make_collapse([run, copy], tmp_path, count=10)
    section.write(tmp_path)
    for name, row in zip(("smoke", "copy"), grid_of(drawn["collapse.png"], rows=2), strict=True):
        # Runs of the same beta and seed have their folders besides.
        assert row[0].get_ylabel() == rf"$\beta$ = 1e-3, seed 0, {name}"
        for axes, stage in zip(row, run.stages[1:], strict=False):
            spins = generate(run, stage, 1)[0]
            assert_shows(axes, spins, rf"$\gamma$ = {stage.gamma:g}")
            assert float(axes.get_xlabel().split()[2]) == pytest.approx(
                run.hamiltonian.energy_per_site(spins), abs=1e-5
            )
        relaxed, _ = relax(run.hamiltonian, spins)
        assert_shows(row[len(run.stages) - 1], relaxed, "the last one, relaxed")
    with open(tmp_path / "collapse_pairs.csv") as file:
        (row,) = csv.DictReader(file)
    # The copy is the run itself, and a smoke run does not collapse.
    assert float(row["distance"]) == 0.0 and row["verdict"] == "same state, shifted by (0.0, 0.0), not turned"
    assert set(section.numbers) == {"smoke", "copy"} and not section.numbers["copy"]["collapsed"]
    young = dataclasses.replace(run, stages=run.stages[:2])
    alone = make_collapse([young], tmp_path, count=10)
    assert [table.name for table in alone.tables] == ["collapse"]
    found = [section.numbers["smoke"]["last_stage_finished"], alone.numbers["smoke"]["last_stage_finished"]]
    assert found == [True, False]


def ladder(run, beta, seed, *values):
    """A run of this beta and seed with FFT-MSE as given at gamma = 0, 10, 1000 and 10000."""
    stages = tuple(
        dataclasses.replace(
            stage,
            stage=dataclasses.replace(stage.stage, beta=beta, gamma=gamma),
            metrics={"generated": {"fft_mse": value, "energy_per_site_mean": -2.05, "energy_per_site_std": 0.0}},
        )
        for stage, gamma, value in zip(run.stages, (0.0, 10.0, 1000.0, 1e4), values, strict=False)
    )
    evae = run.config.evae.model_copy(update={"beta": beta, "gammas": (10.0, 1000.0, 1e4), "epochs": 1})
    path = run.path.with_name(f"beta_{beta:g}_seed_{seed}")
    training = run.config.training.model_copy(update={"seed": seed})
    config = run.config.model_copy(update={"evae": evae, "training": training})
    return dataclasses.replace(run, path=path, config=config, stages=stages)


def test_numbers_of_the_collapse(run, tmp_path, drawn):
    """Of a run that collapses between gamma = 10 and 1000, and of one that is still in training and has not."""
    early, young = ladder(run, 1e-3, 0, 1.0, 1.0, 1e-2, 1e-3), ladder(run, 1e-4, 1, 1.0, 1.0, 1.0)
    numbers = make_fft_mse([early, young], tmp_path).numbers
    shown = curves(drawn["fft_mse.png"].axes[0])
    np.testing.assert_array_equal(shown[r"$\beta$ = 1e-3, seed 0"], [[0.0, 10.0, 1000.0, 1e4], [1.0, 1.0, 1e-2, 1e-3]])
    np.testing.assert_array_equal(shown[r"$\beta$ = 1e-4, seed 1"], [[0.0, 10.0, 1000.0], [1.0, 1.0, 1.0]])
    first, second, both = (numbers[name] for name in (early.name, young.name, ""))
    assert (first["gamma_c_before"], first["gamma_c_after"], first["gamma_c"]) == (10.0, 1000.0, pytest.approx(100.0))
    assert first["last_stage_finished"] and first["lowest_annealed_energy_per_site"] < -2
    assert second["gamma_c"] is None and not second["last_stage_finished"]
    assert both == {"runs_alike_in_lattice_energy_and_gammas": True}
    hamiltonian = young.config.hamiltonian.model_copy(update={"D": 0.2})
    foreign = dataclasses.replace(young, config=young.config.model_copy(update={"hamiltonian": hamiltonian}))
    numbers = make_fft_mse([early, foreign], tmp_path).numbers
    assert numbers[""] == {"runs_alike_in_lattice_energy_and_gammas": False}
