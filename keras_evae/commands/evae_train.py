"""Trains an E-VAE: anneals the dataset if it is missing, then trains the VAE's and the E-VAE's stages."""

import argparse
import logging
from pathlib import Path

from keras_evae.commands.options import add_config, add_overrides, make_main, new_parser
from keras_evae.config import load_config
from keras_evae.runs.from_config import check_resources

EPILOG = """examples:
  evae-train --config quickstart
  evae-train --config quickstart --set training.seed=1 --output runs/seed_1
  evae-train --config my_own.yaml --verbose

Stopped at any moment and started again with the same arguments, it continues from its last checkpoint.
Watch a run with: tensorboard --logdir runs
"""


def make_parser() -> argparse.ArgumentParser:
    parser = new_parser("evae-train", __doc__, EPILOG)
    add_config(parser, required=True)
    parser.add_argument("--output", metavar="DIR", help="run folder (default: runs/<name of the configuration>)")
    add_overrides(parser, "training.seed=1")
    parser.add_argument("--verbose", action="store_true", help="a line for every epoch")
    strategy_help = "train on all GPUs of this host, or on the hosts of TF_CONFIG (docs/gpu.md); default: one device"
    parser.add_argument("--strategy", choices=("mirrored", "multiworker"), help=strategy_help)
    stages_help = (
        "run folder whose finished stages are taken over instead of trained again, where both plans begin alike and "
        "nothing but the stages differs"
    )
    parser.add_argument("--stages-from", metavar="DIR", help=stages_help)
    return parser


def _train(options: argparse.Namespace) -> None:
    config = load_config(options.config, options.set)
    if options.verbose:
        logging.getLogger("keras_evae").setLevel(logging.DEBUG)
    output = options.output or Path("runs") / Path(options.config).stem
    check_resources(config, output)
    # Imported late: --help and a bad configuration need not wait for TensorFlow.
    from keras_evae.training.recipe import train

    train(config, output, options.strategy, options.stages_from)


main = make_main(make_parser, _train)
