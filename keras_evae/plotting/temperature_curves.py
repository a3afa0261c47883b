"""Thermal averages against the temperature, their maps over two parameters, and the report of a cooling."""

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes


def plot_thermal(
    axes: Axes, temperatures: np.ndarray, values: np.ndarray, errors: np.ndarray, label: str, name: str = ""
) -> None:
    """A quantity with its errors against the temperature, both `(n,)`."""
    axes.errorbar(temperatures, values, errors, fmt="o-", capsize=2, linewidth=0.8, markersize=3, label=name or None)
    axes.set(xlabel="$T$ ($J$)", ylabel=label)


def plot_scan(
    axes: Axes, x: Sequence[float], y: Sequence[float], values: np.ndarray, names: Sequence[str], title: str
) -> None:
    """A quantity `(y, x)` over two parameters, with its scale."""
    picture = axes.pcolormesh(x, y, values, shading="nearest", cmap="viridis")
    axes.figure.colorbar(picture, ax=axes)
    axes.set(xlabel=names[0], ylabel=names[1], title=title)
    axes.grid(False)


def plot_annealing_report(axes: Sequence[Axes], rows: np.ndarray, freezing: tuple[float, float]) -> None:
    """Charge, temperature of the spins and autocorrelation time along a cooling; three axes.

    Args:
        rows, freezing: As `keras_evae.minima.freezing.AnnealingReport` has them; the freezing is shaded.
    """
    temperatures = rows[:, 0]
    axes[0].plot(temperatures, rows[:, 3], "o-", label="as cooled")
    axes[0].plot(temperatures, rows[:, 4], "s--", label="relaxed")
    axes[0].set(ylabel="topological charge")
    axes[0].legend()
    axes[1].plot(temperatures, rows[:, 1] / temperatures, "o-")
    axes[1].axhline(1.0, color="black", linewidth=0.6, linestyle=":")
    axes[1].set(ylabel="temperature of the spins / $T$")
    axes[2].plot(temperatures, rows[:, 6], "o-")
    axes[2].set(ylabel="memory of the energy (sweeps)")
    for each in axes:
        each.set(xlabel="$T$ ($J$)", xscale="log")
        # Time runs to the right.
        each.invert_xaxis()
        if math.isfinite(freezing[0]):
            each.axvspan(*freezing, color="black", alpha=0.1, linewidth=0)
