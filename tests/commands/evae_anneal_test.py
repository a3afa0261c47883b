"""evae-anneal: what it does, how it stops, and what it answers to bad input."""

import os
import signal

import pytest

from keras_evae.dataset import check_dataset
from tests.helpers.commands import assert_one_line, call_here, run_python, script_of
from tests.helpers.dataset_cases import CONFIG, SPECIFICATION, digest


@pytest.fixture
def call(tmp_path):
    def call_command(*arguments, train=5, before=""):
        (tmp_path / "run.yaml").write_text(CONFIG.format(train=train))
        return run_python(tmp_path, "-c", before + script_of("evae-anneal"), "--config", "run.yaml", *arguments)

    return call_command


@pytest.fixture
def answer(tmp_path):
    """The command in the process of the tests, for what ends before it anneals."""

    def answer_here(*arguments):
        (tmp_path / "run.yaml").write_text(CONFIG.format(train=5))
        return call_here(tmp_path, "evae-anneal", "--config", "run.yaml", *arguments)

    return answer_here


def test_dataset_is_made_once_also_on_a_full_disk(call, answer, tmp_path):
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (70_000, 70_000))\n"
    assert_one_line(call(before=limit), 5, "data/spins.h5: the disk is full; make room. Finished work is kept")
    result, path = call(), tmp_path / "data" / "spins.h5"
    assert result.returncode == 0, result.stderr
    check_dataset(path, SPECIFICATION)
    assert os.listdir(path.parent) == ["spins.h5"]
    before = path.stat()
    assert answer("--workers", "1").returncode == 0 and path.stat() == before


def test_bad_input_is_answered_in_one_line_and_changes_nothing(answer, tmp_path):
    assert_one_line(answer("--set", "dataset.stroage=float16"), 2, "did you mean 'storage'?")
    result = answer("--scheduler", "nonsense://x")
    assert_one_line(result, 2, "--scheduler nonsense://x: expected a Dask scheduler, found none")
    for arguments, words in ((["--workers", "0"], "--workers: expected greater than 0, found 0"),
                             (["--workers", "2", "--scheduler", "tcp://x:1"], "a cluster brings its own")):  # fmt: skip
        result = answer(*arguments)
        assert result.returncode == 2 and words in result.stderr
    assert os.listdir(tmp_path) == ["run.yaml"]


# The command sends a signal to itself when it has written the second shard.
SIGNALLED = """
import itertools, os
from keras_evae.dataset.shard_folder import ShardFolder
write, written = ShardFolder.write, itertools.count(1)
def writing(self, *arguments):
    write(self, *arguments)
    if next(written) == 2:
        os.kill(os.getpid(), {number})
ShardFolder.write = writing
"""


def test_signals_keep_finished_shards(call, tmp_path):
    result = call(train=300, before=SIGNALLED.format(number=int(signal.SIGTERM)))
    assert_one_line(result, 143, "finished work is kept")
    assert len((tmp_path / "data" / "spins.h5.parts" / "manifest.sha256").read_text().splitlines()) == 2


def test_geometry(answer, tmp_path):
    """A masked dataset refuses another mask or none, and a bad geometry changes nothing."""
    disc = ("--set", "geometry={shape: disc, size: 12}")
    assert answer(*disc).returncode == 0
    first = digest(tmp_path / "data" / "spins.h5")
    whole = answer("--set", "hamiltonian.boundary=open")
    assert_one_line(whole, 4, "data/spins.h5: hamiltonian.mask: expected None as configured, found '16x32 ")
    changed = answer(*disc, "--set", "geometry.size=14")
    assert_one_line(changed, 4, "data/spins.h5: hamiltonian.mask: expected '16x32 ", "found '16x32 ")
    assert len(changed.stderr) < 500
    assert_one_line(answer("--set", "geometry={shape: disc, size: 20}"), 2, "expected at most 16 x 32 sites")
    assert digest(tmp_path / "data" / "spins.h5") == first
