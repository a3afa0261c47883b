"""TensorBoard's logs: each epoch once, in order, whatever was cut short."""

import contextlib
import resource

import numpy as np
import pytest
import tensorflow as tf

from keras_evae.errors import DiskError
from keras_evae.training.tensorboard_logs import EpochScalars, log_stage
from tests.helpers.training_cases import read_events

pytestmark = pytest.mark.filterwarnings("ignore")


def write(folder, stage, first_epoch, history, epochs):
    """A stage that has a history already and trains some more epochs."""
    with EpochScalars(folder, stage, first_epoch, history) as scalars:
        for epoch in epochs:
            scalars.on_epoch_end(epoch, {"loss": float(epoch), "val_loss": epoch + 0.5, "beta": 1e-3})


def history(epochs):
    return {"loss": [float(e) for e in epochs], "val_loss": [e + 0.5 for e in epochs], "beta": [1e-3 for e in epochs]}


def scalars(folder, split, tag):
    events = [(step, value) for step, value in read_events(folder / split) if value.tag == tag]
    return [(step, float(tf.make_ndarray(value.tensor))) for step, value in events]


def test_each_epoch_once_whatever_was_cut_short(tmp_path):
    write(tmp_path, "00_a", 0, {}, range(2))
    # Cut short without a checkpoint, with one after two epochs, and gone on to the end.
    write(tmp_path, "01_b", 2, {}, range(2, 6))
    write(tmp_path, "01_b", 2, {}, range(2, 5))
    write(tmp_path, "01_b", 2, history(range(2, 4)), range(4, 7))
    write(tmp_path, "02_c", 7, {}, range(7, 8))
    for split, shift in (("train", 0.0), ("validation", 0.5)):
        assert scalars(tmp_path, split, "1 losses/loss") == [(epoch, epoch + shift) for epoch in range(8)]
    assert [step for step, _ in scalars(tmp_path, "train", "3 weights/beta")] == list(range(8))
    assert scalars(tmp_path, "validation", "3 weights/beta") == []


def test_end_of_a_stage_replaces_what_a_kill_has_left(tmp_path):
    spins = np.zeros((3, 8, 8, 3), np.float32)
    spins[..., 2] = 1.0
    # At the upper edge, on the left.
    spins[:, 7, 0] = (1.0, 0.0, 0.0)
    for value in (1.0, 2.0):
        with EpochScalars(tmp_path, "00_a", 0, history(range(3))):
            pass
        metrics, angles = {"generated": {"fft_mse": value}}, {"generated": np.linspace(0, 3, 50)}
        log_stage(tmp_path, "00_a", 2, metrics, {"generated": spins}, angles)
    assert scalars(tmp_path, "stages", "4 end of stage/generated fft_mse") == [(2, 2.0)]
    logged = {value.tag: value.tensor for _, value in read_events(tmp_path / "stages")}
    picture = tf.io.decode_png(logged["2 states/generated"].string_val[2]).numpy()
    np.testing.assert_array_equal(picture[:2, :2, 1], [[0, 255], [255, 255]])
    tags = [value.tag for _, value in read_events(tmp_path / "stages")]
    assert sorted(logged) == [
        "2 states/generated",
        "2 states/wheel of directions",
        "4 end of stage/generated fft_mse",
        "5 angles/generated",
    ]
    assert len(tags) == 4


@contextlib.contextmanager
def full_disk():
    """No file can grow beyond some bytes; only inside of a test, since pytest's own output may be a file."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_full_disk_is_said_in_one_line(tmp_path):
    folder = tmp_path / "tensorboard"
    with full_disk(), pytest.raises(DiskError, match="tensorboard"):
        write(folder, "00_a", 0, {}, range(2))
    with full_disk(), pytest.raises(DiskError, match="tensorboard"):
        log_stage(folder, "00_a", 0, {"validation": {"kl_loss": 1.0}}, {}, {})
