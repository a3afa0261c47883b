"""What a figure shows: the states, the titles and the curves in its axes."""

import numpy as np

from keras_evae.plotting.colors import spin_colors


def assert_shows(axes, spins, title=None):
    """One configuration in its colours, below this title."""
    np.testing.assert_allclose(axes.images[0].get_array(), spin_colors(spins), atol=1e-6)
    assert title is None or axes.get_title() == title


def grid_of(figure, rows):
    """The axes of a figure that begins with a grid of so many rows, in rows."""
    columns = figure.axes[0].get_gridspec().ncols
    return np.array(figure.axes[: rows * columns]).reshape(rows, columns)


def curves(axes):
    """The labelled lines of axes: x and y of each."""
    lines = {line.get_label(): line.get_xydata().T for line in axes.get_lines()}
    return {label: data for label, data in lines.items() if not label.startswith("_")}


def is_empty(axes):
    return not (axes.axison or axes.images or axes.lines)
