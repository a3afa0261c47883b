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
from matplotlib.collections import LineCollection
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patches import Circle

from keras_evae.colors import spin_colors

STYLE = Path(__file__).with_name("plotting.mplstyle")
LOSS_LABELS = {"reconstruction_loss": "$L_{RC}$", "kl_loss": "$L_{KL}$", "hamiltonian_loss": "$L_H$"}
# The reference first, black; then samples from weak to strong.
LINES = ("black", "#0072b2", "#009e73", "#d55e00")


def style() -> AbstractContextManager[None]:
    """Context in which figures have the package's look."""
    return plt.style.context(STYLE)


def new_figure(rows: int = 1, columns: int = 1, size: tuple[float, float] = (4.0, 2.6)) -> tuple[Figure, np.ndarray]:
    """Figure with a grid `(rows, columns)` of axes of `size` inches each."""
    return plt.subplots(rows, columns, figsize=(size[0] * columns, size[1] * rows), squeeze=False)


def plot_spins(axes: Axes, spins: np.ndarray, title: str = "") -> Axes:
    """One configuration `(y, x, 3)` in colour, y upwards."""
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


def plot_structure_factor(
    axes: Axes,
    factor: np.ndarray,
    reach: tuple[float, float],
    limits: tuple[float, float],
    ring: float | None = None,
    title: str = "",
) -> AxesImage:
    """Map of S(q) on a logarithmic scale around q = 0, with a ring.

    Args:
        axes: Where to draw.
        factor: S(q) with q = 0 in the middle, `(y, x)`; NaN is left empty.
        reach: Largest |q_y| and |q_x| that are shown, 1/site.
        limits: Lowest and highest S(q) of the colours.
        ring: |q| of a dashed circle, 1/site.
        title: Above the map.

    Returns:
        The image, for a colour bar.
    """
    # Wave vectors lie in the middles of the pixels, the outermost at -pi.
    (bottom, top), (left, right) = ((-np.pi - np.pi / n, np.pi - np.pi / n) for n in factor.shape)
    image = axes.imshow(
        np.clip(factor, *limits), norm=LogNorm(*limits), extent=(left, right, bottom, top), cmap="magma"
    )
    if ring is not None:
        axes.add_patch(Circle((0, 0), ring, fill=False, color="#40e0ff", linestyle="--", linewidth=0.8))
    axes.set(title=title, xlim=(-reach[1], reach[1]), ylim=(-reach[0], reach[0]))
    axes.set(xlabel="$q_x$ (1/site)", ylabel="$q_y$ (1/site)")
    axes.grid(False)
    return image


def plot_rings(axes: Axes, curves: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> Axes:
    """Radial averages of S(q), one curve for each sample: its values of |q| in 1/site, and of S.

    Values below 1e-14, the rounding of single precision, are drawn there.
    """
    for (name, (wave_numbers, means)), color in zip(curves.items(), LINES, strict=False):
        axes.plot(wave_numbers, np.maximum(means, 1e-14), label=name, marker=".", color=color)
    axes.set(yscale="log", xlabel="$|q|$ (1/site)", ylabel="$S(q)$, ring average")
    axes.legend(loc="upper right")
    return axes


def plot_neighbours(
    axes: Axes, spins: np.ndarray, positions: np.ndarray, bonds: np.ndarray, counts: np.ndarray, title: str = ""
) -> Axes:
    """One configuration, pale, with the bonds between neighbouring skyrmions, defects in colour.

    Args:
        axes: Where to draw.
        spins: `(y, x, 3)`.
        positions: Skyrmions, `(n, 2)` as (y, x).
        bonds: Start and end of each bond, `(m, 2, 2)`; what leaves the lattice is cut.
        counts: Number of neighbours of each skyrmion, `(n,)`.
        title: Above the picture.
    """
    plot_spins(axes, spins, title)
    axes.images[-1].set_alpha(0.5)
    axes.add_collection(LineCollection(bonds[..., ::-1].tolist(), colors="0.35", linewidths=0.7))
    for label, (color, chosen) in _neighbour_classes(counts).items():
        y, x = positions[chosen].T
        axes.scatter(x, y, s=22, color=color, edgecolor="white", linewidth=0.6, label=label, zorder=3)
    height, width = spins.shape[:2]
    axes.set(xlim=(-0.5, width - 0.5), ylim=(-0.5, height - 0.5))
    return axes


def plot_distribution(axes: Axes, samples: Mapping[str, np.ndarray], label: str, bins: int = 40) -> Axes:
    """Histograms of one quantity as steps, each sample normalised to its number of values.

    The outermost bins hold all that lies beyond: 0.2 % of the values of all samples on each side.
    """
    values = np.concatenate([np.ravel(sample) for sample in samples.values()])
    low, high = np.quantile(values, (0.002, 0.998)) if values.size else (0.0, 1.0)
    margin = 0.02 * (high - low) or 0.5
    edges = np.linspace(low - margin, high + margin, bins + 1)
    for (name, sample), color in zip(samples.items(), LINES, strict=False):
        shares = np.histogram(np.clip(sample, edges[0], edges[-1]), edges)[0] / max(sample.size, 1)
        axes.stairs(shares, edges, label=name, color=color)
    axes.set(xlabel=label, ylabel="share", ylim=(0, None))
    axes.locator_params(axis="x", nbins=4)
    return axes


def _neighbour_classes(counts: np.ndarray) -> dict[str, tuple[str, np.ndarray]]:
    """Colours of skyrmions with five, six, seven and other numbers of neighbours, and which they are."""
    known = {"5 neighbours": ("#0072b2", 5), "6": ("0.2", 6), "7": ("#d55e00", 7)}
    classes = {label: (color, counts == number) for label, (color, number) in known.items()}
    return classes | {"other": ("#e6ab02", (counts < 5) | (counts > 7))}


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
