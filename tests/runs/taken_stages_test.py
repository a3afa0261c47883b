"""Stages taken over from another run: only where both begin alike, whole, and without a trace in the result."""

import json
import logging
import shutil
import subprocess

import pytest

from keras_evae.config import dump_config, load_config
from keras_evae.errors import DataError, MismatchError
from keras_evae.runs.checkpoints import CHECKPOINT
from keras_evae.runs.from_config import planned_stages
from keras_evae.runs.run_folder import decided_by, open_run_folder
from keras_evae.runs.stage_folder import CHECKED, finished_stages
from keras_evae.runs.taken_stages import describe_taken_stages, shared_stages, take_stages
from keras_evae.training.recipe import train
from tests.helpers.run_folders import record_version, write_stage
from tests.helpers.training_cases import CONFIG, ROOT, fingerprint, python, python_environment

VAE = ["evae=null", "vae.betas=[1e-4, 1e-3, 1e-2]"]
NAMES = ["00_beta_0.0001_gamma_0", "01_beta_0.001_gamma_0"]


def configured(folder, *overrides):
    (folder / "run.yaml").write_text(CONFIG)
    return load_config(folder / "run.yaml", [f"dataset.path={folder}/spins.h5", *overrides])


@pytest.fixture
def source(tmp_path):
    """A VAE's run with three stages, two of which the E-VAE of `run.yaml` begins with."""
    config = configured(tmp_path, *VAE)
    run = open_run_folder(tmp_path / "vae", config)
    for stage in planned_stages(config):
        write_stage(run, stage)
    return run


@pytest.fixture
def folder(tmp_path, source):
    return open_run_folder(tmp_path / "evae", configured(tmp_path))


def names(run):
    return sorted(path.name for path in (run / "stages").iterdir())


def take(folder, source, config):
    take_stages(folder, source, shared_stages(source, config))


def test_shared_stages_are_taken_and_named(tmp_path, source, folder):
    assert list(describe_taken_stages(folder)) == []
    take(folder, source, configured(tmp_path))
    assert names(folder) == NAMES
    record = json.loads((folder / "environment.json").read_text())
    assert record["stages_from"] == {"run": str(source), "stages": NAMES} and record["versions"]["keras"]
    for name in NAMES:
        for file in (source / "stages" / name).iterdir():
            assert (folder / "stages" / name / file.name).read_bytes() == file.read_bytes()
    (line,) = describe_taken_stages(folder)
    assert all(part in line for part in ("Taken over", *NAMES, str(source)))


def test_only_what_is_finished_is_taken_also_when_more_is_later(tmp_path, source, folder):
    """The run has gone on by itself in the meantime."""
    for name in names(source)[1:]:
        (source / "stages" / name).rename(tmp_path / name)
    take(folder, source, configured(tmp_path))
    assert names(folder) == NAMES[:1]
    (tmp_path / NAMES[1]).rename(source / "stages" / NAMES[1])
    (folder / CHECKPOINT).touch()
    take(folder, source, configured(tmp_path))
    assert names(folder) == NAMES[:1]


def test_other_epochs_of_a_later_stage(tmp_path, source, folder):
    assert [stage.name for stage in shared_stages(source, configured(tmp_path, "vae.epochs=[2, 3]"))] == NAMES[:1]
    with pytest.raises(MismatchError, match=r"vae: no shared stage: expected .*epochs=3.* first, found .*epochs=2"):
        shared_stages(source, configured(tmp_path, "vae.epochs=3"))


@pytest.mark.parametrize(
    "override",
    [
        "hamiltonian.D=0.2",
        "dataset.seed=1",
        "network.latent_dim=5",
        "training.seed=1",
        "training.reset_optimizer=true",
        "geometry={shape: disc, size: 12}",
    ],
)
def test_other_training_is_refused_and_nothing_changes(tmp_path, source, override):
    with pytest.raises(MismatchError, match=f"{override.partition('=')[0]}.*expected .*; nothing was changed"):
        train(configured(tmp_path, override), tmp_path / "other", stages_from=source)
    assert not (tmp_path / "other").exists()


def test_stages_of_another_version_are_refused_and_nothing_changes(tmp_path, source):
    record_version(source, None)
    with pytest.raises(MismatchError, match="vae: written by a version before 0.1.0.*Leave out --stages-from"):
        train(configured(tmp_path), tmp_path / "other", stages_from=source)
    assert not (tmp_path / "other").exists()


def test_source_whose_configuration_was_changed_is_refused(tmp_path, source):
    """Its stages say what they were trained with, whatever the manifest said."""
    for stage in planned_stages(configured(tmp_path, *VAE)):
        shutil.rmtree(source / "stages" / stage.name)
        write_stage(source, stage, decided_by(configured(tmp_path)))
    changed = configured(tmp_path, *VAE, "hamiltonian.J=2")
    (source / "config.yaml").write_text(dump_config(changed))
    (source / "manifest.sha256").unlink()
    with pytest.raises(
        MismatchError, match="hamiltonian.J: trained with 1.0, but the configuration of the run says 2.0"
    ):
        shared_stages(source, changed)


def test_time_between_checkpoints_is_free(tmp_path, source):
    assert len(shared_stages(source, configured(tmp_path, "training.checkpoint_minutes=1"))) == 2


def test_run_without_a_finished_stage_and_no_run(tmp_path, folder):
    with pytest.raises(DataError, match=f"expected a finished stage such as {NAMES[0]}, found none"):
        shared_stages(folder, configured(tmp_path))
    with pytest.raises(DataError, match="expected a run folder"):
        shared_stages(tmp_path, configured(tmp_path))


@pytest.mark.parametrize("begun", [CHECKPOINT, f"stages/{NAMES[0]}"])
def test_run_that_has_begun_is_refused(tmp_path, source, folder, begun):
    (folder / begun).mkdir()
    with pytest.raises(MismatchError, match="expected a run that has not begun a stage, found"):
        take(folder, source, configured(tmp_path))
    assert "stages_from" not in json.loads((folder / "environment.json").read_text())


def test_run_that_has_trained_them_itself_goes_on(tmp_path, source, folder):
    for stage in planned_stages(configured(tmp_path)):
        write_stage(folder, stage)
    take(folder, source, configured(tmp_path))
    assert list(describe_taken_stages(folder)) == []


def test_another_source_is_refused(tmp_path, source, folder):
    take(folder, source, configured(tmp_path))
    source.rename(tmp_path / "renamed")
    with pytest.raises(MismatchError, match="--stages-from: expected .*vae as at first, found .*renamed"):
        take(folder, tmp_path / "renamed", configured(tmp_path))


@pytest.mark.parametrize("name", ["model.weights.h5", "metrics.json", "history.csv", "checksums.sha256"])
def test_damage_is_noticed_and_not_copied(tmp_path, source, folder, name):
    file = source / "stages" / NAMES[1] / name
    file.write_bytes(file.read_bytes()[:-1] + b"?")
    with pytest.raises(DataError, match=f"{NAMES[1]}/{name}: missing or damaged"):
        take(folder, source, configured(tmp_path))
    assert NAMES[1] not in names(folder)


@pytest.mark.parametrize("disk", [[], ["copy"]], ids=["links", "copies"])
def test_kill_at_each_moment(tmp_path, source, disk):
    (tmp_path / "evae.yaml").write_text(CONFIG.replace("data/spins.h5", f"{tmp_path}/spins.h5"))
    line = python("-m", "tests.helpers.inheritance_kills", source, tmp_path / "evae.yaml", *disk)
    result = subprocess.run(line, cwd=ROOT, env=python_environment(), capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    record = json.loads(result.stdout.splitlines()[-1])
    # A folder's creation, four links or copies, five fsyncs, the renaming and its fsync, for each of two stages.
    assert record["kills"] >= 24 and record["kills"] == record["whole"] == record["equal"]
    assert set(record["seen"]) == {0, 4, 8}


def test_links_need_no_room_and_each_run_may_go(tmp_path, source, folder):
    """What is deleted or written anew in one run stays as it was in the other."""
    take(folder, source, configured(tmp_path))
    pairs = [(source / "stages" / name / file, folder / "stages" / name / file) for name in NAMES for file in CHECKED]
    assert all(own.stat().st_nlink == 2 and own.samefile(origin) for origin, own in pairs)
    before = [own.read_bytes() for _, own in pairs]
    for stage in finished_stages(source, planned_stages(configured(tmp_path, *VAE))):
        shutil.rmtree(stage.path)
        write_stage(source, stage.stage)
        (stage.path / "metrics.json").write_text("{}")
    assert [own.read_bytes() for _, own in pairs] == before
    copy = open_run_folder(tmp_path / "copy", configured(tmp_path))
    take(copy, folder, configured(tmp_path))
    shutil.rmtree(folder)
    assert len(finished_stages(copy, planned_stages(configured(tmp_path)))) == 2


@pytest.mark.slow
def test_result_is_that_of_a_run_that_trained_everything_itself(tmp_path, caplog):
    train(configured(tmp_path, "evae=null"), tmp_path / "vae")
    train(configured(tmp_path), tmp_path / "whole")
    with caplog.at_level(logging.INFO):
        train(configured(tmp_path), tmp_path / "taken", stages_from=tmp_path / "vae")
    assert f"Taken over   {', '.join(NAMES)} from {tmp_path}/vae" in caplog.messages
    assert "             there: beta = 0.0001, 0.001" in caplog.messages
    assert fingerprint(tmp_path / "taken") == fingerprint(tmp_path / "whole")
    train(configured(tmp_path), tmp_path / "taken", stages_from=tmp_path / "vae")
    assert fingerprint(tmp_path / "taken") == fingerprint(tmp_path / "whole")
