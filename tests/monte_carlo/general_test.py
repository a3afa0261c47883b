"""The general sampler against exact results, against plain Metropolis, and against the fast sampler."""

import dataclasses
import functools

import numpy as np
import pytest

from keras_evae.annealing import anneal
from keras_evae.hamiltonian import Hamiltonian
from keras_evae.monte_carlo.checkerboard import MonteCarlo
from keras_evae.monte_carlo.general import GeneralMonteCarlo
from keras_evae.monte_carlo.schedule import AnnealingSchedule
from tests.helpers.energy_terms import Compass, FourSpins
from tests.helpers.thermal import (
    CLUSTER,
    GENERAL,
    HAMILTONIANS,
    assert_configurational_temperature,
    assert_histograms_differ_by_the_temperatures,
    assert_same_means,
    assert_sweeps_keep_what_they_should,
    mean_and_error,
    metropolis_observables,
    observables,
    thermal_states,
)

states_of = functools.partial(thermal_states, sampler=GeneralMonteCarlo, burn_in=100)
QUICK = AnnealingSchedule(start_temperature=1.0, end_temperature=0.05, temperatures=20, over_relaxation=1)
BARE = {"J": 0.0, "D": 0.0, "B": 0.0}


def product_mean(strength):
    """Mean of u v with the density exp(strength u v) for u and v between -1 and 1."""
    points, weights = np.polynomial.legendre.leggauss(60)
    product = np.outer(points, points)
    density = np.outer(weights, weights) * np.exp(strength * product)
    return (product * density).sum() / density.sum()


@pytest.mark.parametrize("over_relaxation", [0, 2])
def test_pairs_and_chains_of_second_neighbours_are_exact(over_relaxation):
    # An open chain of n spins has n - 1 independent bonds: each is <S.S'> = coth(J2/T) - T/J2, along a diagonal too.
    J2, temperature = 0.8, 0.5
    langevin = 1.0 / np.tanh(J2 / temperature) - temperature / J2
    rows, columns = np.arange(24)[:, None], np.arange(24)
    pairs = ((rows % 4 == 0) & (columns % 4 == 0)) | ((rows % 4 == 1) & (columns % 4 == 3))
    chain = rows == columns
    for mask, boundary, bonds in ((pairs, "periodic", 36), (chain, "open", 23)):
        h = Hamiltonian(**BARE, J2=J2, mask=mask, boundary=boundary)
        states = states_of(h, mask.shape, temperature, 2000, 2, over_relaxation)
        mean, error = mean_and_error(h.energy(states) / bonds)
        assert abs(mean + J2 * langevin) < 4.0 * error and error < 0.004


@pytest.mark.parametrize("over_relaxation", [0, 1])
def test_pairs_and_squares_of_terms_are_exact(over_relaxation):
    temperature, strength = 0.4, 1.0
    expected = -strength * product_mean(strength / temperature)
    rows, columns = np.arange(24)[:, None], np.arange(24)
    # Uniform without energy: the components S_x of a pair along x, and S.S' of the two bonds of a square.
    pairs, squares = (rows % 2 == 0) & (columns % 3 < 2), (rows % 3 < 2) & (columns % 3 < 2)
    for term, mask, count in ((Compass(strength), pairs, 96), (FourSpins(strength), squares, 64)):
        h = Hamiltonian(**BARE, mask=mask, terms=[term])
        states = states_of(h, mask.shape, temperature, 500, 2, over_relaxation)
        mean, error = mean_and_error(h.energy(states) / count)
        assert abs(mean - expected) < 4.0 * error and error < 0.004


@pytest.mark.parametrize("hamiltonian", HAMILTONIANS, ids=lambda h: f"{h.dmi} K={h.K} {h.boundary}")
def test_agrees_with_the_fast_sampler_where_that_can_be_used(hamiltonian):
    shape, temperature = (4, 6), 0.7
    assert_same_means(
        observables(hamiltonian, states)
        for states in (
            thermal_states(hamiltonian, shape, temperature, samples=5000, sweeps=3, over_relaxation=1),
            states_of(hamiltonian, shape, temperature, 4000, sweeps=3),
            states_of(hamiltonian, shape, temperature, 4000, sweeps=2, over_relaxation=1),
        )
    )


@pytest.mark.parametrize(
    ("hamiltonian", "shape"),
    [
        (Hamiltonian(D=0.8, B=0.3, J2=0.5), (5, 4)),
        (Hamiltonian(D=0.8, B=0.3, K=0.6, J2=-0.6, dmi="bloch", boundary=("open", "periodic")), (4, 5)),
        (Hamiltonian(D=0.8, B=-0.3, K=-0.6, J2=0.5, boundary="open"), (4, 4)),
        (Hamiltonian(D=0.8, B=0.3, J2=0.7, mask=CLUSTER), (4, 4)),
    ],
    ids=lambda value: f"J2={value.J2} K={value.K}" if isinstance(value, Hamiltonian) else "",
)
def test_second_neighbours_agree_with_metropolis(hamiltonian, shape):
    temperature = 1.2
    assert_same_means(
        [metropolis_observables(hamiltonian, shape, temperature, samples=10_000)]
        + [observables(hamiltonian, states_of(hamiltonian, shape, temperature, 4000, 3, count)) for count in (0, 1)]
    )


@pytest.mark.parametrize("temperature", [0.1, 1.0])
@pytest.mark.parametrize(("hamiltonian", "shape"), GENERAL)
def test_configurational_temperature(hamiltonian, shape, temperature):
    # Holds for K = 0, as the energy is linear in each spin.
    h = dataclasses.replace(hamiltonian, K=0.0)
    states = states_of(h, shape, temperature, samples=240, sweeps=1, over_relaxation=1)
    assert_configurational_temperature(h, states, temperature, precision=0.05)


def test_energy_histograms_of_two_temperatures():
    sampling = {"sampler": GeneralMonteCarlo, "burn_in": 100, "samples": 4000, "sweeps": 2, "over_relaxation": 1}
    assert_histograms_differ_by_the_temperatures(Hamiltonian(J2=0.3), (5, 6), (0.8, 0.9), 0.02, **sampling)


@pytest.mark.parametrize(("hamiltonian", "shape"), GENERAL)
def test_sweeps_keep_what_they_should(hamiltonian, shape):
    assert_sweeps_keep_what_they_should(GeneralMonteCarlo(hamiltonian, shape, seed=5), fall=0.3)


def test_stripes_and_errors():
    h = Hamiltonian(D=0.0, B=0.0, K=0.05, J2=-1.0)
    lowest = min(float(h.energy_per_site(anneal(h, (8, 8), QUICK, index=index))) for index in range(4))
    assert lowest == pytest.approx(-2.0 - 0.05, abs=1e-5)
    with pytest.raises(ValueError, match="temperatures above 0"):
        GeneralMonteCarlo(Hamiltonian(J2=0.1), (4, 4)).heat_bath(0.0)
    with pytest.raises(ValueError, match="GeneralMonteCarlo"):
        MonteCarlo(Hamiltonian(J2=0.1), (4, 4))
