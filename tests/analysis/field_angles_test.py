import numpy as np
import pytest

from keras_evae.analysis import field_angle, local_correlation
from keras_evae.hamiltonian import Hamiltonian
from tests.helpers.states import random_spins, skyrmion, uniform


def test_closed_forms():
    h = Hamiltonian()
    np.testing.assert_allclose(local_correlation(uniform(), h), 1.0)
    # Upwards the field is 4J + B, downwards the neighbours still win over B.
    np.testing.assert_allclose(local_correlation(uniform(direction=(0, 0, -1)), h), 1.0)
    in_plane = local_correlation(uniform(direction=(1, 0, 0)), h)
    np.testing.assert_allclose(in_plane, 4 / np.hypot(4, 0.05))
    for h, cosine in ((Hamiltonian(J=-1, D=0, B=0), -1.0), (Hamiltonian(J=0, D=0, B=0), 0.0)):
        np.testing.assert_allclose(local_correlation(uniform(), h), cosine, atol=1e-15)
        np.testing.assert_allclose(field_angle(uniform(), h), np.arccos(cosine))
    h = Hamiltonian(D=0.0, boundary="open", mask=np.arange(16 * 24).reshape(16, 24) % 5 > 0)
    correlation = local_correlation(np.stack([uniform(), -uniform()]), h)
    np.testing.assert_array_equal(np.isnan(correlation), np.broadcast_to(~h.mask, correlation.shape))
    np.testing.assert_allclose(h.on_sites(correlation), 1.0)
    angles = field_angle(np.stack([uniform(), -uniform()]), h)
    np.testing.assert_array_equal(np.isnan(angles), np.isnan(correlation))
    np.testing.assert_allclose(h.on_sites(angles), 0.0)
    assert Hamiltonian().on_sites(correlation).shape == (2, 16 * 24)


def tilted(angle, shape=(16, 24)):
    """Every fourth row and column turned away from +z by `angle`: no two of them are neighbours."""
    spins = uniform(shape)
    spins[::4, ::4] = (np.sin(angle), 0.0, np.cos(angle))
    return spins


@pytest.mark.parametrize("angle", [1e-6, 1e-4, 0.1, 3.0])
def test_angle_of_single_tilted_spins(angle):
    h = Hamiltonian(D=0.0)
    for dtype in (np.float64, np.float32):
        found = field_angle(tilted(angle).astype(dtype), h)
        assert found.dtype == dtype
        np.testing.assert_allclose(found[::4, ::4], angle, rtol=1e-6)
        np.testing.assert_array_equal(found[2::4, 2::4], 0.0)


def test_small_angles_and_cosines():
    """The arc cosine loses angles below 3e-4; the arc tangent does not."""
    h, small = Hamiltonian(), 1e-4
    noise = small * np.random.default_rng(0).normal(size=(16, 24, 3))
    exact = uniform() + noise
    exact = (exact / np.linalg.norm(exact, axis=-1, keepdims=True)).astype(np.float32)
    reference = field_angle(exact.astype(np.float64), h)
    np.testing.assert_allclose(field_angle(exact, h), reference, atol=1e-3 * small)
    assert np.abs(np.arccos(local_correlation(exact, h)) - reference).max() > small
    for spins in (random_spins(3, 16, 24), skyrmion((16, 24))):
        for h in (Hamiltonian(dmi="bloch"), Hamiltonian(boundary=("open", "periodic"), K=0.2)):
            np.testing.assert_allclose(np.cos(field_angle(spins, h)), local_correlation(spins, h), atol=1e-12)


@pytest.mark.filterwarnings("error")
def test_noise_is_uncorrelated():
    correlation = local_correlation(random_spins(50, 16, 16), Hamiltonian())
    assert correlation.shape == (50, 16, 16)
    assert abs(correlation.mean()) < 4 * correlation.std() / np.sqrt(correlation.size)
