"""Curves along the ladders of beta and gamma, and of generation against speed: a colour for each run or stage."""

import itertools
import math
from collections.abc import Collection, Mapping, Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from keras_evae.analysis.transitions import Transition
from keras_evae.plotting.canvas import as_label

# Okabe and Ito: seven colours that people who see fewer colours tell apart. Also the cycle of the style.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
# For each run the values of beta or gamma, and for each split those of the loss.
LossCurves = Mapping[str, tuple[Sequence[float], Mapping[str, Sequence[float]]]]
ENERGY_LABEL = "$E/N$ ($J$)"
LOSS_LABELS = {"reconstruction_loss": "$L_{RC}$", "kl_loss": "$L_{KL}$ (nat)", "hamiltonian_loss": "$L_H$ ($J$)"}
MARKERS = "osD^vP*X"
# Ratio of two heights at which names beside them touch.
CLOSE = 1.5


def run_colors(names: Sequence[str]) -> dict[str, str]:
    """A colour for each run, by which it is known in all panels of a figure."""
    return dict(zip(names, itertools.cycle(COLORS), strict=False))


def ink() -> str:
    """The colour of text: black, or what stands out from a user's background."""
    return str(matplotlib.rcParams["text.color"])


def ladder_colors(count: int) -> list[tuple[float, ...]]:
    """Colours from dark to light, in the order of a ladder; they differ in lightness, so for every eye."""
    # The lightest fifth would vanish on white.
    return [matplotlib.colormaps["viridis"](share) for share in np.linspace(0.0, 0.8, count)]


def plot_loss(axes: Axes, curves: LossCurves, weight_name: str, loss_name: str, colors: Mapping[str, str]) -> None:
    """One loss, a key of `LOSS_LABELS`, against `"beta"` or `"gamma"` (Figure 2); gamma = 0 stands at the left edge.

    Each run has the colour of `colors`, each split a line.
    """
    for name, (weights, losses) in curves.items():
        color = colors[name]
        for (split, values), line, face in zip(losses.items(), ("o-", "s:"), (color, "white"), strict=False):
            label = f"{as_label(name)}, {split}" if len(curves) > 1 else split
            axes.plot(weights, values, line, color=color, markerfacecolor=face, label=label)
    _scale_weights(axes, [weight for weights, _ in curves.values() for weight in weights])
    axes.set(xlabel=rf"$\{weight_name}$", ylabel=LOSS_LABELS[loss_name])
    values = [value for _, losses in curves.values() for split in losses.values() for value in split]
    if loss_name != "hamiltonian_loss" and min(values) > 0:
        axes.set_yscale("log")


def mark_data(axes: Axes, values: Collection[float]) -> None:
    """Horizontal lines at the mean loss of training data itself."""
    for value in values:
        axes.axhline(value, color=ink(), linewidth=1.0)
        axes.annotate(
            "training data", (0.02, value), (0, 2), axes.get_yaxis_transform(), "offset points", fontsize="small"
        )


def mark_transition(axes: Axes, found: Transition, colors: tuple[str, str], style: str, label: str) -> Line2D:
    """A transition on a ladder: a band from weight to weight, and a line at its mark, which is returned.

    `colors` are those of both.
    """
    # A transition before the first weight of a ladder has no lower end that a logarithmic axis could show.
    axes.axvspan(max(found.before, axes.get_xlim()[0]), found.after, color=colors[0], alpha=0.15, linewidth=0)
    return axes.axvline(found.mark, color=colors[1], linestyle=style, linewidth=1.0, label=label)


def plot_fft_mse(axes: Axes, curves: Mapping[str, tuple[Sequence[float], Sequence[float]]]) -> None:
    """FFT-MSE against gamma (Figure 5B): for each run its values of both; gamma = 0 stands at the left edge."""
    colors = run_colors(list(curves))
    for name, (gammas, values) in curves.items():
        axes.plot(gammas, values, "o-", color=colors[name], label=as_label(name))
    axes.set(xlabel=r"$\gamma$", ylabel="FFT-MSE")
    _scale_weights(axes, [gamma for gammas, _ in curves.values() for gamma in gammas])
    # Linear below the smallest value: a run that has collapsed to one state may reach exactly zero.
    every = [value for _, values in curves.values() for value in values]
    if min(every) > 0:
        axes.set_yscale("log")
    else:
        smallest = min((value for value in every if value > 0), default=1.0)
        axes.set_yscale("symlog", linthresh=smallest, linscale=0.2)
    axes.legend()


def plot_angle_densities(
    axes: Axes, densities: Mapping[str, tuple[np.ndarray, np.ndarray]], data: tuple[np.ndarray, np.ndarray]
) -> None:
    """Densities of the angle between spins and fields (Figure 3B): for each stage angles in degrees, and density.

    Those of the annealed data are so narrow that they leave the picture at the top.
    """
    for (label, (angles, density)), color in zip(densities.items(), ladder_colors(len(densities)), strict=True):
        axes.plot(angles, density, "-", color=color, label=label)
    axes.plot(*data, "-", color=ink(), label="data, $X_{In}$")
    axes.set(xlabel=r"$\theta$ (degrees)", ylabel="density (1 / degree)")
    axes.legend()


def plot_interpolation(axes: Axes, curves: Mapping[str, Sequence[tuple[np.ndarray, np.ndarray]]]) -> None:
    """Energies along paths between two states (Figure 4B), a colour for each label, the first path of each drawn bold.

    A path is given by its steps R from the peak, and by energies per site, `(n,)` both.
    """
    colors = run_colors(list(curves))
    for label, paths in curves.items():
        for number, (steps, energies) in enumerate(paths):
            look = {"label": label} if number == 0 else {"alpha": 0.35, "linewidth": 0.6}
            axes.plot(steps, energies, "-", color=colors[label], **look)
    axes.axvline(0.0, color=ink(), linewidth=0.5, alpha=0.5)
    axes.set(xlabel="R (steps from the peak; positive towards the perfect lattice)", ylabel=ENERGY_LABEL)
    axes.legend()


def plot_target_loss(axes: Axes, curves: Mapping[str, np.ndarray]) -> None:
    """L_T-O during the inverse mapping, `(steps, 2)` for each label: initial state (solid), final state (dashed)."""
    colors = run_colors(list(curves))
    for label, losses in curves.items():
        # Counted from one, so that the start has a place on the logarithmic axis.
        steps = np.arange(1, len(losses) + 1)
        axes.plot(steps, losses[:, 0], "-", color=colors[label], label=label)
        axes.plot(steps, losses[:, 1], "--", color=colors[label])
    title = "solid: with interstitial, dashed: perfect"
    axes.set(xscale="log", yscale="log", xlabel="step of Adam + 1", ylabel="$L_{T-O}$", title=title)
    axes.legend()


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


def _scale_weights(axes: Axes, weights: Sequence[float]) -> None:
    """Logarithmic axis of beta or gamma; zero, if there, stands apart at the left edge."""
    if min(weights) > 0:
        axes.set_xscale("log")
        return
    smallest = min((weight for weight in weights if weight > 0), default=1.0)
    first, last = (math.floor(math.log10(weight)) for weight in (smallest, max(*weights, smallest)))
    # On a long ladder the labels would touch: zero stands farther apart, and decades are left out.
    axes.set_xscale("symlog", linthresh=smallest, linscale=max(0.5, (last - first) / 8))
    axes.set_xlim(-0.1 * smallest, None)
    axes.set_xticks([0.0, *(10.0**power for power in range(last, first - 1, -((last - first) // 6 + 1)))])
