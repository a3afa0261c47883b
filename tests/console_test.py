"""How commands end: one line of a sensible length, and quietly when nobody reads them."""

import subprocess
import sys

import pytest

from keras_evae import errors
from keras_evae.console import run_command

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


@pytest.mark.parametrize(
    ("kind", "code"),
    [(errors.ConfigError, 2), (errors.DataError, 3), (errors.MismatchError, 4), (errors.ResourceError, 5),
     (errors.DiskError, 5), (errors.LockedError, 6), (errors.NumericalError, 7), (errors.ClusterError, 1)],
)  # fmt: skip
def test_errors_are_one_line_of_a_sensible_length_and_a_code(capsys, monkeypatch, kind, code):
    monkeypatch.setattr("signal.signal", lambda *arguments: None)

    def command():
        raise kind("first" + "x" * 10_000 + "\nlast")

    assert run_command(command) == code
    line = capsys.readouterr().err
    assert line.startswith("error: first") and line.endswith("last\n") and line.count("\n") == 1 and len(line) < 1100
