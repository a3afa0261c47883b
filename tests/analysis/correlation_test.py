import numpy as np
import pytest

from keras_evae.analysis import local_correlation
from keras_evae.hamiltonian import Hamiltonian
from tests.states import random_spins, uniform


def test_relaxed_reversed_and_tilted_states():
    h = Hamiltonian()
    np.testing.assert_allclose(local_correlation(uniform(), h), 1.0)
    # Upwards the field is 4J + B, downwards the neighbours still win over B.
    np.testing.assert_allclose(local_correlation(uniform(direction=(0, 0, -1)), h), 1.0)
    in_plane = local_correlation(uniform(direction=(1, 0, 0)), h)
    np.testing.assert_allclose(in_plane, 4 / np.hypot(4, 0.05))


def test_antiparallel_and_vanishing_field():
    spins = uniform()
    np.testing.assert_allclose(local_correlation(spins, Hamiltonian(J=-1, D=0, B=0)), -1.0)
    np.testing.assert_array_equal(local_correlation(spins, Hamiltonian(J=0, D=0, B=0)), 0.0)


@pytest.mark.filterwarnings("error")
def test_noise_is_uncorrelated():
    correlation = local_correlation(random_spins(50, 16, 16), Hamiltonian())
    assert correlation.shape == (50, 16, 16)
    assert abs(correlation.mean()) < 4 * correlation.std() / np.sqrt(correlation.size)


def test_absent_sites_have_no_angle():
    h = Hamiltonian(D=0.0, boundary="open", mask=np.arange(16 * 24).reshape(16, 24) % 5 > 0)
    correlation = local_correlation(np.stack([uniform(), -uniform()]), h)
    np.testing.assert_array_equal(np.isnan(correlation), np.broadcast_to(~h.mask, correlation.shape))
    np.testing.assert_allclose(correlation[:, h.mask], 1.0)
