import colorsys

import numpy as np
import pytest

from keras_evae.plotting.colors import spin_colors
from tests.helpers.states import random_spins


@pytest.mark.parametrize(
    ("spin", "color"),
    [((1, 0, 0), (1, 0, 0)), ((0, 0, 1), (1, 1, 1)), ((0, 0, -1), (0, 0, 0)), ((-1, 0, 0), (0, 1, 1))],
)
def test_axes(spin, color):
    np.testing.assert_allclose(spin_colors(np.array(spin, float)), color, atol=1e-12)


def test_equals_the_standard_library():
    for spin in random_spins(200):
        hue = np.arctan2(spin[1], spin[0]) / (2 * np.pi) % 1.0
        expected = colorsys.hls_to_rgb(hue, (1 + spin[2]) / 2, 1.0)
        np.testing.assert_allclose(spin_colors(spin), expected, atol=1e-9)


def test_absent_sites_are_grey_like_no_spin():
    colors = spin_colors(np.stack([np.zeros(3), *random_spins(50)]))
    assert np.ptp(colors[0]) == 0 and 0.7 < colors[0, 0] < 1
    assert np.all(np.ptp(colors[1:], axis=-1) > 0)
