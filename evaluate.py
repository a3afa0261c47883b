"""Makes the paper's figures, with tables and numbers, from trained runs."""

import argparse
import sys
from pathlib import Path

from keras_evae.console import run_command
from keras_evae.runs import latest_run


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
    parser.add_argument("--losses", action="store_true", help="Fig. 2: the three losses against beta and gamma")
    parser.add_argument("--reconstructions", action="store_true", help="Fig. S1: a state and its reconstructions")
    parser.add_argument("--fft-mse", action="store_true", help="Fig. 5B: likeness of generated states against gamma")
    arguments = parser.parse_args()
    arguments.recipes = [name for name in ("losses", "reconstructions", "fft_mse") if getattr(arguments, name)]
    if not arguments.recipes:
        parser.error("choose at least one of --losses, --reconstructions, --fft-mse")
    return arguments


def main(arguments: argparse.Namespace) -> None:
    folders = arguments.run or [latest_run()]
    from keras_evae.evaluation import RECIPES, evaluate

    recipes = [RECIPES[name] for name in arguments.recipes]
    evaluate(folders, recipes, arguments.output or folders[0] / "evaluation")


if __name__ == "__main__":
    arguments = parse_arguments()
    sys.exit(run_command(lambda: main(arguments)))
