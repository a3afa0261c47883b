import numpy as np
import pytest

from keras_evae.analysis import topological_charge
from keras_evae.symmetry import apply_point_operation
from tests.states import random_spins, skyrmion, uniform


def test_single_skyrmion():
    assert topological_charge(skyrmion()) == pytest.approx(-1.0, abs=1e-12)
    assert topological_charge(skyrmion(core=1.0)) == pytest.approx(1.0, abs=1e-12)
    assert topological_charge(skyrmion(winding=-1)) == pytest.approx(1.0, abs=1e-12)
    assert topological_charge(skyrmion(helicity=1.0)) == pytest.approx(-1.0, abs=1e-12)


def test_uniform_state_has_none():
    assert topological_charge(uniform()) == 0.0


def test_integer_on_the_torus_even_for_noise():
    charges = topological_charge(random_spins(20, 8, 12))
    np.testing.assert_allclose(charges, np.round(charges), atol=1e-9)
    assert np.abs(charges).max() > 0.5


def test_charge_of_two_skyrmions_across_the_edge():
    pair = np.concatenate((skyrmion(), skyrmion()), axis=1)
    shifted = np.roll(pair, (16, 20), axis=(0, 1))
    assert topological_charge(shifted) == pytest.approx(-2.0, abs=1e-12)
    # An open edge cuts the skyrmions that lie on it.
    assert abs(topological_charge(shifted, periodic=(False, False)) + 2.0) > 0.1


@pytest.mark.parametrize("operation", [(True, False, False), (False, True, False), (True, True, True)])
def test_lattice_symmetries_keep_the_charge(operation):
    spins = np.roll(skyrmion((32, 32), helicity=0.3), (3, 5), axis=(0, 1))
    assert topological_charge(apply_point_operation(spins, operation)) == pytest.approx(-1.0, abs=1e-12)
