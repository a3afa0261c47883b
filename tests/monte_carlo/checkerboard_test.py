"""Monte Carlo on masked lattices: absent sites stay zero, present ones follow the Boltzmann distribution."""

import numpy as np
import pytest

from keras_evae.annealing import anneal, anneal_many, relax
from keras_evae.geometry import make_geometry
from keras_evae.hamiltonian import Hamiltonian
from keras_evae.monte_carlo.checkerboard import MonteCarlo
from keras_evae.monte_carlo.schedule import AnnealingSchedule
from tests.helpers.thermal import (
    CLUSTER,
    assert_same_means,
    mean_and_error,
    metropolis_observables,
    observables,
    relaxation_energies,
    thermal_states,
)

QUICK = AnnealingSchedule(start_temperature=1.0, end_temperature=0.05, temperatures=20, over_relaxation=1)
CASES = [
    Hamiltonian(D=0.8, B=0.3, mask=CLUSTER),
    Hamiltonian(D=0.8, B=-0.3, K=0.6, dmi="bloch", boundary="open", mask=CLUSTER),
    Hamiltonian(D=0.8, B=0.3, K=-0.6, boundary=("open", "periodic"), mask=CLUSTER),
]


def masked(shape, size, **arguments):
    geometry = make_geometry(shape, size)
    return Hamiltonian(mask=geometry.mask, boundary=geometry.boundary, **arguments)


SAMPLES = [
    masked("disc", 20),
    masked("triangle", 24, K=0.4, dmi="bloch"),
    masked("hexagon", 22, K=-0.4),
    masked("wire", (10, 32), D=0.6),
    masked("square", 13, J=-1.0, B=0.5),
]


def outside(hamiltonian, spins):
    return spins[..., ~hamiltonian.mask, :]


@pytest.mark.parametrize("hamiltonian", CASES, ids=lambda h: f"{h.dmi} K={h.K} {h.boundary}")
def test_heat_bath_agrees_with_metropolis(hamiltonian):
    shape, temperature = (4, 4), 0.8
    states = [
        thermal_states(hamiltonian, shape, temperature, 6000, sweeps=2, over_relaxation=over_relaxation)
        for over_relaxation in (0, 2)
    ]
    np.testing.assert_array_equal(outside(hamiltonian, np.concatenate(states)), 0.0)
    reference = metropolis_observables(hamiltonian, shape, temperature, samples=10_000)
    assert_same_means([reference] + [observables(hamiltonian, some) for some in states])


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


@pytest.mark.parametrize("hamiltonian", SAMPLES, ids=lambda h: f"{h.mask.sum()} sites")
def test_annealed_state_feels_no_torque_and_ends_at_the_mask(hamiltonian):
    spins = anneal(hamiltonian, hamiltonian.mask.shape, QUICK, seed=6)
    np.testing.assert_array_equal(outside(hamiltonian, spins), 0.0)
    inside = spins[hamiltonian.mask].astype(np.float64)
    assert np.abs(np.linalg.norm(inside, axis=-1) - 1.0).max() < 3e-7
    field = hamiltonian.effective_field(spins.astype(np.float64))[hamiltonian.mask]
    assert np.linalg.norm(np.cross(inside, field), axis=-1).max() < 1e-4


@pytest.mark.parametrize("hamiltonian", SAMPLES, ids=lambda h: f"{h.mask.sum()} sites")
def test_sweeps_keep_absent_sites_zero_and_energies_in_order(hamiltonian):
    lattice = MonteCarlo(hamiltonian, hamiltonian.mask.shape, seed=5)
    energies = relaxation_energies(lattice, sweeps=40)
    assert np.diff(energies).max() < 1e-6 and energies[-1] < energies[0] - 0.5
    lattice.heat_bath(0.5, 3, 2)
    # The padding of the rows and the ghost columns are no sites; all absent ones are exactly zero in the planes too.
    np.testing.assert_array_equal(outside(hamiltonian, lattice.spins), 0.0)
    before = hamiltonian.energy_per_site(lattice.spins.astype(np.float64))
    lattice.over_relaxation(sweeps=20)
    after = hamiltonian.energy_per_site(lattice.spins.astype(np.float64))
    if not hamiltonian.K:
        assert after == pytest.approx(before, abs=2e-6)


def test_mask_of_all_sites_gives_the_same_state():
    whole, masked = Hamiltonian(K=0.1), Hamiltonian(K=0.1, mask=np.ones((8, 12), bool))
    np.testing.assert_allclose(
        MonteCarlo(masked, (8, 12), seed=3).spins, MonteCarlo(whole, (8, 12), seed=3).spins, atol=1e-6
    )


def test_relax_reads_only_what_lies_inside():
    hamiltonian = SAMPLES[0]
    spins = MonteCarlo(Hamiltonian(), hamiltonian.mask.shape).spins
    relaxed, largest = relax(hamiltonian, spins)
    again, _ = relax(hamiltonian, spins * hamiltonian.mask[..., None])
    np.testing.assert_array_equal(relaxed, again)
    assert largest < 1e-4
    with pytest.raises(ValueError, match="unit vectors"):
        relax(hamiltonian, np.where(hamiltonian.mask[..., None], 0.5, 0.0) * spins)


def test_bits_do_not_depend_on_workers():
    arguments = SAMPLES[1], SAMPLES[1].mask.shape, 4, QUICK, 8
    for one, two in zip(anneal_many(*arguments, workers=1), anneal_many(*arguments, workers=2), strict=True):
        np.testing.assert_array_equal(one, two)


def test_shape_must_be_that_of_the_mask():
    with pytest.raises(ValueError, match=r"mask's shape \(4, 4\). Received: \(4, 6\)"):
        anneal(CASES[0], (4, 6))
    with pytest.raises(ValueError, match="even number of sites along the periodic x axis"):
        anneal(Hamiltonian(mask=np.ones((4, 5), bool)), (4, 5))
