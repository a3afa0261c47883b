"""The commands, called as from a shell: those of an installation by name, train.py and evaluate.py by file."""

import contextlib
import io
import os
import runpy
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SMOKE = ROOT / "configs" / "smoke.yaml"


# Seconds after which a command hangs, also on a busy machine.
PATIENCE = 240
# What the script of an installed command does.
SCRIPT = "import sys; sys.argv[0] = {!r}; from keras_evae.commands.{} import main; sys.exit(main())"


def python_environment(**more):
    """The environment of a process of Python that finds the package wherever it works."""
    return {**os.environ, "CUDA_VISIBLE_DEVICES": "-1", "PYTHONPATH": str(ROOT), **more}


def run_python(folder, *arguments, **more):
    """Such a process, in this folder, with more variables in its environment."""
    options = {"cwd": folder, "env": python_environment(**more), "capture_output": True, "text": True}
    return subprocess.run([sys.executable, *map(str, arguments)], **options)


def command(folder, script, *arguments):
    program = [str(ROOT / script)] if script.endswith(".py") else ["-c", script_of(script)]
    return [sys.executable, *program, *map(str, arguments)], {"cwd": folder, "env": python_environment()}


def script_of(name):
    """Python that runs an installed command, such as evae-anneal."""
    return SCRIPT.format(name, name.replace("-", "_"))


def call(folder, script, *arguments):
    line, options = command(folder, script, *arguments)
    return subprocess.run(line, capture_output=True, text=True, timeout=PATIENCE, **options)


def call_here(folder, script, *arguments):
    """The same in this process, which has loaded TensorFlow: for what ends before it trains."""
    output, errors = io.StringIO(), io.StringIO()
    handler = signal.getsignal(signal.SIGTERM)
    with (
        contextlib.chdir(folder),
        contextlib.redirect_stdout(output),
        contextlib.redirect_stderr(errors),
        pytest.MonkeyPatch.context() as patch,
        pytest.raises(SystemExit) as stop,
    ):
        patch.setattr(sys, "argv", [script, *map(str, arguments)])
        if script.endswith(".py"):
            runpy.run_path(str(ROOT / script), run_name="__main__")
        exec(script_of(script), {})
    signal.signal(signal.SIGTERM, handler)
    return subprocess.CompletedProcess(sys.argv, stop.value.code, output.getvalue(), errors.getvalue())


def smoke(folder, *arguments):
    """train.py with the smallest configuration, 32 x 32."""
    return call(folder, "train.py", "--config", SMOKE, *arguments)


def assert_one_line(result, exit_code, *parts):
    """The command has ended with this code, and its last line says why; progress bars may stand before it."""
    assert result.returncode == exit_code, result.stderr
    line = result.stderr.replace("\r", "\n").splitlines()[-1]
    assert line.startswith("error: ") and "Traceback" not in result.stderr
    for part in parts:
        assert part in line
