"""The recipes of `keras_evae.evaluation` on the runs that the page is made of, and stages of different lengths."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from keras_evae.errors import DataError, EVAEError
from keras_evae.evaluation.convergence import DIGITS, HEADER, changes_on_doubling, yes_or_no
from keras_evae.evaluation.recipes import ALL, make_section, results_folder
from keras_evae.evaluation.results import Cell, Section, Table, read_section
from keras_evae.evaluation.stage_selection import first_collapsed, ladder_of_gamma
from keras_evae.runs.run import Run, load_run
from keras_evae.runs.run_folder import config_differences
from keras_evae.runs.stage_folder import FinishedStage, read_history
from keras_evae.runs.stage_plan import LOSSES

logger = logging.getLogger(__name__)

# Recipes for the paper's system, for runs with one thing changed, and for samples with edges.
SYSTEM = ALL
CHANGED = ("losses", "interpolation", "fft_mse", "relax")
CONFINED = ("fft_mse", "relax")
# Of the paper's Figure 3; the stages of the analysis.
ANALYSED_GAMMAS = (0.0, 1.0, 100.0)
# The keys in which runs of longer or other stages differ.
LADDERS = {"vae.betas", "vae.epochs", "evae.gammas", "evae.epochs"}


@dataclasses.dataclass(frozen=True)
class Runs:
    """The runs of the page; seeds of one configuration, more than one of each if there are.

    Args:
        vae: Standard VAEs up to beta = 1.
        evae: E-VAEs.
        longer: Runs like one of them with some stages longer, for the convergence.
        changed: Runs like one of them with one thing changed, experiments on what differs from the paper.
        confined: E-VAEs of samples with edges.
    """

    vae: Sequence[Run]
    evae: Sequence[Run]
    longer: Sequence[Run] = ()
    changed: Sequence[Run] = ()
    confined: Sequence[Run] = ()

    @property
    def system(self) -> list[Run]:
        return [*self.vae, *self.evae]


def open_finished(folders: Sequence[Path]) -> list[Run]:
    """The runs that have finished a stage; the others are named."""
    runs = [load_run(folder) for folder in dict.fromkeys(folders)]
    for run in runs:
        if not run.stages:
            logger.info("left out: %s has not finished a stage yet", run.path)
    return [run for run in runs if run.stages]


def make_results(runs: Runs, work: Path, remade: Iterable[str] | None = None) -> dict[tuple[str, str], Section]:
    """What the recipes find; it is kept in the folder `work`.

    Args:
        runs: The runs.
        work: Folder of the results, and of all pictures.
        remade: Recipes to run, all by default; the results of the others are read from the folder if they are there.

    Returns:
        The sections for (kind of the runs, recipe), with the kinds "system", "changed" and "confined"; those that
        could not be made are left out, and named.
    """
    sections: dict[tuple[str, str], Section] = {}
    parts = {"system": (SYSTEM, runs.system), "changed": (CHANGED, runs.changed), "confined": (CONFINED, runs.confined)}
    for kind, (recipes, chosen) in parts.items():
        folder = work / kind
        for recipe in recipes if chosen else ():
            if remade is not None and recipe not in remade:
                if (folder / f"{recipe}.json").is_file():
                    sections[kind, recipe] = read_section(folder / f"{recipe}.json")
                continue
            logger.info("%s of %s", recipe, ", ".join(run.name for run in chosen))
            try:
                with results_folder(folder):
                    section = make_section(recipe, _prepared(recipe, chosen), folder)
            except EVAEError as error:
                logger.info("left out: %s", error)
            else:
                section.write(folder)
                sections[kind, recipe] = section
    return sections


def compare_lengths(runs: Runs) -> list[Table]:
    """For each longer run, its stages beside those of the run that differs in the stages alone."""
    return [longer_stages(_counterpart(longer, [*runs.system, *runs.changed]), longer) for longer in runs.longer]


def longer_stages(run: Run, longer: Run) -> Table:
    """Losses at the ends of stages that two runs trained for different numbers of epochs, at equal beta and gamma.

    Behind each of them the doublings of the longer stage alone, from the length of the other on.
    """
    others = {(stage.beta, stage.gamma): stage for stage in longer.stages}
    pairs = [(stage, others[key]) for stage in run.stages if (key := (stage.beta, stage.gamma)) in others]
    rows: list[list[Cell]] = []
    for stage, other in pairs:
        if stage.stage.epochs != other.stage.epochs:
            changes = [
                _relative_change(stage.metrics["validation"][loss], other.metrics["validation"][loss])
                for loss in LOSSES.values()
            ]
            rows.append([stage.beta, stage.gamma, stage.stage.epochs, other.stage.epochs, *changes, yes_or_no(changes)])
            rows += _doublings(other, stage.stage.epochs)
    header = ["beta", "gamma", "epochs", "longer_epochs", *HEADER[4:]]
    caption = f"{run.name} and {longer.name}: change of the losses of the validation split by longer stages, per cent"
    return Table("longer", caption, header, rows, longer.name)


def _relative_change(first: float, second: float) -> float | None:
    """In per cent; None from zero."""
    return round(100 * (second - first) / abs(first), DIGITS) if first else None


def _doublings(stage: FinishedStage, shortest: int) -> list[list[Cell]]:
    """Rows of a stage ended at its whole length, at half of it and so on, while the half is not below the shortest."""
    history, epochs = read_history(stage), stage.stage.epochs
    rows: list[list[Cell]] = []
    while epochs // 2 >= shortest:
        shares = changes_on_doubling(history, epochs)
        rows.insert(0, [stage.beta, stage.gamma, epochs // 2, epochs, *shares, yes_or_no(shares)])
        epochs //= 2
    return rows


def _prepared(recipe: str, runs: Sequence[Run]) -> list[Run]:
    """The runs with the stages that a long recipe is for."""
    choose = _STAGES.get(recipe)
    if choose is None:
        return list(runs)
    chosen = [choose(run) for run in runs if run.config.evae is not None]
    found = [run for run in chosen if run.stages]
    if not found:
        raise DataError(f"{recipe}: needs stages of an E-VAE that are not finished in any of the runs")
    return found


def _analysed(run: Run) -> Run:
    return _with_stages(run, lambda stage_gamma: stage_gamma in ANALYSED_GAMMAS)


def _collapsed(run: Run) -> Run:
    """From the collapse on; a run that has not collapsed with its last stage, which shows that it has not."""
    try:
        ladder = ladder_of_gamma(run)
    except DataError:
        return dataclasses.replace(run, stages=())
    first = first_collapsed(ladder) or ladder[-1]
    return _with_stages(run, lambda gamma: gamma > 0 and gamma >= first.gamma)


_STAGES: dict[str, Callable[[Run], Run]] = {"analyse": _analysed, "relax": _collapsed}


def _with_stages(run: Run, wanted: Callable[[float], bool]) -> Run:
    beta = run.config.evae.beta if run.config.evae else None
    stages = tuple(stage for stage in run.stages if stage.beta == beta and wanted(stage.gamma))
    return dataclasses.replace(run, stages=stages)


def _counterpart(longer: Run, runs: Sequence[Run]) -> Run:
    """Of the runs that differ in their ladders alone, that with the most stages in common, trained for the shortest."""
    ladders = [(stage.beta, stage.gamma) for stage in longer.stages]

    def rank(run: Run) -> tuple[int, int]:
        shared = [stage.stage.epochs for stage in run.stages if (stage.beta, stage.gamma) in ladders]
        return -len(shared), sum(shared)

    others = [
        run
        for run in runs
        if run.path != longer.path and config_differences(run.config, longer.config).keys() <= LADDERS
    ]
    if not others:
        raise DataError(f"{longer.path}: expected a run that differs in the stages alone beside it, found none")
    return min(others, key=rank)
