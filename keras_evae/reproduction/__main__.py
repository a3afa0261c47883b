"""Holds runs against the paper, statement by statement and figure by figure: writes reproduction.md."""

import argparse
import logging
import shutil
import sys
from pathlib import Path

from keras_evae.console import run_command
from keras_evae.errors import ConfigError, DataError

EPILOG = """examples:
  python -m keras_evae.reproduction --vae runs/vae_s0 runs/vae_s1 --evae runs/evae_b1e-3_s0 runs/evae_b1e-3_s1
  python -m keras_evae.reproduction --vae runs/vae_s0 --evae runs/evae_b1e-3_s0 --only    # the page alone, again

Works on runs in training with the stages that they have, and says what is missing. All results and pictures are
kept in --work, from where --only takes what it does not make again.
"""


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m keras_evae.reproduction",
        description=__doc__,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    runs = {
        "--vae": "runs of the standard VAE up to beta = 1, one for each seed",
        "--evae": "runs of the E-VAE, one for each beta and seed",
        "--convergence": "runs like one of these with some stages longer",
        "--changed": "runs with one thing changed: experiments on what differs from the paper",
        "--confined": "runs of the E-VAE for samples with edges (Note S2)",
    }
    for flag, text in runs.items():
        parser.add_argument(flag, type=Path, nargs="+", default=[], metavar="RUN", help=text)
    parser.add_argument(
        "--throughput", type=Path, metavar="FILE", help="what python benchmarks/training.py --size 128 --json printed"
    )
    parser.add_argument(
        "--only",
        nargs="*",
        type=lambda name: name.replace("-", "_"),
        metavar="RECIPE",
        help="make these again, such as losses theta; read the others from --work",
    )
    parser.add_argument("--output", type=Path, default=Path("docs"), metavar="DIR", help="of the page (default: docs)")
    parser.add_argument(
        "--work", type=Path, default=Path("runs/reproduction"), metavar="DIR", help="default: runs/reproduction"
    )
    arguments = parser.parse_args()
    if not arguments.vae and not arguments.evae:
        parser.error("expected at least one run, with --vae or --evae")
    return arguments


def main(arguments: argparse.Namespace) -> None:
    from keras_evae.reproduction.costs import operations_per_sample, read_throughput
    from keras_evae.reproduction.gathering import count_verdicts, gather, gather_changed, seed_groups
    from keras_evae.reproduction.page import Costs, write_page
    from keras_evae.reproduction.results import SYSTEM, Runs, compare_lengths, make_results, open_finished
    from keras_evae.reproduction.statements import STATEMENTS

    folders = (arguments.vae, arguments.evae, arguments.convergence, arguments.changed, arguments.confined)
    unknown = set(arguments.only or ()) - set(SYSTEM)
    if unknown:
        raise ConfigError(f"--only: expected some of {', '.join(SYSTEM)}, found {', '.join(sorted(unknown))}")
    runs = Runs(*map(open_finished, folders))
    if not runs.system:
        raise DataError("expected a run of --vae or --evae with a finished stage, found none")
    lengths = compare_lengths(runs)
    throughput = arguments.output / "reproduction" / "throughput.json"
    if arguments.throughput:
        throughput.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(arguments.throughput, throughput)
    sections, gaps = make_results(runs, arguments.work, arguments.only)
    rows = gather(STATEMENTS, sections, {**seed_groups(runs.system), **seed_groups(runs.confined)})
    experiments = gather_changed(rows, sections)
    costs = Costs(
        operations_per_sample(runs.system[0].model), read_throughput(throughput) if throughput.is_file() else None
    )
    page = write_page(arguments.output, runs, rows, experiments, sections, gaps, lengths, costs, arguments.work)
    logging.getLogger(__name__).info("%s\npage: %s", count_verdicts(rows), page)


if __name__ == "__main__":
    arguments = parse_arguments()
    sys.exit(run_command(lambda: main(arguments)))
