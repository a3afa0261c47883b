"""Folders of finished stages: they appear whole, and damage to any of their files is noticed."""

import errno
import functools
import json
import os
import pickle
import shutil
import subprocess
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

from keras_evae.errors import DataError, DiskError, MismatchError
from keras_evae.model.evae import EVAE
from keras_evae.runs.stage_folder import finished_stages, load_stage_weights, refuse_orphans, save_stage
from keras_evae.runs.stage_plan import plan_stages
from tests.helpers.damage import Hostile, random_flips

METRICS = {"train": {"loss": 1.0}, "validation": {"loss": 2.0}, "generated": {"fft_mse": 3.0}}
STAGES = plan_stages([1e-4, 1e-3, 1e-2], 2)
FILES = ["model.weights.h5", "metrics.json", "history.csv", "checksums.sha256"]


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A run folder with two of three stages."""
    folder = tmp_path_factory.mktemp("run")
    for stage in STAGES[:2]:
        save_stage(folder, stage, EVAE((16, 16), latent_dim=4, seed=stage.index), METRICS, {"loss": [0.5, 0.25]})
    return folder


@pytest.fixture
def run(written, tmp_path):
    return shutil.copytree(written, tmp_path / "run")


@functools.cache
def model():
    return EVAE((16, 16), latent_dim=4)


def load(run):
    """Reads all that there is of the last stage."""
    stages = finished_stages(run, STAGES)
    load_stage_weights(model(), stages[-1])
    return model()


def test_stage_comes_back(run):
    # An unfinished one does not count.
    (run / "stages" / f".{STAGES[2].name}.partial").mkdir()
    first, second = finished_stages(run, STAGES)
    assert (first.name, second.beta, second.gamma) == ("00_beta_0.0001_gamma_0", 1e-3, 0.0)
    assert second.metrics == METRICS
    assert (second.path / "history.csv").read_text().splitlines() == ["epoch,loss", "2,0.5", "3,0.25"]
    model().gamma.assign(7.0)
    assert (float(load(run).beta), float(load(run).gamma)) == (pytest.approx(1e-3), 0.0)
    expected = EVAE((16, 16), latent_dim=4, seed=1).generate(2, seed=0)
    np.testing.assert_array_equal(load(run).generate(2, seed=0), expected)
    assert sorted(path.name for path in second.path.iterdir()) == sorted(FILES)
    # Anyone can check the folder without this package.
    assert subprocess.run(["sha256sum", "--check", "--quiet", "checksums.sha256"], cwd=second.path).returncode == 0


def test_stages_of_another_plan_are_refused(run):
    """Under the same name, or in the place of one that is missing."""
    with pytest.raises(MismatchError, match="epochs: trained with 2, but the configuration of the run says 3"):
        finished_stages(run, plan_stages([1e-4, 1e-3, 1e-2], [2, 3, 2]))
    refuse_orphans(run, STAGES[2:])
    with pytest.raises(DataError, match="no stage after the missing 01_beta_0.005_gamma_0, found .*01_beta_0.001_gam"):
        refuse_orphans(run, plan_stages([1e-4, 5e-3], 2)[1:])


@pytest.mark.parametrize("name", FILES)
def test_damage_is_noticed(run, name):
    """Files cut short, with flipped bits, or missing."""
    file = run / "stages" / STAGES[1].name / name
    content = file.read_bytes()
    for damaged in (b"", content[:1], content[: len(content) // 2], content[:-1], *random_flips(content, 20), None):
        if damaged is None:
            file.unlink()
        else:
            file.write_bytes(damaged)
        with pytest.raises(DataError, match="missing or damaged.*delete the folder .*01_beta_0.001_gamma_0 and later"):
            load(run)


def sign(folder):
    """Gives a stage the checksums of the files that it has now."""
    checksums = subprocess.run(["sha256sum", *FILES[:3]], cwd=folder, capture_output=True, text=True).stdout
    (folder / "checksums.sha256").write_text(checksums)


@pytest.mark.parametrize("value", [np.nan, np.inf, 1j], ids=str)
def test_weights_that_are_no_finite_real_numbers_are_refused(run, value):
    """Though their checksum is right."""
    folder = run / "stages" / STAGES[1].name
    with h5py.File(folder / "model.weights.h5", "a") as file:
        arrays = []
        file.visititems(lambda name, item: arrays.append(name) if isinstance(item, h5py.Dataset) else None)
        values = file[arrays[3]][()].astype(np.result_type(value, np.float32))
        values.flat[0] = value
        del file[arrays[3]]
        file[arrays[3]] = values
    sign(folder)
    with pytest.raises(
        DataError, match=f"expected finite real numbers as {arrays[3]}, found others; delete the folder"
    ):
        load(run)


@pytest.mark.parametrize("moment", ["posix_fallocate", "fsync", "rename"])
def test_full_disk_at_the_end_of_a_stage(run, monkeypatch, moment):
    def full(*arguments):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(*(Path, "rename") if moment == "rename" else (os, moment), full)
    with pytest.raises(
        DiskError, match=f"{STAGES[2].name}: the disk is full; make room. Finished work is kept"
    ) as caught:
        save_stage(run, STAGES[2], model(), METRICS, {"loss": [0.5, 0.25]})
    assert caught.value.exit_code == 5
    assert sorted(file.name for file in (run / "stages").iterdir()) == [stage.name for stage in STAGES[:2]]


def hostile_pickle(path):
    path.write_bytes(pickle.dumps(Hostile()))


def hostile_model(path):
    """A whole Keras model whose description has code in it."""
    layer = keras.layers.Lambda(lambda x: exec("raise SystemExit('executed')") or x)  # noqa: S102
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
    model.save(path.with_suffix(".keras"))
    path.with_suffix(".keras").rename(path)
    with h5py.File(path.with_name("config.h5"), "w") as file:
        file.attrs["model_config"] = json.dumps(keras.saving.serialize_keras_object(layer))


def hostile_h5(path):
    hostile_model(path)
    path.with_name("config.h5").rename(path)


def hostile_link(path):
    """The weights of another file."""
    shutil.copy(path, path.with_name("other.h5"))
    with h5py.File(path, "a") as file:
        name = next(iter(file))
        del file[name]
        file[name] = h5py.ExternalLink("other.h5", name)


@pytest.mark.parametrize("write", [hostile_pickle, hostile_model, hostile_h5, hostile_link])
def test_hostile_weights_with_a_right_checksum_are_refused(run, write):
    """Nothing but arrays is read: what is not the weights of this network is named in one line."""
    folder = run / "stages" / STAGES[1].name
    write(folder / "model.weights.h5")
    sign(folder)
    with pytest.raises(DataError, match="(the weights of this network|of another kind|found links to other)") as caught:
        load(run)
    assert "\n" not in str(caught.value)
