"""`anneal`, `anneal_many` and `relax`, whichever sampler they take: minima, the same bits for any workers, errors."""

import numpy as np
import pytest

from keras_evae.annealing import anneal, anneal_many, relax
from keras_evae.errors import ConfigError, NumericalError
from keras_evae.hamiltonian import Hamiltonian
from keras_evae.monte_carlo.checkerboard import MonteCarlo
from keras_evae.monte_carlo.kernels import SHORT_SWEEPS, relaxation_cycle
from keras_evae.monte_carlo.schedule import AnnealingSchedule
from tests.helpers.energy_terms import CubicAnisotropy, ThirdNeighbours
from tests.helpers.thermal import GENERAL, HAMILTONIANS, SAMPLES, present_sites, torque

QUICK = AnnealingSchedule(start_temperature=1.0, end_temperature=0.05, temperatures=20)
# Whole lattices and samples for the fast sampler, then the general one.
FAST = [(hamiltonian, (24, 32)) for hamiltonian in (Hamiltonian(), *HAMILTONIANS)]
CASES = FAST + [(hamiltonian, hamiltonian.mask.shape) for hamiltonian in SAMPLES] + GENERAL
OF_EACH_KIND = [CASES[0], CASES[len(FAST) + 1], GENERAL[3]]


@pytest.mark.parametrize(("hamiltonian", "shape"), CASES)
def test_annealed_state_feels_no_torque_and_ends_at_the_mask(hamiltonian, shape):
    spins, present = anneal(hamiltonian, shape, QUICK, seed=6), present_sites(hamiltonian, shape)
    assert spins.dtype == np.float32 and spins.shape == (*shape, 3)
    np.testing.assert_array_equal(spins[~present], 0.0)
    assert np.abs(np.linalg.norm(spins[present], axis=-1) - 1.0).max() < 3e-7
    assert torque(hamiltonian, spins).max() < 1e-4


def test_default_schedule_gives_skyrmion_states():
    hamiltonian = Hamiltonian()
    means = {}
    for name in ("default", "quench"):
        states = anneal_many(hamiltonian, (64, 64), 16, name)
        energies = [hamiltonian.energy_per_site(spins.astype(np.float64)) for spins in states]
        # Uniform -2.05, lowest known -2.0573164, a perfect triangular lattice.
        assert min(energies) > -2.0573166 and np.std(energies) > 1e-4
        means[name] = np.mean(energies)
    assert means["default"] < -2.0566 < means["quench"] < -2.054


@pytest.mark.parametrize(("hamiltonian", "shape"), OF_EACH_KIND)
def test_relax_returns_the_torque_of_its_spins(hamiltonian, shape):
    """It reads only what lies inside."""
    present, even = present_sites(hamiltonian, shape), shape[1] + shape[1] % 2
    spins = MonteCarlo(Hamiltonian(boundary="open"), (shape[0], even)).spins[:, : shape[1]]
    relaxed, largest = relax(hamiltonian, spins, torque_tolerance=1e-3)
    assert largest < 1e-3 and torque(hamiltonian, relaxed).max() == pytest.approx(largest, abs=3e-6)
    np.testing.assert_array_equal(relaxed, relax(hamiltonian, spins * present[..., None], 1e-3)[0])
    # A torque that is reached by chance at the end of the first cycle is not below itself.
    cycle = relaxation_cycle(0)[1] + SHORT_SWEEPS
    _, reached = relax(hamiltonian, spins, 1e-9, max_sweeps=cycle)
    assert relax(hamiltonian, spins, reached)[1] < reached
    unchanged, largest = relax(hamiltonian, spins, max_sweeps=0)
    np.testing.assert_allclose(unchanged[present], spins[present], atol=3e-7)
    assert largest == pytest.approx(torque(hamiltonian, unchanged).max(), rel=1e-5)


@pytest.mark.parametrize(("hamiltonian", "shape"), OF_EACH_KIND)
def test_many_states_relax_as_each_of_them(hamiltonian, shape):
    spins = np.stack(list(anneal_many(hamiltonian, shape, 6, AnnealingSchedule(temperatures=2, max_greedy_sweeps=1))))
    relaxed, torques = relax(hamiltonian, spins.reshape(2, 3, *shape, 3), max_sweeps=40)
    assert relaxed.dtype == np.float32 and torques.shape == (2, 3)
    for state, found, strongest in zip(spins, relaxed.reshape(spins.shape), torques.ravel(), strict=True):
        alone, largest = relax(hamiltonian, state, max_sweeps=40)
        np.testing.assert_array_equal(found, alone)
        assert strongest == largest
    assert relax(hamiltonian, spins[:0])[0].shape == (0, *shape, 3)


@pytest.mark.parametrize(("hamiltonian", "shape"), OF_EACH_KIND)
def test_bits_follow_from_seed_and_index(hamiltonian, shape):
    schedule = AnnealingSchedule(1.0, 0.05, temperatures=5, max_greedy_sweeps=20)
    one, two = (list(anneal_many(hamiltonian, shape, 4, schedule, 8, workers, start=3)) for workers in (1, 2))
    for index, (first, second) in enumerate(zip(one, two, strict=True), start=3):
        np.testing.assert_array_equal(first, second)
        np.testing.assert_array_equal(first, anneal(hamiltonian, shape, schedule, 8, index))
    assert len({state.tobytes() for state in one} | {anneal(hamiltonian, shape, schedule, 9, 3).tobytes()}) == 5


def test_schedules():
    quench = AnnealingSchedule(2.0, 0.05, temperatures=150, over_relaxation=0)
    np.testing.assert_array_equal(anneal(Hamiltonian(), (8, 8), "quench"), anneal(Hamiltonian(), (8, 8), quench))
    for name in (anneal, anneal_many):
        with pytest.raises(ValueError, match="`schedule` must be one of default, quench, slow. Received: schedule='fa"):
            name(Hamiltonian(), (8, 8), schedule="fast")
    schedule = AnnealingSchedule(2.0, 0.02, temperatures=3, sweeps=4, over_relaxation=5)
    np.testing.assert_allclose(schedule.temperature_steps(), [2.0, 0.2, 0.02])
    assert schedule.thermal_sweeps == 3 * 4 * 6 and AnnealingSchedule.preset("slow").thermal_sweeps == 26_000


def test_iterator_left_early_no_interaction_and_overflow():
    iterator = anneal_many(Hamiltonian(), (8, 8), 10**9, QUICK, workers=2)
    assert next(iterator).shape == (8, 8, 3)
    iterator.close()
    assert list(anneal_many(Hamiltonian(), (8, 8), 0)) == []
    assert np.isfinite(anneal(Hamiltonian(J=0.0, D=0.0, B=0.0), (4, 4), QUICK)).all()
    with pytest.raises(NumericalError, match="single precision"):
        anneal(Hamiltonian(terms=[ThirdNeighbours(1e30)]), (4, 4), QUICK)
    with pytest.raises(ValueError, match="seed below 2\\^64"):
        anneal(Hamiltonian(), (4, 4), seed=2**64)
    with pytest.raises(ValueError, match="`workers`"):
        anneal_many(Hamiltonian(), (4, 4), workers=0)
    with pytest.raises(ValueError, match="unit vectors"):
        relax(Hamiltonian(), np.full((4, 4, 3), 0.5))
    with pytest.raises(ConfigError, match="own site"):
        anneal_many(Hamiltonian(terms=[CubicAnisotropy(0.1)]), (8, 8), 1)


MASK = np.ones((4, 5), bool)


@pytest.mark.parametrize(
    "arguments, shape, message",
    [
        ({}, (4, 5), "even number of sites along the periodic x axis, at least 4"),
        ({}, (5, 4), "even number of sites along the periodic y axis"),
        ({}, (2, 4), "at least 4"),
        ({}, (4, 2), "at least 4"),
        ({"boundary": "open"}, (4, 5), "even number of sites along the open x axis, at least 2"),
        ({"boundary": "open"}, (0, 4), "a number of sites along the open y axis, at least 1"),
        ({"boundary": "open"}, (4, 4, 3), r"rows and columns \(y, x\), such as \(64, 64\)"),
        ({}, 48, r"rows and columns \(y, x\), such as \(48, 48\)\. Received: shape=48"),
        ({"boundary": "open"}, (2, 2**18), "transpose"),
        ({"mask": MASK}, (4, 6), r"mask's shape \(4, 5\). Received: "),
        ({"mask": MASK}, (4, 5), "even number of sites along the periodic x axis"),
        ({"terms": [ThirdNeighbours(0.1)]}, (2, 8), "at least 3 sites along the periodic y axis, where .* reach 2"),
        ({"J2": 0.1, "boundary": "open"}, (2, 0), "at least 1 sites along the open x axis"),
        ({"J2": 0.1, "mask": MASK}, (4, 6), "mask's shape"),
    ],
)
def test_shapes_that_do_not_fit(arguments, shape, message):
    with pytest.raises(ValueError, match=message):
        anneal(Hamiltonian(**arguments), shape)
    with pytest.raises(ValueError, match="Received: "):
        anneal_many(Hamiltonian(**arguments), shape, 1)
