"""The fast sampler against exact results and an independent Metropolis program, on whole and on masked lattices."""

import numpy as np
import pytest
import scipy.stats

from keras_evae.hamiltonian import Hamiltonian
from keras_evae.monte_carlo.checkerboard import MonteCarlo
from keras_evae.monte_carlo.schedule import AnnealingSchedule
from tests.helpers.thermal import (
    CLUSTER,
    HAMILTONIANS,
    SAMPLES,
    assert_configurational_temperature,
    assert_histograms_differ_by_the_temperatures,
    assert_same_means,
    assert_sweeps_keep_what_they_should,
    mean_and_error,
    metropolis_observables,
    observables,
    present_sites,
    thermal_states,
)

MASKED = [
    Hamiltonian(D=0.8, B=0.3, mask=CLUSTER),
    Hamiltonian(D=0.8, B=-0.3, K=0.6, dmi="bloch", boundary="open", mask=CLUSTER),
    Hamiltonian(D=0.8, B=0.3, K=-0.6, boundary=("open", "periodic"), mask=CLUSTER),
]


@pytest.fixture(params=[1, pytest.param(6, marks=pytest.mark.slow)], ids=["", "longer"])
def effort(request):
    """Factor on the number of samples: six times as many are marked slow."""
    return request.param


@pytest.mark.parametrize("strength", [0.005, 0.5, 5.0, 300.0])
def test_one_spin_in_a_field(strength):
    lattice = MonteCarlo(Hamiltonian(J=0.0, D=0.0, B=strength), (100, 200))
    lattice.heat_bath(1.0)
    spins = lattice.spins.astype(np.float64).reshape(-1, 3)
    langevin = 1.0 / np.tanh(strength) - 1.0 / strength
    mean, error = mean_and_error(spins[:, 2])
    assert abs(mean - langevin) < 4.0 * error

    def cumulative(z):
        return (np.exp(strength * (z - 1.0)) - np.exp(-2.0 * strength)) / -np.expm1(-2.0 * strength)

    assert scipy.stats.kstest(spins[:, 2], cumulative).pvalue > 1e-4
    angle = np.arctan2(spins[:, 1], spins[:, 0])
    assert scipy.stats.kstest(angle, scipy.stats.uniform(-np.pi, 2.0 * np.pi).cdf).pvalue > 1e-4
    assert abs(scipy.stats.spearmanr(angle, spins[:, 2]).statistic) < 4.0 / np.sqrt(len(spins))


def test_field_of_any_direction_is_followed():
    # Near T = 0 the spins of the colour that moved last lie along their fields, wherever those point.
    hamiltonian = Hamiltonian()
    lattice = MonteCarlo(hamiltonian, (64, 64))
    lattice.heat_bath(1e-4)
    spins = lattice.spins.astype(np.float64)
    white = np.add.outer(np.arange(64), np.arange(64)) % 2 == 1
    field = hamiltonian.effective_field(spins)
    cosine = np.einsum("yxa,yxa->yx", spins, field) / np.linalg.norm(field, axis=-1)
    assert cosine[white].min() > 0.99


@pytest.mark.parametrize("temperature", [0.3, 1.5])
def test_open_chain(temperature, effort):
    hamiltonian = Hamiltonian(D=0.0, B=0.0, boundary="open")
    sites = 254
    states = thermal_states(hamiltonian, (1, sites), temperature, samples=2000 * effort, sweeps=2, over_relaxation=2)
    mean, error = mean_and_error(hamiltonian.energy(states) / (sites - 1))
    assert abs(mean + 1.0 / np.tanh(1.0 / temperature) - temperature) < 4.0 * error
    assert error < 0.002


def test_pairs_and_single_spins_are_exact():
    # Far from one another: pairs along both axes and single spins, in a lattice that is otherwise empty.
    mask = np.zeros((24, 40), bool)
    mask[::6, ::8] = mask[::6, 1::8] = mask[3::6, 4::8] = True
    temperature, J, B = 0.5, 1.0, 0.4
    langevin = 1.0 / np.tanh(J / temperature) - temperature / J
    pairs = Hamiltonian(J=J, D=0.0, B=0.0, mask=mask)
    states = thermal_states(pairs, mask.shape, temperature, samples=2000, sweeps=2)
    mean, error = mean_and_error(pairs.energy(states) / 20)
    assert abs(mean + J * langevin) < 4.0 * error and error < 0.003
    single = Hamiltonian(J=J, D=0.7, B=B, mask=np.roll(mask, 5, axis=1) & (np.arange(24) % 6 == 3)[:, None])
    states = thermal_states(single, mask.shape, temperature, samples=2000)
    mean, error = mean_and_error(states[:, single.mask, 2].mean(axis=1))
    assert abs(mean - (1.0 / np.tanh(B / temperature) - temperature / B)) < 4.0 * error and error < 0.01


def test_high_temperature_slope(effort):
    hamiltonian, temperature = Hamiltonian(), 20.0
    states = thermal_states(hamiltonian, (96, 128), temperature, samples=250 * effort, burn_in=10)
    mean, error = mean_and_error(hamiltonian.energy_per_site(states) * temperature)
    # The next order of the expansion in 1 / T is below 0.5 %.
    assert abs(mean + 0.7075) < 4.0 * error + 0.004
    assert error < 0.02


@pytest.mark.parametrize("temperature", [0.05, 0.2, 0.5, 1.0, 2.0])
@pytest.mark.parametrize("dmi, boundary", [("neel", "periodic"), ("bloch", ("open", "periodic"))])
def test_configurational_temperature(temperature, dmi, boundary, effort):
    hamiltonian = Hamiltonian(dmi=dmi, boundary=boundary)
    states = thermal_states(hamiltonian, (20, 36), temperature, samples=300 * effort, over_relaxation=1)
    assert_configurational_temperature(hamiltonian, states, temperature, precision=0.02)


@pytest.mark.slow
def test_configurational_temperature_along_the_default_schedule():
    hamiltonian = Hamiltonian()
    for temperature in AnnealingSchedule().temperature_steps():
        states = thermal_states(hamiltonian, (20, 36), temperature, samples=300, over_relaxation=1)
        # One of the 150 temperatures may lie a little beyond four standard errors.
        assert_configurational_temperature(hamiltonian, states, temperature, precision=0.02, deviations=4.5)


def test_energy_histograms_of_two_temperatures(effort):
    assert_histograms_differ_by_the_temperatures(
        Hamiltonian(), (8, 6), (0.6, 0.66), 0.01, samples=4000 * effort, sweeps=3, over_relaxation=3
    )


@pytest.mark.parametrize("hamiltonian", HAMILTONIANS + MASKED, ids=lambda h: f"{h.dmi} K={h.K} {h.boundary}")
def test_heat_bath_agrees_with_metropolis_and_over_relaxation(hamiltonian, effort):
    shape, temperature = (4, 6) if hamiltonian.periodic == (True, False) else (4, 4), 0.75
    states = [thermal_states(hamiltonian, shape, temperature, 5000 * effort, 3, count) for count in (0, 2)]
    np.testing.assert_array_equal(np.concatenate(states)[:, ~present_sites(hamiltonian, shape)], 0.0)
    reference = metropolis_observables(hamiltonian, shape, temperature, samples=10_000 * effort)
    assert_same_means([reference] + [observables(hamiltonian, some) for some in states])


EXTREME = [Hamiltonian(J=-1.0, K=1.5), Hamiltonian(J=0.2, K=-3.0), Hamiltonian(boundary="open")]


@pytest.mark.parametrize("hamiltonian", [*HAMILTONIANS, *EXTREME, *SAMPLES])
def test_sweeps_keep_what_they_should(hamiltonian):
    shape = (8, 12) if hamiltonian.mask is None else hamiltonian.mask.shape
    assert_sweeps_keep_what_they_should(MonteCarlo(hamiltonian, shape, seed=5), fall=0.5)


def test_mask_of_all_sites_and_errors():
    whole, masked = Hamiltonian(K=0.1), Hamiltonian(K=0.1, mask=np.ones((8, 12), bool))
    np.testing.assert_allclose(
        MonteCarlo(masked, (8, 12), seed=3).spins, MonteCarlo(whole, (8, 12), seed=3).spins, atol=1e-6
    )
    lattice = MonteCarlo(Hamiltonian(), (4, 4))
    with pytest.raises(ValueError, match="temperatures above 0"):
        lattice.heat_bath(0.0)
    with pytest.raises(ValueError, match="spins of shape"):
        lattice.spins = np.zeros((4, 6, 3))
    with pytest.raises(ValueError, match="unit vectors"):
        lattice.spins = np.full((4, 4, 3), np.nan)
