"""The commands of the repository, called as from a shell."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def command(folder, script, *arguments):
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "-1", "PYTHONPATH": str(ROOT)}
    return [sys.executable, str(ROOT / script), *map(str, arguments)], {"cwd": folder, "env": environment}


def call(folder, script, *arguments):
    line, options = command(folder, script, *arguments)
    return subprocess.run(line, capture_output=True, text=True, **options)


def smoke(folder, *arguments):
    """train.py with the smallest configuration, 32 x 32."""
    return call(folder, "train.py", "--config", ROOT / "configs" / "smoke.yaml", *arguments)
