"""Makes the paper's figures, with tables and numbers, from trained runs."""

import argparse
import sys
from pathlib import Path

from keras_evae.console import run_command
from keras_evae.runs import latest_run

FIGURES = {
    "--losses": "Fig. 2: the three losses against beta and gamma",
    "--reconstructions": "Fig. S1: a state and its reconstructions",
    "--fft-mse": "Fig. 5B: likeness of generated states against gamma",
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
    arguments = parser.parse_args()
    if not arguments.recipes:
        parser.error(f"choose at least one of {', '.join(FIGURES)}")
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
    from keras_evae.evaluation import evaluate

    evaluate(folders, arguments.recipes, arguments.output or folders[0] / "evaluation")


if __name__ == "__main__":
    arguments = parse_arguments()
    sys.exit(run_command(lambda: main(arguments)))
