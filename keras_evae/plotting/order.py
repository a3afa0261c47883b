"""Pictures of the order of skyrmions: structure factor, neighbours, and distributions over states."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import LogNorm
from matplotlib.image import AxesImage
from matplotlib.patches import Circle

from keras_evae.plotting.canvas import as_label
from keras_evae.plotting.curves import ink
from keras_evae.plotting.spins import PIXELS, plot_spins

# Of samples from weak to strong; the reference, which comes first, has the colour of text.
LINES = ("#0072b2", "#009e73", "#d55e00")


def plot_structure_factor(
    axes: Axes,
    factor: np.ndarray,
    reach: tuple[float, float],
    limits: tuple[float, float],
    ring: float | None = None,
    title: str = "",
) -> AxesImage:
    """Map of S(q) `(y, x)` on a logarithmic scale around q = 0 in its middle; NaN is left empty.

    `reach` are the largest |q_y| and |q_x| that are shown, `ring` the |q| of a dashed circle, both in 1/site. `limits`
    are the lowest and highest S(q) of the colours. Returns the image, for a colour bar.
    """
    # Wave vectors lie in the middles of the pixels, the outermost at -pi.
    (bottom, top), (left, right) = ((-np.pi - np.pi / n, np.pi - np.pi / n) for n in factor.shape)
    shown, extent = np.clip(factor, *limits), (left, right, bottom, top)
    image = axes.imshow(shown, norm=LogNorm(*limits), extent=extent, cmap="magma", **PIXELS)
    if ring is not None:
        axes.add_patch(Circle((0, 0), ring, fill=False, color="#40e0ff", linestyle="--", linewidth=0.8))
    axes.set(title=as_label(title), xlim=(-reach[1], reach[1]), ylim=(-reach[0], reach[0]))
    axes.set(xlabel="$q_x$ (1/site)", ylabel="$q_y$ (1/site)")
    axes.grid(False)
    return image


def plot_rings(axes: Axes, curves: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> None:
    """Radial averages of S(q), one curve for each sample: its values of |q| in 1/site, and of S.

    Values below 1e-14, the rounding of single precision, are drawn there.
    """
    for (name, (wave_numbers, means)), color in zip(curves.items(), (ink(), *LINES), strict=False):
        axes.plot(wave_numbers, np.maximum(means, 1e-14), label=as_label(name), marker=".", linestyle="-", color=color)
    axes.set(yscale="log", xlabel="$|q|$ (1/site)", ylabel="$S(q)$, ring average")
    axes.legend(loc="upper right")


def plot_neighbours(
    axes: Axes,
    spins: np.ndarray,
    positions: np.ndarray,
    bonds: np.ndarray,
    arbitrary: np.ndarray,
    counts: np.ndarray,
    title: str = "",
) -> None:
    """One configuration `(y, x, 3)`, pale, with bonds between neighbouring skyrmions, defects in colour.

    Args:
        axes, spins, title: Where to draw; what; above the picture.
        positions: Skyrmions `(n, 2)` as (y, x).
        bonds: Start and end of each bond, `(m, 2, 2)`; what leaves the lattice is cut.
        arbitrary: `Bonds.arbitrary`, `(m,)`: bonds that are there by chance, dotted.
        counts: Number of neighbours of each skyrmion, without arbitrary bonds, `(n,)`; -1 at the rim.
    """
    plot_spins(axes, spins, title)
    axes.images[-1].set_alpha(0.5)
    for chosen, line, label in ((~arbitrary, "-", "_"), (arbitrary, (0, (1, 2)), "diagonal by chance")):
        if chosen.any():
            lines = bonds[chosen][..., ::-1].tolist()
            axes.add_collection(LineCollection(lines, colors="0.35", linewidths=0.7, linestyles=[line], label=label))
    known = {4: "#cc79a7", 5: "#0072b2", 6: "0.2", 7: "#d55e00"}
    classes = {f"{number} neighbours": (color, counts == number) for number, color in known.items()}
    classes["other"] = "#e6ab02", (counts >= 0) & ((counts < 4) | (counts > 7))
    classes["at the rim"] = "0.75", counts < 0
    for label, (color, chosen) in classes.items():
        if chosen.any():
            y, x = positions[chosen].T
            axes.scatter(x, y, s=22, color=color, edgecolor="white", linewidth=0.6, label=label, zorder=3)
    height, width = spins.shape[:2]
    axes.set(xlim=(-0.5, width - 0.5), ylim=(-0.5, height - 0.5))


def plot_distribution(axes: Axes, samples: Mapping[str, np.ndarray], label: str, bins: int = 40) -> None:
    """Histograms of one quantity as steps, each sample normalised to its number of values.

    The outermost bins hold all that lies beyond: 0.2 % of the values of all samples on each side.
    """
    values = np.concatenate([np.ravel(sample) for sample in samples.values()])
    low, high = np.quantile(values, (0.002, 0.998)) if values.size else (0.0, 1.0)
    margin = 0.02 * (high - low) or 0.5
    # No bin below zero for what cannot be negative.
    lowest = max(low - margin, 0.0) if values.size and values.min() >= 0 else low - margin
    edges = np.linspace(lowest, high + margin, bins + 1)
    for (name, sample), color in zip(samples.items(), (ink(), *LINES), strict=False):
        shares = np.histogram(np.clip(sample, edges[0], edges[-1]), edges)[0] / max(sample.size, 1)
        axes.stairs(shares, edges, label=as_label(name), color=color)
    axes.set(xlabel=label, ylabel="share", ylim=(0, None))
    axes.locator_params(axis="x", nbins=4)
