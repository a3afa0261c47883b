import numpy as np
import pytest

from keras_evae.analysis.principal_components import critical_beta, largest_component, largest_fourier_component
from tests.helpers.states import random_spins, uniform


def all_translations(spins):
    _, height, width, _ = spins.shape
    return np.concatenate([np.roll(spins, (y, x), (1, 2)) for y in range(height) for x in range(width)])


@pytest.mark.parametrize("shape", [(4, 6), (5, 4), (3, 7)])
def test_fourier_components_are_those_of_all_translations(shape):
    spins = random_spins(5, *shape) + (0.0, 0.2, 0.7)
    covariance = np.cov(all_translations(spins).reshape(-1, 3 * shape[0] * shape[1]).T, bias=True)
    exact = np.linalg.eigvalsh(covariance)[-1] / (shape[0] * shape[1])
    assert largest_fourier_component(spins) == pytest.approx(exact, rel=1e-12)
    assert largest_component(all_translations(spins)) == pytest.approx(exact, rel=1e-9)


def test_cycloids_at_all_phases():
    """S = (sin, 0, cos)(q x + phase): two components share the variance 1 of each spin equally."""
    phases = np.linspace(0, 2 * np.pi, 8, endpoint=False)[:, None, None] + 2 * np.pi * 3 / 16 * np.arange(16)
    angle = np.broadcast_to(phases, (8, 12, 16))
    cycloids = np.stack((np.sin(angle), 0 * angle, np.cos(angle)), axis=-1).astype(np.float32)
    assert largest_component(cycloids) == pytest.approx(0.5, rel=1e-6)
    assert largest_fourier_component(cycloids[:1]) == pytest.approx(0.5, rel=1e-6)
    assert critical_beta(cycloids, (True, True)) == pytest.approx(1.0, rel=1e-6)
    # Without translations one phase is one state, which needs no latent vector.
    assert critical_beta(cycloids[:1], (True, False)) == pytest.approx(0.0, abs=1e-6)


def test_domains_noise_and_parts():
    """One uniform component, which carries all the variance; the mean is taken out."""
    spins = np.stack([uniform((4, 6)), -uniform((4, 6)), uniform((4, 6)), uniform((4, 6))])
    for component in (largest_component, largest_fourier_component):
        assert component(spins) == pytest.approx(1 - 0.5**2, rel=1e-12)
    spins = random_spins(400, 6, 8)
    # Variance 1/3 a component of a spin, each an eigenvalue; Marchenko-Pastur for the plain one.
    assert largest_fourier_component(spins) * 48 == pytest.approx(1 / 3, rel=0.3)
    assert largest_component(spins) * 48 == pytest.approx((1 + np.sqrt(144 / 400)) ** 2 / 3, rel=0.1)
    spins = random_spins(130, 4, 6)
    assert largest_fourier_component(spins) == pytest.approx(largest_fourier_component(spins[::-1]), rel=1e-12)
    assert largest_fourier_component(np.concatenate([spins] * 2)) == pytest.approx(
        largest_fourier_component(spins), rel=1e-12
    )


@pytest.mark.parametrize("periodic", [(True, True), (False, False)])
def test_masked_samples_count_present_sites(periodic):
    spins = random_spins(40, 6, 10)
    padded = np.zeros((40, 12, 16, 3))
    padded[:, 3:9, 2:12] = spins
    assert critical_beta(padded, periodic) == pytest.approx(2 * largest_component(spins), rel=1e-12)
