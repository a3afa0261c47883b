"""Generates certified states from a trained run: drawn, relaxed at T = 0, measured, kept if they fulfil conditions."""

import argparse
import math
from pathlib import Path

from keras_evae.commands.options import add_export, make_main, new_parser, number
from keras_evae.config_text import Count, Coupling, Seed
from keras_evae.dataset.formats.spin_files import export_states
from keras_evae.errors import ConfigError
from keras_evae.evaluation.stable_states import last_before_collapse
from keras_evae.evaluation.stable_states_file import write_stable
from keras_evae.files import check_room
from keras_evae.runs.resources import SPIN_BYTES
from keras_evae.runs.run import load_run

EPILOG = """examples:
  evae-generate --run runs/quickstart --number 1000 --output states.h5
  evae-generate --run runs/quickstart --number 50 --output perfect.h5 --charge -8 --defects 0
  evae-generate --run runs/quickstart --number 50 --output raw.h5 --stage gamma=10 --prior normal --no-relax

Stopped at any moment and started again with the same arguments, it continues; the same seed gives the same states.
"""


def make_parser() -> argparse.ArgumentParser:
    parser = new_parser("evae-generate", __doc__, EPILOG)
    parser.add_argument("--run", type=Path, required=True, metavar="DIR", help="run folder of evae-train")
    parser.add_argument("--number", type=number(Count), required=True, metavar="N", help="number of states")
    parser.add_argument("--output", type=Path, required=True, metavar="FILE", help="HDF5 file to be made")
    parser.add_argument("--seed", type=number(Seed), default=0, metavar="S", help="default: 0")
    prior_help = "where latent vectors come from: normal, posterior, or flow (default), learned when first asked for"
    parser.add_argument("--prior", default="flow", metavar="NAME", help=prior_help)
    stage_help = "such as gamma=10 (default: the last before the collapse; the last if that is not known)"
    parser.add_argument("--stage", metavar="WORDS", help=stage_help)
    add_export(parser)
    parser.add_argument("--no-relax", action="store_true", help="states as the decoder gives them")
    parser.add_argument("--charge", type=number(int), metavar="Q", help="only states with this topological charge")
    defects_help = "only states with at most so many skyrmions without six neighbours"
    parser.add_argument("--defects", type=number(int), metavar="N", help=defects_help)
    parser.add_argument("--energy-below", type=number(Coupling), metavar="E", help="only states with an E/N below this")
    limit_help = "draws at most, in hundreds (default: 1000 for each state)"
    parser.add_argument("--limit", type=number(Count), metavar="N", help=limit_help)
    return parser


def _generate(options: argparse.Namespace) -> None:
    run = load_run(options.run, options.stage)
    # Chunks and the file that is packed of them.
    needed = 2 * SPIN_BYTES * math.prod(run.shape) * options.number
    check_room(options.output.parent, needed, f"{options.number} states", "take a smaller --number")
    # Imported late, as TensorFlow comes with it.
    from keras_evae.model.latent_priors import PRIORS

    if options.prior not in PRIORS:
        raise ConfigError(f"--prior: expected one of {', '.join(PRIORS)}, found {options.prior}")
    run = run if options.stage else last_before_collapse(run)
    drawn = {name: getattr(options, name) for name in ("seed", "prior", "limit", "charge", "defects", "energy_below")}
    write_stable(run, options.output, options.number, relax=not options.no_relax, **drawn)
    export_states(options.output, options.export, run.hamiltonian)


main = make_main(make_parser, _generate)
