"""Spin configurations, and maps over their sites.

Spins are shown in one colour convention everywhere: hue = in-plane angle (+x is red), lightness = S_z.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patches import Rectangle

from keras_evae.plotting.canvas import style
from keras_evae.plotting.colors import spin_colors, wheel_colors

# Longer side of a configuration and side of the colour wheel, in inches.
SIDE, WHEEL = 2.2, 1.0
# Of every picture of a lattice, whatever a user's rcParams say.
PIXELS: dict[str, Any] = {"origin": "lower", "interpolation": "nearest", "aspect": "equal"}
# Angles in degrees that all lie below this make a map without anything to see, which says so.
NOTHING = 1e-3


def plot(spins: np.ndarray, titles: str | Sequence[str] = (), columns: int = 5) -> Figure:
    """Shows one configuration, or a row of them, with the colour wheel.

    Args:
        spins: Unit vectors, `(y, x, 3)` or `(n, y, x, 3)`; zero vectors where there is no spin.
        titles: A title for each configuration; none by default.
        columns: Configurations beside each other; more of them fill further rows.

    Returns:
        The figure. A notebook shows it as the last value of a cell, `plt.show()` on a screen with windows;
        `savefig` writes a file.

    Raises:
        ValueError: For another shape, or another number of titles.

    Example:

    >>> up = np.zeros((16, 32, 3)); up[..., 2] = 1.0
    >>> figure = plot(up, "all up")
    """
    states = np.asarray(spins)[None] if np.ndim(spins) == 3 else np.asarray(spins)
    if states.ndim != 4 or states.shape[-1] != 3 or 0 in states.shape:
        raise ValueError(f"`spins` must have the shape (y, x, 3) or (n, y, x, 3). Received: shape={np.shape(spins)}")
    names = [titles] if isinstance(titles, str) else list(titles) or [""] * len(states)
    if len(names) != len(states) or columns < 1:
        raise ValueError(
            f"Expected a title for each of {len(states)} configurations, and columns of at least 1. "
            f"Received: titles={names}, columns={columns}"
        )
    # Imported late: no other figure is the user's to show.
    import matplotlib.pyplot as plt

    rows, columns = -(-len(states) // columns), min(columns, len(states))
    height, width = SIDE * np.array(states.shape[1:3]) / max(states.shape[1:3])
    size = (width * columns + WHEEL, max((height + 0.3 * any(names)) * rows, WHEEL))
    # Outside of the style, which would take back what a notebook sets when it opens its first figure.
    figure = plt.figure(figsize=size, layout="constrained")
    with style():
        grid = figure.add_gridspec(rows, columns + 1, width_ratios=[width] * columns + [WHEEL])
        for index, (state, name) in enumerate(zip(states, names, strict=True)):
            plot_spins(figure.add_subplot(grid[divmod(index, columns)]), state, name)
        plot_color_wheel(figure.add_subplot(grid[:, -1]))
    if type(figure.canvas) is FigureCanvasAgg:
        # Without a window: else a notebook would show it twice, and scripts would pile them up.
        plt.close(figure)
    return figure


def plot_spins(axes: Axes, spins: np.ndarray, title: str = "") -> Axes:
    """One configuration `(y, x, 3)` in colour, y upwards; light grey where there is no spin."""
    axes.set_axis_on()
    axes.imshow(spin_colors(spins), **PIXELS)
    axes.set(xticks=[], yticks=[], title=title)
    axes.grid(False)
    # A frame: a uniform state is white all over.
    axes.spines[:].set(visible=True, linewidth=0.3, color="gray")
    return axes


def plot_color_wheel(axes: Axes, pixels: int = 401) -> Axes:
    """The colours of all directions, seen along -z: +z in the centre, in the plane half way out, -z at the rim."""
    axes.imshow(wheel_colors(pixels), extent=(-1, 1, -1, 1), **PIXELS)
    axes.set_axis_off()
    axes.set(xlim=(-1.55, 1.55), ylim=(-1.65, 1.45))
    for text, place in {"$+x$": (1.35, 0), "$+y$": (0, 1.22), "$-x$": (-1.35, 0), "$-y$": (0, -1.2)}.items():
        axes.text(*place, text, ha="center", va="center", fontsize=7)
    axes.text(0, 0, "$+z$", ha="center", va="center", fontsize=7)
    axes.text(0, -1.57, "rim $-z$", ha="center", va="center", fontsize=7)
    return axes


def plot_correlation(axes: Axes, correlation: np.ndarray, lowest: float, title: str = "") -> AxesImage:
    """Map `(y, x)` of cos(theta) in grey, y upwards: white at 1, black at `lowest` and below, pale blue at NaN."""
    axes.set_axis_on()
    axes.set_facecolor("lightsteelblue")
    image = axes.imshow(
        correlation, cmap="gray", vmin=lowest, vmax=1.0, origin="lower", interpolation="nearest", aspect="equal"
    )
    axes.set(xticks=[], yticks=[], title=title)
    if np.nanmin(correlation) >= np.cos(np.radians(NOTHING)):
        axes.text(0.5, 0.5, rf"$\theta$ < {NOTHING:g}°", ha="center", va="center", fontsize=6, transform=axes.transAxes)
    axes.grid(False)
    # A frame: the map of a relaxed state is white all over.
    axes.spines[:].set(visible=True, linewidth=0.3)
    return image


def plot_square(axes: Axes, side: float) -> Axes:
    """A dashed square of `side` sites in the middle of a configuration drawn by `plot_spins`."""
    width, height = np.sum(axes.get_xlim()), np.sum(axes.get_ylim())
    corner = (width - side) / 2, (height - side) / 2
    axes.add_patch(Rectangle(corner, side, side, fill=False, edgecolor="black", linestyle="--", linewidth=1.0))
    return axes
