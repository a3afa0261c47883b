"""Spin configurations, and maps over their sites.

Spins are shown in one colour convention everywhere: hue = in-plane angle (+x is red), lightness = S_z.
"""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.image import AxesImage
from matplotlib.patches import Rectangle

from keras_evae.colors import spin_colors


def plot_spins(axes: Axes, spins: np.ndarray, title: str = "") -> Axes:
    """One configuration `(y, x, 3)` in colour, y upwards; light grey where there is no spin."""
    axes.imshow(spin_colors(spins), origin="lower", interpolation="nearest")
    axes.set(xticks=[], yticks=[], title=title)
    axes.grid(False)
    # A frame: a uniform state is white all over.
    axes.spines[:].set(visible=True, linewidth=0.3, color="gray")
    return axes


def plot_color_wheel(axes: Axes, pixels: int = 401) -> Axes:
    """The colours of all directions, seen along -z: +z in the centre, in the plane half way out, -z at the rim."""
    y, x = np.mgrid[-1 : 1 : pixels * 1j, -1 : 1 : pixels * 1j]
    radius = np.hypot(x, y)
    polar = np.clip(radius, 0, 1) * np.pi
    unit = np.divide(1.0, radius, out=np.zeros_like(radius), where=radius > 0)
    spins = np.stack((np.sin(polar) * x * unit, np.sin(polar) * y * unit, np.cos(polar)), axis=-1)
    # The rim fades within a pixel, so that it is smooth.
    inside = np.clip((1.0 - radius) * pixels / 2, 0.0, 1.0)
    axes.imshow(np.concatenate((spin_colors(spins), inside[..., None]), axis=-1), extent=(-1, 1, -1, 1))
    axes.set_axis_off()
    axes.set(xlim=(-1.55, 1.55), ylim=(-1.65, 1.45))
    for text, place in {"$+x$": (1.35, 0), "$+y$": (0, 1.22), "$-x$": (-1.35, 0), "$-y$": (0, -1.2)}.items():
        axes.text(*place, text, ha="center", va="center", fontsize=7)
    axes.text(0, 0, "$+z$", ha="center", va="center", fontsize=7)
    axes.text(0, -1.57, "rim $-z$", ha="center", va="center", fontsize=7)
    return axes


def plot_correlation(axes: Axes, correlation: np.ndarray, lowest: float, title: str = "") -> AxesImage:
    """Map `(y, x)` of cos(theta) in grey, y upwards: white at 1, black at `lowest` and below, pale blue at NaN."""
    axes.set_facecolor("lightsteelblue")
    image = axes.imshow(correlation, cmap="gray", vmin=lowest, vmax=1.0)
    axes.set(xticks=[], yticks=[], title=title)
    axes.grid(False)
    # A frame: the map of a relaxed state is white all over.
    axes.spines[:].set(visible=True, linewidth=0.3)
    return image


def plot_square(axes: Axes, side: float) -> Axes:
    """A dashed square of `side` sites in the middle of a configuration drawn by `plot_spins`."""
    width, height = np.sum(axes.get_xlim()), np.sum(axes.get_ylim())
    corner = (width - side) / 2, (height - side) / 2
    axes.add_patch(Rectangle(corner, side, side, fill=False, linestyle="--", linewidth=1.0))
    return axes
