"""The file of certified states: the same after a kill, never changed, damage noticed."""

import io
import json
import shutil
import signal

import numpy as np
import pytest

from keras_evae.dataset.formats.spin_files import read_states
from keras_evae.errors import DataError, MismatchError
from keras_evae.evaluation.stable_states import make_source
from keras_evae.evaluation.stable_states_file import write_stable
from keras_evae.files import read_sealed, write_sealed
from keras_evae.runs.run import load_run
from tests.helpers.commands import call_here, run_python
from tests.helpers.damage import random_flips

KILLED = """
import os, signal, sys
from keras_evae import files
replace, names = os.replace, []
def kill_at_the_second_chunk(partial, path):
    if str(path).endswith("000001.npz"):
        os.kill(os.getpid(), signal.SIGKILL)
    replace(partial, path)
os.replace = kill_at_the_second_chunk
from keras_evae.commands.evae_generate import main
sys.exit(main(sys.argv[1:]))
"""
OPTIONS = ["--run", "runs/smoke", "--stage", "gamma=10", "--prior", "normal", "--number", "150", "--no-relax"]


@pytest.fixture
def written(run, tmp_path):
    path = tmp_path / "states.h5"
    write_stable(run, path, 5, prior="normal", relax=False)
    return path


def test_killed_and_started_again(smoke_run, tmp_path):
    """Under the second chunk: the first is taken as it lies there, and the file is that of an uninterrupted process."""
    killed, marked, whole = (tmp_path / f"{name}.h5" for name in ("killed", "marked", "whole"))
    assert run_python(".", "-c", KILLED, *OPTIONS, "--output", killed).returncode == -signal.SIGKILL
    assert not killed.exists()
    shutil.copytree(tmp_path / "killed.h5.parts", tmp_path / "marked.h5.parts")
    first = tmp_path / "marked.h5.parts" / "000000.npz"
    with np.load(io.BytesIO(read_sealed(first))) as chunk:
        content = io.BytesIO()
        np.savez(content, spins=-chunk["spins"], record=chunk["record"])
    write_sealed(first, content.getvalue())
    run = load_run("runs/smoke", "gamma=10")
    for path in (killed, marked, whole):
        write_stable(run, path, 150, prior="normal", relax=False)
    assert killed.read_bytes() == whole.read_bytes()
    spins, expected = (read_states(str(path), 150)[0] for path in (marked, whole))
    np.testing.assert_array_equal(spins, np.concatenate((-expected[:100], expected[100:])))
    assert sorted(file.name for file in tmp_path.iterdir()) == ["killed.h5", "marked.h5", "whole.h5"]


def test_finished_file_stays(run, written):
    before, parts = written.read_bytes(), written.with_name("states.h5.parts")
    for seed, stays in ((7, True), (0, False)):
        # What a kill has left of another request is somebody's work.
        parts.mkdir(exist_ok=True)
        (parts / "request.json").write_text(json.dumps(make_source(run, seed, "normal", False, {}).request()))
        write_stable(run, written, 5, prior="normal", relax=False)
        assert parts.exists() == stays
    for options, key in (({"seed": 1}, "seed"), ({"n": 6}, "states"), ({"charge": 3}, "charge")):
        with pytest.raises(MismatchError, match=f"{key}: expected {options[key if key != 'states' else 'n']} as conf"):
            write_stable(run, written, **{"n": 5, "prior": "normal", "relax": False, **options})
    assert written.read_bytes() == before
    for damaged in [*random_flips(before, 10), before[: len(before) // 2]]:
        written.write_bytes(damaged)
        with pytest.raises((DataError, MismatchError)):
            write_stable(run, written, 5, prior="normal", relax=False)
        assert written.read_bytes() == damaged and list(written.parent.iterdir()) == [written]


def test_command_answers_in_one_line(smoke_folder, tmp_path):
    for options, code, line in (
        (["--prior", "gaussian"], 2, "error: --prior: expected one of normal, posterior, flow, found gaussian\n"),
        (
            ["--number", "0"],
            2,
            "error: argument --number: expected greater than 0, found 0; see evae-generate --help\n",
        ),
        (["--stage", "gamma=7"], 3, f"error: {smoke_folder}/runs/smoke: expected a finished stage 'gamma=7', found: "),
    ):
        answer = call_here(smoke_folder, "evae-generate", *OPTIONS, "--output", tmp_path / "x.h5", *options)
        assert answer.returncode == code and answer.stderr.startswith(line) and answer.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_damaged_chunk_is_drawn_again(run, tmp_path, written):
    parts = tmp_path / "other.h5.parts"
    with pytest.raises(DataError, match="expected 101 states"):
        write_stable(run, tmp_path / "other.h5", 101, prior="normal", relax=False, limit=100)
    chunk = parts / "000000.npz"
    chunk.write_bytes(chunk.read_bytes()[:-1])
    write_stable(run, tmp_path / "other.h5", 5, prior="normal", relax=False)
    assert (tmp_path / "other.h5").read_bytes() == written.read_bytes()
