"""Searches the lowest state of a system: collapse of the E-VAE, slow anneals, placed lattices of skyrmions."""

import argparse
from pathlib import Path

from keras_evae.commands.options import add_config, add_export, add_overrides, make_main, new_parser, number
from keras_evae.config import load_config
from keras_evae.config_text import Positive, Workers
from keras_evae.dataset.formats.spin_files import export_states
from keras_evae.errors import ConfigError
from keras_evae.runs.from_config import check_resources
from keras_evae.runs.run import load_run
from keras_evae.runs.run_folder import with_meant_dataset

EPILOG = """The lowest state comes first, whichever method has found it, then how each method did:
  slow anneals       for the processor time that the search with the E-VAE took
  placed lattices    triangular lattices of skyrmions, relaxed
  E-VAE              for each seed a VAE, the gamma of its collapse, and generated states, as they are and relaxed
Stopped at any moment and started again with the same arguments, it continues; more --seeds or --betas extend it.

examples:
  evae-ground-state --config quickstart --seeds 2 --betas 1e-4 3e-4 1e-3
  evae-ground-state --run runs/quickstart --output runs/quickstart_ground_state
"""


def make_parser() -> argparse.ArgumentParser:
    parser = new_parser("evae-ground-state", __doc__, EPILOG)
    source = parser.add_mutually_exclusive_group(required=True)
    add_config(source)
    help = "instead of --config and --seeds: a run of evae-train whose VAE, and stages of gamma, are taken; repeatable"
    source.add_argument("--run", type=Path, action="append", default=[], metavar="DIR", help=help)
    add_overrides(parser, "evae.epochs=20 for short probes")
    help = "default: runs/<name of the configuration or run>_ground_state"
    parser.add_argument("--output", type=Path, metavar="DIR", help=help)
    help = "independent trials at each beta (default: 3)"
    parser.add_argument("--seeds", type=number(Workers), metavar="N", help=help)
    help = "also the critical gamma at these values of beta: table phase_curve_trials"
    parser.add_argument("--betas", type=number(Positive), nargs="+", default=[], metavar="BETA", help=help)
    add_export(parser)
    return parser


def _search(options: argparse.Namespace) -> None:
    if options.seeds is not None and options.run:
        raise ConfigError("--seeds goes with --config; with --run each run is a trial")
    if options.set and options.run:
        raise ConfigError("--set goes with --config; a run has its own configuration")
    if len({f"{beta:g}" for beta in options.betas}) < len(set(options.betas)):
        raise ConfigError("--betas: expected values that differ in their first six digits, which name their folders")
    source = options.config or options.run[0]
    config = load_config(source, options.set) if options.config else with_meant_dataset(source, load_run(source).config)
    output = options.output or Path("runs") / f"{Path(source).stem}_ground_state"
    check_resources(config, output)
    from keras_evae.evaluation.ground_state import find_ground_state

    find_ground_state(config, output, options.seeds or 3, options.run, options.betas)
    export_states(output / "candidates.h5", options.export)


main = make_main(make_parser, _search)
