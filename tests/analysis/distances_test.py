"""How alike states are: FFT-MSE by its definition, distances of distributions with their errors."""

import itertools

import numpy as np
import pytest

from keras_evae.analysis import fft_mse, wasserstein
from tests.helpers.states import random_spins, skyrmion, uniform


def configurations(mean, count=50, each=20, seed=0, spread=1.0):
    random = np.random.default_rng(seed)
    return [mean + spread * random.normal(size=each) for _ in range(count)]


def test_distances_of_given_values():
    values = configurations(0.0)
    distance, error = wasserstein(values, [part + 3.0 for part in values])
    assert distance == pytest.approx(3.0) and 0.0 < error < 0.2
    assert wasserstein(values, values)[0] == 0.0
    once = [np.array([value]) for value in np.random.default_rng(0).normal(size=50)]
    far = [value + 5.0 for value in once]
    repeated = wasserstein([np.repeat(v, 20) for v in once], [np.repeat(v, 20) for v in far])
    assert repeated == pytest.approx(wasserstein(once, far))
    first, second = configurations(0.0), configurations(1.0, seed=1)
    assert wasserstein(first, second, seed=3) == wasserstein(first, second, seed=3)
    assert wasserstein(first, second, seed=3)[1] != wasserstein(first, second, seed=4)[1]
    nothing = [np.zeros(0)] * 3
    assert np.isnan(wasserstein(nothing, [np.ones(1)])).all()
    assert np.isnan(wasserstein([], [np.ones(1)])).all()
    distance, error = wasserstein([*nothing, np.zeros(1)], [np.ones(1)])
    assert distance == 1.0 and error == 0.0


def test_error_is_that_of_independent_draws():
    drawn = [wasserstein(configurations(0, seed=2 * k), configurations(2, seed=2 * k + 1)) for k in range(40)]
    distances, errors = np.array(drawn).T
    assert distances.mean() == pytest.approx(2.0, abs=0.02)
    # Here W is the difference of the means, so that the bootstrap is unbiased.
    assert errors.mean() == pytest.approx(distances.std(), rel=0.35)


def by_pairs(spins, complex):
    """The definition, pair by pair."""
    transforms = [np.fft.fft2(state[..., 2]) / state[..., 2].size for state in spins]
    if not complex:
        transforms = [np.abs(transform) for transform in transforms]
    return np.mean([np.mean(np.abs(a - b) ** 2) for a, b in itertools.combinations(transforms, 2)])


@pytest.mark.parametrize("complex", [False, True])
def test_fft_mse_equals_the_definition(complex):
    spins = random_spins(5, 6, 8)
    assert fft_mse(spins, complex=complex) == pytest.approx(by_pairs(spins, complex), rel=1e-12)


def test_fft_mse_in_closed_form():
    states = np.stack((uniform((4, 8), (0, 0, 1)), uniform((4, 8), (1, 0, 0))))
    assert fft_mse(states) == pytest.approx(1 / 32)
    state = skyrmion()
    states = np.stack([state, np.roll(state, (5, 9), axis=(0, 1))])
    assert fft_mse(states) < 1e-30
    assert fft_mse(states, complex=True) > 1e-4
    assert fft_mse(np.stack([uniform()] * 3)) == 0.0
    with pytest.raises(ValueError, match="at least two states.*Received"):
        fft_mse(uniform()[None])
    present = (np.arange(8) < 4)[:, None]
    states = np.stack((uniform((4, 8), (0, 0, 1)), uniform((4, 8), (1, 0, 0)))) * present
    transform = np.abs(np.fft.fft2(states[0, ..., 2])) / 16
    assert transform[0, 0] == 1.0
    assert fft_mse(states) == pytest.approx(np.mean(transform**2))
