"""Generates the annealed dataset of a configuration: on all cores of this machine, or on a Dask cluster."""

import argparse
import sys

from keras_evae.config import load_config
from keras_evae.console import run_command
from keras_evae.dataset.cluster import connect
from keras_evae.dataset.generation import ensure_dataset
from keras_evae.runs import dataset_specification


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m keras_evae.dataset",
        description=__doc__,
        epilog="Started again with the same arguments, it goes on after the last finished shard. "
        "The result does not depend on workers, machines or interruptions.",
    )
    parser.add_argument("--config", required=True, metavar="FILE", help="YAML file, such as configs/quickstart.yaml")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="SECTION.KEY=VALUE",
        help="override one value, such as dataset.storage=float16; may be repeated",
    )
    parser.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="anneal on a Dask cluster, such as tcp://127.0.0.1:8786, or on processes here: local (default: threads)",
    )
    parser.add_argument("--workers", type=int, metavar="N", help="threads or local processes (default: all cores)")
    arguments = parser.parse_args()
    if arguments.workers is not None and arguments.workers < 1:
        parser.error(f"--workers: expected a number of at least 1, found {arguments.workers}")
    if arguments.workers is not None and arguments.scheduler not in (None, "local"):
        parser.error("--workers: expected with threads or --scheduler local only; a cluster brings its own workers")
    return arguments


def main(arguments: argparse.Namespace) -> None:
    config = load_config(arguments.config, arguments.set)
    specification = dataset_specification(config)
    if arguments.scheduler is None:
        ensure_dataset(config.dataset.path, specification, arguments.workers)
        return
    with connect(arguments.scheduler, arguments.workers) as client:
        ensure_dataset(config.dataset.path, specification, client=client)


if __name__ == "__main__":
    arguments = parse_arguments()
    sys.exit(run_command(lambda: main(arguments)))
