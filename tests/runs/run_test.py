"""Run folders: stages appear whole, damage is noticed, and loading executes nothing from the files."""

import functools
import json
from pathlib import Path

import numpy as np
import pytest

import keras_evae
from keras_evae.config import load_config
from keras_evae.errors import DataError, MismatchError
from keras_evae.model import devices
from keras_evae.model.evae import EVAE
from keras_evae.runs.environment import TRAINING_VERSION
from keras_evae.runs.from_config import planned_stages
from keras_evae.runs.run import latest_run, load_run
from keras_evae.runs.run_folder import open_run_folder, with_meant_dataset
from keras_evae.runs.stage_folder import save_stage
from tests.helpers.run_folders import record_version

METRICS = {"train": {"loss": 1.0}, "validation": {"loss": 2.0}, "generated": {"fft_mse": 3.0}}
TEXT = """
dataset: {shape: [16, 32], train: 10, validation: 5, test: 5}
network: {latent_dim: 4}
training: {batch_size: 5}
vae: {betas: [1e-4, 1e-3], epochs: 2}
evae: {beta: 1e-3, gammas: [10], epochs: 1}
"""


@functools.cache
def model_of(seed):
    return EVAE((16, 32), latent_dim=4, seed=seed)


@pytest.fixture
def config(tmp_path):
    (tmp_path / "run.yaml").write_text(TEXT)
    return load_config(tmp_path / "run.yaml")


@pytest.fixture
def run(tmp_path, config):
    """A run with two of its three stages finished."""
    folder = open_run_folder(tmp_path / "runs" / "small", config)
    for stage in planned_stages(config)[:2]:
        model = model_of(stage.index)
        model.beta.assign(stage.beta)
        save_stage(folder, stage, model, METRICS, {"loss": [0.5] * stage.epochs})
    return folder


def test_run_explains_itself(run, config):
    assert load_config(run / "config.yaml") == config
    # The environment is that of the first start.
    open_run_folder(run, config, {"strategy": "mirrored"})
    environment = json.loads((run / "environment.json").read_text())
    assert environment["versions"]["keras"] and environment["cores"] >= 1 and "strategy" not in environment
    assert environment["versions"]["keras_evae"] == keras_evae.__version__
    assert environment["training_version"] == TRAINING_VERSION


def test_load_run_gives_the_last_or_the_chosen_stage(run):
    loaded = load_run(run)
    assert [stage.name for stage in loaded.stages] == ["00_beta_0.0001_gamma_0", "01_beta_0.001_gamma_0"]
    assert loaded.stages[1].metrics["generated"]["fft_mse"] == 3.0
    assert loaded.hamiltonian.D == 0.3
    assert float(loaded.model.beta) == pytest.approx(1e-3)
    for stage, seed in ((0, 0), ("01_beta_0.001_gamma_0", 1)):
        expected = model_of(seed).generate(2, seed=0)
        np.testing.assert_array_equal(load_run(run, stage).model.generate(2, seed=0), expected)
    with pytest.raises(DataError, match=r"expected a finished stage 7, found: 00_beta"):
        load_run(run, 7)
    # Of several that fit, the last.
    for words, index in (("beta=1e-4", 0), ("gamma=0", 1), ("beta = 0.0001, gamma = 0", 0)):
        assert load_run(run, words).selected.stage.index == index
    for words in ("gamma=10", "", "gamma", "gamma=", "gamma=x", "epoch=1", "gamma=0, epoch=1"):
        with pytest.raises(DataError, match=f"expected a finished stage '{words}', found: 00_beta"):
            load_run(run, words)


@pytest.mark.parametrize("left", [[], ["stages"], ["stages", "config.yaml.partial"], [".lock"]])
def test_folder_of_a_run_that_was_cut_short_while_it_was_made(tmp_path, config, left):
    folder = tmp_path / "cut"
    folder.mkdir()
    for name in left:
        (folder / name).mkdir() if name == "stages" else (folder / name).touch()
    open_run_folder(folder, config)
    assert load_run(folder).config == config


def test_configurations_and_folders_of_others_are_refused(run, tmp_path, config):
    """But for the time between checkpoints."""
    open_run_folder(run, load_config(tmp_path / "run.yaml", ["training.checkpoint_minutes=0.5"]))
    other = load_config(tmp_path / "run.yaml", ["training.seed=3"])
    before = (run / "config.yaml").read_bytes()
    with pytest.raises(MismatchError, match="training.seed: expected 3 as configured now, found 0; nothing was"):
        open_run_folder(run, other)
    assert (run / "config.yaml").read_bytes() == before
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="expected a run folder or an empty one"):
        open_run_folder(tmp_path / "file", config)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("years of work")
    with pytest.raises(DataError, match="expected a run folder or an empty one"):
        open_run_folder(tmp_path / "full", config)
    assert [file.name for file in (tmp_path / "full").iterdir()] == ["thesis.tex"]


def test_paths_are_compared_by_where_they_lead(tmp_path, config, monkeypatch):
    """A relative one of the run is seen from where the run was started, another one from here."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "link").symlink_to(tmp_path)
    monkeypatch.chdir(tmp_path)
    folder = open_run_folder("runs/named", config)
    for path in (tmp_path, tmp_path / "link", Path("link/elsewhere/..")):
        open_run_folder(folder, load_config("run.yaml", [f"dataset.path={path}/data/skyrmions_128x128.h5"]))
    meant = tmp_path / "data" / "skyrmions_128x128.h5"
    monkeypatch.chdir(tmp_path / "elsewhere")
    open_run_folder("../runs/named", config)
    assert with_meant_dataset("../runs/named", config).dataset.path == load_run("../runs/named").dataset_path == meant
    other = load_config("../run.yaml", ["dataset.path=../elsewhere/other.h5"])
    with pytest.raises(MismatchError, match=f"^{tmp_path}.*dataset.path: expected '{tmp_path}/elsewhere/other.h5' as"):
        open_run_folder("../runs/named", other)


@pytest.mark.parametrize(
    ("version", "message"),
    [
        (None, "written by a version before 0.1.0.*anew"),
        (TRAINING_VERSION + 1, f"training_version: expected {TRAINING_VERSION} .*, found .*anew"),
    ],
)
def test_run_of_another_version_is_read_but_does_not_go_on(run, config, version, message):
    record_version(run, version)
    before = (run / "environment.json").read_bytes()
    with pytest.raises(MismatchError, match=message):
        open_run_folder(run, config)
    assert (run / "environment.json").read_bytes() == before
    assert len(load_run(run).stages) == 2


def test_loading_executes_nothing(run):
    (run / "manifest.sha256").unlink()
    (run / "config.yaml").write_text("training: !!python/object/apply:os.system [false]\n")
    with pytest.raises(ValueError, match="could not determine a constructor"):
        load_run(run)


def test_latest_run(run, tmp_path, config):
    assert latest_run(tmp_path / "runs") == run
    newer = open_run_folder(tmp_path / "runs" / "newer", config)
    assert latest_run(tmp_path / "runs") == newer
    with pytest.raises(DataError, match="no run found; start one with"):
        latest_run(tmp_path / "nowhere")


def test_form_of_a_loaded_model_is_that_of_the_device(run, monkeypatch):
    """Whatever form a run was trained in."""
    text = (run / "config.yaml").read_text()
    (run / "manifest.sha256").unlink()
    (run / "config.yaml").write_text(text.replace("phases: auto", "phases: false"))
    first = load_run(run).model
    assert first.phases
    monkeypatch.setattr(devices, "sees_gpu", lambda: True)
    second = load_run(run).model
    assert not second.phases
    # Both layer by layer: the two forms round differently.
    latent = np.random.default_rng(0).normal(size=(2, first.latent_dim)).astype(np.float32)
    np.testing.assert_array_equal(*(np.asarray(model.decoder(latent)) for model in (first, second)))
