"""Recipe `convergence`: whether stages were long enough, what doubling their length changed, what noise is left."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from scipy.stats import linregress

from keras_evae.evaluation.results import Cell, Section, Table, for_each_run
from keras_evae.runs.run import Run
from keras_evae.runs.stage_folder import read_history
from keras_evae.runs.stage_plan import LOSSES

# A stage is called converged if doubling its length changes none of the three losses by more than this share.
CONVERGED = 0.02
# Epochs that are averaged at the end of each half, as a share of the stage.
AVERAGED = 0.1
# Decimals of per cent.
DIGITS = 2
HEADER = ["beta", "gamma", "epochs", "samples", *(f"{symbol}_change_%" for symbol in LOSSES), "converged"]


@for_each_run
def make_convergence(run: Run, output: Path, file: str) -> Section:
    """Change of the losses from the half of each stage to its end, and L_H without the noise of the first stage."""
    rows: list[list[Cell]] = []
    for stage in run.stages:
        epochs = stage.stage.epochs
        changes = changes_on_doubling(read_history(stage), epochs)
        rows.append([stage.beta, stage.gamma, epochs, run.samples(stage.stage), *changes, yes_or_no(changes)])
    caption = "change of the losses of the validation split from half of the stage to its end, per cent"
    converged = sum(row[-1] == "yes" for row in rows)
    return Section(
        "convergence",
        "Length of the stages",
        "The end of the stage against its half: means of the losses of the validation split over the last tenth of the "
        f"epochs of each (one epoch at least). Up to {CONVERGED:.0%} in each loss counts as converged. A loss that is "
        "zero to start with, such as L_KL beyond the posterior collapse, changes by large shares of nothing. "
        "The extrapolation: what is left of L_RC is noise, and costs energy; the line of L_H against L_RC over "
        "the second half of the first stage says what L_H would be without it.",
        [Table("convergence", caption, HEADER, rows), _extrapolation_table(run)],
        notes=[f"{run.name}: in {converged} of {len(rows)} stages no loss changes by more than {CONVERGED:.0%}"],
    )


def change_on_doubling(values: Sequence[float]) -> float | None:
    """(end - half) / |end| of one loss over the epochs of a stage; None if it has fewer than two epochs."""
    half = len(values) // 2
    if not half:
        return None
    before, end = (float(np.mean(part[-max(1, round(AVERAGED * len(part))) :])) for part in (values[:half], values))
    return (end - before) / abs(end) if end else None


def extrapolate_energy(reconstruction: Sequence[float], energy: Sequence[float]) -> float | None:
    """L_H at L_RC = 0 of the straight line through the second half of the epochs; None where L_RC does not change."""
    half = len(reconstruction) // 2
    if len(set(reconstruction[half:])) < 2:
        return None
    return float(linregress(reconstruction[half:], energy[half:]).intercept)


def changes_on_doubling(history: Mapping[str, Sequence[float]], epochs: int) -> list[Cell]:
    """Of each loss of the validation split over the first epochs of a stage, in per cent."""
    changes = [change_on_doubling(history[f"val_{loss}"][:epochs]) for loss in LOSSES.values()]
    return [None if change is None else round(100 * change, DIGITS) for change in changes]


def _extrapolation_table(run: Run) -> Table:
    stage = run.stages[0]
    history = read_history(stage)
    reconstruction, energy = history["val_reconstruction_loss"], history["val_hamiltonian_loss"]
    row = [stage.beta, reconstruction[-1], energy[-1], extrapolate_energy(reconstruction, energy), run.data_energy()]
    caption = "L_H of the first stage, extrapolated to L_RC = 0 (validation split)"
    header = ["beta", "L_RC", "L_H", "L_H_at_L_RC=0", "L_H_of_the_data"]
    return Table("extrapolation", caption, header, [row])


def yes_or_no(changes: Sequence[Cell]) -> str:
    """Whether a stage is converged, from the changes of its losses in per cent: yes, no, or - if one is not known."""
    known = [abs(change) for change in changes if isinstance(change, float)]
    return "-" if len(known) < len(changes) else "yes" if max(known) <= 100 * CONVERGED else "no"
