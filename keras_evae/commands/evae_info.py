"""What a report of a problem needs: versions, processor, oneDNN, GPUs, threads, memory, folder of compiled kernels."""

import argparse
import logging
import os

from keras_evae import machine
from keras_evae.commands.options import make_main, new_parser

logger = logging.getLogger(__name__)

EPILOG = """examples:
  evae-info
  evae-info > report.txt

TensorFlow is loaded to ask for oneDNN and GPUs, which takes some seconds.
"""


def make_parser() -> argparse.ArgumentParser:
    return new_parser("evae-info", __doc__, EPILOG)


def _tell(options: argparse.Namespace) -> None:
    lines = describe()
    width = max(map(len, lines))
    for name, value in lines.items():
        logger.info("%s  %s", name.ljust(width), value)


def describe() -> dict[str, str]:
    """The lines, by name."""
    from keras_evae.monte_carlo.compilation import cache_folder

    environment = machine.describe_environment()
    machine.prepare_tensorflow()
    arithmetic = machine.describe_arithmetic()
    versions = environment["versions"]
    return {
        "keras_evae": f"{versions.pop('keras_evae')}, commit {environment['commit'] or 'none: installed'}",
        "Python": f"{environment['python']}, {environment['machine']}",
        "packages": ", ".join(f"{name} {version}" for name, version in versions.items()),
        "processor": f"{environment['processor']}; {machine.usable_cores()} of {environment['cores']} cores usable",
        "memory": f"{machine.available_memory() / 1e9:.1f} GB available",
        "oneDNN": f"{'on' if arithmetic['oneDNN'] else 'off'}, {machine.ONEDNN}={os.environ.get(machine.ONEDNN, '')}",
        "GPUs": str(arithmetic["gpus"]),
        "threads": f"{arithmetic['threads']} within an operation, {arithmetic['threads between operations']} between",
        "kernels": str(cache_folder()),
        "folder": os.getcwd(),
    }


main = make_main(make_parser, _tell)
