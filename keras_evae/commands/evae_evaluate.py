"""Makes the paper's figures, with tables and numbers, from trained runs."""

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path

from keras_evae.commands.options import add_export, new_parser, number
from keras_evae.config import Config, load_config
from keras_evae.config_text import Units, Weight
from keras_evae.console import run_command
from keras_evae.dataset.formats.spin_files import export_states
from keras_evae.evaluation.recipes import ALL, RECIPES, evaluate, evaluate_file
from keras_evae.hamiltonian import Hamiltonian
from keras_evae.runs.run import latest_run, load_run

logger = logging.getLogger(__name__)

GENERATION_OPTIONS = ("gammas", "priors", "count")
EPILOG = """examples:
  evae-evaluate                                           everything, for the latest run below runs/
  evae-evaluate --run runs/a --run runs/b --fft-mse       two runs in one picture
  evae-evaluate --analyse --spins states.npz:spins        the states of another program

Works on a run still in training, with the stages that it has finished.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """The command `evae-evaluate`; returns its exit code."""
    given = parse_arguments(arguments)
    return run_command(lambda: _evaluate_file(given) if given.spins else _evaluate_runs(given))


def make_parser() -> argparse.ArgumentParser:
    parser = new_parser("evae-evaluate", __doc__, EPILOG)
    run_help = "run folder (default: the latest below runs/); may be repeated to compare runs in one picture"
    parser.add_argument("--run", type=Path, action="append", metavar="DIR", help=run_help)
    parser.add_argument("--output", type=Path, metavar="DIR", help="default: <first run>/evaluation")
    spins_help = (
        "with --analyse: spins of an OVF, HDF5, NPZ or NPY file instead of generated states; "
        "the Hamiltonian is that of --config, of --run, or the paper's (default output: <FILE>_analysis)"
    )
    parser.add_argument("--spins", metavar="FILE[:NAME]", help=spins_help)
    config_help = "with --spins: name or file of the Hamiltonian's configuration"
    parser.add_argument("--config", metavar="NAME", help=config_help)
    for name, recipe in RECIPES.items():
        text = f"{recipe.title}: {recipe.help}"
        parser.add_argument(recipe.flag, dest="recipes", action="append_const", const=name, help=text)
    add_export(parser.add_argument_group("with --relax"))
    generation = parser.add_argument_group("with --generation")
    gammas_help = "stages nearest to these values of gamma (default: those before the collapse, and the last)"
    generation.add_argument("--gammas", type=number(Weight), nargs="+", metavar="GAMMA", help=gammas_help)
    priors_help = "ways to draw latent vectors: normal, posterior, flow (default: all)"
    generation.add_argument("--priors", nargs="+", metavar="NAME", help=priors_help)
    number_help = "states of each kind (default: 200)"
    generation.add_argument("--number", type=number(Units), dest="count", metavar="N", help=number_help)
    parser.add_argument("--report", action="store_true", help="one HTML page of all results in the output folder")
    all_help = "everything that the runs have the stages for, and the report (default)"
    parser.add_argument("--all", action="store_true", help=all_help)
    tables_help = "print the tables of --all too, which stand in the files and the report in any case"
    parser.add_argument("--tables", action="store_true", help=tables_help)
    return parser


def parse_arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = make_parser()
    given = parser.parse_args(arguments)
    if given.spins and (given.recipes != ["analyse"] or len(given.run or []) > 1):
        parser.error("--spins goes with --analyse alone, and with one --run at most")
    if given.config and not given.spins:
        parser.error("--config goes with --spins; a run has its own configuration")
    if any(getattr(given, name) for name in GENERATION_OPTIONS) and "generation" not in (given.recipes or []):
        parser.error("--gammas, --priors and --number go with --generation")
    if given.export and not given.all and "relax" not in (given.recipes or []):
        parser.error("--export goes with --relax, whose states it writes")
    given.all = given.all or not (given.recipes or given.report)
    return given


def _evaluate_runs(given: argparse.Namespace) -> None:
    folders = given.run or [latest_run()]
    recipes = given.recipes or []
    if given.all:
        recipes = [name for name in RECIPES if name in (*ALL, *recipes)]
    chosen = {name: getattr(given, name) for name in GENERATION_OPTIONS if getattr(given, name) is not None}
    output, tables = given.output or folders[0] / "evaluation", given.tables or not given.all
    evaluate(folders, recipes, output, given.report or given.all, given.all, {"generation": chosen}, tables)
    if not tables:
        logger.info("tables: in %s and in the report; --tables prints them", output)
    for path in sorted(output.glob("states*.h5")) if given.export else ():
        export_states(path, given.export)


def _evaluate_file(given: argparse.Namespace) -> None:
    run = load_run(given.run[0]) if given.run else None
    config = load_config(given.config) if given.config else run.config if run else Config()
    output = given.output or Path(f"{Path(given.spins.partition(':')[0]).with_suffix('')}_analysis")
    evaluate_file(given.spins, Hamiltonian(**config.hamiltonian.model_dump()), output, run)
