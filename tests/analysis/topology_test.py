import numpy as np
import pytest

from keras_evae.analysis import charge_of, stagger, topological_charge
from keras_evae.annealing import anneal
from keras_evae.hamiltonian import Hamiltonian
from keras_evae.symmetry import apply_point_operation
from tests.helpers.states import random_spins, skyrmion, uniform


def test_charges_in_closed_form():
    assert topological_charge(skyrmion()) == pytest.approx(-1.0, abs=1e-12)
    assert topological_charge(skyrmion(core=1.0)) == pytest.approx(1.0, abs=1e-12)
    assert topological_charge(skyrmion(winding=-1)) == pytest.approx(1.0, abs=1e-12)
    assert topological_charge(skyrmion(helicity=1.0)) == pytest.approx(-1.0, abs=1e-12)
    assert topological_charge(uniform()) == 0.0
    charges = topological_charge(random_spins(20, 8, 12))
    np.testing.assert_allclose(charges, np.round(charges), atol=1e-9)
    assert np.abs(charges).max() > 0.5
    pair = np.concatenate((skyrmion(), skyrmion()), axis=1)
    shifted = np.roll(pair, (16, 20), axis=(0, 1))
    assert topological_charge(shifted) == pytest.approx(-2.0, abs=1e-12)
    # An open edge cuts the skyrmions that lie on it.
    assert abs(topological_charge(shifted, periodic=(False, False)) + 2.0) > 0.1
    spins = uniform((4, 6))
    spins[::2] *= -1.0
    spins[1, 2] = 0.0
    spins *= 1.0 + 1e-7
    present = spins.any(axis=-1)
    assert topological_charge(np.where(present[..., None] & (np.arange(6) % 2 == 0)[:, None], spins, 0.0)) == 0.0


@pytest.mark.parametrize("operation", [(True, False, False), (False, True, False), (True, True, True)])
def test_lattice_symmetries_keep_the_charge(operation):
    spins = np.roll(skyrmion((32, 32), helicity=0.3), (3, 5), axis=(0, 1))
    assert topological_charge(apply_point_operation(spins, operation)) == pytest.approx(-1.0, abs=1e-12)


def test_absent_corners_do_not_count():
    whole = skyrmion((32, 40), radius=6.0)
    distance = np.hypot(*np.ogrid[-15.5:16, -19.5:20])
    # The skyrmion ends at a distance of 12; what is cut away beyond it has no charge.
    for periodic in ((True, True), (False, False)):
        assert topological_charge(whole * (distance < 14)[..., None], periodic) == pytest.approx(-1.0, abs=1e-12)
    # The inner half of the profile, up to the equator: half of the sphere, but for the uneven edge.
    assert topological_charge(whole * (distance < 6)[..., None]) == pytest.approx(-0.5, abs=0.12)
    assert topological_charge(np.zeros((4, 6, 3))) == 0.0
    spins, random = random_spins(6, 8), np.random.default_rng(1)
    mask = random.random((6, 8)) < 0.7
    expected = 0.0
    for y, x in np.ndindex(6, 8):
        up, right = (y + 1) % 6, (x + 1) % 8
        for corners in (((y, x), (y, right), (up, right)), ((up, right), (up, x), (y, x))):
            if all(mask[corner] for corner in corners):
                a, b, c = (spins[corner] for corner in corners)
                expected += 2 * np.arctan2(a @ np.cross(b, c), 1 + a @ b + b @ c + c @ a)
    assert topological_charge(spins * mask[..., None]) == pytest.approx(expected / (4 * np.pi), abs=1e-12)


@pytest.mark.parametrize("type_", [np.float16, np.float32, np.float64])
def test_opposite_neighbours_have_no_charge(type_):
    """An antiferromagnet, but for rounding; its staggered spins are uniform, or a skyrmion."""
    noise = 1e-7 * np.random.default_rng(0).normal(size=(32, 40, 3))
    for smooth, charge in ((uniform((32, 40), (0.6, 0.0, 0.8)) + noise, 0.0), (skyrmion(), -1.0)):
        spins = stagger(smooth).astype(type_)
        assert topological_charge(spins, staggered=True) == pytest.approx(charge, abs=1e-4)
    spins = stagger(uniform((32, 40), (0.6, 0.0, 0.8)) + noise).astype(type_)
    assert np.isnan(topological_charge(spins)) and np.isnan(topological_charge(spins[:-1], staggered=True))
    # Open axes need not be even.
    assert topological_charge(spins[:-1], (False, True), staggered=True) == pytest.approx(0.0, abs=1e-4)


def test_annealed_antiferromagnet():
    hamiltonian = Hamiltonian(J=-1, D=0, B=0, K=0.5)
    spins = anneal(hamiltonian, (32, 32), seed=1)
    assert charge_of(spins, hamiltonian) == pytest.approx(0.0, abs=1e-9)
    assert not np.isfinite(topological_charge(spins))
