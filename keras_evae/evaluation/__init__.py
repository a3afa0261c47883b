"""The recipes of evaluate.py: each makes one figure of the paper with its tables, numbers and claims."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import matplotlib

from keras_evae import plotting
from keras_evae.config import Config, load_config
from keras_evae.errors import DataError, EVAEError
from keras_evae.evaluation.analyse import analyse, analyse_file
from keras_evae.evaluation.collapse import fft_mse
from keras_evae.evaluation.convergence import convergence
from keras_evae.evaluation.interpolation import interpolation
from keras_evae.evaluation.ladders import with_ladder_of_gamma
from keras_evae.evaluation.local_correlation import local_correlation
from keras_evae.evaluation.losses import losses
from keras_evae.evaluation.reconstructions import reconstructions
from keras_evae.evaluation.relaxation import relax
from keras_evae.evaluation.report import collect_sections, write_report
from keras_evae.evaluation.sections import Section
from keras_evae.evaluation.theta import theta
from keras_evae.evaluation.transition import collapse
from keras_evae.runs import Run, load_run

logger = logging.getLogger(__name__)

Recipe = Callable[[Sequence[Run], Path], Section]

# In the order of the paper; the names are the flags of evaluate.py.
RECIPES: dict[str, Recipe] = {
    "losses": losses,
    "reconstructions": reconstructions,
    "local_correlation": local_correlation,
    "theta": theta,
    "interpolation": interpolation,
    "collapse": collapse,
    "fft_mse": fft_mse,
    "convergence": convergence,
    "analyse": analyse,
    "relax": relax,
}

# Made of the runs that have a ladder of gamma; a VAE has none.
AGAINST_GAMMA = ("local_correlation", "theta", "interpolation", "collapse", "fft_mse")


def evaluate(
    runs: Sequence[str | Path | Run],
    recipes: Sequence[str],
    output: str | Path,
    report: bool = False,
    tolerant: bool = False,
) -> list[Section]:
    """Runs recipes on runs; their pictures and numbers go to `output`.

    Args:
        runs: Run folders, or open runs: those with energy terms of a user's own, which `load_run` alone is given.
            Curves of several runs share one picture.
        recipes: Keys of `RECIPES`.
        output: Folder for the results, made if it is missing.
        report: Write `report.html` of these results, and of those of other recipes that are in `output` already.
        tolerant: A recipe that the runs cannot feed is left out; the report says why.

    Returns:
        What each recipe found, in the order of `recipes`.
    """
    # A run that is given twice is one run.
    opened = list({run.path: run for run in map(_open_run, runs)}.values())
    output = Path(output)
    sections, gaps = [], {}
    with results_folder(output):
        for name in recipes:
            try:
                section = make_section(name, opened, output)
            except EVAEError as error:
                if not tolerant:
                    raise
                gaps[name] = str(error)
                logger.info("\nleft out: --%s: %s", name.replace("_", "-"), error)
            else:
                section.write(output)
                section.log(output)
                sections.append(section)
    if report:
        known = [name for name in RECIPES if name not in gaps]
        write_report(opened, collect_sections(sections, known, output), gaps, output)
    return sections


def evaluate_file(spins: str, config: Path | None, run: Path | None, output: Path) -> Section:
    """Analyses a file of spins; pictures and numbers go to `output`.

    Args:
        spins: The file, see `keras_evae.evaluation.spin_files.read_spins`.
        config: Configuration file that gives the Hamiltonian; that of the run, or the paper's, by default.
        run: Run folder whose test split is compared with the spins.
        output: Folder for the results, made if it is missing.
    """
    compared = load_run(run) if run else None
    settings = load_config(config) if config else compared.config if compared else Config()
    with results_folder(output):
        section = analyse_file(spins, settings, compared, output)
        section.write(output)
        section.log(output)
    return section


def _open_run(run: str | Path | Run) -> Run:
    if not isinstance(run, Run):
        run = load_run(run)
    if not run.stages:
        raise DataError(
            f"{run.path}: no stage is finished yet; let train.py go on, it says how long the first stage takes"
        )
    return run


def make_section(name: str, runs: Sequence[Run], output: Path) -> Section:
    """What a recipe finds in opened runs; those without a ladder of gamma are left out, and named, if it needs one."""
    if name not in AGAINST_GAMMA:
        return RECIPES[name](runs, output)
    fit, left_out = with_ladder_of_gamma(runs)
    section = RECIPES[name](fit, output)
    return dataclasses.replace(section, notes=[*section.notes, *left_out])


@contextlib.contextmanager
def results_folder(output: Path) -> Iterator[None]:
    """Makes the folder of the results, and gives pictures their look."""
    if output.exists() and not output.is_dir():
        raise DataError(f"{output}: expected a folder for the results, found a file; choose another --output")
    output.mkdir(parents=True, exist_ok=True)
    matplotlib.use("Agg")
    with plotting.style():
        yield
