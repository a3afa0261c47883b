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
    "--fft-mse": "Fig. 5B: likeness of generated states against gamma",
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
    for flag, text in FIGURES.items():
        parser.add_argument(flag, dest="recipes", action="append_const", const=flag[2:].replace("-", "_"), help=text)
    arguments = parser.parse_args()
    if not arguments.recipes:
        parser.error(f"choose at least one of {', '.join(FIGURES)}")
    return arguments


def main(arguments: argparse.Namespace) -> None:
    folders = arguments.run or [latest_run()]
    from keras_evae.evaluation import evaluate

    evaluate(folders, arguments.recipes, arguments.output or folders[0] / "evaluation")


if __name__ == "__main__":
    arguments = parse_arguments()
    sys.exit(run_command(lambda: main(arguments)))
