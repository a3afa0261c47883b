"""What a reader must be able to tell apart in a picture."""

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest

from keras_evae import plotting
from keras_evae.analysis import topological_charge
from keras_evae.dataset.formats.spin_files import write_spins
from keras_evae.plotting import plot
from keras_evae.plotting.colors import spin_colors
from tests.helpers.states import random_spins, skyrmion

# A user's own look: everything that could turn, stretch or blur a map, or draw its curves alike.
OWN = {
    "image.origin": "upper",
    "image.interpolation": "bilinear",
    "image.aspect": "auto",
    "image.cmap": "jet",
    "axes.grid": True,
    "axes.prop_cycle": matplotlib.cycler(color=["grey"]),
    "lines.linestyle": "None",
}


@pytest.fixture(params=[{}, OWN], ids=["default", "own"])
def looks(request):
    """Matplotlib's defaults, and a user's rcParams, which plots must leave as they are."""
    with matplotlib.rc_context(request.param):
        before = dict(matplotlib.rcParams)
        yield
        assert dict(matplotlib.rcParams) == before


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


def test_absent_sites(axes):
    spins = random_spins(2, 2)
    spins[1, 0] = 0.0
    image = pixels(plotting.plot_spins(axes, spins))
    for y, x in np.ndindex(2, 2):
        colour = image[25 + 50 * y, 25 + 50 * x]
        assert (np.ptp(colour) == 0) == ((y, x) == (1, 0))


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


def test_wheel_has_plus_y_at_the_top(looks, axes):
    image = pixels(plotting.plot_color_wheel(axes)) / 255
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    for spin in np.array([(0.0, 1.0, 0.0), (1.0, 0.0, 0.0), (0.0, -1.0, 0.0), (-0.6, 0.0, 0.8)]):
        # In the plane half way out; the wheel is a disc in axes of one scale.
        x, y = spin[:2] / np.linalg.norm(spin[:2]) * np.arccos(spin[2]) / np.pi
        place = round(100 * (y - bottom) / (top - bottom)), round(100 * (x - left) / (right - left))
        np.testing.assert_allclose(image[place], spin_colors(spin), atol=0.12)


@pytest.mark.parametrize("map_", [False, True])
def test_pixels_are_sites_with_y_upwards(looks, axes, map_):
    """One spin along +y, in the upper left corner of the picture."""
    spins = np.broadcast_to((0.0, 0.0, 1.0), (4, 4, 3)).copy()
    spins[3, 0] = (0.0, 1.0, 0.0)
    image = pixels(
        plotting.plot_correlation(axes, spins[..., 2], 0.5).axes if map_ else plotting.plot_spins(axes, spins)
    )
    special = np.zeros(3) if map_ else 255 * spin_colors(spins[3, 0])
    # Without the frame: each site is one colour to its edge.
    for y, x in np.ndindex(4, 4):
        site = image[25 * y + 4 : 25 * y + 22, 25 * x + 4 : 25 * x + 22]
        assert np.abs(site - (special if (y, x) == (3, 0) else 255)).max() <= 1


def test_structure_factor_has_q_y_upwards(looks, axes):
    factor = np.ones((4, 4))
    factor[3, 2] = 100.0
    image = pixels(plotting.plot_structure_factor(axes, factor, (np.pi, np.pi), (1.0, 100.0)).axes)
    assert image[75, 50].sum() > 600 > 50 > image[25, 50].sum()
