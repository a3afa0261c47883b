"""Makes the paper's figures, with tables and numbers, from trained runs."""

import argparse
import sys
from pathlib import Path

from keras_evae.console import run_command
from keras_evae.runs import latest_run

FIGURES = {
    "--losses": "Fig. 2: the three losses against beta and gamma",
    "--reconstructions": "Fig. S1: a state and its reconstructions",
    "--local-correlation": "Fig. 3A: states, and how well their spins follow the effective fields",
    "--theta": "Fig. 3B: densities of the angle between spins and effective fields",
    "--interpolation": "Fig. 4: energy between skyrmion lattices with and without an interstitial",
    "--collapse": "Fig. 5A: generated states around the collapse; whether trainings collapse to the same state",
    "--fft-mse": "Fig. 5B: likeness of generated states against gamma",
    "--convergence": "whether the stages were long enough: changes of the losses in the second half of each",
    "--analyse": "skyrmions, order, structure factor and distances to the test data of generated states",
    "--relax": "relaxation of generated states at T = 0, energies before and after; writes states.h5",
}


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog="Works on a run still in training, with the stages that it has finished."
    )
    parser.add_argument(
        "--run",
        type=Path,
        action="append",
        metavar="DIR",
        help="run folder (default: the latest below runs/); may be repeated to compare runs in one picture",
    )
    parser.add_argument("--output", type=Path, metavar="DIR", help="default: <first run>/evaluation")
    parser.add_argument(
        "--spins",
        metavar="FILE[:NAME]",
        help="with --analyse: spins (n, y, x, 3) of an HDF5, NPZ or NPY file instead of generated states; "
        "the Hamiltonian is that of --config, of --run, or the paper's (default output: <FILE>_analysis)",
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help="with --spins: configuration of the Hamiltonian")
    for flag, text in FIGURES.items():
        parser.add_argument(flag, dest="recipes", action="append_const", const=flag[2:].replace("-", "_"), help=text)
    parser.add_argument("--report", action="store_true", help="one HTML page of all results in the output folder")
    parser.add_argument(
        "--all", action="store_true", help="everything that the runs have the stages for, and the report"
    )
    arguments = parser.parse_args()
    if not (arguments.recipes or arguments.report or arguments.all):
        parser.error(f"choose at least one of {', '.join(FIGURES)}, --report, --all")
    if arguments.spins and (arguments.recipes != ["analyse"] or len(arguments.run or []) > 1):
        parser.error("--spins goes with --analyse alone, and with one --run at most")
    if arguments.config and not arguments.spins:
        parser.error("--config goes with --spins; a run has its own configuration")
    return arguments


def main(arguments: argparse.Namespace) -> None:
    if arguments.spins:
        from keras_evae.evaluation import evaluate_file

        output = arguments.output or Path(f"{Path(arguments.spins.partition(':')[0]).with_suffix('')}_analysis")
        evaluate_file(arguments.spins, arguments.config, arguments.run[0] if arguments.run else None, output)
        return
    folders = arguments.run or [latest_run()]
    from keras_evae.evaluation import RECIPES, evaluate

    recipes = list(RECIPES) if arguments.all else arguments.recipes or []
    output = arguments.output or folders[0] / "evaluation"
    evaluate(folders, recipes, output, report=arguments.report or arguments.all, tolerant=arguments.all)


if __name__ == "__main__":
    arguments = parse_arguments()
    sys.exit(run_command(lambda: main(arguments)))
