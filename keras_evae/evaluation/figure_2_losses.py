"""Figure 2: the three losses after each stage, and where they change their behaviour."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from keras_evae import plotting
from keras_evae.analysis import critical_beta
from keras_evae.analysis.principal_components import SAMPLES
from keras_evae.evaluation import stage_selection as select
from keras_evae.evaluation.results import Picture, Record, Section, Table
from keras_evae.runs.run import Run
from keras_evae.runs.stage_folder import FinishedStage
from keras_evae.runs.stage_plan import in_words

SPLITS = ("train", "validation")
# Of the states that each stage generates.
GENERATED = ("fft_mse", "magnetization_z")
TEXT = (
    "L_RC, L_KL and L_H after each stage, re-evaluated in inference mode on both splits. The black line is L_H of the "
    "training data. Broken lines mark transitions, each between two neighbouring stages (shaded: green beta_c, orange "
    "gamma_RC, purple gamma_c; the line is their geometric mean). beta_c, the posterior collapse: from it on, L_KL of "
    "the validation split is below ln 2, one bit. gamma_RC: from it on, L_RC of the validation split is more than 1.5 "
    "times its smallest value at smaller gamma. gamma_c, the collapse to one state: from it on, FFT-MSE of 100 "
    "generated states is more than 30 times smaller than at gamma = 0. The estimate of beta_c is twice the largest "
    "principal component of the training data per site."
)
Ladders = Mapping[str, Sequence[FinishedStage]]
# Of each transition its symbol in a legend, the style of its line and the colour of its band.
MARKS = {
    "beta_c": (r"$\beta_c$", "--", plotting.COLORS[2]),
    "gamma_RC": (r"$\gamma_{RC}$", ":", plotting.COLORS[4]),
    "gamma_c": (r"$\gamma_c$", "--", plotting.COLORS[3]),
}


def make_losses(runs: Sequence[Run], output: Path) -> Section:
    """The three losses against beta for the VAE and against gamma for each E-VAE, in one picture."""
    named = select.by_label(runs)
    vaes = _shown_vaes(named)
    means = {name: run.data_energy() for name, run in named.items()}
    betas = {name: select.ladder_of_beta(run) for name, run in vaes.items()}
    gammas = {name: select.ladder_of_gamma(run) for name, run in named.items() if any(s.gamma for s in run.stages)}
    estimates = {
        name: critical_beta(run.read_split("train", SAMPLES), run.hamiltonian.periodic) for name, run in vaes.items()
    }
    titles = select.picture_titles(runs)
    titled_betas, titled_gammas = ({titles[name]: part[name] for name in part} for part in (betas, gammas))
    _draw(titled_betas, titled_gammas, {titles[name]: mean for name, mean in means.items()}, output / "losses.png")
    numbers: dict[str, Record] = {
        name: {
            "data_hamiltonian_loss": means[name],
            "data_mean_spin": _mean_spin(run),
            "all_stages_finished": len(run.stages) == len(run.planned),
            "ladder_of_beta_shown": name in betas,
            "beta_of_ladder_of_gamma": gammas[name][0].beta if name in gammas else None,
            "beta_c_expected": estimates.get(name),
        }
        for name, run in named.items()
    }
    tables = [_loss_table(run, means[name]).of_run(name, runs) for name, run in named.items()]
    caption = "Losses against beta (VAE, left) and against gamma (E-VAE, right)"
    return Section(
        "losses",
        "Figure 2: losses",
        TEXT,
        [*tables, _transition_table(betas, gammas, estimates)],
        [Picture("losses.png", caption, "losses")],
        numbers=numbers,
    )


def _shown_vaes(named: Mapping[str, Run]) -> dict[str, Run]:
    """Whose ladders of beta are shown: the VAEs', or the longest of the E-VAEs', whose ladders end at their beta."""
    vaes = {name: run for name, run in named.items() if run.evae_beta is None}
    longest = max(named, key=lambda name: len(select.ladder_of_beta(named[name])))
    return vaes or {longest: named[longest]}


def _mean_spin(run: Run) -> float:
    """Length of the mean spin of the data over states and all sites that symmetry makes equal; mean over the others."""
    spins, hamiltonian = run.read_split("train", SAMPLES), run.hamiltonian
    equal = [axis for axis, closed in enumerate(hamiltonian.periodic) if closed and hamiltonian.mask is None]
    mean = spins.mean(axis=(0, *(1 + axis for axis in equal)), dtype=np.float64, keepdims=True)[0]
    lengths = np.broadcast_to(np.linalg.norm(mean, axis=-1), run.shape)
    return float(hamiltonian.on_sites(lengths).mean())


def _loss_table(run: Run, data_mean: float) -> Table:
    caption = f"losses in inference mode; L_H of the training data itself: {data_mean:.5f}"
    records = [
        {"beta": stage.beta, "gamma": stage.gamma}
        | {f"{split}_{loss}": stage.metrics[split][loss] for loss in plotting.LOSS_LABELS for split in SPLITS}
        | {name: stage.metrics["generated"][name] for name in GENERATED}
        for stage in run.stages
    ]
    return Table.of_records("losses", caption, records)


def _transition_table(betas: Ladders, gammas: Ladders, estimates: Mapping[str, float]) -> Table:
    rows = []
    for weight, ladders in {"beta": betas, "gamma": gammas}.items():
        for name, stages in ladders.items():
            found = select.transitions_of(stages, weight)
            rows += [[name, symbol, *select.ends_and_mark(interval)] for symbol, interval in found.items()]
            if weight == "beta":
                rows.append([name, "beta_c estimated", None, None, estimates[name]])
    caption = "Transitions: last stage before, first stage beyond, geometric mean"
    return Table("transitions", caption, ["run", "transition", "before", "after", "mark"], rows)


def _draw(betas: Ladders, gammas: Ladders, means: Mapping[str, float], path: Path) -> None:
    columns = [("beta", betas, "VAE")]
    if gammas:
        fixed = sorted({stages[0].beta for stages in gammas.values()})
        columns.append(("gamma", gammas, r"E-VAE, $\beta$ = " + " and ".join(map(in_words, fixed))))
    colors = plotting.run_colors(list(means))
    # The legends of many runs are higher than a panel needs to be.
    size = (3.7, max(1.9, 0.45 * max(len(betas), len(gammas))))
    figure, axes = plotting.new_figure(len(plotting.LOSS_LABELS), len(columns), size, shared=True)
    for column, (weight, ladders, title) in enumerate(columns):
        axes[0, column].set_title(title)
        # A legend of several runs stands beside the panels.
        place = {"loc": "center left", "bbox_to_anchor": (1.0, 0.5)} if len(ladders) > 1 else {}
        for cell, loss in zip(axes[:, column], plotting.LOSS_LABELS, strict=True):
            curves = {
                name: (
                    [getattr(stage, weight) for stage in stages],
                    {split: [stage.metrics[split][loss] for stage in stages] for split in SPLITS},
                )
                for name, stages in ladders.items()
            }
            plotting.plot_loss(cell, curves, weight, loss, colors)
            marks = _mark_transitions(cell, ladders, weight, colors)
            if loss == "reconstruction_loss":
                cell.legend(handles=[line for line in cell.lines if line not in marks], **place)
            elif loss == "kl_loss" and marks:
                cell.legend(handles=marks, **place)
            elif loss == "hamiltonian_loss":
                plotting.mark_data(cell, {means[name] for name in ladders})
            cell.label_outer()
    plotting.save_figure(figure, path)


def _mark_transitions(axes: Axes, ladders: Ladders, weight: str, colors: Mapping[str, str]) -> list[Line2D]:
    """Bands, and broken lines labelled with their value; lines of several runs in the colours of the runs."""
    lines = []
    for name, stages in ladders.items():
        of_run = f", {plotting.as_label(name)}" if len(ladders) > 1 else ""
        for key, found in select.transitions_of(stages, weight).items():
            if found:
                symbol, style, color = MARKS[key]
                pair = color, colors[name] if len(ladders) > 1 else color
                label = f"{symbol} = {float(f'{found.mark:.2g}'):g}{of_run}"
                lines.append(plotting.mark_transition(axes, found, pair, style, label))
    return lines
