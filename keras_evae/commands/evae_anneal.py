"""Anneals the dataset of a configuration: on all cores of this machine, or on a Dask cluster."""

import argparse
import logging
from pathlib import Path

from keras_evae.commands.options import add_config, add_export, add_overrides, add_workers, make_main, new_parser
from keras_evae.config import load_config
from keras_evae.dataset.cluster import connect
from keras_evae.dataset.formats.spin_files import export_states
from keras_evae.dataset.generation import ensure_dataset
from keras_evae.dataset.specification import DatasetSpecification
from keras_evae.errors import ConfigError
from keras_evae.minima.freezing import annealing_report
from keras_evae.plotting import new_figure, save_figure, style
from keras_evae.plotting.temperature_curves import plot_annealing_report
from keras_evae.runs.from_config import dataset_specification
from keras_evae.runs.resources import check_annealing

logger = logging.getLogger(__name__)

EPILOG = """examples:
  evae-anneal --config quickstart
  evae-anneal --config quickstart --set dataset.train=2000 --set dataset.path=data/more.h5
  evae-anneal --config quickstart --set dataset.schedule=quench --set dataset.path=data/quenched.h5
  evae-anneal --config quickstart --report
  evae-anneal --config vae --scheduler tcp://127.0.0.1:8786

Schedules by name: default (near the lowest states), quench (fast, with many defects), slow (for the lowest state).

Stopped at any moment and started again with the same arguments, it continues after the last finished shard.
The result does not depend on workers, machines or interruptions.
"""


def make_parser() -> argparse.ArgumentParser:
    parser = new_parser("evae-anneal", __doc__, EPILOG)
    add_config(parser, required=True)
    add_overrides(parser, "dataset.storage=float16")
    add_export(parser)
    report_help = "anneal 8 lattices and say where they freeze and which schedule to take; no dataset is made"
    parser.add_argument("--report", action="store_true", help=report_help)
    add_workers(parser, "anneal")
    return parser


def _anneal(options: argparse.Namespace) -> None:
    if options.workers is not None and options.scheduler not in (None, "local"):
        raise ConfigError(
            "--workers: expected with threads or --scheduler local only; a cluster brings its own workers"
        )
    config = load_config(options.config, options.set)
    specification = dataset_specification(config)
    if options.report:
        _report(specification, config.dataset.path, options.workers)
        return
    if options.scheduler in (None, "local"):
        check_annealing(specification, config.dataset.path, options.workers)
    if options.scheduler is None:
        ensure_dataset(config.dataset.path, specification, options.workers)
    else:
        with connect(options.scheduler, options.workers) as client:
            ensure_dataset(config.dataset.path, specification, client=client)
    export_states(config.dataset.path, options.export, specification.hamiltonian)


def _report(specification: DatasetSpecification, path: Path, workers: int | None) -> None:
    of = specification
    report = annealing_report(of.hamiltonian, of.shape, of.schedule, seed=of.seed, workers=workers)
    logger.info("%s", report)
    picture = path.with_name(f"{path.stem}_report.png")
    picture.parent.mkdir(parents=True, exist_ok=True)
    with style():
        figure, axes = new_figure(1, 3, shared=False)
        plot_annealing_report(axes[0], report.rows, report.freezing)
        save_figure(figure, picture)
    logger.info("picture: %s", picture)


main = make_main(make_parser, _anneal)
