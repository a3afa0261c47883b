"""Trains an E-VAE: anneals the dataset if it is missing, then the VAE's and the E-VAE's stages."""

import argparse
import logging
import sys
from pathlib import Path

from keras_evae.config import load_config
from keras_evae.console import quiet_tensorflow, run_command


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog="Started again with the same arguments, it goes on where it was stopped. "
        "Watch it with: tensorboard --logdir runs",
    )
    parser.add_argument("--config", required=True, metavar="FILE", help="YAML file, such as configs/quickstart.yaml")
    parser.add_argument("--output", metavar="DIR", help="run folder (default: runs/<name of the config file>)")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="SECTION.KEY=VALUE",
        help="override one value, such as training.seed=1; may be repeated",
    )
    parser.add_argument("--verbose", action="store_true", help="a line for every epoch")
    parser.add_argument(
        "--strategy",
        choices=("mirrored", "multiworker"),
        help="train on all GPUs of this host, or on the hosts of TF_CONFIG (docs/gpu.md); default: one device",
    )
    parser.add_argument(
        "--stages-from",
        metavar="DIR",
        help="run folder whose finished stages are taken over, where both plans begin alike and nothing but the stages "
        "differs, instead of training them again",
    )
    return parser.parse_args()


def main(arguments: argparse.Namespace) -> None:
    config = load_config(arguments.config, arguments.set)
    if arguments.verbose:
        logging.getLogger("keras_evae").setLevel(logging.DEBUG)
    # Imported late: --help and a bad configuration need not wait for TensorFlow.
    with quiet_tensorflow():
        from keras_evae.training import train

    output = arguments.output or Path("runs") / Path(arguments.config).stem
    train(config, output, arguments.strategy, arguments.stages_from)


if __name__ == "__main__":
    arguments = parse_arguments()
    sys.exit(run_command(lambda: main(arguments)))
