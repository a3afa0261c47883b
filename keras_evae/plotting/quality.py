"""How low and how fast states are made: by a network, and by the annealer."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from keras_evae.plotting.canvas import as_label
from keras_evae.plotting.curves import ink, run_colors

MARKERS = "osD^vP*X"
# Ratio of two heights at which names beside them touch.
CLOSE = 1.5


def plot_quality_against_speed(
    axes: Axes,
    annealer: Mapping[str, tuple[float, float]],
    generators: Mapping[tuple[str, str], Sequence[tuple[float, float]]],
    data: float,
    floor: float,
) -> None:
    """Mean E/N above the lowest known against states per second, both logarithmic; lower right is better.

    Args:
        axes: Where to draw.
        annealer: For each schedule states per second, and height.
        generators: For each stage and way to draw the same, before and after relaxation.
        data, floor: Mean height of the test data; heights below the floor are drawn there.
    """
    rates = [rate for rate, _ in annealer.values()]
    heights = [max(height, floor) for _, height in annealer.values()]
    axes.plot(rates, heights, "x", color=ink(), label="annealer, by schedule")
    for name, rate, height in zip(annealer, rates, heights, strict=True):
        side = _side(height, [other for other in heights if other != height])
        axes.annotate(name, (rate, height), (-4, 0), textcoords="offset points", fontsize=6, ha="right", va=side)
    axes.axhline(max(data, floor), color=ink(), linewidth=0.6, linestyle=":", label="test data")
    colors = run_colors(list(dict.fromkeys(way for _, way in generators)))
    markers = dict(zip(dict.fromkeys(stage for stage, _ in generators), MARKERS * len(generators), strict=False))
    for (stage, way), points in generators.items():
        x, y = np.maximum(np.transpose(points), [[0.0], [floor]])
        color, marker = colors[way], markers[stage]
        axes.plot(x, y, color=color, linestyle="-", linewidth=0.6)
        axes.plot(x[0], y[0], marker, color=color, markerfacecolor="white", markersize=5)
        axes.plot(x[1], y[1], marker, color=color, markersize=5, label=as_label(f"{stage}, {way}"))
    # Room for the name of the slowest schedule.
    axes.margins(x=0.1)
    axes.set(xscale="log", yscale="log", xlabel="states per second", ylabel="mean $E/N$ above the lowest known ($J$)")


def _side(height: float, others: Sequence[float]) -> str:
    """Where a name beside a marker stands: away from that of the next one, if they would touch."""
    nearest = min(others, key=lambda other: abs(math.log(other / height)), default=math.inf)
    if abs(math.log(nearest / height)) > math.log(CLOSE):
        return "center"
    return "top" if nearest > height else "bottom"
