"""How low and how fast states are made: by a network, and by the annealer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes

from keras_evae.plotting.curves import ink, run_colors

MARKERS = "osD^vP*X"


def plot_quality_against_speed(
    axes: Axes,
    annealer: Mapping[str, tuple[float, float]],
    generators: Mapping[tuple[str, str], Sequence[tuple[float, float]]],
    data: float,
    floor: float,
) -> Axes:
    """Height above the lowest energy against states per second, both logarithmic; lower right is better.

    Args:
        axes: Where to draw.
        annealer: For each schedule states per second, and mean E/N above the lowest known.
        generators: For each stage and way to draw the same, before and after relaxation.
        data: Mean height of the test data.
        floor: Heights below it are drawn there.
    """
    rates = [rate for rate, _ in annealer.values()]
    heights = [max(height, floor) for _, height in annealer.values()]
    axes.plot(rates, heights, "x", color=ink(), label="annealer, by schedule")
    for name, place in zip(annealer, zip(rates, heights, strict=True), strict=True):
        axes.annotate(name, place, (-4, 0), textcoords="offset points", fontsize=6, ha="right", va="center")
    axes.axhline(max(data, floor), color=ink(), linewidth=0.6, linestyle=":", label="test data")
    colors = run_colors(list(dict.fromkeys(way for _, way in generators)))
    markers = dict(zip(dict.fromkeys(stage for stage, _ in generators), MARKERS * len(generators), strict=False))
    for (stage, way), points in generators.items():
        (x, x_relaxed), (y, y_relaxed) = zip(*points, strict=True)
        color, marker = colors[way], markers[stage]
        axes.plot((x, x_relaxed), (max(y, floor), max(y_relaxed, floor)), color=color, linestyle="-", linewidth=0.6)
        axes.plot(x, max(y, floor), marker, color=color, markerfacecolor="white", markersize=5)
        axes.plot(x_relaxed, max(y_relaxed, floor), marker, color=color, markersize=5, label=f"{stage}, {way}")
    axes.set(xscale="log", yscale="log", xlabel="states per second", ylabel="mean $E/N$ above the lowest known ($J$)")
    return axes
