"""Recipe `states`: eight generated states of the stage that generates best, and of the last if that has collapsed."""

from pathlib import Path

import numpy as np

from keras_evae import plotting
from keras_evae.evaluation.generation_measures import MeasuredSet, measure_set
from keras_evae.evaluation.generation_rows import generating_stages
from keras_evae.evaluation.results import Picture, Section, Table, for_each_run, read_section
from keras_evae.evaluation.stage_selection import has_collapsed
from keras_evae.evaluation.stage_states import generate, load_stage
from keras_evae.runs.run import Run
from keras_evae.runs.stage_folder import FinishedStage

COUNT = 8


@for_each_run
def make_states(run: Run, output: Path, file: str) -> Section:
    """The picture, a row of states for each stage, with E/N and psi6."""
    shown, last = [_best(run, output)], run.stages[-1]
    if has_collapsed(run) and last != shown[0][0]:
        shown.append((last, "normal"))
    sets, records = [], []
    for stage, way in shown:
        found = measure_set(generate(run, stage, COUNT, way), run.hamiltonian)
        means = {name: found.mean(name)[0] for name in ("energy_per_site", "charge", "psi6")}
        records.append({"beta": stage.beta, "gamma": stage.gamma, "vectors": way, **means})
        sets.append(found)
    _draw(shown, sets, output / f"{file}.png")
    caption = f"{COUNT} generated states of a stage, one row each, with E/N and mean psi6 of their skyrmions"
    use = "various states: take a stage before the collapse; the lowest state: take the last stage, which has collapsed"
    return Section(
        "states",
        "Generated states",
        "States of the stage that generates best: the one that the recipe generation has found, or without it the "
        "first stage with gamma > 0. Below them states of the last stage, if the network has collapsed. vectors: "
        "where latent vectors come from, see the recipe generation.",
        [Table.of_records("states", f"means over {COUNT} states", records)],
        [Picture(f"{file}.png", caption, "states")],
        [use] if len(shown) > 1 else [],
    )


def _best(run: Run, output: Path) -> tuple[FinishedStage, str]:
    """The stage, and the best way to draw latent vectors for which nothing has to be learned."""
    path = output / "generation.json"
    numbers = read_section(path).numbers if path.is_file() else {}
    found = numbers.get(str(run.path)) or numbers.get(run.name, {})
    wanted = (found.get("best_beta"), found.get("best_gamma"))
    stages = [stage for stage in run.stages if (stage.beta, stage.gamma) == wanted] or generating_stages(run)
    learned = run.priors(stages[0], load_stage(run, stages[0])).read_flow()
    return stages[0], "flow" if learned else "posterior" if run.dataset_path.is_file() else "normal"


def _draw(shown: list[tuple[FinishedStage, str]], sets: list[MeasuredSet], path: Path) -> None:
    figure, axes = plotting.new_figure(len(sets), COUNT + 1, size=(1.5, 1.8))
    for row, (stage, way), states in zip(axes, shown, sets, strict=True):
        measured = states.values["energy_per_site"], states.values["psi6"]
        for cell, spins, energy, psi6 in zip(row, states.spins, *measured, strict=False):
            order = rf", $\psi_6$ {psi6:.2f}" if np.isfinite(psi6) else ""
            plotting.plot_spins(cell, spins, f"$E/N$ = {energy:.5f} $J${order}")
            cell.title.set_fontsize(6)
        row[0].set_ylabel(rf"$\gamma$ = {stage.gamma:g}, {way}")
        row[-1].set_axis_off()
    plotting.plot_color_wheel(axes[0, -1])
    plotting.save_figure(figure, path)
