import itertools

import numpy as np
import pytest

from keras_evae.analysis import fft_mse
from tests.helpers.states import random_spins, skyrmion, uniform


def by_pairs(spins, complex):
    """The definition, pair by pair."""
    transforms = [np.fft.fft2(state[..., 2]) / state[..., 2].size for state in spins]
    if not complex:
        transforms = [np.abs(transform) for transform in transforms]
    return np.mean([np.mean(np.abs(a - b) ** 2) for a, b in itertools.combinations(transforms, 2)])


@pytest.mark.parametrize("complex", [False, True])
def test_equals_the_definition(complex):
    spins = random_spins(5, 6, 8)
    assert fft_mse(spins, complex=complex) == pytest.approx(by_pairs(spins, complex), rel=1e-12)


def test_known_difference_of_two_uniform_states():
    # Only k = 0 differs, by 1: its square is averaged over all k.
    states = np.stack((uniform((4, 8), (0, 0, 1)), uniform((4, 8), (1, 0, 0))))
    assert fft_mse(states) == pytest.approx(1 / 32)


def test_blind_to_translations_only_in_magnitude():
    state = skyrmion()
    states = np.stack([state, np.roll(state, (5, 9), axis=(0, 1))])
    assert fft_mse(states) < 1e-30
    assert fft_mse(states, complex=True) > 1e-4


def test_equal_states_and_too_few_states():
    assert fft_mse(np.stack([uniform()] * 3)) == 0.0
    with pytest.raises(ValueError, match="at least two states.*Received"):
        fft_mse(uniform()[None])


def test_absent_sites_do_not_count():
    # Half of the sites carry a spin: m_z at k = 0 is that of the spins, 1 and 0.
    present = (np.arange(8) < 4)[:, None]
    states = np.stack((uniform((4, 8), (0, 0, 1)), uniform((4, 8), (1, 0, 0)))) * present
    transform = np.abs(np.fft.fft2(states[0, ..., 2])) / 16
    assert transform[0, 0] == 1.0
    assert fft_mse(states) == pytest.approx(np.mean(transform**2))
