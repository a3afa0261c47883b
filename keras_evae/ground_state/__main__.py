"""Searches a ground state by the collapse of the E-VAE, beside slow annealing in the same CPU time."""

import argparse
import math
import sys
from pathlib import Path

from keras_evae.config import load_config
from keras_evae.console import run_command
from keras_evae.runs import load_run

EPILOG = """what it does:
  1 anneals the dataset and trains a VAE for each seed, as train.py does (or takes the runs given by --run)
  2 finds the critical gamma: bisection between the first and the last of evae.gammas, each probe an E-VAE
    trained for the epochs of the longest stage, warm-started from the nearest gamma below that is not collapsed
  3 approaches it from the VAE in steps that get smaller, for a fast rise of gamma may end beside the ground
    state, and lets the collapsed state settle
  4 relaxes generated states at T = 0 and leaves out copies by translation, rotation or mirror
  5 anneals slowly for the same CPU time, and says which method wins and by how much

Each finished probe is kept in --output. Stopped at any moment and started again with the same arguments, it goes
on from there; more --seeds or --betas extend a finished search.

examples:
  python -m keras_evae.ground_state --config configs/quickstart.yaml
  python -m keras_evae.ground_state --config configs/quickstart.yaml --seeds 2 --betas 1e-4 3e-4 1e-3
  python -m keras_evae.ground_state --run runs/quickstart --output runs/quickstart_ground_state
"""


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m keras_evae.ground_state",
        description=__doc__,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--config", metavar="FILE", help="YAML file with an evae section")
    run_help = "instead of --config and --seeds: a run of train.py whose VAE, and stages of gamma, are taken"
    source.add_argument("--run", type=Path, action="append", default=[], metavar="DIR", help=f"{run_help}; repeatable")
    set_help = "override one value of FILE, such as evae.epochs=20 for short probes; repeatable"
    parser.add_argument("--set", action="append", default=[], metavar="SECTION.KEY=VALUE", help=set_help)
    parser.add_argument("--output", type=Path, metavar="DIR", help="default: runs/<name of FILE or DIR>_ground_state")
    parser.add_argument("--seeds", type=int, metavar="N", help="independent trials at each beta (default: 3)")
    betas_help = "also the critical gamma at these values of beta: tables and picture phase_curve"
    parser.add_argument("--betas", type=float, nargs="+", default=[], metavar="BETA", help=betas_help)
    return parser


def parse_arguments() -> argparse.Namespace:
    parser = make_parser()
    arguments = parser.parse_args()
    if arguments.seeds is not None and (arguments.seeds < 1 or arguments.run):
        parser.error(f"--seeds: expected a number of at least 1, and no --run, found {arguments.seeds}")
    if arguments.set and arguments.run:
        parser.error("--set goes with --config; a run has its own configuration")
    if not all(0 < beta < math.inf for beta in arguments.betas):
        parser.error(f"--betas: expected numbers above 0, found {' '.join(f'{beta:g}' for beta in arguments.betas)}")
    return arguments


def main(arguments: argparse.Namespace) -> None:
    source = arguments.config or arguments.run[0]
    config = load_config(source, arguments.set) if arguments.config else load_run(source).config
    from keras_evae.ground_state.search import find_ground_state

    output = arguments.output or Path("runs") / f"{Path(source).stem}_ground_state"
    find_ground_state(config, output, arguments.seeds or 3, arguments.run, arguments.betas)


if __name__ == "__main__":
    arguments = parse_arguments()
    sys.exit(run_command(lambda: main(arguments)))
