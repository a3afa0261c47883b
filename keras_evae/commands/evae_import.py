"""Makes a dataset of a user's own spin configurations, which evae-train takes as it takes annealed ones."""

import argparse

from keras_evae.commands.options import add_config, add_overrides, make_main, new_parser
from keras_evae.config import load_config
from keras_evae.dataset.generation import ensure_dataset
from keras_evae.runs.from_config import dataset_specification

EPILOG = """examples:
  evae-import simulated/*.ovf --config quickstart --output data/own.h5 --set dataset.train=800
  evae-train --config quickstart --set dataset.source=own --set dataset.path=data/own.h5 --set dataset.train=800

Files: OVF of OOMMF, mumax3, Spirit and ubermag, HDF5, NPZ, NPY; also folders. Energies are those of the configuration.
"""


def make_parser() -> argparse.ArgumentParser:
    parser = new_parser("evae-import", __doc__, EPILOG)
    files_help = "file of spins, FILE:NAME for one of its arrays, folder, or glob"
    parser.add_argument("files", nargs="+", metavar="FILE", help=files_help)
    add_config(parser, required=True)
    parser.add_argument("--output", required=True, metavar="FILE", help="HDF5 file to be made")
    fit_help = "how another lattice becomes dataset.shape: cut out of the middle, or repeated along periodic axes"
    parser.add_argument("--fit", choices=("crop", "tile"), help=fit_help)
    add_overrides(parser, "dataset.train=800")
    return parser


def _import(options: argparse.Namespace) -> None:
    own = ["dataset.source=own", f"dataset.path={options.output}"]
    fit = [f"dataset.fit={options.fit}"] if options.fit else []
    config = load_config(options.config, [*options.set, *own, *fit])
    dataset = config.dataset.model_copy(update={"files": tuple(options.files)})
    ensure_dataset(dataset.path, dataset_specification(config.model_copy(update={"dataset": dataset})))


main = make_main(make_parser, _import)
