import dataclasses

import numpy as np
import pytest

from keras_evae.analysis import charge_of, defect_share, delaunay_bonds, find_skyrmions, stagger, topological_charge
from keras_evae.analysis.skyrmions import STEPS, region_charges, skyrmions_of
from keras_evae.annealing import anneal_many, relax
from keras_evae.geometry import make_geometry
from keras_evae.hamiltonian import Hamiltonian
from keras_evae.lattice import connected_regions
from keras_evae.monte_carlo.schedule import SLOW_SCHEDULE, AnnealingSchedule
from tests.helpers.states import random_spins, skyrmion, uniform

# A box of four rows of four skyrmions, close to a regular triangular lattice: 14 / 16 = 0.875, sqrt(3) / 2 = 0.866.
SHAPE = (56, 64)
LATTICE = np.array([(14 * row + 5, 16 * column + 8 * (row % 2) + 3) for row in range(4) for column in range(4)])
# In the middle between LATTICE[5] and LATTICE[6].
INTERSTITIAL = (19, 35)


def skyrmions_at(positions, shape=SHAPE, radius=3.0):
    """Neel skyrmions, centred on sites of a periodic lattice."""
    sides = np.array(shape)
    sites = np.stack(np.mgrid[: shape[0], : shape[1]], axis=-1)
    apart = (sites[None] - np.asarray(positions)[:, None, None] + sides // 2) % sides - sides // 2
    distances = np.hypot(apart[..., 0], apart[..., 1])
    nearest = distances.argmin(axis=0)[None]
    y, x = np.take_along_axis(apart, nearest[..., None], 0)[0].transpose(2, 0, 1)
    polar = np.pi * np.clip(1.0 - np.hypot(x, y) / (2 * radius), 0.0, 1.0)
    azimuth = np.arctan2(y, x)
    return np.stack((np.sin(polar) * np.cos(azimuth), np.sin(polar) * np.sin(azimuth), np.cos(polar)), axis=-1)


def counts_of(spins):
    found = find_skyrmions(spins)
    return found, delaunay_bonds(found.positions, spins.shape[:2]).counts


def sorted_rows(positions):
    positions = np.round(np.asarray(positions), 6)
    return positions[np.lexsort(positions.T[::-1])]


def test_lattice_and_disc():
    found, counts = counts_of(skyrmions_at(LATTICE))
    np.testing.assert_allclose(sorted_rows(found.positions), sorted_rows(LATTICE), atol=1e-6)
    np.testing.assert_array_equal(counts, 6)
    assert defect_share(counts) == 0.0
    spins = skyrmion((41, 61), radius=9.0)
    found = find_skyrmions(spins)
    assert found.radii == pytest.approx([9.0], rel=0.02)
    assert np.pi * found.radii**2 == pytest.approx([np.sum(spins[..., 2] < 0)])
    assert found.positions == pytest.approx(np.array([[20.0, 30.0]]))
    spins = skyrmions_at([*LATTICE, INTERSTITIAL])
    expected = sorted_rows((find_skyrmions(spins).positions + (23, 47)) % SHAPE)
    np.testing.assert_allclose(sorted_rows(find_skyrmions(np.roll(spins, (23, 47), (0, 1))).positions), expected)
    lattice = skyrmions_at(LATTICE)
    for spins in (lattice, -lattice):
        found = find_skyrmions(spins)
        assert len(found) == 16 and found.background == np.sign(spins[..., 2].sum())
        assert len(find_skyrmions(spins, background=-found.background)) == 0
    found, counts = counts_of(uniform())
    assert found.positions.shape == (0, 2) and found.radii.shape == (0,) and counts.shape == (0,)
    assert defect_share(counts) == 0.0


def test_one_skyrmion_more_and_one_less():
    found, counts = counts_of(skyrmions_at([*LATTICE, INTERSTITIAL]))
    assert len(found) == 17
    assert sorted(counts[counts != 6]) == [4, 7, 7]
    np.testing.assert_allclose(found.positions[counts == 4], [INTERSTITIAL], atol=1e-6)
    assert defect_share(counts) == pytest.approx(3 / 17)
    hole = LATTICE[5]
    found, counts = counts_of(skyrmions_at(np.delete(LATTICE, 5, axis=0)))
    assert len(found) == 15 and counts.sum() == 6 * 15
    apart = np.hypot(*((found.positions - hole + np.array(SHAPE) / 2) % SHAPE - np.array(SHAPE) / 2).T)
    # The six corners of the hole lose one neighbour each; its three diagonals give six back, unevenly.
    assert np.all(apart[counts != 6] < 17.0)
    assert sorted(counts[counts != 6]) in ([5, 5, 7, 7], [5, 5, 8])


def test_edges_cut_skyrmions():
    spins = np.roll(skyrmion((31, 41)), (-15 - 1, -20 + 2), axis=(0, 1))
    found = find_skyrmions(spins)
    np.testing.assert_allclose(found.positions, [[30.0, 2.0]], atol=1e-9)
    spins = np.roll(skyrmion((31, 41)), -13, axis=0)
    assert len(find_skyrmions(spins)) == 1
    # The centre is in row 2; what lies beyond the edge is a part without it.
    (centre,) = find_skyrmions(spins, periodic=(False, True)).positions
    assert centre[1] == pytest.approx(20.0) and 2.0 < centre[0] < 4.0
    assert len(find_skyrmions(spins[3:], periodic=(False, True))) == 0
    spins = skyrmions_at(LATTICE)
    distance = np.hypot(*np.ogrid[-27.5:28, -31.5:32])
    # The edge runs through skyrmions; those with their centre well inside count, those outside are gone.
    inside = [position for position in LATTICE if np.hypot(*(position - (27.5, 31.5))) < 17]
    found = find_skyrmions(spins * (distance < 20)[..., None], (False, False))
    np.testing.assert_allclose(sorted_rows(found.positions)[: len(inside)], sorted_rows(inside), atol=0.3)
    assert len(find_skyrmions(np.zeros((16, 24, 3)))) == 0


def test_regions_that_are_no_skyrmions():
    bubble = np.where(skyrmion()[..., 2:] < 0, uniform((32, 40), (0.0, 0.0, -1.0)), uniform((32, 40)))
    y = 2 * np.pi * np.arange(32)[:, None] / 32 + np.zeros((32, 40))
    cycloid = np.stack((np.zeros_like(y), np.sin(y), np.cos(y)), axis=-1)
    twins = skyrmion(winding=2)
    stripe = np.repeat(skyrmion((32, 15), radius=3.5), [1] * 7 + [20] + [1] * 7, axis=1)
    for spins in (bubble, cycloid, twins, stripe, uniform(), uniform(direction=(0.0, 0.0, -1.0))):
        assert len(find_skyrmions(spins)) == 0
    assert len(find_skyrmions(skyrmion(winding=-1))) == 1


def test_annealed_lattices():
    states = list(anneal_many(Hamiltonian(), (64, 96), 6, AnnealingSchedule(over_relaxation=5), workers=1))
    numbers = [len(find_skyrmions(spins)) for spins in states]
    np.testing.assert_array_equal(numbers, np.round(-topological_charge(np.stack(states))))
    assert min(numbers) >= 8
    schedule = dataclasses.replace(SLOW_SCHEDULE, temperatures=60)
    states = np.stack(list(anneal_many(Hamiltonian(), (64, 64), 20, schedule, workers=1)))
    energies = Hamiltonian().energy_per_site(states.astype(np.float64))
    assert energies.min() == pytest.approx(-2.0573164, abs=1e-6)
    found, counts = counts_of(states[energies.argmin()])
    assert len(found) == 8
    np.testing.assert_array_equal(counts, 6)


def second_charge(spins):
    """Q by the other diagonals of the squares: the mirror exchanges them, and the sign."""
    return -topological_charge(spins[:, ::-1])


@pytest.mark.parametrize(("D", "B", "sites"), [(1.0, 0.8, 4), (0.8, 0.5, 12), (0.6, 0.3, 16)])
def test_small_cores_count(D, B, sites):
    spins, torque = relax(Hamiltonian(D=D, B=B), skyrmion((24, 24), radius=2.5))
    assert torque < 1e-4 and np.sum(spins[..., 2] < 0) == sites
    assert topological_charge(spins) == pytest.approx(-1, abs=1e-6) == second_charge(spins)
    assert len(find_skyrmions(spins)) == 1


def test_charges_of_regions_add_up_to_the_charge():
    """Of noise, with any diagonal: what is no skyrmion counts too, so the cores of both backgrounds leave the same."""
    spins = random_spins(16, 20)
    for sign in (1.0, -1.0):
        upright = spins * (1.0, 1.0, sign)
        charges, whole = region_charges(
            connected_regions(upright[..., 2] < 0, (True, True), STEPS), upright, (True, True)
        )
        np.testing.assert_allclose(charges, np.round(charges), atol=1e-9)
        assert len(charges) > 3 and charges.sum() == pytest.approx(whole) == sign * topological_charge(spins)


def sample_of(kind, size, side=48, **couplings):
    geometry = make_geometry(kind, size, (side, side))
    return Hamiltonian(boundary="open", mask=geometry.mask, **couplings)


def test_domains_and_antiferromagnets():
    hamiltonian = sample_of("square", 40, B=0.0, K=0.1)
    halves = np.where(np.arange(48)[:, None] < 24, (0.0, 0.0, 1.0), (0.0, 0.0, -1.0)) * np.ones((48, 1, 1))
    spins, _ = relax(hamiltonian, halves)
    assert abs(charge_of(spins, hamiltonian)) < 0.01 and (spins[..., 2] < -0.5).sum() > 600
    assert len(skyrmions_of(spins, hamiltonian)) == len(find_skyrmions(-spins, hamiltonian.periodic)) == 0
    hamiltonian = Hamiltonian(J=-1.0, B=0.0)
    spins = stagger(skyrmions_at(LATTICE))
    assert len(skyrmions_of(spins, hamiltonian)) == 16 == -round(float(charge_of(spins, hamiltonian)))
    assert len(skyrmions_of(spins[:-1], hamiltonian)) == 0
    down = uniform(direction=(0.0, 0.0, -1.0))
    assert [skyrmions_of(down, Hamiltonian(B=B)).background for B in (-0.05, 0.05)] == [-1, 1]


@pytest.mark.parametrize("direction", [1.0, -1.0])
@pytest.mark.parametrize("B", [0.05, -0.05])
def test_one_skyrmion_in_a_disc(B, direction):
    """Its canted edge takes a part of the charge away; the core may point along the field."""
    hamiltonian = sample_of("disc", 40, B=0.05)
    spins, _ = relax(hamiltonian, skyrmion((48, 48)))
    found = skyrmions_of(direction * spins, dataclasses.replace(hamiltonian, B=B))
    assert len(found) == 1 and found.background == direction and found.radii < 7
    np.testing.assert_allclose(found.positions, [[23.5, 23.5]], atol=0.1)
