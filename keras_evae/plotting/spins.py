"""Pictures of spin configurations, and maps over their sites: `plot`, colour wheel, arrows, local correlation.

Spins are shown in one colour convention everywhere: hue = in-plane angle (+x is red), lightness = S_z.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patches import Rectangle

from keras_evae.analysis.topology import charge_density
from keras_evae.dataset.formats.spin_files import read_spins
from keras_evae.errors import ArgumentError
from keras_evae.plotting.canvas import style
from keras_evae.plotting.colors import spin_colors, wheel_colors

# Longer side of a configuration and side of the colour wheel, in inches.
SIDE, WHEEL = 2.2, 1.0
# What `plot` shows, and the labels of its scale.
QUANTITIES = {"spins": "", "z": "$S_z$", "charge": "charge of a square"}
# Of every picture of a lattice, whatever a user's rcParams say.
PIXELS: dict[str, Any] = {"origin": "lower", "interpolation": "nearest", "aspect": "equal"}
# Angles in degrees that all lie below this make a map without anything to see, which says so.
NOTHING = 1e-3


def plot(
    spins: np.ndarray | str | Path,
    titles: str | Sequence[str] = (),
    columns: int = 5,
    quantity: str = "spins",
    quiver: bool = False,
) -> Figure:
    """Shows one configuration, or a row of them, with the colour wheel.

    Args:
        spins: Unit vectors, `(y, x, 3)` or `(n, y, x, 3)`; zero vectors where there is no spin. Or a file of them, see
            `keras_evae.read_spins`.
        titles: A title for each configuration; none by default.
        columns: Configurations beside each other; more of them fill further rows.
        quantity: `spins` in colour, `z` for their z component, `charge` for the density of topological charge, of which
            both have a scale instead of the wheel.
        quiver: Arrows of the in-plane components too, some 24 along the longer side.

    Returns the figure. A notebook shows it as the last value of a cell, `plt.show()` on a screen with windows;
    `savefig` writes a file.

    Raises:
        ValueError: For another shape, quantity, or number of titles.
        DataError: If the file cannot be read.

    >>> up = np.zeros((16, 32, 3)); up[..., 2] = 1.0
    >>> figure = plot(up, "all up")
    """
    if isinstance(spins, str | Path):
        spins = read_spins(spins)
    if quantity not in QUANTITIES:
        raise ArgumentError("quantity", f"one of {', '.join(QUANTITIES)}", quantity)
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
            axes = figure.add_subplot(grid[divmod(index, columns)])
            image = plot_map(axes, state, quantity, name)
            if quiver:
                plot_arrows(axes, state)
        scale = figure.add_subplot(grid[:, -1])
        if quantity == "spins":
            plot_color_wheel(scale)
        else:
            scale.set_box_aspect(8)
            figure.colorbar(image, cax=scale, label=QUANTITIES[quantity])
    if type(figure.canvas) is FigureCanvasAgg:
        # Without a window: else a notebook would show it twice, and scripts would pile them up.
        plt.close(figure)
    return figure


def plot_spins(axes: Axes, spins: np.ndarray, title: str = "") -> Axes:
    """One configuration `(y, x, 3)` in colour, y upwards; light grey where there is no spin."""
    _show_sites(axes, spin_colors(spins), title)
    axes.spines[:].set(color="gray")
    return axes


def plot_map(axes: Axes, spins: np.ndarray, quantity: str, title: str = "") -> AxesImage:
    """A quantity of `plot` on the sites of one configuration `(y, x, 3)`, y upwards."""
    plot_spins(axes, spins, title)
    if quantity == "spins":
        return axes.images[0]
    values = spins[..., 2] if quantity == "z" else charge_density(spins)
    limit = 1.0 if quantity == "z" else float(np.abs(values).max()) or 1.0
    shown = np.ma.masked_where(~spins.any(axis=-1), values)
    return axes.imshow(shown, cmap="RdBu_r", vmin=-limit, vmax=limit, **PIXELS)


def plot_arrows(axes: Axes, spins: np.ndarray, count: int = 24) -> None:
    """Arrows of the in-plane components of one configuration, some `count` along its longer side."""
    step = max(1, round(max(spins.shape[:2]) / count))
    y, x = np.mgrid[step // 2 : spins.shape[0] : step, step // 2 : spins.shape[1] : step]
    scale = {"scale": 1.0 / step, "scale_units": "xy", "width": 0.005}
    axes.quiver(x, y, spins[y, x, 0], spins[y, x, 1], pivot="mid", **scale)


def plot_color_wheel(axes: Axes) -> Axes:
    """The colours of all directions, seen along -z: +z in the centre, in the plane half way out, -z at the rim."""
    axes.imshow(wheel_colors(), extent=(-1, 1, -1, 1), **PIXELS)
    axes.set_axis_off()
    axes.set(xlim=(-1.55, 1.55), ylim=(-1.65, 1.45))
    texts = {"$+x$": (1.35, 0), "$+y$": (0, 1.22), "$-x$": (-1.35, 0), "$-y$": (0, -1.2), "$+z$": (0, 0)}
    for text, place in {**texts, "rim $-z$": (0, -1.57)}.items():
        axes.text(*place, text, ha="center", va="center", fontsize=7)
    return axes


def plot_correlation(axes: Axes, correlation: np.ndarray, lowest: float, title: str = "") -> AxesImage:
    """Map `(y, x)` of cos(theta) in grey, y upwards: white at 1, black at `lowest` and below, pale blue at NaN."""
    axes.set_facecolor("lightsteelblue")
    image = _show_sites(axes, correlation, title, cmap="gray", vmin=lowest, vmax=1.0)
    if np.nanmin(correlation) >= np.cos(np.radians(NOTHING)):
        axes.text(0.5, 0.5, rf"$\theta$ < {NOTHING:g}°", ha="center", va="center", fontsize=6, transform=axes.transAxes)
    return image


def _show_sites(axes: Axes, values: np.ndarray, title: str, **look: Any) -> AxesImage:
    """Sites as pixels, in a frame: a uniform state and the map of a relaxed one are white all over."""
    axes.set_axis_on()
    axes.set(xticks=[], yticks=[], title=title)
    axes.grid(False)
    axes.spines[:].set(visible=True, linewidth=0.3)
    return axes.imshow(values, **look, **PIXELS)


def plot_square(axes: Axes, side: float) -> None:
    """A dashed square of `side` sites in the middle of a configuration drawn by `plot_spins`."""
    width, height = np.sum(axes.get_xlim()), np.sum(axes.get_ylim())
    corner = (width - side) / 2, (height - side) / 2
    axes.add_patch(Rectangle(corner, side, side, fill=False, edgecolor="black", linestyle="--", linewidth=1.0))
