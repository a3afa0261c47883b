"""What a reader must be able to tell apart in a picture."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from keras_evae import plotting
from keras_evae.analysis import topological_charge
from keras_evae.dataset.formats.spin_files import write_spins
from keras_evae.plotting import plot
from tests.helpers.states import random_spins, skyrmion


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


def test_plot_of_a_file_with_arrows_and_of_other_quantities(tmp_path):
    state = skyrmion((24, 32))
    write_spins(tmp_path / "a.ovf", state, "binary8")
    axes = plot(tmp_path / "a.ovf", quiver=True).axes[0]
    arrows = axes.collections[0]
    x, y = arrows.get_offsets().astype(int).T
    np.testing.assert_allclose(np.stack((arrows.U, arrows.V), axis=-1), state[y, x, :2], atol=1e-6)
    shown = plot(state, quantity="z").axes[0].images[-1].get_array()
    np.testing.assert_array_equal(shown, state[..., 2])
    density = plot(state, quantity="charge").axes[0].images[-1].get_array()
    assert density.sum() == pytest.approx(topological_charge(state)) == pytest.approx(-1)
    with pytest.raises(ValueError, match="quantity"):
        plot(state, quantity="energy")
