"""Generated states around the collapse, and states of different trainings compared."""

import csv
import dataclasses
import shutil
import types

import matplotlib.image
import numpy as np
import pytest

from keras_evae import plotting
from keras_evae.annealing import anneal
from keras_evae.evaluation.collapse import fft_mse, first_collapsed
from keras_evae.evaluation.final_states import FinalState, claim_of_one_state, claims_of_pair, compare_all
from keras_evae.evaluation.transition import collapse
from keras_evae.geometry import encode_mask, make_geometry
from keras_evae.runs import load_run
from keras_evae.symmetry import apply_point_operation


@pytest.fixture
def run(smoke_folder, monkeypatch):
    monkeypatch.chdir(smoke_folder)
    return load_run("runs/smoke")


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


def final(run, spins, name, collapsed=True, aligned_spread=1e-5):
    return FinalState(name, run, run.stages[-1], collapsed, spins, 0.1, aligned_spread, 1.0, spins)


def test_trainings_that_end_in_one_lattice(run):
    """A moved and turned copy is the same lattice, another state is not, and one in the same place is no second one."""
    spins, other = (anneal(run.hamiltonian, (32, 32), index=index) for index in (0, 3))
    copy = np.roll(apply_point_operation(spins, (True, True, False)), (5, -9), axis=(0, 1))
    one = final(run, spins, "one")
    for second, energy, placed in ((copy, True, True), (other, False, False), (spins, True, False)):
        (pair,), notes = compare_all([one, final(run, second, "two")])
        assert notes == [] and [claim.holds for claim in claims_of_pair(pair)] == [energy, placed]
    (pair,), _ = compare_all([one, final(run, copy, "two")])
    assert pair.same and pair.relaxed.distance < 1e-6 and pair.as_generated > 0.1
    (pair,), _ = compare_all([one, final(run, copy, "two", collapsed=False)])
    assert [claim.holds for claim in claims_of_pair(pair)] == [None, None]
    (pair,), _ = compare_all([one, final(run, other, "two")])
    assert pair.verdict == "another state"


def test_one_state_only_up_to_sliding(run):
    spins = anneal(run.hamiltonian, (32, 32))
    assert claim_of_one_state(final(run, spins, "one")).holds
    assert claim_of_one_state(final(run, spins, "one", aligned_spread=0.3)).holds is False
    young = dataclasses.replace(run, stages=run.stages[:2])
    assert claim_of_one_state(final(young, spins, "one")).holds is None


def test_different_hamiltonians_are_not_compared(run):
    hamiltonian = run.config.hamiltonian.model_copy(update={"D": 0.2})
    other = dataclasses.replace(run, config=run.config.model_copy(update={"hamiltonian": hamiltonian}))
    spins = anneal(run.hamiltonian, (32, 32))
    pairs, notes = compare_all([final(run, spins, "one"), final(other, spins, "two")])
    assert pairs == [] and "different lattices or Hamiltonians" in notes[0]


def test_distances_are_means_over_present_sites(run):
    sample = make_geometry("disc", 30, (32, 32))
    system = run.config.hamiltonian.model_copy(update={"mask": encode_mask(sample.mask), "boundary": "open"})
    masked = dataclasses.replace(run, config=run.config.model_copy(update={"hamiltonian": system}))
    up = np.zeros((32, 32, 3)) + sample.mask[..., None] * np.array((0.0, 0.0, 1.0))
    (pair,), _ = compare_all([final(masked, up, "one"), final(masked, -up, "two")])
    assert pair.as_generated == pair.aligned.distance == pytest.approx(4.0)


def test_section_of_two_runs(run, tmp_path):
    copy = load_run(shutil.copytree(run.path, tmp_path / "copy"))
    with plotting.style():
        section = collapse([run, copy], tmp_path)
    section.write(tmp_path)
    assert matplotlib.image.imread(tmp_path / "collapse.png").std() > 0.01
    with open(tmp_path / "collapse_pairs.csv") as file:
        (row,) = csv.DictReader(file)
    # The copy is the run itself, and a smoke run does not collapse.
    assert float(row["distance"]) == 0.0 and row["verdict"] == "same state, shifted by (0.0, 0.0), not turned"
    assert [claim.holds for claim in section.claims] == [False, False, None, None]
    with plotting.style():
        alone = collapse([run], tmp_path)
    assert [claim.holds for claim in alone.claims] == [False, None, None]
    assert all("second --run" in claim.measured for claim in alone.claims[1:])


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
    return dataclasses.replace(run, path=path, config=run.config.model_copy(update={"evae": evae}), stages=stages)


EARLY, LATE, LAST = (1.0, 1e-2, 1e-3, 1e-3), (1.0, 1.0, 1e-2, 1e-3), (1.0, 1.0, 1.0, 1e-3)
NEVER = (1.0, 1.0, 1.0, 1.0)


@pytest.mark.parametrize(
    ("high", "low", "expected"),
    [
        ((LAST, LAST), (EARLY, EARLY), [True, True]),
        # Neighbours on the ladder: both may be at the gamma between.
        ((LATE, LATE), (EARLY, EARLY), [None, True]),
        ((LATE, LATE), (LATE, LATE), [False, True]),
        # As much scatter between the seeds of one beta as between the means of two.
        ((LATE, EARLY), (EARLY, LATE), [False, True]),
        ((LATE, EARLY), (EARLY, EARLY), [False, True]),
        # One seed says nothing of scatter, nor does a run in training, nor one that has ended without collapse.
        ((LATE,), (EARLY,), [None, True]),
        ((LATE, NEVER[:3]), (EARLY, EARLY), [None, None]),
        ((LATE, NEVER), (EARLY, EARLY), [None, False]),
    ],
)
def test_dependence_on_beta_against_scatter_between_seeds(run, tmp_path, high, low, expected):
    runs = [ladder(run, beta, seed, *values) for beta, seeds in ((1e-3, high), (1e-4, low))
            for seed, values in enumerate(seeds)]  # fmt: skip
    with plotting.style():
        assert [claim.holds for claim in fft_mse(runs, tmp_path).claims[-2:]] == expected


def test_dependence_on_beta_needs_two_betas_of_one_system(run, tmp_path):
    high, low = ladder(run, 1e-3, 0, *LATE), ladder(run, 1e-4, 0, *EARLY)
    hamiltonian = low.config.hamiltonian.model_copy(update={"D": 0.2})
    foreign = dataclasses.replace(low, config=low.config.model_copy(update={"hamiltonian": hamiltonian}))
    for runs in ([high], [high, foreign]):
        with plotting.style():
            claims = fft_mse(runs, tmp_path).claims[-2:]
        assert [claim.holds for claim in claims] == [None, None] and "two or more values of beta" in claims[0].measured


def test_run_in_training_is_no_evidence_against_a_collapse(run, tmp_path):
    young = dataclasses.replace(run, stages=run.stages[:3])
    with plotting.style():
        assert fft_mse([run], tmp_path).claims[0].holds is False
        assert fft_mse([young], tmp_path).claims[0].holds is None
    spins = anneal(run.hamiltonian, (32, 32))
    assert claim_of_one_state(final(young, spins, "one", aligned_spread=0.3)).holds is None
