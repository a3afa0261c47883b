"""Checkpoints: whole or not at all, damage is noticed, and loading executes nothing."""

import hashlib
import io
import json
import pickle
import resource
import signal

import keras
import numpy as np
import pytest

from keras_evae.errors import DataError, DiskError, NumericalError
from keras_evae.model.evae import EVAE
from keras_evae.runs.checkpoints import (
    Checkpoint,
    assign_values,
    check_values,
    read_checkpoint,
    read_values,
    training_variables,
    write_checkpoint,
)
from keras_evae.runs.stage_plan import Stage
from tests.helpers.commands import ROOT, run_python
from tests.helpers.damage import Hostile, random_flips
from tests.helpers.states import random_spins

SMALL = Checkpoint("01_beta", 7, {"loss": [0.1, 1e-45], "beta": [1e-3, 1e-3]}, [np.arange(20.0), np.int64(5)])


@pytest.fixture
def path(tmp_path):
    write_checkpoint(tmp_path / "checkpoint.npz", SMALL)
    return tmp_path / "checkpoint.npz"


def compiled(seed):
    model = EVAE((16, 16), latent_dim=4, seed=seed)
    model.compile(optimizer=keras.optimizers.Adam(1e-3), run_eagerly=True)
    model.optimizer.build(model.trainable_variables)
    return model


def test_every_variable_comes_back(tmp_path):
    """Also Adam's moments, batch normalisation, noise and loss weights."""
    trained, fresh = compiled(seed=0), compiled(seed=1)
    trained.gamma.assign(10.0)
    trained.fit(random_spins(8, 16, 16).astype(np.float32), batch_size=4, verbose=0)
    checkpoint = Checkpoint("stage", 1, {}, read_values(trained))
    write_checkpoint(tmp_path / "checkpoint.npz", checkpoint)
    read = read_checkpoint(tmp_path / "checkpoint.npz")
    check_values(tmp_path, fresh, read, Stage(0, 1e-3, 0.0, 0, 2))
    assign_values(fresh, read.values)
    paths = " ".join(variable.path for variable in training_variables(fresh))
    for part in ("kernel", "moving_variance", "seed_generator", "velocity", "iteration", "gamma"):
        assert part in paths
    for expected, found in zip(training_variables(trained), training_variables(fresh), strict=True):
        np.testing.assert_array_equal(found.numpy(), expected.numpy())
    assert int(fresh.optimizer.iterations) == 2


def test_truncation_and_flipped_bits_are_noticed(path):
    content = path.read_bytes()
    for damaged in (b"", content[:1], content[: len(content) // 2], content[:-1], *random_flips(content, 200)):
        path.write_bytes(damaged)
        with pytest.raises(DataError, match="checkpoint.npz: truncated or damaged.*; delete it, and training goes on"):
            read_checkpoint(path)


def test_killed_at_each_operation(tmp_path):
    """After open, mid-write, before and after fsync and renaming: the old or the new checkpoint is there, whole."""
    result = run_python(ROOT, "-m", "tests.helpers.checkpoint_kills", tmp_path)
    assert result.returncode == 0, result.stderr
    found = json.loads((tmp_path / "record.json").read_text())
    assert found == {"False": [None] * 4 + [2], "True": [1] * 4 + [2]}


def test_full_disk_keeps_the_old_checkpoint(path):
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500, limit[1]))
    try:
        with pytest.raises(DiskError, match="checkpoint.npz: the disk is full"):
            write_checkpoint(path, Checkpoint("other", 8, {}, SMALL.values))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        signal.signal(signal.SIGXFSZ, handler)
    assert read_checkpoint(path).stage == "01_beta"


def archive(**arrays):
    content = io.BytesIO()
    np.savez(content, **arrays)
    return content.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        pickle.dumps(Hostile()),
        archive(record=np.array([Hostile()], dtype=object)),
        b"not an archive",
        archive(values=np.zeros(2)),
        archive(record=np.frombuffer(b'{"stage": "s", "unknown": 1}', np.uint8)),
    ],
    ids=["pickle", "pickle in npz", "text", "no record", "other record"],
)
def test_hostile_content_with_a_right_checksum_is_refused(path, content):
    path.write_bytes(content + hashlib.sha256(content).digest())
    with pytest.raises(DataError, match="checkpoint.npz: (expected|epoch|of another kind)") as caught:
        read_checkpoint(path)
    assert "\n" not in str(caught.value)


EPOCH = "expected an epoch of 01_beta_0.001_gamma_0 and its history, found epoch 7"


@pytest.mark.parametrize(
    ("first", "epochs", "words"),
    [(5, 1, EPOCH), (8, 2, EPOCH), (4, 9, EPOCH), (5, 2, "the arrays of this network and optimiser, found others")],
)
def test_epoch_outside_of_its_stage_and_another_network_are_refused(path, first, epochs, words):
    """Epoch 7 with a history of two epochs lies in a stage that began with epoch 5."""
    with pytest.raises(DataError, match=words):
        check_values(path, compiled(seed=0), read_checkpoint(path), Stage(1, 1e-3, 0.0, first, epochs))


@pytest.mark.parametrize("part", ["kernel", "moving_mean", "velocity"])
def test_state_that_is_not_finite_is_not_kept(part):
    model = compiled(seed=0)
    variable = next(variable for variable in training_variables(model) if part in variable.path)
    variable.assign(np.full(variable.shape, np.inf))
    with pytest.raises(NumericalError, match=f"{part}.* is not finite; no checkpoint was written"):
        read_values(model)
