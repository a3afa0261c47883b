"""How commands end: one line of a sensible length, and quietly when nobody reads them."""

import subprocess
import sys

from keras_evae.console import run_command
from keras_evae.errors import ConfigError

LINES = """
import logging, sys
from keras_evae.console import run_command
def command():
    for number in range(100_000):
        try:
            logging.getLogger("keras_evae").info(number)
        except OSError:
            raise SystemError("taken for a fault of a file")
sys.exit(run_command(command))
"""


def test_nobody_reads_the_rest():
    with subprocess.Popen([sys.executable, "-c", LINES], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as command:
        assert command.stdout.readline() == b"0\n"
        command.stdout.close()
        assert command.stderr.read() == b"" and command.wait() == 141


def test_errors_are_one_line_of_a_sensible_length(capsys, monkeypatch):
    monkeypatch.setattr("signal.signal", lambda *arguments: None)

    def command():
        raise ConfigError("first" + "x" * 10_000 + "\nlast")

    assert run_command(command) == 2
    line = capsys.readouterr().err
    assert line.startswith("error: first") and line.endswith("last\n") and line.count("\n") == 1 and len(line) < 1100
