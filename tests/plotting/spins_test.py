"""What a reader must be able to tell apart in a picture."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from keras_evae import plotting
from tests.helpers.states import random_spins


@pytest.fixture
def axes():
    figure, axes = plt.subplots(figsize=(1, 1), dpi=100)
    axes.set_position((0, 0, 1, 1))
    yield axes
    plt.close(figure)


def pixels(axes):
    """RGB values `(y, x, 3)` in 0 ... 255 of the picture, y upwards."""
    axes.figure.canvas.draw()
    return np.asarray(axes.figure.canvas.buffer_rgba())[::-1, :, :3].astype(int)


def test_absent_sites_are_grey_and_spins_are_not(axes):
    spins = random_spins(2, 2)
    spins[1, 0] = 0.0
    image = pixels(plotting.plot_spins(axes, spins))
    for y, x in np.ndindex(2, 2):
        colour = image[25 + 50 * y, 25 + 50 * x]
        assert (np.ptp(colour) == 0) == ((y, x) == (1, 0))


def test_absent_sites_of_a_map_are_no_grey(axes):
    plotting.plot_correlation(axes, np.array([[1.0, np.nan], [0.5, 0.9]]), 0.5)
    colours = [np.ptp(pixels(axes)[y, x]) for y in (25, 75) for x in (25, 75)]
    assert sum(spread > 0 for spread in colours) == 1
