"""What a report of a problem needs: versions, processor, oneDNN, GPUs, threads, memory, folder of compiled kernels."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence

from keras_evae import machine
from keras_evae.commands.options import new_parser
from keras_evae.console import run_command

logger = logging.getLogger(__name__)

EPILOG = """examples:
  evae-info
  evae-info > report.txt

TensorFlow is loaded to ask for oneDNN and GPUs, which takes some seconds.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command with these arguments, those of the process by default, and returns its exit code."""
    new_parser("evae-info", __doc__, EPILOG).parse_args(arguments)
    return run_command(_tell)


def _tell() -> None:
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
