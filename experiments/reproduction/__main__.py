"""Puts the statements of the paper beside runs: writes the verdicts, pictures and numbers of docs/reproduction.md."""

import argparse
import logging
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from keras_evae.console import run_command
from keras_evae.errors import ConfigError, DataError

EPILOG = """examples:
  python -m experiments.reproduction --vae runs/vae_s0 runs/vae_s1 --evae runs/evae_b1e-3_s0 runs/evae_b1e-3_s1
  python -m experiments.reproduction --vae runs/vae_s0 --evae runs/evae_b1e-3_s0 --only    # the page alone, again

Works on runs in training with the stages that they have. All results and pictures are kept in --work, from where
--only takes what it does not make again.
"""


def parse_arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m experiments.reproduction",
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
    given = parser.parse_args(arguments)
    if not given.vae and not given.evae:
        parser.error("expected at least one run, with --vae or --evae")
    return given


def main(given: argparse.Namespace) -> None:
    from experiments.reproduction.claims.claim import read_numbers
    from experiments.reproduction.claims.statements import STATEMENTS
    from experiments.reproduction.costs import cost_table, operations_per_sample, read_throughput
    from experiments.reproduction.page import write_page
    from experiments.reproduction.results import SYSTEM, Runs, compare_lengths, make_results, open_finished
    from experiments.reproduction.seeds import count_verdicts, gather, gather_changed, seed_groups

    unknown = set(given.only or ()) - set(SYSTEM)
    if unknown:
        raise ConfigError(f"--only: expected some of {', '.join(SYSTEM)}, found {', '.join(sorted(unknown))}")
    runs = Runs(*map(open_finished, (given.vae, given.evae, given.convergence, given.changed, given.confined)))
    if not runs.system:
        raise DataError("expected a run of --vae or --evae with a finished stage, found none")
    others = [("longer", table) for table in compare_lengths(runs)]
    throughput = given.output / "reproduction" / "throughput.json"
    if given.throughput:
        throughput.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(given.throughput, throughput)
    sections = make_results(runs, given.work, given.only)
    numbers = {(kind, name): read_numbers(given.work / kind / f"{name}.json") for kind, name in sections}
    rows = gather(STATEMENTS, numbers, {**seed_groups(runs.system), **seed_groups(runs.confined)})
    measured = read_throughput(throughput) if throughput.is_file() else None
    others.append(("system", cost_table(operations_per_sample(runs.system[0].model), measured)))
    page = write_page(given.output, rows, gather_changed(rows, numbers), sections, others, given.work)
    logging.getLogger(__name__).info("%s\npage: %s", count_verdicts(rows), page)


if __name__ == "__main__":
    parsed = parse_arguments()
    sys.exit(run_command(lambda: main(parsed)))
