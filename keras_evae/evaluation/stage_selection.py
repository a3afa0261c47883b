"""Which stages a figure is made of: ladders of gamma, nearest stages, transitions; names of runs in tables."""

import math
from collections.abc import Mapping, Sequence

from keras_evae.analysis import Transition, generation_collapse, posterior_collapse, reconstruction_rise
from keras_evae.errors import DataError
from keras_evae.runs.run import Run
from keras_evae.runs.stage_folder import FinishedStage

# Symbol and interval; None where the ladder shows no such transition.
Transitions = Mapping[str, Transition | None]
Stages = Sequence[FinishedStage]


def first_collapsed(stages: Stages) -> FinishedStage | None:
    """The first stage beyond the critical gamma, if the ladder of gamma reaches it."""
    found = critical_gamma(stages)
    return next(stage for stage in stages if stage.gamma >= found.after) if found else None


def before_collapse(run: Run) -> list[FinishedStage]:
    """The stages of the ladder of gamma below the critical gamma; all of them if it is not known."""
    stages = ladder_of_gamma(run, needed=False)
    first = first_collapsed(stages)
    return [stage for stage in stages if first is None or stage.gamma < first.gamma]


def critical_gamma(stages: Stages) -> Transition | None:
    """The interval of the collapse to one state on a ladder of gamma, see `keras_evae.analysis.generation_collapse`."""
    return generation_collapse([stage.gamma for stage in stages], [generated_fft_mse(stage) for stage in stages])


def has_collapsed(run: Run) -> bool:
    """Whether the last stage of a run generates one state."""
    return first_collapsed(ladder_of_gamma(run, needed=False)) is not None


def generated_fft_mse(stage: FinishedStage) -> float:
    return stage.metrics["generated"]["fft_mse"]


def ladder_of_beta(run: Run) -> list[FinishedStage]:
    """The stages of the standard VAE, gamma = 0."""
    return [stage for stage in run.stages if stage.gamma == 0]


def ladder_of_gamma(run: Run, needed: bool = True) -> list[FinishedStage]:
    """The gamma = 0 stage from which the E-VAE starts, and the E-VAE's stages; if needed, a `DataError` without any."""
    stages = [stage for stage in run.stages if stage.beta == run.evae_beta]
    if needed and not stages:
        raise DataError(_why_no_ladder(run))
    return stages


def _why_no_ladder(run: Run) -> str:
    beta = run.evae_beta
    wanted = "a run with an evae section" if beta is None else f"the stage at beta = {beta:g}, not reached yet"
    return f"{run.path}: figures against gamma need {wanted}"


def with_ladder_of_gamma(runs: Sequence[Run]) -> tuple[list[Run], list[str]]:
    """The runs that have a ladder of gamma, and a sentence for each that has none; a `DataError` if none has one."""
    fit = [run for run in runs if ladder_of_gamma(run, needed=False)]
    if not fit:
        raise DataError(_why_no_ladder(runs[0]))
    return fit, [f"left out: {_why_no_ladder(run)}" for run in runs if run not in fit]


def nearest_gammas(run: Run, wanted: Sequence[float]) -> tuple[list[FinishedStage], list[str]]:
    """The finished stages nearest to the wanted values of gamma, on a logarithmic scale, each once, as trained.

    With a sentence for each wanted gamma that another one stands for.
    """
    stages = ladder_of_gamma(run)
    nearest = {gamma: min(stages, key=lambda stage: _decades(stage.gamma, gamma)) for gamma in wanted}
    notes = [
        f"{run.name} has no finished stage at gamma = {gamma:g}; the nearest is {stage.gamma:g}"
        for gamma, stage in nearest.items()
        if stage.gamma != gamma
    ]
    return [stage for stage in stages if stage in nearest.values()], notes


def awaits_nearer(run: Run, wanted: Sequence[float]) -> bool:
    """Whether a stage that is planned, but not finished, is nearer to a wanted gamma than those that are."""
    planned = [stage.gamma for stage in run.planned if stage.beta == run.evae_beta]
    finished = [stage.gamma for stage in ladder_of_gamma(run)]

    def nearest(gammas: Sequence[float], gamma: float) -> float:
        return min(_decades(other, gamma) for other in gammas)

    return any(nearest(planned, gamma) < nearest(finished, gamma) for gamma in wanted)


def is_finished(run: Run) -> bool:
    """Whether the last stage that is planned is finished."""
    last, planned = run.stages[-1], run.planned[-1]
    return (last.beta, last.gamma) == (planned.beta, planned.gamma)


def by_label(runs: Sequence[Run]) -> dict[str, Run]:
    """The runs under their labels, in their order: names of folders, or whole paths where two names are the same."""
    names = [run.name for run in runs]
    return {run.name if names.count(run.name) == 1 else str(run.path): run for run in runs}


def picture_titles(runs: Sequence[Run]) -> dict[str, str]:
    """For the label of each run its title in a picture, with the label where two titles are the same."""
    titles = [run.title for run in runs]
    return {
        label: run.title if titles.count(run.title) == 1 else f"{run.title}, {label}"
        for label, run in by_label(runs).items()
    }


def file_name(figure: str, label: str, runs: Sequence[Run]) -> str:
    """Name of a file that is made for each run: with the run's label where there are several."""
    return figure if len(runs) == 1 else f"{figure}_{label.replace('/', '_')}"


def _decades(gamma: float, wanted: float) -> float:
    """Distance on a logarithmic scale; zero is nearest to zero, and far from everything else."""
    if not gamma or not wanted:
        return abs(gamma - wanted) and 100.0 + math.log10(gamma or wanted)
    return abs(math.log10(gamma / wanted))


def transitions_of(stages: Stages, weight: str) -> Transitions:
    """Transitions on a ladder of `"beta"`, or on one of `"gamma"` that begins at gamma = 0."""
    if weight == "beta":
        losses = [stage.metrics["validation"]["kl_loss"] for stage in stages]
        return {"beta_c": posterior_collapse([stage.beta for stage in stages], losses)}
    losses = [stage.metrics["validation"]["reconstruction_loss"] for stage in stages]
    rise = reconstruction_rise([stage.gamma for stage in stages], losses)
    return {"gamma_RC": rise, "gamma_c": critical_gamma(stages)}


def ends_and_mark(found: Transition | None) -> tuple[float, float, float] | tuple[None, None, None]:
    """The last weight before a transition, the first one beyond it, and the mark between them; None without one."""
    return (found.before, found.after, found.mark) if found else (None, None, None)
