"""Figures: arrays in, matplotlib axes out. No computing, no files.

Spins are shown in one colour convention everywhere: hue = in-plane angle (+x is red), lightness = S_z.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from keras_evae.colors import spin_colors

STYLE = Path(__file__).with_name("plotting.mplstyle")
LOSS_LABELS = {"reconstruction_loss": "$L_{RC}$", "kl_loss": "$L_{KL}$", "hamiltonian_loss": "$L_H$"}


def style() -> AbstractContextManager[None]:
    """Context in which figures have the package's look."""
    return plt.style.context(STYLE)


def new_figure(rows: int = 1, columns: int = 1, size: tuple[float, float] = (4.0, 2.6)) -> tuple[Figure, np.ndarray]:
    """Figure with a grid `(rows, columns)` of axes of `size` inches each."""
    return plt.subplots(rows, columns, figsize=(size[0] * columns, size[1] * rows), squeeze=False)


def plot_spins(axes: Axes, spins: np.ndarray, title: str = "") -> Axes:
    """One configuration `(y, x, 3)` in colour, y upwards; light grey where there is no spin."""
    axes.imshow(spin_colors(spins), origin="lower", interpolation="nearest")
    axes.set(xticks=[], yticks=[], title=title)
    axes.grid(False)
    axes.spines[:].set_visible(False)
    return axes


def plot_color_wheel(axes: Axes, pixels: int = 101) -> Axes:
    """The colours of all directions of the upper and lower half sphere, seen along -z."""
    y, x = np.mgrid[-1 : 1 : pixels * 1j, -1 : 1 : pixels * 1j]
    radius = np.hypot(x, y)
    polar = np.clip(radius, 0, 1) * np.pi
    unit = np.divide(1.0, radius, out=np.zeros_like(radius), where=radius > 0)
    spins = np.stack((np.sin(polar) * x * unit, np.sin(polar) * y * unit, np.cos(polar)), axis=-1)
    colors = np.concatenate((spin_colors(spins), (radius <= 1.0)[..., None]), axis=-1)
    axes.imshow(colors, origin="lower", extent=(-1, 1, -1, 1))
    axes.set_axis_off()
    axes.set_title("centre +z, rim $-$z", fontsize=7)
    return axes


def plot_loss(
    axes: Axes,
    weights: Sequence[float],
    losses: Mapping[str, Sequence[float]],
    weight_name: str,
    loss_name: str,
    data_mean: float | None = None,
) -> Axes:
    """One loss term against beta or gamma, a line for each split (Figure 2).

    Args:
        axes: Where to draw.
        weights: Values of beta or gamma.
        losses: Values of the loss for each split.
        weight_name: `"beta"` or `"gamma"`.
        loss_name: Key of `LOSS_LABELS`.
        data_mean: Drawn as a horizontal line: the mean loss of the training data itself.
    """
    for (split, values), marker in zip(losses.items(), ("o", "x"), strict=False):
        axes.plot(weights, values, marker=marker, label=split)
    if data_mean is not None:
        axes.axhline(data_mean, color="black", linewidth=1.0, label="training data")
    axes.set(xscale="log", xlabel=rf"$\{weight_name}$", ylabel=LOSS_LABELS[loss_name])
    if loss_name == "kl_loss" and min(map(min, losses.values())) > 0:
        axes.set_yscale("log")
    return axes


def plot_fft_mse(axes: Axes, curves: Mapping[str, tuple[Sequence[float], Sequence[float]]]) -> Axes:
    """FFT-MSE against gamma, one curve a run (Figure 5B); gamma = 0 stands at the left edge.

    Args:
        axes: Where to draw.
        curves: For each run its values of gamma and of FFT-MSE.
    """
    positive = [gamma for gammas, _ in curves.values() for gamma in gammas if gamma > 0]
    smallest = min(positive, default=1.0)
    for name, (gammas, values) in curves.items():
        axes.plot(gammas, values, marker="o", label=name)
    axes.set_xscale("symlog", linthresh=smallest, linscale=0.5)
    axes.set(xlabel=r"$\gamma$", ylabel="FFT-MSE", xlim=(-0.1 * smallest, None))
    # Linear below the smallest value: a run that has collapsed to one state may reach exactly zero.
    nonzero = [value for _, values in curves.values() for value in values if value > 0]
    if len(nonzero) == sum(len(values) for _, values in curves.values()):
        axes.set_yscale("log")
    else:
        axes.set_yscale("symlog", linthresh=min(nonzero, default=1.0), linscale=0.2)
    axes.legend()
    return axes


def save_figure(figure: Figure, path: Path) -> None:
    """Writes a figure and frees its memory."""
    figure.savefig(path)
    plt.close(figure)
