"""The register of the recipes of `evae-evaluate`, each of which makes one figure or analysis of runs; `evaluate`."""

import contextlib
import dataclasses
import importlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from keras_evae.errors import ArgumentError, DataError, EVAEError
from keras_evae.evaluation.results import Section
from keras_evae.evaluation.stage_selection import with_ladder_of_gamma
from keras_evae.evaluation.stage_states import release_models
from keras_evae.files import disk_errors
from keras_evae.hamiltonian import Hamiltonian
from keras_evae.runs.manifest import begin_manifest
from keras_evae.runs.run import Run, load_run

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Recipe:
    """One row of the register; the recipe itself is the function `make_<name>(runs, output) -> Section` of a module.

    The module is imported when the recipe is called: the list of recipes needs neither Matplotlib nor TensorFlow.
    `needs_gamma`: it is made of the runs that have a ladder of gamma; a VAE has none.
    `in_all`: `evae-evaluate --all` makes it.
    """

    name: str
    module: str
    title: str
    help: str
    needs_gamma: bool = False
    in_all: bool = True

    @property
    def flag(self) -> str:
        return f"--{self.name.replace('_', '-')}"

    def __call__(self, runs: Sequence[Run], output: Path, **options: Any) -> Section:
        module = importlib.import_module(f"keras_evae.evaluation.{self.module}")
        return getattr(module, f"make_{self.name}")(runs, output, **options)  # type: ignore[no-any-return]


# In the order of the paper.
# fmt: off
RECIPES: dict[str, Recipe] = {recipe.name: recipe for recipe in (
    Recipe("losses", "figure_2_losses", "Figure 2", "the three losses against beta and gamma"),
    Recipe("reconstructions", "figure_s1_reconstructions", "Figure S1", "a state and its reconstructions"),
    Recipe("local_correlation", "figure_3_correlation", "Figure 3A",
           "states, and how well their spins follow the effective fields", needs_gamma=True),
    Recipe("theta", "figure_3_correlation", "Figure 3B",
           "densities of the angle between spins and effective fields", needs_gamma=True),
    Recipe("interpolation", "figure_4_interpolation", "Figure 4",
           "energy between skyrmion lattices with and without an interstitial", needs_gamma=True),
    Recipe("collapse", "figure_5_collapse", "Figure 5A",
           "states around the collapse; whether trainings collapse to the same state", needs_gamma=True),
    Recipe("fft_mse", "figure_5_collapse", "Figure 5B", "likeness of generated states against gamma", needs_gamma=True),
    Recipe("convergence", "convergence", "Length of the stages", "changes of the losses in the second half of each"),
    Recipe("analyse", "generated_states", "Generated states",
           "their skyrmions, order, structure factor and distances to the test data"),
    Recipe("relax", "relaxed_states", "Relaxation",
           "energies of generated states before and after relaxation at T = 0; writes states.h5"),
    Recipe("generation", "generation_table", "Quality and speed of generation",
           "each way to draw latent vectors beside test data and annealer; learns densities, not part of --all",
           in_all=False),
    Recipe("states", "shown_states", "Eight generated states",
           "of the stage that generates best and of the collapsed one, with E/N and psi6"),
    Recipe("movie", "movies", "Movies", "GIFs of generated states along gamma and of an interpolation",
           needs_gamma=True, in_all=False),
)}
# fmt: on
# What `evae-evaluate --all` makes.
ALL = tuple(name for name, recipe in RECIPES.items() if recipe.in_all)


def evaluate(
    runs: str | Path | Run | Sequence[str | Path | Run],
    recipes: str | Sequence[str],
    output: str | Path,
    report: bool = False,
    tolerant: bool = False,
    options: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
    tables: bool = True,
) -> list[Section]:
    """Runs recipes on runs; their pictures and numbers go to `output`.

    Args:
        runs: Run folders, or open runs: those with energy terms of a user's own, which `load_run` alone is given.
            Curves of several runs share one picture.
        recipes: Keys of `RECIPES`.
        output: Folder for the results, made if it is missing.
        report: Write `report.html` of these results, and of those of other recipes that are in `output` already.
        tolerant: A recipe that the runs cannot feed is left out; the report says why.
        options: Arguments of recipes, by their names: `{"generation": {"gammas": [10, 100]}}`.
        tables: Log all tables; they stand in the files in any case.

    Returns what each recipe found, in the order of `recipes`.
    """
    runs = [runs] if isinstance(runs, str | Path | Run) else runs
    recipes = [recipes] if isinstance(recipes, str) else recipes
    if not runs:
        raise ArgumentError("runs", "a run or more", runs)
    if unknown := [name for name in recipes if name not in RECIPES]:
        raise ArgumentError("recipes", f"some of {', '.join(RECIPES)}", unknown)
    # A run that is given twice is one run.
    opened = list({run.path: run for run in map(_open_run, runs)}.values())
    output = Path(output)
    sections, gaps = [], {}
    with results_folder(output):
        for name in recipes:
            try:
                section = make_section(name, opened, output, **options.get(name, {}))
            except EVAEError as error:
                if not tolerant:
                    raise
                gaps[name] = str(error)
                logger.info("left out: %s: %s", RECIPES[name].flag, error)
                continue
            sections.append(section.publish(output, tables))
    if report:
        from keras_evae.evaluation.report import collect_sections, write_report

        known = [name for name in RECIPES if name not in gaps]
        write_report(opened, collect_sections(sections, known, output), gaps, output)
    return sections


def evaluate_file(spins: str, hamiltonian: Hamiltonian, output: Path, run: str | Path | Run | None = None) -> Section:
    """Analyses a file of spins, see `keras_evae.read_spins`, beside the test split of a run."""
    from keras_evae.evaluation.generated_states import analyse_file

    compared = load_run(run) if isinstance(run, str | Path) else run
    with results_folder(output):
        return analyse_file(spins, hamiltonian, compared, output).publish(output)


def _open_run(run: str | Path | Run) -> Run:
    run = run if isinstance(run, Run) else load_run(run)
    if not run.stages:
        raise DataError(
            f"{run.path}: no stage is finished yet; let evae-train go on, it says how long the first stage takes"
        )
    return run


def make_section(name: str, runs: Sequence[Run], output: Path, **options: Any) -> Section:
    """What a recipe finds in opened runs; those without a ladder of gamma are left out, and named, if it needs one."""
    recipe = RECIPES[name]
    fit, left_out = with_ladder_of_gamma(runs) if recipe.needs_gamma else (runs, [])
    section, made_from = recipe(fit, output, **options), [run.stages_checksum for run in runs]
    return dataclasses.replace(section, notes=[*section.notes, *left_out], made_from=made_from)


@contextlib.contextmanager
def results_folder(output: Path) -> Iterator[None]:
    """Makes the folder of the results, gives pictures their look, and frees the models at the end."""
    if output.exists() and not output.is_dir():
        raise DataError(f"{output}: expected a folder for the results, found a file; choose another --output")
    with disk_errors(output):
        output.mkdir(parents=True, exist_ok=True)
        begin_manifest(output)
    from keras_evae import plotting

    with plotting.style():
        try:
            yield
        finally:
            release_models()
