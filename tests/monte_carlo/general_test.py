"""The general sampler against exact results, against plain Metropolis, and against the fast sampler."""

import dataclasses
import functools

import numpy as np
import pytest

from keras_evae.annealing import anneal, anneal_many, relax
from keras_evae.errors import ConfigError, NumericalError
from keras_evae.geometry import make_geometry
from keras_evae.hamiltonian import Hamiltonian
from keras_evae.monte_carlo.checkerboard import MonteCarlo
from keras_evae.monte_carlo.general import GeneralMonteCarlo
from keras_evae.monte_carlo.schedule import AnnealingSchedule
from tests.helpers.energy_terms import RIGHT, Compass, CubicAnisotropy, FourSpins, ThirdNeighbours
from tests.helpers.thermal import (
    CLUSTER,
    HAMILTONIANS,
    assert_configurational_temperature,
    assert_same_means,
    logistic_slope,
    mean_and_error,
    metropolis_observables,
    observables,
    present_sites,
    relaxation_energies,
    thermal_states,
)

states_of = functools.partial(thermal_states, sampler=GeneralMonteCarlo, burn_in=100)
QUICK = AnnealingSchedule(start_temperature=1.0, end_temperature=0.05, temperatures=20, over_relaxation=1)
BARE = {"J": 0.0, "D": 0.0, "B": 0.0}
DISC = make_geometry("disc", 12)
# J2 of both signs, with K, edges, odd sides and absent sites; terms of both reaches.
CASES = [
    (Hamiltonian(J2=0.3), (8, 12)),
    (Hamiltonian(J2=-0.4, D=0.6, K=0.4, dmi="bloch", boundary="open"), (7, 9)),
    (Hamiltonian(J2=0.3, K=-0.4, boundary=("open", "periodic"), terms=RIGHT), (8, 11)),
    (
        Hamiltonian(J2=-0.4, mask=DISC.mask, boundary=DISC.boundary, terms=[Compass(0.4), ThirdNeighbours(0.3)]),
        (16, 16),
    ),
]


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
@pytest.mark.parametrize(("hamiltonian", "shape"), CASES)
def test_configurational_temperature(hamiltonian, shape, temperature):
    # Holds for K = 0, as the energy is linear in each spin.
    h = dataclasses.replace(hamiltonian, K=0.0)
    states = states_of(h, shape, temperature, samples=240, sweeps=1, over_relaxation=1)
    assert_configurational_temperature(h, states, temperature, precision=0.05)


def test_energy_histograms_of_two_temperatures():
    hamiltonian, shape, temperatures = Hamiltonian(J2=0.3), (5, 6), (0.8, 0.9)
    energies = [
        hamiltonian.energy(states_of(hamiltonian, shape, temperature, 4000, 2, 1, seed=number))
        for number, temperature in enumerate(temperatures)
    ]
    blocks = [logistic_slope(*pair) for pair in zip(*(np.array_split(e, 20) for e in energies), strict=True)]
    mean, error = np.mean(blocks), np.std(blocks, ddof=1) / np.sqrt(20)
    assert abs(mean - (1.0 / temperatures[0] - 1.0 / temperatures[1])) < 4.0 * error
    assert error < 0.02


@pytest.mark.parametrize(("hamiltonian", "shape"), CASES)
def test_sweeps_keep_what_they_should(hamiltonian, shape):
    lattice, outside = GeneralMonteCarlo(hamiltonian, shape, seed=5), ~present_sites(hamiltonian, shape)
    energies = relaxation_energies(lattice, sweeps=40)
    assert np.diff(energies).max() < 1e-6 and energies[-1] < energies[0] - 0.3
    lattice.heat_bath(0.5, 3, 2)
    before = lattice.spins.astype(np.float64)
    lattice.over_relaxation(sweeps=20)
    after = lattice.spins.astype(np.float64)
    assert np.abs(after - before).max() > 0.5
    np.testing.assert_array_equal(after[outside], 0.0)
    if not hamiltonian.K:
        assert hamiltonian.energy_per_site(after) == pytest.approx(hamiltonian.energy_per_site(before), abs=2e-6)


@pytest.mark.parametrize(("hamiltonian", "shape"), CASES)
def test_annealed_state_feels_no_torque(hamiltonian, shape):
    spins, present = anneal(hamiltonian, shape, QUICK, seed=6), present_sites(hamiltonian, shape)
    assert spins.dtype == np.float32 and spins.shape == (*shape, 3)
    np.testing.assert_array_equal(spins[~present], 0.0)
    spins = spins.astype(np.float64)
    assert np.abs(np.linalg.norm(spins[present], axis=-1) - 1.0).max() < 3e-7
    assert np.linalg.norm(np.cross(spins, hamiltonian.effective_field(spins)), axis=-1).max() < 1e-4


def test_strong_second_neighbours_make_stripes():
    # Beyond J2 = -J/2 antiparallel diagonals win: rows, or columns, of alternating sign at E/N = 2 J2.
    h = Hamiltonian(D=0.0, B=0.0, K=0.05, J2=-1.0)
    lowest = min(float(h.energy_per_site(anneal(h, (8, 8), QUICK, index=index))) for index in range(4))
    assert lowest == pytest.approx(-2.0 - 0.05, abs=1e-5)


def test_relax_returns_the_torque_of_its_spins():
    hamiltonian, shape = CASES[3]
    spins = MonteCarlo(Hamiltonian(), shape).spins
    relaxed, largest = relax(hamiltonian, spins, torque_tolerance=1e-3)
    torque = np.linalg.norm(np.cross(relaxed, hamiltonian.effective_field(relaxed)), axis=-1).max()
    assert largest < 1e-3 and torque == pytest.approx(largest, abs=3e-6)
    np.testing.assert_array_equal(relaxed, relax(hamiltonian, spins * hamiltonian.mask[..., None], 1e-3)[0])
    unchanged, _ = relax(Hamiltonian(J2=0.1), spins, max_sweeps=0)
    np.testing.assert_allclose(unchanged, spins, atol=3e-7)


def test_bits_follow_from_seed_and_index():
    (hamiltonian, shape), schedule = CASES[2], AnnealingSchedule(1.0, 0.05, temperatures=5, max_greedy_sweeps=20)
    one, two = (list(anneal_many(hamiltonian, shape, 4, schedule, 8, workers, start=3)) for workers in (1, 2))
    for index, (first, second) in enumerate(zip(one, two, strict=True), start=3):
        np.testing.assert_array_equal(first, second)
        np.testing.assert_array_equal(first, anneal(hamiltonian, shape, schedule, 8, index))
    assert len({state.tobytes() for state in one} | {anneal(hamiltonian, shape, schedule, 9, 3).tobytes()}) == 5


def test_errors():
    with pytest.raises(
        ValueError, match="at least 3 sites along the periodic y axis, where interactions reach 2 sites"
    ):
        anneal(Hamiltonian(terms=[ThirdNeighbours(0.1)]), (2, 8))
    with pytest.raises(ValueError, match="at least 1 sites along the open x axis"):
        anneal(Hamiltonian(J2=0.1, boundary="open"), (2, 0))
    with pytest.raises(ValueError, match="mask's shape"):
        anneal(CASES[3][0], (16, 12))
    with pytest.raises(ConfigError, match="own site"):
        anneal_many(Hamiltonian(terms=[CubicAnisotropy(0.1)]), (8, 8), 1)
    with pytest.raises(NumericalError, match="single precision"):
        anneal(Hamiltonian(J2=1e30), (4, 4), QUICK)
    with pytest.raises(ValueError, match="temperatures above 0"):
        GeneralMonteCarlo(Hamiltonian(J2=0.1), (4, 4)).heat_bath(0.0)
    with pytest.raises(ValueError, match="GeneralMonteCarlo"):
        MonteCarlo(Hamiltonian(J2=0.1), (4, 4))
